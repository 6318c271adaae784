"""Runs a pure step function over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from . import loop
from .loop import Step

__all__ = ["scan", "scan_recurrent"]

BACKENDS = {"loop": loop}


def scan(
    step: Step, x: Any, state: Any, params: Any, *, record_states: bool = False, backend: str | None = None
) -> tuple[Tensor, Any]:
    """Run `step(x[t], state, params) -> (output, state)` over time: `(outputs [T, ...], final state)`."""
    return BACKENDS[backend or "loop"].scan(step, x, state, params, record_states=record_states)


def scan_recurrent(
    step: Step,
    wx: Any,
    state: Any,
    params: Any,
    recurrent_weights: Any,
    *,
    spike: Callable[[Any], Tensor],
    record_states: bool = False,
    backend: str | None = None,
) -> tuple[Tensor, Any]:
    """Run `step((wx[t], R spike(state)), state, params)` over time; `wx` and the weights may be tuples of tensors."""
    run = BACKENDS[backend or "loop"].scan_recurrent
    return run(step, wx, state, params, recurrent_weights, spike=spike, record_states=record_states)
