"""Rank order: only the order of the values is sent, the largest first."""

from __future__ import annotations

import torch
from torch import Tensor

from .arguments import count, finite, floating, number, over_time, wide
from .decode import spikes_to_times
from .module import module_of


def rank_order_encode(input_values: Tensor, seq_length: int | None = None) -> Tensor:
    """Values `[..., N]` as one spike each, `[T, ..., N]`: the largest of the last axis at step 0, the next at step 1.

    T = N by default; with a smaller seq_length only the first T have a spike. Equal values go by their index. No
    gradient. `rank_order_decode` is the way back. Thorpe, Gautrais (1998). Raises ValueError for a 0-d input, a
    negative seq_length and, on the CPU, NaN or infinity.

    >>> rank_order_encode(torch.tensor([0.2, 0.9, 0.5])).argmax(0).tolist()
    [2, 0, 1]
    """
    x = floating(input_values, "rank_order_encode").detach()
    if x.ndim == 0:
        raise ValueError("rank_order_encode: the input is 0-d, but the order is that along its last axis, (..., N)")
    finite(x, "rank_order_encode")
    steps = x.shape[-1] if seq_length is None else count("seq_length", seq_length)
    order = torch.argsort(x, dim=-1, descending=True, stable=True)
    rank = torch.argsort(order, dim=-1)
    t = torch.arange(steps, device=x.device).reshape(-1, *[1] * x.ndim)
    return (t == rank).to(x.dtype)


def rank_order_decode(spikes: Tensor, modulation: float = 0.9) -> Tensor:
    """`modulation ** t` for the step t of the first spike, shape S of `[T, *S]`; 0 where there is none.

    The values keep the order of what was encoded. Raises ValueError for a modulation outside (0, 1).

    >>> [round(v, 2) for v in rank_order_decode(rank_order_encode(torch.tensor([0.2, 0.9, 0.5])), 0.5).tolist()]
    [0.25, 1.0, 0.5]
    """
    z = over_time(spikes, "rank_order_decode")
    factor = number("modulation", modulation, high=1.0)
    if not len(z):
        return z.new_zeros(z.shape[1:])
    return torch.pow(factor, spikes_to_times(wide(z), 1, False)[0]).to(z.dtype)


RankOrderEncoder = module_of("RankOrderEncoder", rank_order_encode)
RankOrderDecoder = module_of("RankOrderDecoder", rank_order_decode)
