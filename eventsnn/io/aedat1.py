"""AEDAT 1: the 6-byte big-endian records of early DVS128 recordings, u16 address and i32 time in us.

The address is that of AEDAT 2's DVS128: bit 15 external, y 14..8, x 7..1, bit 0 set = OFF, from the bottom-left with x
reversed. Source: iniVation, "AEDAT file formats" (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..jit import compiled
from . import aedat
from .drive import OUTSIDE, drive
from .header import Header
from .reading import Pass
from .source import Source


def start(source: Source) -> Header:
    lines, offset = aedat.header(source.head)
    metadata = {"header": lines, "origin": aedat.TURNED}
    most = None if source.size is None else (source.size - offset) // 6
    return Header(aedat.SENSORS["DVS128"], metadata, offset, {}, most)


def decode(run: Pass) -> Iterator[None]:
    return drive(run, _decode, (128, 128), {"epoch": 0, "stamp": 0}, record=6)


@compiled
def _decode(data: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    n = i = 0
    while i + 6 <= len(data) and n < len(t):
        row, low = np.int64(data[i]), np.int64(data[i + 1])
        new = np.int64(0)
        for j in range(2, 6):
            new = new << 8 | np.int64(data[i + j])
        if new >= 1 << 31:
            new -= 1 << 32
        column, line = 127 - (low >> 1), 127 - (row & 0x7F)
        if row & 0x80:
            s.other += 1
        elif column >= s.width or line >= s.height:
            if not s.skip:
                s.fault, s.fault_x, s.fault_y = OUTSIDE, column, line
                break
            s.outside += 1
        else:
            if s.stamp - new >= 1 << 31:
                s.epoch += 1 << 32
                s.wraps += 1
            s.stamp = new
            now = s.epoch + new
            s.back += now < s.last
            s.last = now
            t[n], x[n], y[n], p[n] = now, column, line, 1 - (low & 1)
            n += 1
        i += 6
    return i, n
