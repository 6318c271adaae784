"""From a model to its public classes: the constructor's signature, read from its declaration, and the four forms."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from types import FunctionType
from typing import Any, ClassVar

from torch import Tensor

from ..neurons.model import Model
from ..neurons.state import map_state
from .modules import SNN, Form, SNNCell, SNNRecurrent, SNNRecurrentCell, positive_int, weight
from .parameters import ParameterHolder
from .run import Rule, rule_of


def signature(model: Model, form: type[Form], weighted: bool) -> Signature:
    """The arguments of a class: sizes, parameters, what the model adds after them, then the keywords."""
    arguments: dict[str, Any] = {}
    if weighted:
        arguments |= {"input_size": Parameter.empty, "hidden_size": Parameter.empty}
    elif model.coupled:
        arguments |= {"hidden_size": Parameter.empty}
    arguments |= {"spiking_method": Parameter.empty} if model.presets else {"p": model.parameters()}
    arguments |= {"adjoint": False} if model.adjoint else {}
    arguments |= {"g_coupling": None} if model.coupled else {}
    keywords: dict[str, Any] = {}
    if weighted:
        keywords |= {"input_weights": None}
    if form.recurrent:
        keywords |= {"recurrent_weights": None, "autapses": model.autapses}
    (keywords if form.recurrent and not model.dt_positional else arguments)["dt"] = 0.001
    keywords |= {"learnable": (), "detach_reset": model.detach_reset and form.recurrent}
    keywords |= {k: v[0] for k, v in model.options.items()}
    keywords |= {"record_states": False} if form.over_time else {}
    return Signature(
        [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=value) for name, value in arguments.items()]
        + [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in keywords.items()]
    )


class ModelForm(Form):
    """A form of one model: constructed by the class's signature, run by the model's rule."""

    model: ClassVar[Model]
    __signature__: ClassVar[Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = type(self).__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        given, model = bound.arguments, self.model
        if given.get("adjoint"):
            raise NotImplementedError("adjoint=True: gradients come from back-propagation, with a surrogate derivative")
        p, start = behavior(given["spiking_method"]) if model.presets else (given["p"], None)
        self._keep(check_parameters(model, p), given["dt"], given["learnable"])
        self.detach_reset = bool(given["detach_reset"])
        self.options = check_options(model, given)
        self.record_states = bool(given.get("record_states", False))
        self.start = start and map_state(lambda v: v.detach().clone() if isinstance(v, Tensor) else v, start)
        if "input_size" in given:
            scale = model.weight_scale if self.recurrent else _linear_scale
            weights = (given["input_weights"], given.get("recurrent_weights"))
            self._connect(given["input_size"], given["hidden_size"], *weights, given.get("autapses", False), scale)
        if model.coupled:
            self.hidden_size = h = positive_int("hidden_size", given["hidden_size"])
            self.g_coupling = weight("g_coupling", given["g_coupling"], (h, h), h**-0.5)

    def _rule(self, p: Any) -> Rule:
        origin = p if self.start is None else self.start
        owner = type(self).__name__
        return rule_of(self.model, owner, self.dt, self.detach_reset, self.options, origin, self.recurrent)


def behavior(spiking_method: Any) -> tuple[Any, Any]:
    """The parameters and the state of a preset."""
    if not (isinstance(spiking_method, tuple) and getattr(spiking_method, "_fields", ()) == ("p", "s")):
        kind = type(spiking_method).__name__
        raise TypeError(f"spiking_method must be a preset such as tonic_spiking, with fields p and s, not {kind}")
    return spiking_method  # type: ignore[return-value]


def _linear_scale(input_size: int, hidden_size: int) -> tuple[float, float]:
    return input_size**-0.5, 0.0


def check_parameters(model: Model, p: Any) -> Any:
    """The plain parameter tuple; a TypeError names the fields that it lacks."""
    p = p.tuple() if isinstance(p, ParameterHolder) else p
    lacking = [name for name in model.parameters._fields if not hasattr(p, name)]  # type: ignore[attr-defined]
    if lacking:
        raise TypeError(f"p must be a {model.parameters.__name__}: {type(p).__name__} lacks {', '.join(lacking)}")
    return p


def check_options(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """The model's further keywords as given; a ValueError names the allowed values."""
    for name, allowed in model.options.items():
        if given[name] not in allowed:
            raise ValueError(f"{name}={given[name]!r} is not allowed: choose one of {', '.join(map(repr, allowed))}")
    return {name: given[name] for name in model.options}


def own_code(function: Callable[..., Any], name: str) -> Any:
    """A copy of the function with a code object of its own: torch.compile counts its recompilations by code object."""
    code, defaults = function.__code__.replace(co_name=name), function.__defaults__
    copy = FunctionType(code, function.__globals__, name, defaults, function.__closure__)
    copy.__kwdefaults__, copy.__doc__ = function.__kwdefaults__, function.__doc__
    return copy


def form(model: Model, base: type[Form], name: str, weighted: bool, module: str = "eventsnn.forms") -> type[Form]:
    """The class of one form; `module` is where it can be imported from."""
    what = ("recurrent " if base.recurrent else "linear " if weighted else "") + ("layer" if base.over_time else "cell")
    shapes = ("input (..., input_size), output (..., hidden_size)" if weighted else "input and output (...)").replace(
        "(...", "(T, ..." if base.over_time else "(..."
    )
    equations = (sys.modules[model.step.__module__].__doc__ or "").rstrip()
    body = {
        "model": model,
        "__signature__": signature(model, base, weighted),
        "__module__": module,
        "__doc__": f"{name}, a {what}: {shapes}.\n\n{equations}\n",
        "forward": own_code(Form.forward, "forward"),
    }
    return type(name, (ModelForm, base), body)


def four_forms(model: Model, module: str = "eventsnn.forms") -> tuple[type[Form], type[Form], type[Form], type[Form]]:
    """The classes Cell, Layer, RecurrentCell and recurrent Layer of a model; pass your `__name__` for a model of yours.

    >>> from typing import Any, NamedTuple
    >>> import torch
    >>> from eventsnn.neurons.model import fire, total
    >>> class LeakyParameters(NamedTuple):
    ...     tau_mem_inv: Any = 100.0
    ...     method: Any = "super"
    ...     alpha: Any = 100.0
    >>> class LeakyState(NamedTuple):
    ...     z: Any
    ...     v: Any
    >>> def step(x, state, p, dt, *, detach_reset=False):
    ...     v = state.v * (1 - state.z) + dt * p.tau_mem_inv * (total(x) - state.v)
    ...     z = fire(v - 1, p)
    ...     return z, LeakyState(z, v)
    >>> leaky = Model("Leaky", "leaky", step, LeakyParameters, start=lambda p, recurrent: LeakyState(0.0, 0.0))
    >>> LeakyCell, Leaky, LeakyRecurrentCell, LeakyRecurrent = four_forms(leaky, __name__)
    >>> spikes, state = Leaky(learnable=("tau_mem_inv",))(torch.full((20, 3), 2.0))
    >>> spikes.sum(0).tolist()
    [2.0, 2.0, 2.0]
    """
    cell, recurrent_cell = model.cells or (f"{model.name}Cell", f"{model.name}RecurrentCell")
    return (
        form(model, SNNCell, cell, False, module),
        form(model, SNN, model.name, False, module),
        form(model, SNNRecurrentCell, recurrent_cell, True, module),
        form(model, SNNRecurrent, f"{model.name}Recurrent", True, module),
    )
