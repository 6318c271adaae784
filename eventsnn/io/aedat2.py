"""AEDAT 2: 8-byte big-endian records, u32 address and i32 time in us, laid out by the chip the header names.

The address counts from the bottom-left pixel with x reversed; DVS128 (the default, 16 bits) has 1 = OFF. DAVIS
addresses with bit 31 set are frame or inertial samples, with bit 10 external ones: counted, not events. DVS640 has y
20..11, x 10..1, 1 = ON. Time rolls over every 2^32 us. Source: iniVation, "AEDAT file formats" (2019); jAER's
chip classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..jit import compiled
from . import aedat
from .drive import OUTSIDE, drive
from .errors import EventFormatError
from .header import Header
from .reading import Pass
from .source import Source

_ADDRESS = 2
_REASONS = {_ADDRESS: "an address that this chip does not send; give the sensor if the header names the wrong chip"}


class _Layout(NamedTuple):
    """``on`` is the polarity bit of an ON event, ``special`` the bits of records that are no pixel events."""

    x_shift: int
    x_mask: int
    y_shift: int
    y_mask: int
    p_shift: int
    on: int
    special: int
    unused: int


_DVS = _Layout(1, 0x7F, 8, 0x7F, 0, 0, 0x8000, 0xFFFF0000)
_DAVIS = _Layout(12, 0x3FF, 22, 0x1FF, 11, 1, 0x80000400, 0)
_DVS640 = _Layout(1, 0x3FF, 11, 0x3FF, 0, 1, 0x80000000, 0x7FE00000)


def start(source: Source) -> Header:
    lines, offset = aedat.header(source.head)
    if not lines or not lines[0].startswith("!AER-DAT2"):
        raise EventFormatError("does not begin with '#!AER-DAT2'", offset=0)
    stated = next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("aechip:")), "")
    chip = aedat.chip(stated) if stated else "DVS128"
    if chip is None:
        raise EventFormatError(f"the chip {stated!r} is not known; known are {', '.join(aedat.SENSORS)}", offset=0)
    metadata = {"chip": stated or f"{chip} (the header names none)", "header": lines, "origin": aedat.TURNED}
    most = None if source.size is None else (source.size - offset) // 8
    layout = (_DAVIS if chip.startswith("DAVIS") else _DVS640 if chip == "DVS640" else _DVS)._asdict()
    sensor = aedat.SENSORS[chip]
    return Header(sensor, metadata, offset, {**layout, "right": sensor[0] - 1, "top": sensor[1] - 1}, most)


def decode(run: Pass) -> Iterator[None]:
    layout = run.header.layout
    limit = (layout["right"] + 1, layout["top"] + 1)
    return drive(run, _decode, limit, {**layout, "epoch": 0, "stamp": 0}, word=">u8", reasons=_REASONS)


@compiled
def _decode(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    width, height, skip, last, epoch, stamp = s.width, s.height, s.skip, s.last, s.epoch, s.stamp
    n = used = 0
    for i in range(min(len(words), len(t))):
        word = words[i]
        address = np.int64(word >> np.uint64(32))
        new = np.int64(word & np.uint64(0xFFFFFFFF))
        if new >= 1 << 31:
            new -= 1 << 32
        if address & s.unused:
            if not skip:
                s.fault = _ADDRESS
                break
            s.outside += 1
        elif address & s.special:
            s.other += 1
        else:
            column = s.right - ((address >> s.x_shift) & s.x_mask)
            row = s.top - ((address >> s.y_shift) & s.y_mask)
            if column < 0 or row < 0 or column >= width or row >= height:
                if not skip:
                    s.fault, s.fault_x, s.fault_y = OUTSIDE, column, row
                    break
                s.outside += 1
            else:
                if stamp - new >= 1 << 31:
                    epoch += 1 << 32
                    s.wraps += 1
                stamp = new
                now = epoch + new
                s.back += now < last
                last = now
                t[n], x[n], y[n] = now, column, row
                p[n] = ((address >> s.p_shift) & 1) == s.on
                n += 1
        used = i + 1
    s.last, s.epoch, s.stamp = last, epoch, stamp
    return used, n
