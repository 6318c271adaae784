"""Quantities collected over steps, for a term of the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Accumulator = Callable[[Tensor, Any, Any], Any]


def spike_accumulator(z: Tensor, s: Any, state: Any = None) -> Tensor:
    """The running number of spikes, `state + sum z`, from 0.

    >>> spike_accumulator(torch.ones(3), None, 2).item()
    5.0
    """
    return (0 if state is None else state) + z.sum()


def voltage_accumulator(z: Tensor, s: Any, state: Any = None) -> Tensor:
    """The running sum of voltages, `state + s.v`, from zeros; s may be a refractory state.

    >>> from eventsnn.neurons import LIFFeedForwardState
    >>> voltage_accumulator(torch.zeros(1), LIFFeedForwardState(torch.tensor([0.5]), torch.zeros(1)), 1.0).tolist()
    [1.5]
    """
    for name in ("lif", "lif_adex"):
        s = getattr(s, name, s)
    if not hasattr(s, "v"):
        raise ValueError(f"voltage_accumulator: {type(s).__name__} has no voltage v: use spike_accumulator")
    return (torch.zeros_like(s.v) if state is None else state) + s.v


def regularize_step(
    z: Tensor, s: Any, accumulator: Accumulator = spike_accumulator, state: Any = None
) -> tuple[Tensor, Any]:
    """`(z, accumulator(z, s, state))`: the spikes as they are, and the new running value.

    >>> regularize_step(torch.ones(2), None)[1].item()
    2.0
    """
    return z, accumulator(z, s, state)


class RegularizationCell(nn.Module):
    """Collect a quantity over steps: `module(z, s, state=None) -> (z, accumulated)`; the spikes pass through.

    Without `state` the running value is `self.state`, which is updated; with it that value is used and `self.state` is
    left alone. Call `reset_state()` before every training step: the value of the last one has a graph that is spent.
    The value is not in the state dict, and copies of the module hold it without its graph.

    >>> from eventsnn.forms import LIFCell
    >>> cell, regularize, state = LIFCell(), RegularizationCell(), None
    >>> for _ in range(10):
    ...     z, state = cell(torch.ones(2), state)
    ...     z, spikes = regularize(z, state)
    >>> spikes.item()
    4.0
    """

    def __init__(self, accumulator: Accumulator = spike_accumulator, state: Any = None) -> None:
        super().__init__()
        self.accumulator = accumulator
        self.initial = self.state = state

    def forward(self, z: Tensor, s: Any, state: Any = None) -> tuple[Tensor, Any]:
        """The spikes, and the accumulated quantity."""
        z, accumulated = regularize_step(z, s, self.accumulator, self.state if state is None else state)
        if state is None:
            self.state = accumulated
        return z, accumulated

    def reset_state(self) -> None:
        """Put back the constructor's value."""
        self.state = self.initial

    def detach_state(self) -> None:
        """Cut the graph and keep the value."""
        self.state = self.state.detach() if isinstance(self.state, Tensor) else self.state

    def __getstate__(self) -> dict[str, Any]:
        value = self.state.detach() if isinstance(self.state, Tensor) else self.state
        return self.__dict__ | {"state": value}
