"""Binning on the CPU: one pass over events in order of time, frame by frame.

A frame is counted in a small plane of bytes that stays in the cache, then written out once in the type asked for. A
pixel with more than 255 events makes the frame be counted anew in a plane of int32. A frame with few events is written
event by event. Kernels run without the interpreter's lock, each thread on its own frames.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.jit import compiled

from .cells import SIGNED, Cells, largest
from .packed import Packed

BLOCK = 1024  # events whose cells are computed together
SPARSE = 24  # cells a event above which a frame is written event by event
WORK = 2**17  # events and 64-byte lines below which another thread costs more than it saves
OUTSIDE, OVERFLOW = 1, 2


@compiled
def locate(index: Any, x: Any, y: Any, p: Any, width: Any, height: Any, factor: Any, planes: Any) -> bool:
    """The cell of each event, plane by plane; False if one lies outside the sensor or has no polarity."""
    most_x, most_y, most_p = np.uint16(0), np.uint16(0), np.uint8(0)
    columns, rows = (width + factor - 1) // factor, (height + factor - 1) // factor
    two = np.uint32(planes - 1)
    if factor == 1:
        for j in range(len(x)):
            most_x, most_y, most_p = max(most_x, x[j]), max(most_y, y[j]), max(most_p, p[j])
            index[j] = (np.uint32(p[j]) * two * rows + np.uint32(y[j])) * columns + np.uint32(x[j])
    else:
        share, half = np.float32(1 / factor), np.float32(0.5)  # exact: (n + 1/2) / factor is far from whole numbers
        for j in range(len(x)):
            most_x, most_y, most_p = max(most_x, x[j]), max(most_y, y[j]), max(most_p, p[j])
            row = np.uint32((np.float32(y[j]) + half) * share)
            index[j] = (np.uint32(p[j]) * two * rows + row) * columns + np.uint32((np.float32(x[j]) + half) * share)
    return most_x < width and most_y < height and most_p < 2


@compiled
def tally(plane: Any, index: Any) -> bool:
    """Add one to each cell; False if one went past the largest number."""
    one, wrapped = plane.dtype.type(1), False
    for j in range(len(index)):
        value = plane.dtype.type(plane[index[j]] + one)
        plane[index[j]] = value
        wrapped |= value == 0
    return not wrapped


@compiled
def put(out: Any, on: Any, off: Any, signed: bool, binary: bool, codes: Any) -> int:
    """Write cells ``on``, less ``off`` if signed, in the type of ``out``; gives the largest magnitude."""
    numbers, most, middle = np.empty(BLOCK, np.int32), np.int32(0), np.int32(len(codes) // 2)
    for i in range(0, len(out), BLOCK):
        n = min(BLOCK, len(out) - i)
        part, target = on[i : i + n], out[i : i + n]
        for j in range(n):  # short loops: each becomes vector instructions
            numbers[j] = part[j]
        if signed:
            less = off[i : i + n]
            for j in range(n):
                numbers[j] -= np.int32(less[j])
        if binary:
            for j in range(n):
                numbers[j] = min(max(numbers[j], np.int32(-1)), np.int32(1))
        for j in range(n):
            most = np.int32(max(most, np.int32(abs(numbers[j]))))
        if middle:
            for j in range(n):
                target[j] = codes[min(max(numbers[j], -middle), middle) + middle]
        else:
            for j in range(n):
                target[j] = numbers[j]
    return most


@compiled
def write(out: Any, plane: Any, signed: bool, binary: bool, codes: Any) -> int:
    """Write a frame from its plane, which is left at zero; gives the largest magnitude."""
    cells = len(out)
    most = put(out, plane[len(plane) - cells :], plane[:cells], signed, binary, codes)
    plane[:] = 0
    return most


@compiled
def write_few(out: Any, plane: Any, index: Any, signed: bool, binary: bool, codes: Any) -> int:
    """The same, of the cells in ``index`` only."""
    n, cells = len(index), np.uint32(len(out))
    place, on, off, target = (
        np.empty(n, np.uint32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n, out.dtype),
    )
    over = np.uint32(len(plane)) - cells
    for i in range(n):
        j = index[i] - cells if signed and index[i] >= cells else index[i]
        place[i], on[i], off[i] = j, plane[j + over], plane[j]
    most = put(target, on, off, signed, binary, codes)
    for i in range(n):
        out[place[i]] = target[i]
        plane[index[i]] = 0
    return most


@compiled
def tally_frame(
    plane: Any, index: Any, step: int, x: Any, y: Any, p: Any, width: Any, height: Any, factor: Any, planes: Any
) -> int:
    """Count the events of a frame, ``step`` at a time; gives what went wrong, 0 if nothing."""
    for i in range(0, len(x), step):
        z = min(i + step, len(x))
        part = index[: z - i]
        if not locate(part, x[i:z], y[i:z], p[i:z], width, height, factor, planes):
            return 1
        if not tally(plane, part):
            return 2
    return 0


@compiled
def count(
    out: Any, x: Any, y: Any, p: Any, low: Any, high: Any, first: int, last: int, width: Any, height: Any, factor: Any,
    planes: Any, signed: bool, binary: bool, codes: Any, limit: int,
) -> tuple[int, int]:  # fmt: skip
    """Frames first..last of ``out [frames, cells]``; gives what went wrong, 0 if nothing, and the largest count."""
    cells = out.shape[1] * (2 if signed else 1)
    plane, wide = np.zeros(cells, np.uint8), np.zeros(0, np.int32)
    index = np.empty(max(BLOCK, cells // SPARSE), np.uint32)
    most = 0
    for k in range(first, last):
        a, z = low[k], high[k]
        if a >= z:
            continue
        few = (z - a) * SPARSE <= cells
        step, us, vs, ws = len(index) if few else BLOCK, x[a:z], y[a:z], p[a:z]
        fault = 2 if z - a > 64 * cells else tally_frame(plane, index, step, us, vs, ws, width, height, factor, planes)
        if fault == 0 and few:
            top = write_few(out[k], plane, index[: z - a], signed, binary, codes)
        elif fault == 0:
            top = write(out[k], plane, signed, binary, codes)
        if fault == 2:
            plane[:] = 0
            if not len(wide):
                wide = np.zeros(cells, np.int32)
            fault = tally_frame(wide, index, BLOCK, us, vs, ws, width, height, factor, planes)
            top = write(out[k], wide, signed, binary, codes)
        if fault:
            return fault, 0
        most = max(most, top)
    return 2 * (most > limit), most


@compiled
def spread(
    out: Any, t: Any, x: Any, y: Any, p: Any, begin: Any, end: Any, origin: Any, reach: Any, first: int, last: int,
    width: Any, height: Any, factor: Any, planes: Any, signed: bool,
) -> bool:  # fmt: skip
    """Share events of recordings first..last of ``out [T, B, cells]`` between the two nearest of T points in time."""
    n, cells = len(out), out.shape[2]
    index = np.empty(BLOCK, np.uint32)
    for b in range(first, last):
        scale = (n - 1) / max(reach[b] - 1, 1)
        for i in range(begin[b], end[b], BLOCK):
            z = min(i + BLOCK, end[b])
            if not locate(index[: z - i], x[i:z], y[i:z], p[i:z], width, height, factor, planes):
                return False
            for j in range(i, z):
                d = t[j] - origin[b]
                if 0 <= d < reach[b]:
                    place = d * scale
                    k = min(int(place), max(n - 2, 0))
                    share, cell = place - k, np.int64(index[j - i])
                    sign = 1
                    if signed:
                        cell, sign = cell % cells, (1 if p[j] else -1)
                    out[k, b, cell] += sign * (1 - share)
                    if n > 1:
                        out[k + 1, b, cell] += sign * share
    return True


@compiled
def stamp(
    out: Any, t: Any, x: Any, y: Any, p: Any, low: Any, high: Any, first: int, last: int, width: Any, height: Any,
    factor: Any, planes: Any,
) -> bool:  # fmt: skip
    """The last time of an event in each cell of frames first..last of ``out [frames, cells]``."""
    index = np.empty(BLOCK, np.uint32)
    for k in range(first, last):
        for i in range(low[k], high[k], BLOCK):
            z = min(i + BLOCK, high[k])
            if not locate(index[: z - i], x[i:z], y[i:z], p[i:z], width, height, factor, planes):
                return False
            for j in range(z - i):
                out[k, index[j]] = t[i + j]
    return True


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


def sizes(grid: Cells) -> list[np.uint32]:
    return [np.uint32(v) for v in (*grid.sensor, grid.factor, 1 if grid.channels == 1 else 2)]


def counts(out: torch.Tensor, packed: Packed, grid: Cells, low: Any, high: Any, binary: bool) -> tuple[int, int]:
    """Count events ``low..high`` ``[T, B]`` into ``out [T, B, C, H, W]``, all zeros; the fault and the largest."""
    n = low.size
    limit = largest(out.dtype)
    codes = np.zeros(0, np.uint16)
    flat = out.view(n, int(np.prod(grid.shape)))
    if out.dtype in (torch.float16, torch.bfloat16):  # NumPy knows no bfloat16: its bits are written
        codes = torch.arange(-limit, limit + 1).to(out.dtype).view(torch.uint16).numpy()
        flat = flat.view(torch.uint16)
    elif out.dtype is torch.bool:
        flat = flat.view(torch.uint8)
    target, low, high, (x, y, p) = flat.numpy(), low.reshape(-1), high.reshape(-1), columns(packed.events)
    signed = grid.channels == SIGNED

    def kernel(first: int, last: int) -> Any:
        return count(target, x, y, p, low, high, first, last, *sizes(grid), signed, binary, codes, limit)

    results = split(kernel, high - low + target.shape[1] * target.itemsize // 64)
    faults = [fault for fault, _ in results]
    return OUTSIDE if OUTSIDE in faults else max(faults), max(most for _, most in results)


def bilinear(out: torch.Tensor, packed: Packed, grid: Cells, origin: Any, reach: Any) -> bool:
    """Share events between points in time, ``out [T, B, C, H, W]`` of float32; True if one lies outside."""
    target, events = out.flatten(2).numpy(), packed.events
    given = events.t, *columns(events), packed.begin, packed.end, origin, reach
    signed = grid.channels == SIGNED

    def kernel(first: int, last: int) -> Any:
        return spread(target, *given, first, last, *sizes(grid), signed)

    return not all(split(kernel, packed.lengths))


def latest(out: torch.Tensor, packed: Packed, grid: Cells, low: Any, high: Any) -> bool:
    """Last stamps in ``out [T, B, C, H, W]`` of int64; True if an event lies outside."""
    target, events = out.view(low.size, int(np.prod(grid.shape))).numpy(), packed.events
    given = events.t, *columns(events), low.reshape(-1), high.reshape(-1)

    def kernel(first: int, last: int) -> Any:
        return stamp(target, *given, first, last, *sizes(grid))

    return not all(split(kernel, (high - low).reshape(-1)))
