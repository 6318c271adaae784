"""Phase code: a spike counts by when in a period it comes, 1/2 in the first step, 1/4 in the second, and so on."""

from __future__ import annotations

import torch
from torch import Tensor

from .arguments import count, floating, in_range, over_time, wide
from .module import module_of


def _phases(phases: int) -> int:
    if count("phases", phases, 1) > 24:
        raise ValueError(f"phases must be at most 24, the bits of a float32, not {phases}")
    return phases


def phase_encode(input_values: Tensor, seq_length: int, phases: int = 8) -> Tensor:
    """Values in [0, 1] of any shape S as their binary digits, `[T, *S]`: a period of `phases` steps, over and over.

    x is rounded to a multiple of `2^-phases` below 1; step t carries the digit of weight `2^-(1 + t mod phases)`. No
    gradient. `phase_decode` gives it back to within `2^-phases`. Kim et al., "Deep neural networks with weighted
    spikes" (2018). Raises ValueError for a number of phases outside 1 to 24 and, on the CPU, values outside [0, 1].

    >>> phase_encode(torch.tensor(0.625), 8, phases=4).tolist()
    [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    """
    given = floating(input_values, "phase_encode")
    levels = 2 ** _phases(phases)
    x = in_range(wide(given.detach()), 0.0, 1.0, "phase_encode")
    level = torch.round(x * levels).clamp(max=levels - 1).to(torch.int64)
    t = torch.arange(count("seq_length", seq_length), device=x.device).reshape(-1, *[1] * x.ndim)
    return ((level >> (phases - 1 - t % phases)) & 1).to(given.dtype)


def phase_decode(spikes: Tensor, phases: int = 8) -> Tensor:
    """The values, shape S, behind spikes `[T, *S]` in phase code: the mean over the whole periods in them.

    Raises ValueError for less than one period.

    >>> phase_decode(phase_encode(torch.tensor(0.625), 8, phases=4), phases=4).item()
    0.625
    """
    z = over_time(spikes, "phase_decode")
    periods = len(z) // _phases(phases)
    if not periods:
        raise ValueError(f"phase_decode: {len(z)} steps are less than one period of {phases}: pass fewer phases")
    whole = wide(z)[: periods * phases].reshape(periods, phases, *z.shape[1:]).mean(0)
    weights = 2.0 ** -torch.arange(1, phases + 1, dtype=whole.dtype, device=z.device)
    return torch.tensordot(weights, whole, dims=1).to(z.dtype)


PhaseEncoder = module_of("PhaseEncoder", phase_encode)
PhaseDecoder = module_of("PhaseDecoder", phase_decode)
