"""CPU kernels: one pass over events in order of time, frame by frame.

A frame is counted in a small plane of bytes that stays in the cache, then written out once in the type asked for. A
pixel with more than 255 events makes the frame be counted anew in a plane of int32. A frame with few events is written
event by event. ``size`` is always ``(width, height, factor, planes)`` in uint32; columns are uint16, uint16 and uint8,
so that what is negative is too large.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsnn.jit import compiled

BLOCK = 1024  # events whose cells are computed together
SPARSE = 24  # cells an event above which a frame is written event by event


@compiled
def locate(index: Any, x: Any, y: Any, p: Any, size: Any) -> Any:
    """The cell of each event, plane by plane; False if one lies outside the sensor or has no polarity."""
    width, height, factor, planes = size
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
def put(out: Any, on: Any, off: Any, signed: bool, binary: bool, half: int) -> Any:
    """Write cells ``on``, less ``off`` if signed, in the type of ``out``; gives the largest magnitude.

    With ``half``, 13 for float16 and 16 for bfloat16, ``out`` takes the bits: those of float32 without so many at the
    end. They are exact, as the type holds the numbers.
    """
    numbers, most = np.empty(BLOCK, np.int32), np.int32(0)
    floats = np.empty(BLOCK, np.float32)
    bits = floats.view(np.int32)
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
        if half:
            less_bias = 112 << 10 if half == 13 else 0  # of the exponent
            for j in range(n):
                floats[j] = numbers[j]
            for j in range(n):
                magnitude = ((bits[j] & 0x7FFFFFFF) >> half) - less_bias * (numbers[j] != 0)
                target[j] = ((bits[j] >> 16) & 0x8000) | magnitude
        else:
            for j in range(n):
                target[j] = numbers[j]
    return most


@compiled
def write(out: Any, plane: Any, signed: bool, binary: bool, half: int) -> int:
    """Write a frame from its plane, which is left at zero; gives the largest magnitude."""
    cells = len(out)
    most = put(out, plane[len(plane) - cells :], plane[:cells], signed, binary, half)
    plane[:] = 0
    return most


@compiled
def write_few(out: Any, plane: Any, index: Any, signed: bool, binary: bool, half: int) -> int:
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
    most = put(target, on, off, signed, binary, half)
    for i in range(n):
        out[place[i]] = target[i]
        plane[index[i]] = 0
    return most


@compiled
def tally_frame(plane: Any, index: Any, step: int, x: Any, y: Any, p: Any, size: Any) -> int:
    """Count the events of a frame, ``step`` at a time; gives what went wrong, 0 if nothing."""
    for i in range(0, len(x), step):
        z = min(i + step, len(x))
        part = index[: z - i]
        if not locate(part, x[i:z], y[i:z], p[i:z], size):
            return 1
        if not tally(plane, part):
            return 2
    return 0


@compiled
def count(
    out: Any, x: Any, y: Any, p: Any, low: Any, high: Any, first: int, last: int, size: Any, signed: bool,
    binary: bool, half: int, limit: int, clear: bool,
) -> tuple[int, int]:  # fmt: skip
    """Frames first..last of ``out [frames, cells]``; gives what went wrong, 0 if nothing, and the largest count.

    ``clear``: ``out`` holds zeros only, else anything.
    """
    cells = out.shape[1] * (2 if signed else 1)
    plane, wide = np.zeros(cells, np.uint8), np.zeros(0, np.int32)
    index = np.empty(max(BLOCK, cells // SPARSE), np.uint32)
    most = 0
    for k in range(first, last):
        a, z = low[k], high[k]
        few = (z - a) * SPARSE <= cells
        if few and not clear:
            out[k, :] = 0
        if a >= z:
            continue
        step, us, vs, ws = len(index) if few else BLOCK, x[a:z], y[a:z], p[a:z]
        fault = 2 if z - a > 64 * cells else tally_frame(plane, index, step, us, vs, ws, size)
        if fault == 0 and few:
            top = write_few(out[k], plane, index[: z - a], signed, binary, half)
        elif fault == 0:
            top = write(out[k], plane, signed, binary, half)
        if fault == 2:
            plane[:] = 0
            if not len(wide):
                wide = np.zeros(cells, np.int32)
            fault = tally_frame(wide, index, BLOCK, us, vs, ws, size)
            top = write(out[k], wide, signed, binary, half)
        if fault:
            return fault, 0
        most = max(most, top)
    return 2 * (most > limit), most


@compiled
def spread(
    out: Any, t: Any, x: Any, y: Any, p: Any, begin: Any, end: Any, origin: Any, reach: Any, first: int, last: int,
    size: Any, signed: bool,
) -> bool:  # fmt: skip
    """Share events of recordings first..last of ``out [T, B, cells]`` between the two nearest of T points in time."""
    n, cells = len(out), out.shape[2]
    index = np.empty(BLOCK, np.uint32)
    for b in range(first, last):
        scale = (n - 1) / max(reach[b] - 1, 1)
        for i in range(begin[b], end[b], BLOCK):
            z = min(i + BLOCK, end[b])
            if not locate(index[: z - i], x[i:z], y[i:z], p[i:z], size):
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
def stamp(out: Any, t: Any, x: Any, y: Any, p: Any, low: Any, high: Any, first: int, last: int, size: Any) -> bool:
    """The last time of an event in each cell of frames first..last of ``out [frames, cells]``."""
    index = np.empty(BLOCK, np.uint32)
    for k in range(first, last):
        for i in range(low[k], high[k], BLOCK):
            z = min(i + BLOCK, high[k])
            if not locate(index[: z - i], x[i:z], y[i:z], p[i:z], size):
                return False
            for j in range(z - i):
                out[k, index[j]] = t[i + j]
    return True


@compiled
def fill(
    lows: Any, highs: Any, t: Any, begin: Any, end: Any, origin: Any, reach: Any,
    window: int, stride: int, parts: bool, ordered: bool,
) -> None:  # fmt: skip
    """Positions of the first event of each frame and just after its last."""
    n = len(lows)
    for b in range(len(begin)):
        a, z, span = begin[b], end[b], reach[b]
        for k in range(n):
            low, high = k * stride, k * stride + window
            if parts:  # k span / n, rounded up, where k span might not fit
                low = span // n * k + (span % n * k + n - 1) // n
                high = span // n * (k + 1) + (span % n * (k + 1) + n - 1) // n
            for side in range(2):
                d = min(low if side == 0 else high, span)
                if ordered:
                    at = a + d
                else:
                    at, top = a, z  # the first event not before origin + d
                    if k and side == 0:
                        at = lows[k - 1, b]
                    elif side == 1:
                        at = lows[k, b]
                    while at < top:
                        middle = (at + top) // 2
                        if t[middle] < origin[b] + d:
                            at = middle + 1
                        else:
                            top = middle
                if side == 0:
                    lows[k, b] = at
                else:
                    highs[k, b] = at
