"""Edges at the external trigger inputs in Prophesee's files.

    EVT2    0xA   t[5:0] 27..22, channel 12..8, value 0            EVT3   0xA   channel 11..8, value 0
    EVT2.1  0xA   t[5:0] 59..54, channel 44..40, value 32          DAT    type 14: u32 t, value 3..0, channel 31..26

The kernels keep time as the decoders of the events do. Source: Prophesee, "RAW file format" (2020-2023); OpenEB.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import compiled
from .beside import EDGE
from .drive import drive
from .reading import Pass


def triggers(run: Pass) -> np.ndarray[Any, Any]:
    """All edges, as records t, channel, p."""
    layout = run.header.layout
    kernel, word = _KERNELS[layout["format"] or "DAT"]
    own = {"epoch": layout["base"], "high": -1, "low": 0, "stamp": 0, "legacy": layout.get("legacy", 0)}
    if kernel is _dat and not layout["edges"]:
        return np.empty(0, EDGE)
    parts = []
    for _ in drive(run, kernel, (0, 0), own, word=word):
        found = run.columns.take()
        part = np.empty(len(found), EDGE)
        part["t"], part["channel"], part["p"] = found.t, found.x, found.p
        parts.append(part)
    return np.concatenate([np.empty(0, EDGE), *parts])


@compiled
def _evt2(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    n = used = 0
    for i in range(min(len(words), len(t))):
        word = np.int64(words[i])
        if word >> 28 == 8:
            new = (word & 0xFFFFFFF) << 6
            if s.high - new >= 1 << 33:
                s.epoch += 1 << 34
            s.high = new
        elif word >> 28 == 10 and s.high >= 0:
            t[n], x[n], y[n], p[n] = s.epoch + s.high + (word >> 22 & 0x3F), word >> 8 & 0x1F, 0, word & 1
            n += 1
        used = i + 1
    return used, n


@compiled
def _evt21(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    n = used = 0
    for i in range(min(len(words), len(t))):
        upper, lower = np.int64(words[i] >> np.uint64(32)), np.int64(words[i] & np.uint64(0xFFFFFFFF))
        if s.legacy:
            upper, lower = lower, upper
        if upper >> 28 == 8:
            new = (upper & 0xFFFFFFF) << 6
            if s.high - new >= 1 << 33:
                s.epoch += 1 << 34
            s.high = new
        elif upper >> 28 == 10 and s.high >= 0:
            t[n], x[n], y[n], p[n] = s.epoch + s.high + (upper >> 22 & 0x3F), upper >> 8 & 0x1F, 0, upper & 1
            n += 1
        used = i + 1
    return used, n


@compiled
def _evt3(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    n = used = 0
    for i in range(min(len(words), len(t))):
        kind, value = np.int64(words[i]) >> 12, np.int64(words[i]) & 0xFFF
        if kind == 6:
            s.low = value
        elif kind == 8 and value != s.high:
            if s.high - value >= 0x800:
                s.epoch += 1 << 24
            s.high, s.low = value, 0
        elif kind == 10 and s.high >= 0:
            t[n], x[n], y[n], p[n] = s.epoch + (s.high << 12) + s.low, value >> 8, 0, value & 1
            n += 1
        used = i + 1
    return used, n


@compiled
def _dat(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    n = min(len(words), len(t))
    for i in range(n):
        data, new = np.int64(words[i] >> np.uint64(32)), np.int64(words[i] & np.uint64(0xFFFFFFFF))
        if s.stamp - new >= 1 << 31:
            s.epoch += 1 << 32
        s.stamp = new
        t[i], x[i], y[i], p[i] = s.epoch + new, data >> 26 & 0x3F, 0, data & 1
    return n, n


_KERNELS = {"EVT2": (_evt2, "<u4"), "EVT2.1": (_evt21, "<u8"), "EVT3": (_evt3, "<u2"), "DAT": (_dat, "<u8")}
