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
    own = {"epoch": run.header.layout["base"], "high": -1}
    return drive(run, _decode, (2048, 2048), own, word="<u4", foresee=_foresee)


@compiled
def _foresee(words: Any, state: Any) -> bool:
    s = state[0]
    for i in range(len(words) - 1, -1, -1):
        if words[i] >> 28 == 8:
            s.high = np.int64(words[i] & 0xFFFFFFF) << 6
            s.last = s.epoch + s.high + np.int64(words[-1] >> 22 & 0x3F)
            return True
    return False


@compiled
def _decode(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    """Pixel events come in runs between other words, so most of the work is done on whole runs."""
    s = state[0]
    n = i = 0
    stop = min(len(words), len(t))
    while i < stop:
        end = _end(words, i, stop)
        if end == i:
            word = np.int64(words[i])
            if word >> 28 == 8:
                new = (word & 0xFFFFFFF) << 6
                if s.high - new >= _RANGE // 2:
                    s.epoch += _RANGE
                    s.wraps += 1
                s.high = new
            else:
                s.other += 1
            i += 1
        elif s.high < 0:
            s.early += end - i
            i = end
        elif _sweep(words, i, end, s.epoch + s.high, s.width, s.height, n, t, x, y, p):
            _follow(state, n, n + end - i, t)
            n += end - i
            i = end
        else:
            used, made = _pick(state, n, n + end - i, t, x, y, p)
            _follow(state, n, n + made, t)
            n += made
            i += used
            if s.fault:
                break
    return i, n


@compiled
def _end(words: Any, i: int, stop: int) -> int:
    """The place of the first word from ``i`` on that is no pixel event: those are below 2 << 28."""
    part = words[i:stop]
    k = 0
    while k + 16 <= len(part):
        together = part[k]
        for j in range(1, 16):
            together |= part[k + j]
        if together >> 29:
            break
        k += 16
    while k < len(part) and not part[k] >> 29:
        k += 1
    return i + k


@compiled
def _sweep(
    words: Any, i: int, end: int, since: int, width: int, height: int, n: int, t: Any, x: Any, y: Any, p: Any
) -> bool:
    """Decodes a run without a branch, for wide registers; False if a pixel lies outside the sensor."""
    run, stop = words[i:end], n + end - i
    t, x, y, p = t[n:stop], x[n:stop], y[n:stop], p[n:stop]
    right: Any = 0
    bottom: Any = 0
    for k in range(len(run)):
        word = np.int64(run[k])
        column, row = word >> 11 & 0x7FF, word & 0x7FF
        t[k], x[k], y[k], p[k] = since + (word >> 22 & 0x3F), column, row, word >> 28
        right, bottom = max(right, column), max(bottom, row)
    return right < width and bottom < height


@compiled
def _follow(state: Any, begin: int, end: int, t: Any) -> None:
    """Counts the steps back in a run."""
    s = state[0]
    if end > begin:
        now = t[begin:end]
        back = np.int64(now[0] < s.last)
        for k in range(1, len(now)):
            back += now[k] < now[k - 1]
        s.back += back
        s.last = now[-1]


@compiled
def _pick(state: Any, begin: int, end: int, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    """After a sweep: moves the events on the sensor together; the first one outside is a fault unless skipping."""
    s = state[0]
    n = begin
    for k in range(begin, end):
        if x[k] >= s.width or y[k] >= s.height:
            if not s.skip:
                s.fault, s.fault_x, s.fault_y = OUTSIDE, x[k], y[k]
                return k - begin, n - begin
            s.outside += 1
        else:
            t[n], x[n], y[n], p[n] = t[k], x[k], y[k], p[k]
            n += 1
    return end - begin, n - begin


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
