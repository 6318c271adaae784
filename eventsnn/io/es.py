"""Event Stream 2: "Event Stream", three version bytes, a type byte, then events of one byte of time and a payload.

    DVS      byte0 = dt << 1 | on (7-bit dt), x u16, y u16; 0xFF adds 127 us, 0xFE resynchronises
    ATIS     byte0 = dt << 2 | polarity << 1 | is_exposure (6-bit dt), x, y; 0xFC | k adds 63 k us, 0xFC resynchronises
    generic, colour: 8-bit dt, 0xFF adds 254 us; no polarity: counted, not decoded

y = 0 is the bottom row in the file. Version 1 is another layout, see es1. Source: Marcireau,
neuromorphic-paris/event_stream (2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from ..jit import compiled
from . import es1
from .drive import OUTSIDE, drive
from .errors import EventFormatError
from .header import Header
from .reading import Pass
from .source import Source

MAGIC = b"Event Stream"
_TYPES = {0: "generic", 1: "dvs", 2: "atis", 4: "color"}
_NO_POLARITY, _LONG = 2, 3
_REASONS = {
    _NO_POLARITY: "events of this type are no polarity events; on_error='skip' counts and passes over them",
    _LONG: "a generic event's length runs on without end",
}


def start(source: Source) -> Header:
    head = source.head
    if not head.startswith(MAGIC):
        raise EventFormatError("does not begin with 'Event Stream'", offset=0)
    if head[12:13] == b"\x01":
        return es1.start(source)
    if len(head) < 16:
        raise EventFormatError("the file ends inside its header", offset=len(head))
    if head[12] != 2 or head[15] not in _TYPES:
        raise EventFormatError(
            f"version {head[12]}.{head[13]}.{head[14]}, type {head[15]}; known are version 2 and types "
            + ", ".join(f"{code} ({name})" for code, name in _TYPES.items()),
            offset=12,
        )
    kind = _TYPES[head[15]]
    metadata = {"version": f"{head[12]}.{head[13]}.{head[14]}", "type": kind}
    if kind == "generic":
        return Header(None, metadata, 16, {"type": head[15]})
    if len(head) < 20:
        raise EventFormatError("the file ends inside its header", offset=len(head))
    width, height = (int(n) for n in np.frombuffer(head[16:20], "<u2"))
    if not (0 < width < 32768 and 0 < height < 32768):
        raise EventFormatError(f"the header gives a sensor of {width}x{height} pixels", offset=16)
    metadata["origin"] = "top-left (y turned over; in the file it is the bottom-left)"
    most = None if source.size is None else (source.size - 20) // 5
    return Header((width, height), metadata, 20, {"type": head[15], "height": height}, most)


def decode(run: Pass) -> Iterator[None]:
    if run.header.layout.get("packed"):
        return es1.decode(run)
    kind = run.header.layout["type"]
    own = {"type": kind, "now": 0, "turn": run.header.layout.get("height", 0) - 1}
    kernel = _polar if kind in (1, 2) else _other
    return drive(run, kernel, (32768, 32768), own, record=5, reasons=_REASONS)


@compiled
def _polar(data: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    width, height, skip, now, atis, turn = s.width, s.height, s.skip, s.now, s.type == 2, s.turn
    n = i = 0
    while i < len(data) and n < len(t):
        first = np.int64(data[i])
        if atis and first >= 0xFC:
            now += 63 * (first & 3)
            i += 1
        elif not atis and first >= 0xFE:
            now += 127 * (first & 1)
            i += 1
        else:
            if i + 5 > len(data):
                break
            column = np.int64(data[i + 1]) | np.int64(data[i + 2]) << 8
            row = turn - (np.int64(data[i + 3]) | np.int64(data[i + 4]) << 8)
            exposure = atis and first & 1
            if exposure:
                s.other += 1
            elif column >= width or row < 0 or row >= height:
                if not skip:
                    s.fault, s.fault_x, s.fault_y = OUTSIDE, column, turn - row
                    break
                s.outside += 1
            now += first >> 2 if atis else first >> 1
            if not exposure and column < width and 0 <= row < height:
                t[n], x[n], y[n] = now, column, row
                p[n] = (first >> 1) & 1 if atis else first & 1
                n += 1
            i += 5
    s.now = now
    return i, n


@compiled
def _other(data: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    i = 0
    while i < len(data):
        if data[i] >= 0xFE:
            i += 1
            continue
        j = i + 1
        length: Any = np.int64(7)  # colour: x, y and three bytes
        if s.type == 0:
            length, shift, more = np.int64(0), 0, True
            while more and j < len(data):
                if shift > 28:
                    s.fault = _LONG
                    return i, 0
                length |= np.int64(data[j] >> 1) << shift
                more = data[j] & 1 == 1
                shift += 7
                j += 1
            if more:
                break
        if j + length > len(data):
            break
        if not s.skip:
            s.fault = _NO_POLARITY
            break
        s.other += 1
        i = j + length
    return i, 0


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """The DVS type. Time counts from 0 in leaps of 127 us, so it must rise and be small."""
    if sensor is None:
        raise ValueError("ES counts rows from the bottom, so it needs the sensor's size; set events.sensor")
    file.write(MAGIC + b"\x02\x00\x00\x01" + np.asarray(sensor, "<u2").tobytes())
    before = 0
    for events in parts:
        gaps = np.diff(events.t, prepend=before)
        if int(gaps.min()) < 0 or int(gaps.sum()) > 10**9:
            raise ValueError("ES holds rising times from 0 without gaps of over 1000 s; sort, and subtract events.t[0]")
        leaps = gaps // 127
        ends = np.cumsum(leaps + 5)
        data = np.full(int(ends[-1]), 0xFF, np.uint8)
        x, y = (column.astype("<u2").view(np.uint8) for column in (events.x, sensor[1] - 1 - events.y))
        data[ends - 5] = (gaps - 127 * leaps) << 1 | events.p
        for place, byte in zip((4, 3, 2, 1), (x[::2], x[1::2], y[::2], y[1::2]), strict=True):
            data[ends - place] = byte
        file.write(data.tobytes())
        before = int(events.t[-1])
