"""The eager loop, the truth of all others: one call of the step per time step; any operation, device and derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

Step = Callable[[Any, Any, Any], tuple[Tensor, Any]]


def scan(step: Step, x: Any, state: Any, params: Any, *, record_states: bool = False) -> tuple[Tensor, Any]:
    """Run `step(x[t], state, params) -> (output, state)` over the first axis of every tensor in `x`.

    The state has its full shape and the dtype of the arithmetic; floating inputs are cast to it step by step and the
    outputs back to the dtype of the first tensor of `x`. With `record_states` every state field is stacked over time.

    >>> scan(lambda x, s, p: (s + x, s + x), torch.ones(3, 2), torch.zeros(2), None)[0].tolist()
    [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    """
    leaves, spec = tree_flatten(x)
    like = tree_leaves(state)[0]  # its shape is that of one step's output
    out_dtype = leaves[0].dtype if leaves[0].is_floating_point() else like.dtype
    outputs, states = [], []
    for step_leaves in zip(*(leaf.unbind(0) for leaf in leaves), strict=True):
        x_t = tree_unflatten([t.to(like.dtype) if t.is_floating_point() else t for t in step_leaves], spec)
        output, state = step(x_t, state, params)
        outputs.append(output.to(out_dtype))
        states.append(state)
    if not outputs:
        empty = tree_map(lambda s: s.new_empty((0, *s.shape)), state)
        return like.new_empty((0, *like.shape), dtype=out_dtype), empty if record_states else state
    return torch.stack(outputs), tree_map(lambda *s: torch.stack(s), *states) if record_states else state


def scan_recurrent(
    step: Step,
    wx: Any,
    state: Any,
    params: Any,
    recurrent_weights: Any,
    *,
    spike: Callable[[Any], Tensor],
    record_states: bool = False,
) -> tuple[Tensor, Any]:
    """Run `step((wx[t], R spike(state)), state, params)` over time: `wx` is the input product of all steps.

    `recurrent_weights` has the structure of `wx`: one `(H, H)` matrix for each tensor `[T, ..., H]`.
    """

    def recurrent_step(x: Any, state: Any, params: Any) -> tuple[Tensor, Any]:
        fed_back = spike(state)
        return step((x, tree_map(lambda r: linear(fed_back, r), recurrent_weights)), state, params)

    return scan(recurrent_step, wx, state, params, record_states=record_states)
