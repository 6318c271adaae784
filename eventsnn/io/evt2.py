"""Prophesee EVT2: 32-bit little-endian words, a 4-bit type on top.

    0x0 OFF / 0x1 ON   t[5:0] 27..22, x 21..11, y 10..0        0x8 TIME_HIGH   t[33:6] 27..0

Other types (triggers, IMU, vendor words) carry no pixel events. The 34-bit time rolls over after 4 h 46 min; a
roll-over is counted on a fall of at least half the range, a smaller fall is a step back. Source: Prophesee, "EVT 2.0
format" (2020).
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
from .stamps import based, bounded, rolling

_RANGE = 1 << 34


def start(source: Source) -> Header:
    return prophesee.raw(source, "EVT2", 4)


def decode(run: Pass) -> Iterator[None]:
    return drive(run, _decode, (2048, 2048), {"epoch": run.header.layout["base"], "high": -1}, word="<u4")


@compiled
def _decode(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    width, height, skip, last, epoch, high = s.width, s.height, s.skip, s.last, s.epoch, s.high
    back = outside = early = other = 0
    n = used = 0
    for i in range(min(len(words), len(t))):
        word = np.int64(words[i])
        kind = word >> 28
        if kind <= 1:
            column, row = (word >> 11) & 0x7FF, word & 0x7FF
            if high < 0:
                early += 1
            elif column >= width or row >= height:
                if not skip:
                    s.fault, s.fault_x, s.fault_y = OUTSIDE, column, row
                    break
                outside += 1
            else:
                now = epoch + high + ((word >> 22) & 0x3F)
                back += now < last
                last = now
                t[n], x[n], y[n], p[n] = now, column, row, kind
                n += 1
        elif kind == 8:
            new = (word & 0xFFFFFFF) << 6
            if high - new >= _RANGE // 2:
                epoch += _RANGE
                s.wraps += 1
            high = new
        else:
            other += 1
        used = i + 1
    s.last, s.epoch, s.high = last, epoch, high
    s.back += back
    s.outside += outside
    s.early += early
    s.other += other
    return used, n


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Times that begin outside 0..2^34 us count from a header key of ours, ``% time_base``, that others pass over."""
    base, parts = based(parts, _RANGE)
    file.write(prophesee.lines("EVT2", "2.0", sensor, base))
    before = -1
    for events in parts:
        bounded(events, 2048, 2048, "EVT2")
        since = rolling(events.t, base, before, 34, "EVT2")
        high = (since >> 6) & 0xFFFFFFF
        changed = np.diff(high, prepend=before >> 6 & 0xFFFFFFF if before >= 0 else -1) != 0
        place = np.arange(len(since)) + np.cumsum(changed)
        words = np.empty(len(since) + int(changed.sum()), "<u4")
        pixels = events.x.astype(np.int64) << 11 | events.y
        words[place] = events.p.astype(np.int64) << 28 | (since & 0x3F) << 22 | pixels
        words[place[changed] - 1] = 8 << 28 | high[changed]
        file.write(words.tobytes())
        before = int(since[-1])
