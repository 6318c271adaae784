"""Prophesee EVT3: 16-bit little-endian words, a 4-bit type on top, each changing one part of a running state.

    0x0 ADDR_Y     y 10..0, bit 11 = second camera     0x2 ADDR_X    x 10..0, p 11: one event
    0x3 BASE_X     x 10..0, p 11                       0x4, 0x5      12 or 8 mask bits: an event at base + i for bit i
    0x6 TIME_LOW   t[11:0]                             0x8 TIME_HIGH t[23:12]; a changed one clears the low part

Time rolls over every 2^24 us, counted only on a fall of at least half the range: TIME_LOW and TIME_HIGH step back a
little in valid files without a roll-over. Source: Prophesee, "EVT 3.0 format" (2021); OpenEB's decoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit

from . import prophesee
from .columns import Columns
from .drive import OUTSIDE, drive, state_for
from .header import Header, Report
from .source import Source


def start(source: Source) -> Header:
    found = prophesee.check(prophesee.header(source.head), "EVT3")
    if source.size is not None:
        found.most = (source.size - found.offset) // 2
    return found


def decode(source: Source, header: Header, columns: Columns, report: Report, on_error: str) -> Iterator[None]:
    own = {"epoch": 0, "high": -1, "low": 0, "row": -1, "base": -1, "on": 0}
    state = state_for(header, on_error, (2048, 2048), own)
    return drive(source, header, _decode, state, columns, report, word="<u2", most=12)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _decode(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    width, height, skip, last, epoch = s.width, s.height, s.skip, s.last, s.epoch
    high, low, row, base, on = s.high, s.low, s.row, s.base, s.on
    back = outside = early = other = 0
    now = epoch + (high << 12) + low
    used = 0
    n: Any = 0
    room = len(t) - 12
    for i in range(len(words)):
        if n > room:
            break
        word = np.int64(words[i])
        kind, value = word >> 12, word & 0xFFF
        if kind == 2:
            column = value & 0x7FF
            if high < 0 or row < 0:
                early += 1
            elif column >= width or row >= height:
                if not skip:
                    s.fault, s.fault_x, s.fault_y = OUTSIDE, column, row
                    break
                outside += 1
            else:
                back += now < last
                last = now
                t[n], x[n], y[n], p[n] = now, column, row, value >> 11
                n += 1
        elif kind == 0:
            row = value
        elif kind == 4 or kind == 5:
            size = 12 if kind == 4 else 8
            mask = value if kind == 4 else value & 0xFF
            if high < 0 or row < 0 or base < 0:
                early += 1
                base = base + size if base >= 0 else base
            elif mask:
                first = n
                for bit in range(size):  # without a branch: a clear bit is overwritten by the next
                    x[n] = base + bit
                    n += (mask >> bit) & 1
                beyond = 0
                if row >= height:
                    beyond = n - first
                elif base + size > width:
                    while n - beyond > first and x[n - 1 - beyond] >= width:
                        beyond += 1
                if beyond:
                    n -= beyond
                    if not skip:
                        s.fault, s.fault_x, s.fault_y = OUTSIDE, x[n], row
                        n = first
                        break
                    outside += beyond
                if n > first:
                    back += now < last
                    last = now
                for j in range(first, n):
                    t[j], y[j], p[j] = now, row, on
                base += size
            else:
                base += size
        elif kind == 3:
            base, on = value & 0x7FF, value >> 11
        elif kind == 6:
            low = value
            now = epoch + (high << 12) + low
        elif kind == 8:
            if value != high:
                if high - value >= 0x800:
                    epoch += 1 << 24
                    s.wraps += 1
                high, low = value, 0
                now = epoch + (high << 12)
        else:
            other += 1
        used = i + 1
    s.last, s.epoch, s.high, s.low, s.row, s.base, s.on = last, epoch, high, low, row, base, on
    s.back += back
    s.outside += outside
    s.early += early
    s.other += other
    return used, n
