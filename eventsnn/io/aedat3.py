"""AEDAT 3.1 (libcaer, cAER; DVS-Gesture): little-endian packets of events of one type.

    header   i16 type, source, i32 event size, time offset, time overflow, capacity, number, valid
    type 1   u32 data: valid 0, p 1, y 16..2, x 31..17;  i32 t in us;  time = overflow << 31 | t

Packets of other types (special, frame, inertial...) are passed over and events that are not valid dropped; both are
counted. Origin top-left. Source: iniVation, "AEDAT file formats" (2019) and libcaer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from . import aedat
from .errors import EventFormatError
from .header import Header
from .reading import Mark, Pass
from .source import Reader, Source
from .store import store

_HEADER = struct.Struct("<hh6i")
_LARGEST = 1 << 26


def start(source: Source) -> Header:
    lines, offset = aedat.header(source.head)
    if not lines or not lines[0].startswith("!AER-DAT3.1"):
        raise EventFormatError("does not begin with '#!AER-DAT3.1'; AEDAT 3.0 is not read", offset=0)
    if lines[-1] != "!END-HEADER":
        raise EventFormatError("the header has no end", offset=offset)
    coding = next((line.partition(":")[2].strip() for line in lines if line.startswith("Format:")), "RAW")
    if coding != "RAW":
        raise EventFormatError(f"the packets are coded as {coding!r}; only RAW ones are read", offset=0)
    stated = next((line.partition(":")[2].strip() for line in lines if line.startswith("Source ")), "")
    sensor = aedat.SENSORS.get(aedat.chip(stated) or "")
    return Header(sensor, {"chip": stated, "header": lines, "origin": "top-left"}, offset)


def decode(run: Pass) -> Iterator[None]:
    report = run.report
    with run.source.reader(run.mark.offset if run.mark else run.header.offset) as reader:
        while True:
            report.last_good = offset = reader.offset
            run.mark = Mark(offset)
            try:
                packet = _packet(reader, run.source.size)
            except EventFormatError as error:
                if not run.skip:
                    error.offset, error.event = offset, report.events
                    raise
                report.skipped_bytes += (run.source.size or reader.offset) - offset
                return
            if packet is None:
                return
            kind, overflow, words = packet
            if kind != 1:
                report.other += 1
                continue
            data, valid = words[:, 0].astype(np.int64), (words[:, 0] & 1).astype(bool)
            report.other += int(len(valid) - valid.sum())
            data, t = data[valid], words[valid, 1].astype(np.int64)
            store(run, (overflow << 31 | t, data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1), offset)
            run.mark = Mark(reader.offset)
            yield


def _packet(reader: Reader, size: int | None) -> tuple[int, int, np.ndarray] | None:  # type: ignore[type-arg]
    """The next packet's type, time overflow and words [n, event size / 4]; None at the end."""
    head = reader.read(_HEADER.size)
    if not head:
        return None
    if len(head) < _HEADER.size:
        raise EventFormatError("the file ends inside a packet header: it was cut short")
    kind, _, each, _, overflow, capacity, number, valid = _HEADER.unpack(head)
    left = size - reader.offset if size is not None else _LARGEST
    if not (0 <= kind < 1000 and 0 < each <= _LARGEST and 0 <= valid <= number <= capacity and overflow >= 0):
        raise EventFormatError("this is no packet header")
    length = each * (capacity if each * capacity <= left else number)
    if kind == 1 and each != 8:
        raise EventFormatError(f"polarity events of {each} bytes; they have 8")
    if length > left:
        raise EventFormatError(f"a packet of {length} bytes does not fit into the file: it was cut short")
    data = reader.read(length)
    if len(data) < length:
        raise EventFormatError("the file ends inside a packet: it was cut short")
    return kind, overflow, np.frombuffer(data, "<u4", number * 2 if kind == 1 else 0).reshape(-1, 2)
