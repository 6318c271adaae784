"""Prophesee EVT2.1: 64-bit words, a 4-bit type on top; EVT2 with up to 32 events of a row in one word.

    0x0 OFF / 0x1 ON   t[5:0] 59..54, x 53..43, y 42..32, mask 31..0: an event at x + i for bit i
    0x8 TIME_HIGH      t[33:6] 59..32

Words are little-endian; cameras that say ``endianness legacy`` send the upper half before the lower. The time rolls
over as in EVT2. Source: Prophesee, "EVT 2.1 format" (2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..jit import compiled
from . import prophesee
from .drive import OUTSIDE, drive
from .header import Header
from .reading import Pass
from .source import Source

_RANGE = 1 << 34


def start(source: Source) -> Header:
    found = prophesee.raw(source, "EVT2.1", 8)
    found.layout["legacy"] = int(found.layout["keys"].get("endianness", "little").lower() == "legacy")
    return found


def decode(run: Pass) -> Iterator[None]:
    own = {"epoch": run.header.layout["base"], "high": -1, "legacy": run.header.layout["legacy"]}
    return drive(run, _decode, (2048, 2048), own, word="<u8", most=32)


@compiled
def _decode(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    width, height, skip, last, epoch, high = s.width, s.height, s.skip, s.last, s.epoch, s.high
    n = used = 0
    room = len(t) - 32
    for i in range(len(words)):
        if n > room:
            break
        upper, lower = np.int64(words[i] >> np.uint64(32)), np.int64(words[i] & np.uint64(0xFFFFFFFF))
        if s.legacy:
            upper, lower = lower, upper
        kind = upper >> 28
        if kind <= 1:
            first, row = (upper >> 11) & 0x7FF, upper & 0x7FF
            now = epoch + high + ((upper >> 22) & 0x3F)
            begin = n
            for bit in range(32):
                column = first + bit
                if not (lower >> bit) & 1:
                    continue
                if high < 0:
                    s.early += 1
                elif column >= width or row >= height:
                    if not skip:
                        s.fault, s.fault_x, s.fault_y = OUTSIDE, column, row
                        break
                    s.outside += 1
                else:
                    t[n], x[n], y[n], p[n] = now, column, row, kind
                    n += 1
            if s.fault:
                n = begin
                break
            if n > begin:
                s.back += now < last
                last = now
        elif kind == 8:
            new = (upper & 0xFFFFFFF) << 6
            if high - new >= _RANGE // 2:
                epoch += _RANGE
                s.wraps += 1
            high = new
        else:
            s.other += 1
        used = i + 1
    s.last, s.epoch, s.high = last, epoch, high
    return used, n
