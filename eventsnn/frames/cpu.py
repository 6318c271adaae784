"""Binning on the CPU: the kernels over all frames, each thread on its own; they run without the interpreter's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events

from .cells import SIGNED, Cells, largest
from .kernels import count, spread, stamp
from .packed import Packed

WORK = 2**17  # events and 64-byte lines below which another thread costs more than it saves
OUTSIDE, OVERFLOW = 1, 2


def split(kernel: Callable[[int, int], Any], work: NDArray[Any]) -> list[Any]:
    """What ``kernel(first, last)`` gives over all pieces, in ranges of about equal work, one a thread."""
    total = np.concatenate([[0], np.cumsum(work)])
    workers = int(max(1, min(torch.get_num_threads(), len(work), total[-1] // WORK)))
    ends = np.searchsorted(total, total[-1] * np.arange(1, workers) // workers)
    edges = [0, *ends.tolist(), len(work)]
    results: list[Any] = [None] * workers

    def run(i: int, first: int, last: int) -> None:
        results[i] = kernel(first, last)

    threads = [threading.Thread(target=run, args=(i, *pair)) for i, pair in enumerate(pairwise(edges)) if i]
    for thread in threads:
        thread.start()
    run(0, *edges[:2])
    for thread in threads:
        thread.join()
    return results


def columns(events: Events) -> tuple[NDArray[Any], ...]:
    """x, y as uint16 and p as uint8 over the same memory: what is negative becomes too large."""
    return events.x.view(np.uint16), events.y.view(np.uint16), events.p.view(np.uint8)


def sizes(grid: Cells) -> Any:
    """What kernels must know of the cells."""
    return tuple(np.uint32(v) for v in (*grid.sensor, grid.factor, 1 if grid.channels == 1 else 2))


def counts(
    out: torch.Tensor, packed: Packed, grid: Cells, low: Any, high: Any, binary: bool, clear: bool
) -> tuple[int, int]:
    """Count events ``low..high`` ``[T, B]`` into ``out [T, B, C, H, W]``, zeros if ``clear``; fault and largest."""
    n = low.size
    limit = largest(out.dtype)
    half = {torch.float16: 13, torch.bfloat16: 16}.get(out.dtype, 0)
    flat = out.view(n, int(np.prod(grid.shape)))
    if half:  # NumPy knows no bfloat16
        flat = flat.view(torch.uint16)
    elif out.dtype is torch.bool:
        flat = flat.view(torch.uint8)
    target, low, high, (x, y, p) = flat.numpy(), low.reshape(-1), high.reshape(-1), columns(packed.events)
    signed = grid.channels == SIGNED

    def kernel(first: int, last: int) -> Any:
        return count(target, x, y, p, low, high, first, last, sizes(grid), signed, binary, half, limit, clear)

    results = split(kernel, high - low + target.shape[1] * target.itemsize // 64)
    faults = [fault for fault, _ in results]
    return OUTSIDE if OUTSIDE in faults else max(faults), max(most for _, most in results)


def bilinear(out: torch.Tensor, packed: Packed, grid: Cells, origin: Any, reach: Any) -> bool:
    """Share events between points in time, ``out [T, B, C, H, W]`` of float32; True if one lies outside."""
    target, events = out.flatten(2).numpy(), packed.events
    x, y, p = columns(events)
    begin, end = packed.begin, packed.end
    signed = grid.channels == SIGNED

    def kernel(first: int, last: int) -> Any:
        return spread(target, events.t, x, y, p, begin, end, origin, reach, first, last, sizes(grid), signed)

    return not all(split(kernel, packed.lengths))


def latest(out: torch.Tensor, packed: Packed, grid: Cells, low: Any, high: Any) -> bool:
    """Last stamps in ``out [T, B, C, H, W]`` of int64; True if an event lies outside."""
    target, events = out.view(low.size, int(np.prod(grid.shape))).numpy(), packed.events
    x, y, p = columns(events)
    low, high = low.reshape(-1), high.reshape(-1)

    def kernel(first: int, last: int) -> Any:
        return stamp(target, events.t, x, y, p, low, high, first, last, sizes(grid))

    return not all(split(kernel, high - low))
