"""Binning on the GPU: one launch for a whole batch, one lane an event, atomics into the tensor of frames.

Frame numbers are exact: an estimate in float64 is set right by whole numbers. What is wrong with the events is noted in
one word behind the frames, so nothing has to be looked at before, and the frames and the word are cleared in one go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import torch
import triton
import triton.language as tl
from triton import knobs

from eventsnn.events import Events

from .bins import Bins
from .cells import SIGNED, Cells, fits, largest, zeros
from .packed import Packed

OUTSIDE, OVERFLOW, UNSORTED, TOO_MANY = 1, 2, 4, 8
NEVER = torch.iinfo(torch.int64).min
BLOCK = 1024
PACKED = {torch.uint8: 8, torch.int8: 8, torch.int16: 16, torch.uint16: 16, torch.float16: 16, torch.bfloat16: 16}


def bin_events(
    out, flags, ts, xs, ys, ps, begin, end, n, batch, frames, start, stop, window, stride, width, height, columns, rows,
    limit, WHOLE: tl.constexpr, START: tl.constexpr, STOP: tl.constexpr, PARTS: tl.constexpr, ORDERED: tl.constexpr,
    WINDOWS: tl.constexpr, OP: tl.constexpr, CHANNELS: tl.constexpr, FACTOR: tl.constexpr, BITS: tl.constexpr,
    LIMITED: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    b = tl.program_id(1)
    zero = tl.full([], 0, tl.int64)
    first, last = zero, zero + n
    if not WHOLE:
        first, last = tl.load(begin + b), tl.load(end + b)
    if ORDERED:
        origin, span = first, last - first
    else:
        origin, after = zero + start, zero + stop
        if not START:
            origin = tl.load(ts + first, first < last, other=0)
        if STOP == "own":
            after = tl.load(ts + last - 1, first < last, other=0) + 1
        span = after if STOP == "duration" else after - origin
    den = zero + stride
    if PARTS:
        den = tl.maximum(span, 1)
        tl.atomic_or(flags, 8, (span < frames) & (first < last) & (span > 0), sem="relaxed")
    if OP == "bilinear":
        den = tl.maximum(span - 1, 1)
    inverse = 1.0 / den.to(tl.float64)
    for at in range(tl.program_id(0) * BLOCK, last - first, tl.num_programs(0) * BLOCK):
        i = first + at + tl.arange(0, BLOCK)
        live = i < last
        t = tl.load(ts + i, live, other=0)
        x = tl.load(xs + i, live, other=0).to(tl.int32)
        y = tl.load(ys + i, live, other=0).to(tl.int32)
        p = tl.load(ps + i, live, other=0).to(tl.int32)
        fault = tl.where(live & ((x < 0) | (x >= width) | (y < 0) | (y >= height) | (p > 1)), 1, 0)
        d = (i if ORDERED else t) - origin
        if ORDERED:
            before = tl.load(ts + i - 1, live & (i > first), other=-9223372036854775808)
            fault |= tl.where(live & (t < before), 4, 0)
        elif not WHOLE:
            early = live & (d < 0) if not START else live & (i < first)
            late = live & (d >= span) if STOP == "own" else live & (i < first)
            fault |= tl.where(early | late, 4, 0)
        live = live & (fault == 0) & (d >= 0) & (d < span)
        cell = (y // FACTOR) * columns + x // FACTOR
        if CHANNELS == 2:
            cell += p * rows * columns
        sign = p * 2 - 1 if CHANNELS == 3 else p * 0 + 1
        num = frames if PARTS else 1
        if OP == "bilinear":
            num = frames - 1
        q = (d.to(tl.float64) * inverse * num).to(tl.int64)
        rest = d * num - q * den
        q += (rest >= den).to(tl.int64) - (rest < 0).to(tl.int64)
        share = (d * num - q * den).to(tl.float64) * inverse
        size = rows * columns * (2 if CHANNELS == 2 else 1)
        for k in tl.static_range(WINDOWS):
            frame = q + k if OP == "bilinear" else q - k
            hit = live & (frame >= 0) & (frame < frames)
            if not PARTS and OP != "bilinear":
                hit = hit & (d < frame * stride + window)
            frame = frame if WIDE else frame.to(tl.int32)
            index = (frame * batch + b) * size + cell
            if OP == "bilinear":
                weight = (share if k == 1 else 1 - share).to(tl.float32) * sign
                tl.atomic_add(out + index, weight, hit, sem="relaxed")
            elif OP == "latest":
                tl.atomic_max(out + index, t, hit, sem="relaxed")
            elif OP == "mark":
                tl.store(out + index, tl.full([BLOCK], 1, out.dtype.element_ty), hit)
            elif BITS == 32:
                old = tl.atomic_add(out + index, sign.to(out.dtype.element_ty), hit, sem="relaxed")
                if LIMITED:
                    fault |= tl.where(hit & (tl.abs(old) >= limit), 2, 0)
            else:
                shift = ((index % (32 // BITS)) * BITS).to(tl.int32)
                old = tl.atomic_add(
                    out + index // (32 // BITS), tl.full([BLOCK], 1, tl.int32) << shift, hit, sem="relaxed"
                )
                if LIMITED:
                    fault |= tl.where(hit & (((old >> shift) & ((1 << BITS) - 1)) >= limit), 2, 0)
        tl.atomic_or(flags + tl.full([BLOCK], 0, tl.int32), fault, fault != 0, sem="relaxed")


def convert(whole, out, octets, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    n = octets * 8  # so that 16 bytes are loaded at once
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + i, tl.load(whole + i, i < n, other=0).to(tl.float32).to(out.dtype.element_ty), i < n)


NUMBERS = (
    "n", "batch", "frames", "start", "stop", "window", "stride", "width", "height", "columns", "rows", "limit"
)  # fmt: skip
LAUNCHERS: dict[Any, Any] = {}


@cache
def kernel(function: Callable[..., None], interpret: bool) -> Any:
    return triton.jit(function, do_not_specialize=NUMBERS if function is bin_events else ["octets"])


def run(
    function: Callable[..., None],
    grid: tuple[int, int, int],
    tensors: tuple[torch.Tensor, ...],
    numbers: tuple[int, ...],
    constants: tuple[Any, ...],
) -> None:
    """One launch. What Triton compiled for such arguments is kept: its own search costs more than the launch."""
    device = tensors[0].device
    kinds = tuple([(tensor.dtype, tensor.data_ptr() & 15) for tensor in tensors])
    known = (function, device.index, constants, kinds, tuple([-(2**31) <= v < 2**31 for v in numbers]))
    elsewhere = device.type == "cuda" and device.index != torch.cuda.current_device()
    with torch.cuda.device(device) if elsewhere else contextlib.nullcontext():
        if known in LAUNCHERS:
            LAUNCHERS[known][grid](*tensors, *numbers, *constants)
            return
        found = kernel(function, bool(knobs.runtime.interpret))[grid](*tensors, *numbers, *constants)
        if found is not None:  # the interpreter compiles nothing
            LAUNCHERS[known] = found


def launch(
    out: torch.Tensor,
    flags: torch.Tensor,
    events: Events | Packed,
    bins: Bins,
    grid: Cells,
    op: str,
    bits: int = 32,
    limit: int | None = None,
) -> None:
    """Add the events to ``out``, frames ``[T, B, C, H, W]`` flat, and what is wrong with them to ``flags``."""
    whole = isinstance(events, Events)
    store = events if isinstance(events, Events) else events.events
    begin, end = (flags, flags) if isinstance(events, Events) else (events.begin, events.end)
    n, batch = len(store), 1 if whole else len(events)
    if not n or not batch or not bins.n:
        return
    shape = grid.shape
    programs = -(-n // BLOCK) if whole else max(1, min(-(-n // BLOCK), 2048 // batch))
    x, y, p = (c.view(torch.uint8) if c.dtype == torch.bool else c for c in (store.x, store.y, store.p))
    stop = bins.duration if bins.duration is not None else bins.stop
    numbers = (n, batch, bins.n, bins.start or 0, stop or 0, bins.window, max(bins.stride, 1), *grid.sensor)
    until = "duration" if bins.duration is not None else "own" if bins.stop is None else "stop"
    reached = 2 if op == "bilinear" else 1 if bins.parts else -(-bins.window // bins.stride)
    channels = 3 if grid.channels == SIGNED else grid.channels
    wide = bins.n * batch * prod(shape) >= 2**31
    parts = bins.parts and op != "bilinear"
    constants = (whole, bins.start is not None, until, parts, bins.ordered, reached, op, channels, grid.factor)
    run(
        bin_events,
        (programs, batch, 1),
        (out, flags, store.t, x, y, p, begin, end),
        (*numbers, shape[2], shape[1], limit or 0),
        (*constants, bits, limit is not None, wide, BLOCK),
    )


def frames(
    events: Events | Packed, bins: Bins, grid: Cells, dtype: torch.dtype, op: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames ``[T, B, C, H, W]`` and the word of faults; ``op``: "add", "binary", "bilinear" or "latest"."""
    store = events if isinstance(events, Events) else events.events
    shape = (bins.n, 1 if store is events else len(events), *grid.shape)
    signed, device = grid.channels == SIGNED, store.t.device
    bits = PACKED.get(dtype, 32)
    if op == "latest":
        fits(shape, torch.int64, device)
        out = torch.full(shape, NEVER, dtype=torch.int64, device=device)
        flags = torch.zeros(1, dtype=torch.int32, device=device)
        launch(out, flags, events, bins, grid, op)
        return out, flags
    through = (op == "bilinear" and dtype is not torch.float32) or (bits < 32 and signed)  # another type, then cast
    kind = torch.float32 if op == "bilinear" else torch.int32 if through else dtype
    size = fits(shape, kind, device)
    buffer = zeros((-(-size // 16) * 4 + 4,), torch.int32, device)
    out, flags = buffer.view(torch.uint8)[:size].view(kind).view(shape), buffer[-1:]
    limit = largest(dtype)
    if op == "binary" and not signed:
        launch(out, flags, events, bins, grid, "mark")
    elif op == "bilinear" or through or bits == 32:
        limited = op == "add" and not through and len(store) > limit
        launch(
            out, flags, events, bins, grid, "bilinear" if op == "bilinear" else "add", 32, limit if limited else None
        )
    else:
        launch(buffer, flags, events, bins, grid, "add", bits, limit)
        if dtype.is_floating_point:  # counts of 16 bits become numbers of 16 bits in place
            octets = -(-out.numel() // 8)
            numbers, kept = buffer.view(torch.int16), buffer.view(dtype)
            run(convert, (-(-octets // 512), 1, 1), (numbers, kept), (octets,), (4096,))
    if op == "binary" and signed:
        out.sign_()
    elif through and op == "add":
        flags |= OVERFLOW * (out.abs().amax() > limit).int() if out.numel() else 0
    return out.to(dtype), flags
