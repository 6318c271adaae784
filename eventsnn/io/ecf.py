"""ECF, the codec of chunks in Prophesee's HDF5 files (filter 0x8ECF); little-endian throughout.

    u32   count << 2 | (1: y, x, p packed together) << 1 | (1: x, p packed together)
    t     u64 start, then bytes step << 4 | run, run 15 = a u16 run follows; step 15: run is 4 bits more of a long step
    y     u16 y << 5 | run, run 31 = a u16 run follows
    x, p  4 in 3 u16 of 12 bits x << 1 | p;  or u16 x << 5 | mask, from the top bit on: an event at x + 1, x + 2...,
          then bytes p << 7 | run, run 127 = a u16 run follows
    y, x, p together: 4 in 3 u32 of 24 bits y << 12 | x << 1 | p

Source: Prophesee, hdf5_ecf (2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import compiled
from .errors import EventFormatError

_LARGEST = 65535


def expand(data: bytes, needed: int) -> dict[str, Any]:
    """The first events of a chunk, as columns. Raises EventFormatError if it holds fewer or is damaged."""
    t: Any = np.empty(_LARGEST, np.int64)
    x, y, p = (np.empty(_LARGEST + 5, np.int16) for _ in range(3))
    if len(data) < 12 or _decode(np.frombuffer(bytearray(data), np.uint8), t, x, y, p) < needed:
        raise EventFormatError("an ECF chunk is damaged")
    return {name: column[:needed] for name, column in zip("txyp", (t, x, y, p), strict=True)}


@compiled
def _decode(data: Any, t: Any, x: Any, y: Any, p: Any) -> int:
    """Number of events, -1 if the chunk ends too early or says more than it can hold."""
    count, kind, place = _word(data, 0, 4) >> 2, data[0] & 3, 12
    if count > len(t):
        return -1
    now, n = _word(data, 4, 8), 0
    while n < count:
        step: Any = 0
        shift = 0
        while place < len(data) and data[place] >> 4 == 15:
            step |= np.int64(data[place] & 15) << shift
            shift += 4
            place += 1
        if place >= len(data) or shift > 60:
            return -1
        now += step + (data[place] >> 4)
        run, place = _run(data, place, 1, 15)
        if run < 0 or n + run > count or (run == 0 and step == 0 and data[place - 1] >> 4 == 0):
            return -1
        t[n : n + run] = now
        n += run
    if kind >= 2:
        return count if _packed(data, place, count, 8, x, y, p) >= 0 else -1
    n = 0
    while n < count:
        value = _word(data, place, 2) >> 5
        run, place = _run(data, place, 2, 31)
        if run <= 0 or n + run > count:
            return -1
        y[n : n + run] = value
        n += run
    if kind == 1:
        return count if _packed(data, place, count, 4, x, y, p) >= 0 else -1
    n = 0
    while n < count:
        if place + 2 > len(data):
            return -1
        value = _word(data, place, 2)
        x[n] = value >> 5
        n += 1
        for j in range(5):
            if value >> (4 - j) & 1:
                x[n] = (value >> 5) + j + 1
                n += 1
        place += 2
    n = 0
    while n < count:
        value = _word(data, place, 1) >> 7
        run, place = _run(data, place, 1, 127)
        if run <= 0 or n + run > count:
            return -1
        p[n : n + run] = value
        n += run
    return count  # type: ignore[no-any-return]


@compiled
def _word(data: Any, place: int, size: int) -> Any:
    value = np.int64(0)
    for j in range(size if place + size <= len(data) else 0):
        value |= np.int64(data[place + j]) << (8 * j)
    return value


@compiled
def _run(data: Any, place: int, size: int, escape: int) -> tuple[Any, int]:
    """The run length in the low bits at that place, or -1, and the place behind it."""
    run = _word(data, place, size) & escape
    behind = place + size
    if run == escape:
        run = _word(data, behind, 2)
        behind += 2
    return (run if behind <= len(data) else -1), behind


@compiled
def _packed(data: Any, place: int, count: int, size: int, x: Any, y: Any, p: Any) -> int:
    """Four values of 3 ``size`` bits in three words of 4 ``size`` bits, the top part first; -1 if they end early."""
    bits, step = 3 * size, size // 2
    for i in range(0, count, 4):
        if place + 3 * step > len(data):
            return -1
        a, b, c = _word(data, place, step), _word(data, place + step, step), _word(data, place + 2 * step, step)
        low, middle = (1 << size) - 1, (1 << 2 * size) - 1
        values = (
            a >> size,
            (a & low) | (b >> 2 * size) << size,
            (b & middle) | (c >> bits) << 2 * size,
            c & ((1 << bits) - 1),
        )
        for j in range(4):
            if i + j < count:
                x[i + j], p[i + j] = values[j] >> 1 & 0x7FF, values[j] & 1
                if size == 8:
                    y[i + j] = values[j] >> 12
        place += 3 * step
    return place
