"""ROS 1 bags, read without ROS.

    record    u32 length, header fields (u32 length, name=value), u32 length, data
    op        2 message, 3 bag header (index_pos), 5 chunk of records (none, bz2 or lz4), 7 connection (topic, type)

Source: ROS wiki, "Bags/Format/2.0".
"""

from __future__ import annotations

import bz2
import re
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

from . import ros
from .compression import lz4_frame, most
from .errors import CutShort, EventFormatError
from .header import Header
from .packets import exactly, walk
from .reading import Pass
from .source import Reader, Source

MAGIC = b"#ROSBAG V2.0\n"
_MESSAGE, _BAG, _CHUNK, _CONNECTION = (bytes([op]) for op in (2, 3, 5, 7))
_SIGN = re.compile(rb"(?=..\x00\x00.\x00\x00\x00(?:op|compression|conn|size|time|topic)=)", re.DOTALL)

Record = tuple[dict[bytes, bytes], bytes]


def start(source: Source) -> Header:
    return ros.start(source, _records, len(MAGIC))


def decode(run: Pass) -> Iterator[None]:
    return ros.decode(run, _records)


def _records(run: Pass, met: dict[int, ros.Connection]) -> Iterator[tuple[int, ros.Messages]]:
    """Offset and messages of every record, those of a chunk together; fills the table of connections."""
    with run.source.reader(run.mark.offset if run.mark else run.header.offset) as reader:
        for offset, record in walk(run, reader, partial(_record, size=run.source.size), _SIGN):
            op = record[0].get(b"op")
            if op == _BAG and not run.growing:
                end = int(_unpack("<Q", record[0].get(b"index_pos", bytes(8)), 0)[0])
                if run.source.size is not None and end > run.source.size and not run.skip:
                    raise CutShort(f"the bag has an index at byte {end}, behind its end: it was cut short", offset=0)
            yield offset, _messages(record, met)


def _messages(record: Record, met: dict[int, ros.Connection]) -> ros.Messages:
    for fields, data in _inside(_expand(*record)) if record[0].get(b"op") == _CHUNK else [record]:
        op = fields.get(b"op")
        if op == _CONNECTION:
            topic, kind = (value.decode("utf-8", "replace") for value in (fields.get(b"topic", b""), _type(data)))
            if (found := ros.connection(topic, kind, "ros1")) is not None:
                met.setdefault(_number(fields), found)
        elif op == _MESSAGE:
            yield _number(fields), data


def _type(data: bytes) -> bytes:
    return _fields(data).get(b"type", b"")


def _record(reader: Reader, size: int | None) -> Record | None:
    """The next record's header fields and data; None at the end."""
    head = reader.read(4)
    if not head:
        return None
    if len(head) < 4:
        raise CutShort("the file ends inside a record: it was cut short")
    fields = _fields(exactly(reader, _unpack("<I", head, 0)[0], size))
    if len(fields.get(b"op", b"")) != 1:
        raise EventFormatError("a record does not say what it is")
    return fields, exactly(reader, _unpack("<I", exactly(reader, 4, size), 0)[0], size)


def _inside(data: bytes) -> Iterator[Record]:
    """The records of a chunk."""
    at = 0
    while at < len(data):
        pair = []
        for _ in range(2):
            (length,) = _unpack("<I", data, at)
            pair.append(data[at + 4 : at + 4 + length])
            at += 4 + length
        if at > len(data):
            raise EventFormatError("a record leaves its chunk")
        yield _fields(pair[0]), pair[1]


def _fields(data: bytes) -> dict[bytes, bytes]:
    """The name=value fields of a record header."""
    found, at = {}, 0
    while at < len(data):
        (length,) = _unpack("<I", data, at)
        name, _, value = data[at + 4 : at + 4 + length].partition(b"=")
        found[name] = value
        at += 4 + length
    return found


def _number(fields: dict[bytes, bytes]) -> int:
    return int(_unpack("<I", fields.get(b"conn", b""), 0)[0])


def _unpack(code: str, data: bytes, at: int) -> tuple[Any, ...]:
    if at + struct.calcsize(code) > len(data):
        raise EventFormatError("a record is too short")
    return struct.unpack_from(code, data, at)


def _expand(fields: dict[bytes, bytes], data: bytes) -> bytes:
    """A chunk without its compression."""
    kind = fields.get(b"compression")
    if kind == b"none":
        return data
    if kind == b"lz4":
        return lz4_frame(data)
    if kind != b"bz2":
        raise EventFormatError(f"a chunk is compressed with {kind!r}; known are none, bz2 and lz4")
    expander = bz2.BZ2Decompressor()
    try:
        expanded = expander.decompress(data, most(data))
    except (OSError, ValueError) as error:
        raise EventFormatError(f"a chunk is damaged: {error}") from error
    if not expander.eof:
        raise EventFormatError(f"a chunk is incomplete or grows beyond {most(data):,} bytes")
    return expanded
