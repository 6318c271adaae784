"""ROS 1 bags with dvs_msgs/EventArray messages, as of the RPG event camera data sets; read without ROS.

    record    u32 length, header fields (u32 length, name=value), u32 length, data
    op        2 message, 3 bag header (index_pos), 5 chunk of records (none, bz2 or lz4), 7 connection (topic, type)
    message   u32 seq, s, ns, string frame; u32 height, width, count; events u16 x, u16 y, u32 s, u32 ns, u8 p

Of several such topics the first is read; ``metadata["topics"]`` lists those met by then. Source: ROS wiki,
"Bags/Format/2.0"; rpg_dvs_ros.
"""

from __future__ import annotations

import bz2
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from .compression import lz4_frame, most
from .errors import EventFormatError
from .header import Header
from .reading import Mark, Pass
from .source import Reader, Source
from .store import store

MAGIC = b"#ROSBAG V2.0\n"
_TYPE = b"dvs_msgs/EventArray"
_MESSAGE, _CHUNK, _CONNECTION = 2, 5, 7
_EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("s", "<u4"), ("ns", "<u4"), ("p", "u1")])


def start(source: Source) -> Header:
    topics: dict[int, str] = {}
    if not source.seekable:
        raise EventFormatError("a bag cannot be read from a pipe; save it to a file")
    with source.reader(len(MAGIC)) as reader:
        for _, number, message in _messages(reader, source.size, topics):
            if number in topics:
                height, width, _ = _parse(message)
                break
        else:
            raise EventFormatError("the bag holds no dvs_msgs/EventArray messages")
    sensor = (width, height) if 0 < width < 32768 and 0 < height < 32768 else None
    return Header(sensor, {"topics": list(topics.values()), "origin": "top-left"}, len(MAGIC), {"conn": number})


def decode(run: Pass) -> Iterator[None]:
    report, size = run.report, run.source.size
    with run.source.reader(run.mark.offset if run.mark else run.header.offset) as reader:
        try:
            for offset, number, message in _messages(reader, size, {}):
                if offset != report.last_good:
                    report.last_good, run.mark = offset, Mark(offset)
                    yield
                if number != run.header.layout["conn"]:
                    report.other += 1
                    continue
                events = _parse(message)[2]
                t = events["s"].astype(np.int64) * 1_000_000 + events["ns"] // 1000
                store(run, (t, events["x"], events["y"], events["p"] > 0), offset)
            report.last_good = reader.offset
        except EventFormatError as error:
            if not run.skip:
                error.event = report.events
                raise
            report.last_good = error.offset if error.offset is not None else report.last_good
            report.skipped_bytes += (size or reader.offset) - report.last_good
    yield


def _messages(reader: Reader, size: int | None, topics: dict[int, str]) -> Iterator[tuple[int, int, bytes]]:
    """Record offset, connection and data of every message; fills ``topics`` with the event connections met so far."""
    while True:
        offset = reader.offset
        try:
            head = reader.read(4)
            if not head:
                return
            fields = _fields(_exactly(reader, _length(head, size, reader)))
            data = _exactly(reader, _length(_exactly(reader, 4), size, reader))
            chunk = fields.get(b"op") == bytes([_CHUNK])
            for inner, content in _inside(_expand(fields, data)) if chunk else [(fields, data)]:
                op = inner.get(b"op")
                if op == bytes([_CONNECTION]) and _fields(content).get(b"type") == _TYPE:
                    topics.setdefault(_connection(inner), inner.get(b"topic", b"").decode("utf-8", "replace"))
                elif op == bytes([_MESSAGE]):
                    yield offset, _connection(inner), content
        except EventFormatError as error:
            error.offset = offset
            raise


def _inside(data: bytes) -> Iterator[tuple[dict[bytes, bytes], bytes]]:
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


def _connection(fields: dict[bytes, bytes]) -> int:
    return int(_unpack("<I", fields.get(b"conn", b""), 0)[0])


def _parse(message: bytes) -> tuple[int, int, np.ndarray[Any, Any]]:
    """Height, width and events of a message."""
    (frame,) = _unpack("<I", message, 12)
    height, width, count = _unpack("<3I", message, 16 + frame)
    begin = 28 + frame
    if begin + count * _EVENT.itemsize > len(message):
        raise EventFormatError(f"a message claims {count} events, which are not in it")
    return height, width, np.frombuffer(message, _EVENT, count, begin)


def _unpack(code: str, data: bytes, at: int) -> tuple[Any, ...]:
    if at + struct.calcsize(code) > len(data):
        raise EventFormatError("a record is too short")
    return struct.unpack_from(code, data, at)


def _length(data: bytes, size: int | None, reader: Reader) -> int:
    if len(data) < 4:
        raise EventFormatError("the file ends inside a record: it was cut short")
    (length,) = _unpack("<I", data, 0)
    if size is not None and length > size - reader.offset:
        raise EventFormatError(f"a record of {length} bytes does not fit into the file: it was cut short")
    return int(length)


def _exactly(reader: Reader, count: int) -> bytes:
    data = reader.read(count)
    if len(data) < count:
        raise EventFormatError("the file ends inside a record: it was cut short")
    return data


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
