"""MCAP, the container that ROS 2 records to, read without ROS.

    record    u8 kind, u64 length, content
    3 schema (u16 number, name, encoding, data)     4 channel (u16 number, u16 schema, topic, message encoding, ...)
    5 message (u16 channel, u32 sequence, u64 time, u64 time, data)     15 end of the data
    6 chunk (u64 start, end, size, u32 CRC, compression, u64 length, records): "", lz4 or zstd

Source: Foxglove, "MCAP file format" (2022).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial

from . import ros
from .compression import lz4_frame, zstd_frame
from .errors import CutShort, EventFormatError
from .header import Header
from .packets import exactly, walk
from .reading import Pass
from .source import Reader, Source

MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _END = 3, 4, 5, 6, 15
_SIGN = re.compile(
    rb"(?=[\x03-\x05\x0f].{4}\x00\x00\x00\x00|\x06.{5}\x00\x00\x00.{28}(?:\x00{4}|\x03\x00\x00\x00lz4|\x04\x00\x00\x00zstd))",
    re.DOTALL,
)


def start(source: Source) -> Header:
    return ros.start(source, _records, len(MAGIC))


def decode(run: Pass) -> Iterator[None]:
    return ros.decode(run, _records)


def _records(run: Pass, met: dict[int, ros.Connection]) -> Iterator[tuple[int, ros.Messages]]:
    """Offset and messages of every record, those of a chunk together; fills the table of connections."""
    schemas: dict[int, str] = {}
    with run.source.reader(run.mark.offset if run.mark else run.header.offset) as reader:
        for offset, (kind, content) in walk(run, reader, partial(_record, size=run.source.size), _SIGN):
            yield offset, _messages(kind, content, schemas, met)
        run.report.last_good = reader.offset


def _messages(kind: int, content: bytes, schemas: dict[int, str], met: dict[int, ros.Connection]) -> ros.Messages:
    for each, data in _inside(_expand(content)) if kind == _CHUNK else [(kind, content)]:
        if each == _SCHEMA:
            (number,) = _unpack("<H", data, 0)
            schemas[number] = _text(data, 2)[0]
        elif each == _CHANNEL:
            number, schema = _unpack("<HH", data, 0)
            topic, at = _text(data, 4)
            found = ros.connection(topic, schemas.get(schema, ""), _text(data, at)[0])
            if found is not None:
                met.setdefault(number, found)
        elif each == _MESSAGE:
            yield _unpack("<H", data, 0)[0], data[22:]


def _record(reader: Reader, size: int | None) -> tuple[int, bytes] | None:
    """Kind and content of the next record; None at the end of the data."""
    head = reader.read(9)
    if len(head) < 9:
        raise CutShort("the file ends before the end of its data: it was cut short")
    kind, length = struct.unpack("<BQ", head)
    if kind == _END and length == 4:
        return None
    if not 0 < kind < 0x80:
        raise EventFormatError(f"a record of kind {kind}, which there is not")
    return kind, exactly(reader, length, size)


def _inside(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The records of a chunk."""
    at = 0
    while at < len(data):
        kind, length = _unpack("<BQ", data, at)
        if at + 9 + length > len(data):
            raise EventFormatError("a record leaves its chunk")
        yield kind, data[at + 9 : at + 9 + length]
        at += 9 + length


def _expand(content: bytes) -> bytes:
    """The records of a chunk without its compression."""
    size, check = _unpack("<QI", content, 16)
    kind, at = _text(content, 28)
    (length,) = _unpack("<Q", content, at)
    data = content[at + 8 : at + 8 + length]
    if kind not in ("", "lz4", "zstd"):
        raise EventFormatError(f"a chunk is compressed with {kind!r}; known are lz4 and zstd")
    whole = lz4_frame(data) if kind == "lz4" else zstd_frame(data) if kind == "zstd" else data
    if len(whole) != size or (check and zlib.crc32(whole) != check):
        raise EventFormatError("a chunk is damaged: its length or check sum is not what it says")
    return whole


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A string and the place behind it."""
    (length,) = _unpack("<I", data, at)
    if at + 4 + length > len(data):
        raise EventFormatError("a string leaves its record")
    return data[at + 4 : at + 4 + length].decode("utf-8", "replace"), at + 4 + length


def _unpack(code: str, data: bytes, at: int) -> tuple[int, ...]:
    if at + struct.calcsize(code) > len(data):
        raise EventFormatError("a record is too short")
    return struct.unpack_from(code, data, at)
