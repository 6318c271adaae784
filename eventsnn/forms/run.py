"""One step, and many: what all modules and step functions are a thin coat over."""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn.functional import linear

from ..neurons.model import Model, whole
from ..neurons.state import map_state, reset_state
from ..scan import scan, scan_recurrent
from .operands import (
    Matrices,
    Site,
    dense,
    initial_at,
    initial_view,
    mask_at,
    named_map,
    parameters_at,
    site_of,
    state_at,
)


class Rule(NamedTuple):
    """A step function `step(x, state, params)` and what must be known to run it."""

    owner: str  # for error messages
    step: Callable[..., tuple[Tensor, Any]]
    start: Callable[[Any], Any]  # input -> initial state in numbers
    feedback: str = ""  # state field that R multiplies; none: the step multiplies by its weights itself
    split: Callable[[Tensor], Any] = whole
    sparse: bool = False


def rule_of(
    model: Model, owner: str, dt: float, detach_reset: bool, options: dict[str, Any], origin: Any, recurrent: bool
) -> Rule:
    """The rule of a model's feed-forward or recurrent forms; `origin` is what its initial state is made from."""
    step = model.recurrent_step if recurrent and model.recurrent_step else model.step
    return Rule(
        owner,
        functools.partial(step, dt=dt, detach_reset=detach_reset, **options),
        lambda x: model.start(origin, recurrent),
        model.feedback,
        model.split,
        model.sparse,
    )


def products(x: Tensor, weights: Any) -> Any:
    """`W x`, for each of the weights, in x's dtype (also under autocast)."""
    return tuple(products(x, w) for w in weights) if isinstance(weights, tuple) else linear(x, weights).to(x.dtype)


def fed_step(x: Any, state: Any, params: Any, *, step: Any, feedback: Any) -> tuple[Tensor, Any]:
    """A recurrent step, `step((W x, R z), ...)`; the parameters come with R."""
    params, weights = params
    return step((x, products(feedback(state), weights)), state, params)


def reset_step(x: Any, state: Any, params: Any, *, step: Any) -> tuple[Tensor, Any]:
    """A step after a reset; the input comes with the mask, the parameters with the initial state."""
    values, mask = x
    params, initial = params
    return step(values, reset_state(state, mask, initial), params)


def connect(rule: Rule, x: Tensor, params: Any, matrices: Matrices, site: Site) -> tuple[Any, Any, Any]:
    """`(input, parameters, R)` as the step takes them: the input product done, other matrices with the parameters."""
    w, r, g = (None if m is None else m.to(site.dtype) for m in matrices)
    params = params if g is None else (params, g)
    if w is None:
        return x, params, None
    if not rule.feedback:
        return x, (params, w, r), None
    return products(x.to(site.dtype), rule.split(w)), params, None if r is None else rule.split(r)


def run(
    rule: Rule,
    input_tensor: Any,
    state: Any,
    p: Any,
    matrices: Matrices,
    *,
    over_time: bool = False,
    record_states: bool = False,
    reset: Any = None,
    scan: Callable[..., tuple[Tensor, Any]] = scan,
) -> tuple[Tensor, Any]:
    """`(output, state)` of one step, or of all steps along the first axis; `scan` is what runs these."""
    x = dense(input_tensor, rule.owner, rule.sparse)
    site = site_of(x, rule.owner, over_time, matrices)
    fresh = state is None or reset is not None
    template = rule.start(input_tensor) if fresh or rule.feedback else None
    only_read = over_time and reset is None and matrices.recurrent is None
    initial = (initial_view if only_read else initial_at)(template, site) if fresh else None
    state = initial if state is None else state_at(state, template, site, x.dtype)
    mask = None if reset is None else mask_at(reset, site, x.shape[0] if over_time else None)

    step = rule.step
    values, params, weights = connect(rule, x, parameters_at(p, site), matrices, site)
    inner_product = matrices.coupling is not None or (matrices.input is not None and not rule.feedback)
    keywords: dict[str, Any] = {"record_states": record_states, "backend": "loop" if inner_product else None}
    if weights is not None and over_time and reset is None:
        feedback = attrgetter(rule.feedback)
        output, state = scan_recurrent(step, values, state, params, weights, spike=feedback, **keywords)
    else:
        if weights is not None:
            step, params = functools.partial(fed_step, step=step, feedback=attrgetter(rule.feedback)), (params, weights)
            keywords["backend"] = "loop"
        if not over_time:
            state = state if mask is None else reset_state(state, mask, initial)
            output, state = step(values if isinstance(values, tuple) else values.to(site.dtype), state, params)
            state = map_state(lambda value: value.clone() if value is output else value, state)
        elif mask is None:
            first = state
            output, state = scan(step, values, state, params, **keywords)
            if fresh and not record_states:  # what no step changed is still the view
                state = map_state(lambda value, start: value.clone() if value is start else value, state, first)
        else:
            step = functools.partial(reset_step, step=step)
            output, state = scan(step, (values, mask), state, (params, initial), **keywords)

    if x.dtype != site.dtype:
        output, state = output.to(x.dtype), map_state(lambda value: value.to(x.dtype), state)
    return sparsify(output, state) if input_tensor.is_sparse else (output, state)


def sparsify(output: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Output and spikes of the state as sparse COO tensors."""
    return output.to_sparse(), named_map(
        lambda name, value: value.to_sparse() if name.endswith(".z") else value, state, "state"
    )
