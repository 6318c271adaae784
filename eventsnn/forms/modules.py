"""The four forms as modules: one step or all steps, with or without weights.

`module(input_tensor, state=None, *, reset=None) -> (output, state)`

| form | input | output | state fields |
|---|---|---|---|
| SNNCell | any shape S | S | S |
| SNN | (T, *S), time first | (T, *S) | S |
| SNNRecurrentCell | (..., I) | (..., H) | (..., H) |
| SNNRecurrent | (T, ..., I) | (T, ..., H) | (..., H) |

`state=None` starts from the initial state; `reset` is a boolean mask over a leading part of the state's shape (over
time: one row a step, which acts before that step) that puts fields back to their initial values.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..neurons.model import Model
from .operands import Matrices, dense, initial_at, positive_time, site_of
from .parameters import ParameterHolder, learnable_names
from .run import Rule, run


def positive_int(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, not {value!r}")
    return value


def weight(name: str, given: Tensor | None, shape: tuple[int, int], scale: float) -> nn.Parameter:
    """A matrix as a Parameter: drawn from N(0, scale^2), copied from a tensor, or the Parameter that was given."""
    if math.prod(shape) >= 2**60:
        raise ValueError(f"{name} would have the shape {shape}: too many entries")
    if given is None:
        return nn.Parameter(torch.randn(shape) * scale)
    if tuple(given.shape) != shape:
        raise ValueError(f"{name} must have the shape {shape}, not {tuple(given.shape)}")
    return given if isinstance(given, nn.Parameter) else nn.Parameter(given.detach().clone())


class Form(nn.Module):
    """What the four forms share; `over_time` and `recurrent` tell them apart."""

    is_stateful = True
    accepts_reset = True
    over_time: ClassVar[bool] = False
    recurrent: ClassVar[bool] = False
    record_states = False

    def _keep(self, p: Any, dt: float, learnable: Any = ()) -> None:
        """Check and keep the parameters and the time step."""
        super().__init__()
        self.dt = positive_time(dt)
        self.p = ParameterHolder(p, dt, learnable_names(p, learnable)) if hasattr(p, "_fields") else p

    def _connect(
        self, input_size: int, hidden_size: int, input_weights: Any, recurrent_weights: Any, autapses: bool, scale: Any
    ) -> None:
        """Draw or register the weights."""
        self.input_size = positive_int("input_size", input_size)
        self.hidden_size = positive_int("hidden_size", hidden_size)
        self.autapses = bool(autapses)
        w, r = scale(input_size, hidden_size)
        self.input_weights = weight("input_weights", input_weights, (hidden_size, input_size), w)
        if self.recurrent:
            self.recurrent_weights = weight("recurrent_weights", recurrent_weights, (hidden_size, hidden_size), r)
            if not self.autapses:
                with torch.no_grad():
                    self.recurrent_weights.fill_diagonal_(0)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        r = state_dict.get(f"{prefix}recurrent_weights")
        if self.recurrent and not self.autapses and r is not None and r.diagonal().any():
            warnings.warn("the loaded recurrent weights have a diagonal, which autapses=False leaves out", stacklevel=2)

    def _tuple(self) -> Any:
        return self.p.tuple() if isinstance(self.p, ParameterHolder) else self.p

    def _rule(self, p: Any) -> Rule:
        raise NotImplementedError

    def _matrices(self) -> Matrices:
        if "hidden_size" not in self.__dict__:  # no weights: a module's search for what it has not is slow
            return Matrices()
        w, r, g = (getattr(self, name, None) for name in ("input_weights", "recurrent_weights", "g_coupling"))
        if r is not None and not self.autapses:
            r = torch.diagonal_scatter(r, r.new_zeros(r.shape[0]))
        return Matrices(w, r, g)

    def initial_state(self, input_tensor: Tensor) -> Any:
        """The state that `state=None` starts from, in full shape, in the input's dtype and on its device."""
        rule = self._rule(self._tuple())
        x = dense(input_tensor, rule.owner, rule.sparse)
        site = site_of(x, rule.owner, self.over_time, self._matrices())
        return initial_at(rule.start(input_tensor), site._replace(dtype=x.dtype))

    def forward(self, input_tensor: Tensor, state: Any = None, *, reset: Tensor | None = None) -> tuple[Tensor, Any]:
        """`(output, state)` for an input and the state before it."""
        p = self._tuple()
        return run(
            self._rule(p),
            input_tensor,
            state,
            p,
            self._matrices(),
            over_time=self.over_time,
            record_states=self.record_states,
            reset=reset,
        )

    def extra_repr(self) -> str:
        names = ("input_size", "hidden_size", "dt", "autapses", "record_states")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names if name in self.__dict__)


class SNNCell(Form):
    """One step of any step function `activation(input, state, p, dt) -> (output, state)`.

    `state_fallback(input)` returns the initial state, a named tuple of tensors or numbers. A neuron of your own:

    >>> from typing import NamedTuple
    >>> from eventsnn.surrogate import threshold
    >>> class Membrane(NamedTuple):
    ...     v: torch.Tensor
    >>> class Leak(NamedTuple):
    ...     tau_mem_inv: float = 100.0
    >>> def leaky(x, state, p, dt):
    ...     v = state.v + dt * p.tau_mem_inv * (x - state.v)
    ...     z = threshold(v - 1)
    ...     return z, Membrane(v * (1 - z))
    >>> layer = SNN(leaky, lambda x: Membrane(0.0), p=Leak())
    >>> layer(torch.full((20, 3), 2.0))[0].sum(0).tolist()
    [2.0, 2.0, 2.0]
    """

    def __init__(
        self,
        activation: Callable[..., tuple[Tensor, Any]],
        state_fallback: Callable[[Tensor], Any],
        p: Any = None,
        dt: float = 0.001,
    ) -> None:
        self._keep(p, dt)
        self.activation, self.state_fallback = activation, state_fallback

    def _rule(self, p: Any) -> Rule:
        return Rule(type(self).__name__, functools.partial(self.activation, dt=self.dt), self.state_fallback)


class SNN(SNNCell):
    """All steps of any step function, along the first axis: SNNCell's arguments, and `record_states`.

    With `record_states` the returned state holds every step, stacked over time.
    """

    over_time = True

    def __init__(self, *args: Any, record_states: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.record_states = bool(record_states)


def _weighted(x: Tensor, state: Any, params: Any, *, activation: Any, dt: float) -> tuple[Tensor, Any]:
    p, input_weights, recurrent_weights = params
    return activation(x, state, input_weights, recurrent_weights, p, dt)


class SNNRecurrentCell(Form):
    """One step of any step function `activation(input, state, input_weights, recurrent_weights, p, dt)`."""

    recurrent = True

    def __init__(
        self,
        activation: Callable[..., tuple[Tensor, Any]],
        state_fallback: Callable[[Tensor], Any],
        input_size: int,
        hidden_size: int,
        p: Any = None,
        input_weights: Tensor | None = None,
        recurrent_weights: Tensor | None = None,
        autapses: bool = False,
        dt: float = 0.001,
    ) -> None:
        self._keep(p, dt)
        self.activation, self.state_fallback = activation, state_fallback
        self._connect(input_size, hidden_size, input_weights, recurrent_weights, autapses, Model.weight_scale)

    def _rule(self, p: Any) -> Rule:
        step = functools.partial(_weighted, activation=self.activation, dt=self.dt)
        return Rule(type(self).__name__, step, self.state_fallback)


class SNNRecurrent(SNNRecurrentCell):
    """All steps of any step function with weights, along the first axis: SNNRecurrentCell's arguments, and
    `record_states`.

    With `record_states` the returned state holds every step, stacked over time.
    """

    over_time = True

    def __init__(self, *args: Any, record_states: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.record_states = bool(record_states)
