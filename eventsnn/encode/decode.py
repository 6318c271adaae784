"""Spikes back to values and times."""

from __future__ import annotations

import torch
from torch import Tensor

from .arguments import count, number, over_time, wide
from .module import module_of


def rate_decode(spikes: Tensor, f_max: float = 100, dt: float = 0.001) -> Tensor:
    """The values, shape S, whose rate `f_max x` (Hz) the spikes `[T, *S]` have: their mean over `dt f_max`.

    The way back from `poisson_encode` and `signed_poisson_encode`, exact in the mean as long as `dt f_max |x| <= 1`.
    Differentiable. Raises ValueError for no steps, f_max <= 0 and dt <= 0.

    >>> rate_decode(torch.tensor([1.0, 0.0, 0.0, 0.0]), f_max=500).item()
    0.5
    """
    z = over_time(spikes, "rate_decode")
    if not len(z):
        raise ValueError("rate_decode: there are no steps (T = 0), so there is no rate")
    return (wide(z).mean(0) / (number("dt", dt) * number("f_max", f_max))).to(z.dtype)


def spikes_to_times(
    spikes: Tensor, spike_count: int = 1, convert_indices_to_times: bool = True, dt: float = 0.001
) -> Tensor:
    """When the first spikes come, in ascending order, `[min(spike_count, T), *S]` for spikes `[T, *S]`; inf for none.

    In seconds, or in steps with convert_indices_to_times=False. The gradient towards a spike that was found is
    -1 (times dt): more drive, an earlier spike. Raises ValueError for spike_count < 1 and for a 0-d input.

    >>> spikes_to_times(torch.tensor([0.0, 1.0, 0.0, 1.0]), 3, convert_indices_to_times=False).tolist()
    [1.0, 3.0, inf]
    """
    z = over_time(spikes, "spikes_to_times")
    steps = len(z)
    t = torch.arange(steps, device=z.device).reshape(-1, *[1] * (z.ndim - 1))
    when = torch.where(z != 0, t, steps)
    found = when.topk(min(count("spike_count", spike_count, 1), steps), dim=0, largest=False, sorted=True).values
    spike = wide(z).gather(0, found.clamp(max=max(steps - 1, 0)))
    times = torch.where(found < steps, found - (spike - spike.detach()), torch.inf)
    return (times * number("dt", dt) if convert_indices_to_times else times).to(z.dtype)


def first_spike_decode(spikes: Tensor, dt: float = 0.001) -> Tensor:
    """The time of the first spike in seconds, shape S for spikes `[T, *S]`; inf for none.

    The gradient is that of `spikes_to_times`.

    >>> round(first_spike_decode(torch.tensor([0.0, 0.0, 1.0, 1.0])).item(), 6)
    0.002
    """
    z = over_time(spikes, "first_spike_decode")
    return spikes_to_times(z, 1, True, dt)[0] if len(z) else z.new_full(z.shape[1:], torch.inf)


RateDecoder = module_of("RateDecoder", rate_decode)
FirstSpikeDecoder = module_of("FirstSpikeDecoder", first_spike_decode)
SpikesToTimesDecoder = module_of("SpikesToTimesDecoder", spikes_to_times)
