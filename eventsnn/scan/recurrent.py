"""Recurrent layers over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from . import loop
from .engine import Step


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
    return loop.scan_recurrent(step, wx, state, params, recurrent_weights, spike=spike, record_states=record_states)
