"""Of all the spikes along time, the first."""

from __future__ import annotations

import torch
from torch import Tensor

from .arguments import over_time
from .module import module_of


def spike_latency_encode(input_spikes: Tensor) -> Tensor:
    """Keep the first spike of every element along time, `[T, *S]` in shape and dtype; what follows it becomes 0.

    A spike is whatever is not 0, of either sign. The gradient is 1 for what passes and 0 for what does not. Raises
    ValueError for a 0-d input.

    >>> spike_latency_encode(torch.tensor([[0, 1, 1], [1, 1, 1]])).tolist()
    [[0, 1, 1], [1, 0, 0]]
    """
    if not isinstance(input_spikes, Tensor) or input_spikes.ndim == 0:
        over_time(input_spikes, "spike_latency_encode")
    spikes = (input_spikes != 0).to(torch.int32)
    before = spikes.cumsum(0, dtype=torch.int32) - spikes
    return torch.where(before > 0, torch.zeros_like(input_spikes), input_spikes)


SpikeLatencyEncoder = module_of("SpikeLatencyEncoder", spike_latency_encode)
