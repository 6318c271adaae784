"""Event Stream 1: "Event Stream", two version bytes, a type byte, then events of three packed bytes.

    DVS    t 3..0, x 13..4, y 22..14, p 23                    15 in t: adds 15 us as often as bits 7..4 say, one byte
    ATIS   t 4..0, x 13..5, y 21..14, exposure 22, p 23       31 in t: adds 31 us as often as bits 7..5 say, one byte

t is the time since the event before; y = 0 is the bottom row. The file does not give the sensor's size: that of the
ATIS, 304x240, is taken where none is given. Source: Marcireau, neuromorphic-paris/event_stream, "Version 1.0" (2017).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..jit import compiled
from .drive import OUTSIDE, drive
from .errors import EventFormatError
from .header import Header
from .reading import Pass
from .source import Source

_TYPES = ("dvs", "atis")


def start(source: Source) -> Header:
    if len(source.head) < 15:
        raise EventFormatError("the file ends inside its header", offset=len(source.head))
    major, minor, kind = source.head[12:15]
    if kind >= len(_TYPES):
        raise EventFormatError(f"type {kind} of version {major}.{minor} holds no polarity events", offset=14)
    metadata = {
        "version": f"{major}.{minor}",
        "type": _TYPES[kind],
        "origin": "top-left (y turned over; in the file it is the bottom-left)",
    }
    most = None if source.size is None else (source.size - 15) // 3
    return Header((304, 240), metadata, 15, {"packed": 1, "bits": 4 + kind}, most)


def decode(run: Pass) -> Iterator[None]:
    return drive(run, _decode, (1024, 512), {"bits": run.header.layout["bits"], "now": 0}, record=3)


@compiled
def _decode(data: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    width, height, bits, now = s.width, s.height, s.bits, s.now
    full = (1 << bits) - 1
    n = i = 0
    while i < len(data) and n < len(t):
        first = np.int64(data[i])
        if first & full == full:
            now += full * (first >> bits)
            i += 1
            continue
        if i + 3 > len(data):
            break
        word = first | np.int64(data[i + 1]) << 8 | np.int64(data[i + 2]) << 16
        column = (word >> bits) & ((1 << 14 - bits) - 1)
        row = height - 1 - ((word >> 14) & (0x1FF if bits == 4 else 0xFF))
        inside = column < width and row >= 0
        if bits == 5 and (word >> 22) & 1:
            s.other += 1
        elif inside:
            t[n], x[n], y[n], p[n] = now + (first & full), column, row, word >> 23
            n += 1
        elif s.skip:
            s.outside += 1
        else:
            s.fault, s.fault_x, s.fault_y = OUTSIDE, column, height - 1 - row
            break
        now += first & full
        i += 3
    s.now = now
    return i, n
