"""The step functions of every model as pure functions, under norse's names.

    <prefix>_feed_forward_step(input, state, p, dt=0.001) -> (output, state)
    <prefix>_step(input, state, input_weights, recurrent_weights, p, dt=0.001) -> (output, state)

Parameters are plain tuples or `module.p`, state fields tensors or numbers; `state=None` is the initial state.
`detach_reset` is a keyword of each, with the default of the module of that form.

>>> import torch
>>> z, state = lif_feed_forward_step(torch.full((2,), 20.0), None)
>>> z.tolist(), state.i.tolist()
([1.0, 1.0], [16.0, 16.0])
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import Tensor

from . import encode, fields, neurons
from .encode import *  # noqa: F403
from .fields import *  # noqa: F403
from .forms.build import check_options, check_parameters, own_code
from .forms.operands import Matrices, positive_time
from .forms.run import rule_of, run, sparsify
from .neurons import *  # noqa: F403
from .neurons.model import Model
from .surrogate import *  # noqa: F403
from .surrogate import __all__ as _spikes

Step = Callable[..., tuple[Tensor, Any]]


def step_function(model: Model, name: str, *weights: str, over_time: bool = False) -> Step:
    """The public function of a model that takes these matrices: one step, or all steps along the first axis."""
    recurrent = "recurrent_weights" in weights
    matrices = (*weights, "g_coupling") if model.coupled else weights
    plain, key = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
    signature = Signature(
        [Parameter(argument, plain) for argument in ("input", "state", *matrices)]
        + [Parameter("p", plain, default=Parameter.empty if model.presets else model.parameters())]
        + [Parameter("dt", plain, default=0.001)]
        + [Parameter("detach_reset", key, default=model.detach_reset and recurrent)]
        + [Parameter(option, key, default=allowed[0]) for option, allowed in model.options.items()]
    )

    def step(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        p, dt, state = check_parameters(model, given["p"]), positive_time(given["dt"]), given["state"]
        if state is None and model.presets:
            raise ValueError(f"{name} has no initial state of its own: pass the state of a preset, preset.s")
        options = check_options(model, given)
        origin = neurons.IzhikevichState(0.0, 0.0) if model.presets else p  # type: ignore[arg-type]
        rule = rule_of(model, name, dt, given["detach_reset"], options, origin, recurrent)
        wiring = Matrices(*(given.get(m) for m in ("input_weights", "recurrent_weights", "g_coupling")))
        return run(rule, given["input"], state, p, wiring, over_time=over_time)

    step = own_code(step, name)
    step.__signature__ = signature  # type: ignore[attr-defined]
    what = "All steps" if over_time else "One step"
    step.__doc__ = f"{what} of the {model.name} model, `(output, state)`; see `eventsnn.neurons.{model.prefix}`."
    return step


def _sparse(step: Step) -> Step:
    def sparse_step(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
        return sparsify(*step(*args, **kwargs))

    sparse_step.__name__ = sparse_step.__qualname__ = f"{step.__name__}_sparse"
    sparse_step.__doc__ = f"`{step.__name__}` with output and spikes as sparse COO tensors; the input may be sparse."
    return sparse_step


def lift(activation: Callable[..., tuple[Tensor, Any]], p: Any = None) -> Callable[..., tuple[Tensor, Any]]:
    """A step function or cell over time: `f(input [T, ...], state=None) -> (outputs [T, ...], state)`.

    >>> import torch
    >>> lift(lif_feed_forward_step)(torch.ones(10, 2))[0].sum(0).tolist()
    [2.0, 2.0]
    """
    extra = () if p is None else (p,)

    def lifted(input: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        if len(input) == 0:
            output, _ = activation(input.new_zeros(input.shape[1:]), state, *extra)
            return output.new_empty((0, *output.shape)), state
        outputs = []
        for x in input.unbind(0):
            output, state = activation(x, state, *extra)
            outputs.append(output)
        return torch.stack(outputs), state

    return lifted


_WR = ("input_weights", "recurrent_weights")

li_feed_forward_step = step_function(neurons.li.MODEL, "li_feed_forward_step")
li_step = step_function(neurons.li.MODEL, "li_step", "input_weights")
li_recurrent_step = step_function(neurons.li.MODEL, "li_recurrent_step", *_WR)
li_box_feed_forward_step = step_function(neurons.li_box.MODEL, "li_box_feed_forward_step")
li_box_step = step_function(neurons.li_box.MODEL, "li_box_step", "input_weights")
li_box_recurrent_step = step_function(neurons.li_box.MODEL, "li_box_recurrent_step", *_WR)
iaf_feed_forward_step = step_function(neurons.iaf.MODEL, "iaf_feed_forward_step")
iaf_step = step_function(neurons.iaf.MODEL, "iaf_step", *_WR)
lif_feed_forward_step = step_function(neurons.lif.MODEL, "lif_feed_forward_step")
lif_step = step_function(neurons.lif.MODEL, "lif_step", *_WR)
lif_box_feed_forward_step = step_function(neurons.lif_box.MODEL, "lif_box_feed_forward_step")
lif_box_step = step_function(neurons.lif_box.MODEL, "lif_box_step", *_WR)
lif_refrac_feed_forward_step = step_function(neurons.lif_refrac.MODEL, "lif_refrac_feed_forward_step")
lif_refrac_step = step_function(neurons.lif_refrac.MODEL, "lif_refrac_step", *_WR)
lif_ex_feed_forward_step = step_function(neurons.lif_ex.MODEL, "lif_ex_feed_forward_step")
lif_ex_step = step_function(neurons.lif_ex.MODEL, "lif_ex_step", *_WR)
lif_adex_feed_forward_step = step_function(neurons.lif_adex.MODEL, "lif_adex_feed_forward_step")
lif_adex_step = step_function(neurons.lif_adex.MODEL, "lif_adex_step", *_WR)
lif_adex_refrac_feed_forward_step = step_function(neurons.lif_adex_refrac.MODEL, "lif_adex_refrac_feed_forward_step")
lif_adex_refrac_step = step_function(neurons.lif_adex_refrac.MODEL, "lif_adex_refrac_step", *_WR)
lsnn_feed_forward_step = step_function(neurons.lsnn.MODEL, "lsnn_feed_forward_step")
lsnn_step = step_function(neurons.lsnn.MODEL, "lsnn_step", *_WR)
coba_lif_feed_forward_step = step_function(neurons.coba_lif.MODEL, "coba_lif_feed_forward_step")
coba_lif_step = step_function(neurons.coba_lif.MODEL, "coba_lif_step", *_WR)
lif_mc_feed_forward_step = step_function(neurons.lif_mc.MODEL, "lif_mc_feed_forward_step")
lif_mc_step = step_function(neurons.lif_mc.MODEL, "lif_mc_step", *_WR)
lif_mc_refrac_feed_forward_step = step_function(neurons.lif_mc_refrac.MODEL, "lif_mc_refrac_feed_forward_step")
lif_mc_refrac_step = step_function(neurons.lif_mc_refrac.MODEL, "lif_mc_refrac_step", *_WR)
izhikevich_feed_forward_step = step_function(neurons.izhikevich.MODEL, "izhikevich_feed_forward_step")
izhikevich_recurrent_step = step_function(neurons.izhikevich.MODEL, "izhikevich_recurrent_step", *_WR)
izhikevich_step = izhikevich_recurrent_step

lif_feed_forward_integral = step_function(neurons.lif.MODEL, "lif_feed_forward_integral", over_time=True)
lif_step_integral = step_function(neurons.lif.MODEL, "lif_step_integral", *_WR, over_time=True)
lif_feed_forward_step_sparse = _sparse(lif_feed_forward_step)
lif_step_sparse = _sparse(lif_step)
lif_refrac_step_sparse = _sparse(lif_refrac_step)
ada_lif_step = step_function(neurons.lsnn.ADA_MODEL, "ada_lif_step", *_WR)

__all__ = [
    *(name for room in (encode, fields) for name in room.__all__ if name.islower()),
    *_spikes,
    *neurons.__all__,
    "ada_lif_step",
    "coba_lif_feed_forward_step",
    "coba_lif_step",
    "iaf_feed_forward_step",
    "iaf_step",
    "izhikevich_feed_forward_step",
    "izhikevich_recurrent_step",
    "izhikevich_step",
    "li_box_feed_forward_step",
    "li_box_recurrent_step",
    "li_box_step",
    "li_feed_forward_step",
    "li_recurrent_step",
    "li_step",
    "lif_adex_feed_forward_step",
    "lif_adex_refrac_feed_forward_step",
    "lif_adex_refrac_step",
    "lif_adex_step",
    "lif_box_feed_forward_step",
    "lif_box_step",
    "lif_ex_feed_forward_step",
    "lif_ex_step",
    "lif_feed_forward_integral",
    "lif_feed_forward_step",
    "lif_feed_forward_step_sparse",
    "lif_mc_feed_forward_step",
    "lif_mc_refrac_feed_forward_step",
    "lif_mc_refrac_step",
    "lif_mc_step",
    "lif_refrac_feed_forward_step",
    "lif_refrac_step",
    "lif_refrac_step_sparse",
    "lif_step",
    "lif_step_integral",
    "lif_step_sparse",
    "lift",
    "lsnn_feed_forward_step",
    "lsnn_step",
]
