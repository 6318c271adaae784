"""N-MNIST and N-Caltech101: 5-byte big-endian records without a header.

    x 8 bits, y 8 bits, p 1 bit, t 23 bits in us;   y = 240 marks a roll-over: later times are 2^13 us on

Source: Orchard et al., "Converting static image datasets to spiking neuromorphic datasets using saccades" (2015).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from ..jit import compiled
from .drive import OUTSIDE, drive
from .header import Header
from .reading import Pass
from .source import Source
from .stamps import bounded

_OVERFLOW = 240


def start(source: Source) -> Header:
    most = None if source.size is None else source.size // 5
    return Header(None, {"origin": "top-left"}, 0, {}, most)


def looks_like(head: bytes, size: int | None) -> bool:
    """True if the bytes look like these records: whole ones, times that hardly ever fall."""
    if not head or (size if size is not None else len(head)) % 5:
        return False
    records = np.frombuffer(head[: len(head) - len(head) % 5], np.uint8).reshape(-1, 5).astype(np.int64)
    if len(records) > 64 and (records == records[0]).all():
        return False
    overflow = records[:, 1] == _OVERFLOW
    low = (records[:, 2] & 0x7F) << 16 | records[:, 3] << 8 | records[:, 4]
    times = (low + (np.cumsum(overflow) << 13))[~overflow]
    return bool((np.diff(times) < 0).sum() <= len(times) // 100)


def decode(run: Pass) -> Iterator[None]:
    return drive(run, _decode, (256, 256), {"epoch": 0}, record=5)


@compiled
def _decode(data: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    width, height, skip, last, epoch = s.width, s.height, s.skip, s.last, s.epoch
    n = i = 0
    while i + 5 <= len(data) and n < len(t):
        column, row, sign = np.int64(data[i]), np.int64(data[i + 1]), np.int64(data[i + 2])
        if row == _OVERFLOW:
            epoch += 1 << 13
            s.wraps += 1
        elif column >= width or row >= height:
            if not skip:
                s.fault, s.fault_x, s.fault_y = OUTSIDE, column, row
                break
            s.outside += 1
        else:
            now = epoch + ((sign & 0x7F) << 16 | np.int64(data[i + 3]) << 8 | np.int64(data[i + 4]))
            s.back += now < last
            last = now
            t[n], x[n], y[n], p[n] = now, column, row, sign >> 7
            n += 1
        i += 5
    s.last, s.epoch = last, epoch
    return i, n


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Times from 0, in 23 bits and as many roll-overs as it takes; the sensor's size is not kept."""
    rolls = 0
    for events in parts:
        bounded(events, 256, _OVERFLOW, "N-MNIST")
        needed = np.maximum.accumulate(np.maximum((events.t >> 13) - 1023, rolls))
        low = events.t - (needed << 13)
        if int(low.min()) < 0 or int(needed[-1]) - rolls > 1 << 20:
            raise ValueError("N-MNIST records hold rising times from 0 without gaps of over 2 h; sort first")
        markers = np.diff(needed, prepend=rolls)
        place = np.arange(len(low)) + np.cumsum(markers)
        data = np.zeros((len(low) + int(markers.sum()), 5), np.uint8)
        data[:, 1] = _OVERFLOW
        data[place, 0], data[place, 1] = events.x, events.y
        data[place, 2], data[place, 3], data[place, 4] = events.p << 7 | low >> 16, low >> 8 & 0xFF, low & 0xFF
        file.write(data.tobytes())
        rolls = int(needed[-1])
