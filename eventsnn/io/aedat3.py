"""AEDAT 3 (libcaer, cAER; DVS-Gesture): little-endian packets of events of one type.

    header   i16 type, source, i32 event size, time offset, time overflow, capacity, number, valid
    type 1   u32 data: valid 0, p 1, y 16..2, x 31..17;  i32 t in us;  time = overflow << 31 | t
             in version 3.0: y 17..4, x 31..18, from the bottom-left

Packets of other types (special, frame, inertial...) are passed over and events that are not valid dropped; both are
counted. Source: iniVation, "AEDAT file formats" (2019) and libcaer.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import aedat
from .errors import EventFormatError
from .header import Header
from .packets import exactly, walk
from .reading import Pass
from .source import Reader, Source
from .store import store

_HEADER = struct.Struct("<hh6i")
_LARGEST = 1 << 26
# type below 16, source, size below 2^24, offset below 64, overflow below 2^16, three counts below 2^24
_SIGN = re.compile(rb"(?=[\x00-\x0f]\x00.\x00...\x00[\x00-\x3f]\x00\x00\x00..\x00\x00...\x00...\x00...\x00)", re.DOTALL)


class Packet(NamedTuple):
    """Type, time overflow, and the events one after the other as bytes ``[number, size]``."""

    kind: int
    overflow: int
    events: np.ndarray[Any, Any]


def start(source: Source) -> Header:
    lines, offset = aedat.header(source.head)
    old = bool(lines) and lines[0].startswith("!AER-DAT3.0")
    if not old and (not lines or not lines[0].startswith("!AER-DAT3.1")):
        raise EventFormatError("does not begin with '#!AER-DAT3.0' or '#!AER-DAT3.1'", offset=0)
    if not old and lines[-1] != "!END-HEADER":
        raise EventFormatError("the header has no end", offset=offset)
    coding = next((line.partition(":")[2].strip() for line in lines if line.startswith("Format:")), "RAW")
    if coding != "RAW":
        raise EventFormatError(f"the packets are coded as {coding!r}; only RAW ones are read", offset=0)
    stated = next((line.partition(":")[2].strip() for line in lines if line.startswith("Source ")), "")
    sensor = aedat.SENSORS.get(aedat.chip(stated) or "")
    origin = "top-left (y turned over; in the file it is the bottom-left)" if old and sensor else "top-left"
    metadata = {"chip": stated, "version": lines[0][-3:], "header": lines, "origin": origin}
    return Header(sensor, metadata, offset, {"old": old, "height": sensor[1] if old and sensor else None})


def decode(run: Pass) -> Iterator[None]:
    layout, report = run.header.layout, run.report
    for offset, packet in packets(run):
        if packet.kind != 1:
            report.other += 1
            continue
        words = packet.events.view("<u4")
        valid = (words[:, 0] & 1).astype(bool)
        report.other += int(len(valid) - valid.sum())
        data, t = words[valid, 0].astype(np.int64), words[valid, 1].astype(np.int64)
        x, y = (data >> 18, data >> 4 & 0x3FFF) if layout["old"] else (data >> 17, data >> 2 & 0x7FFF)
        if layout["height"]:
            y = layout["height"] - 1 - y
        store(run, (packet.overflow << 31 | t, x, y, data >> 1 & 1), offset)
        yield


def packets(run: Pass) -> Iterator[tuple[int, Packet]]:
    """Offset and content of every packet."""
    with run.source.reader(run.mark.offset if run.mark else run.header.offset) as reader:
        yield from walk(run, reader, partial(_packet, size=run.source.size), _SIGN)


def _packet(reader: Reader, size: int | None) -> Packet | None:
    head = reader.read(_HEADER.size)
    if not head:
        return None
    if len(head) < _HEADER.size:
        exactly(reader, _HEADER.size - len(head), size, "packet header")
    kind, _, each, _, overflow, capacity, number, valid = _HEADER.unpack(head)
    left = size - reader.offset if size is not None else _LARGEST
    if not (0 <= kind < 1000 and 0 < each <= _LARGEST and 0 <= valid <= number <= capacity and overflow >= 0):
        raise EventFormatError("this is no packet header")
    if kind == 1 and each != 8:
        raise EventFormatError(f"polarity events of {each} bytes; they have 8")
    data = exactly(reader, each * (capacity if each * capacity <= left else number), size, "packet")
    return Packet(kind, overflow, np.frombuffer(data, np.uint8, number * each).reshape(number, each))
