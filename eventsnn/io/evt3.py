"""Prophesee EVT3: 16-bit little-endian words, a 4-bit type on top, each changing one part of a running state.

    0x0 ADDR_Y     y 10..0, bit 11 = second camera     0x2 ADDR_X    x 10..0, p 11: one event
    0x3 BASE_X     x 10..0, p 11                       0x4, 0x5      12 or 8 mask bits: an event at base + i for bit i
    0x6 TIME_LOW   t[11:0]                             0x8 TIME_HIGH t[23:12]; a changed one clears the low part

Time rolls over every 2^24 us, counted only on a fall of at least half the range: TIME_LOW and TIME_HIGH step back a
little in valid files without a roll-over. Source: Prophesee, "EVT 3.0 format" (2021); OpenEB's decoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from ..jit import compiled
from . import prophesee
from .drive import OUTSIDE, drive
from .header import Header
from .reading import Pass
from .source import Source
from .stamps import based, bounded
from .wide import fill, offset


def start(source: Source) -> Header:
    return prophesee.raw(source, "EVT3", 2)


def decode(run: Pass) -> Iterator[None]:
    own = {"epoch": run.header.layout["base"], "high": -1, "low": 0, "row": -1, "base": -1, "on": 0}
    return drive(run, _decode, (2048, 2048), own, word="<u2", most=12)


_BITS = np.array([[i for i in range(8) if n >> i & 1] + [0] * (8 - n.bit_count()) for n in range(256)], np.int16)
_COUNT = np.array([n.bit_count() for n in range(256)], np.int64)


@compiled
def _decode(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    """A vector is written 16 places wide whatever its bits, since branches would cost more than places overwritten."""
    s = state[0]
    width, height, skip, last, epoch = s.width, s.height, s.skip, s.last, s.epoch
    high, low, row, base, on = s.high, s.low, s.row, s.base, s.on
    back = outside = early = other = 0
    now = epoch + (high << 12) + low
    bottom = height if high >= 0 else 0
    right = width if 0 <= row < bottom else 0  # columns below it are good
    n: Any = 0
    i = since = 0  # since: the first event at the time now
    size, room = len(words), len(t) - 16
    while i < size and n <= room:
        word = np.int64(words[np.uint64(i)])
        kind, value = word >> 12, word & 0xFFF
        if kind == 2:
            column = value & 0x7FF
            k = np.uint64(n)  # unsigned: an index that cannot be negative is not asked whether it is
            t[k], x[k], y[k], p[k] = now, column, row, value >> 11
            if column < right:
                n += 1
            elif high < 0 or row < 0:
                early += 1
            elif skip:
                outside += 1
            else:
                s.fault, s.fault_x, s.fault_y = OUTSIDE, column, row
                break
        elif kind == 0:
            row = value
            right = width if row < bottom else 0
            if i + 1 < size:  # mostly an ADDR_X follows
                word = np.int64(words[np.uint64(i + 1)])
                column = word & 0x7FF
                if word >> 12 == 2 and column < right:
                    k = np.uint64(n)
                    t[k], x[k], y[k], p[k] = now, column, row, word >> 11 & 1
                    n += 1
                    i += 1
        elif kind == 6 or kind == 8:
            if n > since:
                back += now < last
                last, since = now, n
            if kind == 6:
                low = value
            elif value != high:
                if high - value >= 0x800:
                    epoch += 1 << 24
                    s.wraps += 1
                high, low, bottom = value, 0, height
                right = width if 0 <= row < bottom else 0
            now = epoch + (high << 12) + low
        elif kind == 4 or kind == 5:
            wide = 28 - 4 * kind
            mask = value & ((1 << wide) - 1)
            if 0 <= base <= right - wide:
                fill(t, n, now)
                fill(y, n, row)
                fill(p, n, on)
                offset(x, n, base, _BITS, mask & 0xFF)
                n += _COUNT[np.uint64(mask & 0xFF)]
                offset(x, n, base + 8, _BITS, mask >> 8)
                n += _COUNT[np.uint64(mask >> 8)]
            elif high < 0 or row < 0 or base < 0:
                early += 1
            else:
                begun = n
                for bit in range(wide):
                    if mask >> bit & 1:
                        if base + bit < right:
                            t[n], x[n], y[n], p[n] = now, base + bit, row, on
                            n += 1
                        elif skip:
                            outside += 1
                        else:
                            s.fault, s.fault_x, s.fault_y = OUTSIDE, base + bit, row
                            break
                if s.fault:
                    n = begun
                    break
            base += wide if base >= 0 else 0
        elif kind == 3:
            base, on = value & 0x7FF, value >> 11
        else:
            other += 1
        i += 1
    if n > since:
        back += now < last
        last = now
    s.last, s.epoch, s.high, s.low, s.row, s.base, s.on = last, epoch, high, low, row, base, on
    s.back += back
    s.outside += outside
    s.early += early
    s.other += other
    return i, n


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Events of one time, row and polarity with rising x go into vectors.

    Times that begin outside 0..2^34 us count from a header key of ours, ``% time_base``, that others pass over.
    """
    base, parts = based(parts, 1 << 34)
    file.write(prophesee.lines("EVT3", "3.0", sensor, base))
    width = sensor[0] if sensor else 2048
    state = np.array([0, -1, -1])  # time, row, -1 before any time, 0 after a TIME_HIGH, 1 after a TIME_LOW
    out = np.empty(1 << 16, "<u2")
    for events in parts:
        bounded(events, 2048, 2048, "EVT3")
        t, x, y, p = (np.ascontiguousarray(column) for column in (events.t - base, *events.columns[1:]))
        used = 0
        while used < len(events):
            moved, made = _encode(t[used:], x[used:], y[used:], p[used:], width, state, out)
            if moved < 0:
                raise ValueError(
                    "EVT3 holds no step back of over 8 s, or over its start or a roll-over, and no gap of over "
                    "200 days; sort or cut the events"
                )
            file.write(out[:made].tobytes())
            used += moved


_FAR = 1 << 32  # of TIME_HIGH: a gap of 200 days takes 4 MB, a stray time of 2^60 us would fill the disk


@compiled
def _encode(t: Any, x: Any, y: Any, p: Any, width: int, state: Any, out: Any) -> tuple[int, int]:
    now, row, begun = state
    n = i = 0
    while i < len(t) and n + 8 <= len(out):
        high, goal = now >> 12, t[i] >> 12
        if goal != high or begun < 0:
            if t[i] < 0 or (goal < high and (goal >> 12 != high >> 12)) or goal - high > _FAR:
                return -1, 0
            step = goal
            if goal > high:  # in leaps of less than half the range, so that a reader counts every roll-over
                step = min(goal, high + 0x7FF)
            elif high - goal >= 0x800:
                return -1, 0
            out[n] = 0x8000 | (step & 0xFFF)
            n += 1
            now, begun = step << 12, 0
            continue
        if t[i] != now or begun == 0:  # some readers wait for the low part
            out[n] = 0x6000 | (t[i] & 0xFFF)
            n += 1
            now, begun = t[i], 1
        if y[i] != row:
            row = np.int64(y[i])
            out[n] = row
            n += 1
        base: Any = min(np.int64(x[i]), width - 32)
        stop = i + 1
        while stop < len(t) and t[stop] == now and y[stop] == row and p[stop] == p[i]:
            if not x[stop - 1] < x[stop] < base + 32:
                break
            stop += 1
        on = np.int64(p[i]) << 11
        if base >= 0 and stop - i > 4:
            mask = 0
            for j in range(i, stop):
                mask |= 1 << (x[j] - base)
            out[n], out[n + 1] = 0x3000 | on | base, 0x4000 | (mask & 0xFFF)
            out[n + 2], out[n + 3] = 0x4000 | (mask >> 12 & 0xFFF), 0x5000 | (mask >> 24 & 0xFF)
            n += 4
            i = stop
        else:
            out[n] = 0x2000 | on | x[i]
            n += 1
            i += 1
    state[0], state[1], state[2] = now, row, begun
    return i, n
