"""Words taken apart on a GPU: one launch for a batch of recordings."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit(do_not_specialize=["samples"])
def take(
    words, first, starts, places, t, x, y, p, samples, X: tl.constexpr, Y: tl.constexpr, SPAN: tl.constexpr,
    BLOCK: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    b = tl.program_id(1)
    sample = tl.load(places + b)
    out, end = tl.load(places + samples + b), tl.load(places + 2 * samples + b)
    start, origin = tl.load(starts + sample), tl.load(first + sample)
    for at in range(tl.program_id(0) * BLOCK, end - out, tl.num_programs(0) * BLOCK):
        i = at + tl.arange(0, BLOCK)
        live = i < end - out
        word = tl.load(words + start + i, live, other=0)
        tl.store(t + out + i, origin + ((word >> (1 + X + Y)) & ((1 << SPAN) - 1)).to(tl.int64), live)
        tl.store(x + out + i, ((word >> 1) & ((1 << X) - 1)).to(tl.int16), live)
        tl.store(y + out + i, ((word >> (1 + X)) & ((1 << Y) - 1)).to(tl.int16), live)
        tl.store(p + out + i, (word & 1).to(tl.uint8), live)


def columns(
    values: Tensor, first: Tensor, starts: Tensor, places: Tensor, total: int, longest: int, bits: tuple[int, int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """t, x, y and p of the samples ``places[0]``, written from ``places[1]`` to ``places[2]``."""
    samples, device = places.shape[1], values.device
    t = torch.empty(total, dtype=torch.int64, device=device)
    x, y = torch.empty(2, total, dtype=torch.int16, device=device)
    p = torch.empty(total, dtype=torch.uint8, device=device)
    programs = max(1, min(-(-longest // BLOCK), 2048 // max(samples, 1)))
    take[(programs, samples)](values, first, starts, places, t, x, y, p, samples, *bits, BLOCK)
    return t, x, y, p
