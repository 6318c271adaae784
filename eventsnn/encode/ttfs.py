"""Time to first spike: every value is one spike, and the larger the value the earlier it comes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .arguments import count, floating, in_range, number, over_time, wide
from .decode import spikes_to_times
from .module import module_of

MODES = ("linear", "logarithmic")


def _log_minimum(mode: str, minimum: float) -> float | None:
    """The logarithm of the smallest value, None for the linear code."""
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, not {mode!r}")
    return None if mode == "linear" else math.log(number("minimum", minimum, high=1.0))


def ttfs_encode(input_values: Tensor, seq_length: int, mode: str = "linear", minimum: float = 0.01) -> Tensor:
    """Values in [0, 1] of any shape S as one spike each, `[T, *S]`: 1 at step 0, smaller ones later, 0 never.

    linear: at step `(T - 1) (1 - x)`, equal differences are equal delays. logarithmic: at step `(T - 1) ln x / ln
    minimum`, equal ratios are equal delays, and values below `minimum` have no spike. Steps are rounded; no gradient.
    `ttfs_decode` gives the value back to within half a step. Thorpe (1990). Raises ValueError for another mode, a
    minimum outside (0, 1) and, on the CPU, values outside [0, 1] or NaN.

    >>> ttfs_encode(torch.tensor([1.0, 0.5, 0.0]), 5).argmax(0).tolist()
    [0, 2, 0]
    >>> ttfs_encode(torch.tensor([1.0, 0.1, 0.01]), 5, "logarithmic").argmax(0).tolist()
    [0, 2, 4]
    """
    log_minimum = _log_minimum(mode, minimum)
    given = floating(input_values, "ttfs_encode")
    steps = count("seq_length", seq_length)
    x = in_range(wide(given.detach()), 0.0, 1.0, "ttfs_encode")
    late = 1 - x if log_minimum is None else x.log() / log_minimum
    when = torch.round((steps - 1) * late)
    silent = x <= 0 if log_minimum is None else x < minimum
    t = torch.arange(steps, dtype=x.dtype, device=x.device).reshape(-1, *[1] * x.ndim)
    return ((t == when) & ~silent).to(given.dtype)


def ttfs_decode(spikes: Tensor, mode: str = "linear", minimum: float = 0.01) -> Tensor:
    """The values, shape S, behind the first spikes of `[T, *S]`, as `ttfs_encode` sent them; 0 where there is none.

    >>> ttfs_decode(ttfs_encode(torch.tensor([1.0, 0.5, 0.0]), 5)).tolist()
    [1.0, 0.5, 0.0]
    """
    log_minimum = _log_minimum(mode, minimum)
    z = over_time(spikes, "ttfs_decode")
    if not len(z):
        return z.new_zeros(z.shape[1:])
    late = spikes_to_times(wide(z), 1, False)[0] / max(len(z) - 1, 1)
    x = 1 - late if log_minimum is None else torch.exp(late * log_minimum)
    return torch.where(torch.isfinite(late), x, 0.0).to(z.dtype)


TTFSEncoder = module_of("TTFSEncoder", ttfs_encode)
TTFSDecoder = module_of("TTFSDecoder", ttfs_decode)
