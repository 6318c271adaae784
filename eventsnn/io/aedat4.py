"""AEDAT 4 (iniVation DV): a FlatBuffers header with an XML description, then packets of compressed FlatBuffers.

    "#!AER-DAT4.0\\r\\n"  |  u32 size, IOHeader {compression, table position, XML}  |  i32 stream, i32 size, payload  |
    ...

Events are 16-byte structs {i64 t in us since 1970, i16 x, i16 y, bool on}. Frames, inertial samples and triggers are
counted by packet and passed over. Source: iniVation, "AEDAT 4.0" (2019) and its FlatBuffers schemas.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np

from ..events import Events
from ..jit import compiled
from .compression import COMPRESSIONS, expand, shrink
from .errors import CutShort, EventFormatError
from .flatbuffer import Table
from .header import Header
from .packets import exactly, walk
from .reading import Pass
from .source import Reader, Source
from .store import store

MAGIC = b"#!AER-DAT4"
_SIGN = re.compile(
    rb"(?=.\x00\x00\x00...[\x00-\x0f](?:\x04\x22\x4d\x18|\x28\xb5\x2f\xfd|.{8}(?:EVTS|FRME|IMUS|TRIG)))", re.DOTALL
)  # stream, size, and an LZ4 frame, a zstd frame or a FlatBuffer
_EVENT = np.dtype({"names": ["t", "x", "y", "p"], "formats": ["<i8", "<i2", "<i2", "u1"], "itemsize": 16})


def start(source: Source) -> Header:
    head = source.head
    if not head.startswith(MAGIC):
        raise EventFormatError("does not begin with '#!AER-DAT4'", offset=0)
    if len(head) < 18:
        raise EventFormatError("the file ends inside its header", offset=len(head))
    (size,) = struct.unpack_from("<I", head, 14)
    data = source.read(18, size)
    if len(data) < size:
        raise EventFormatError(f"the file ends inside its header of {size} bytes", offset=18 + len(data))
    try:
        root = Table.root(data)
        code = root.scalar(0, "<i", 0)
        text = root.vector(2, np.uint8).tobytes()
        streams = _streams(text)
    except (EventFormatError, ElementTree.ParseError, ValueError) as error:
        raise EventFormatError(f"the header cannot be decoded: {error}", offset=18) from error
    if not 0 <= code < len(COMPRESSIONS):
        raise EventFormatError(f"compression {code} is not known", offset=18)
    events = [number for number, stream in streams.items() if stream["type"] == "EVTS"]
    sensor = streams[events[0]]["sensor"] if events else None
    metadata = {"compression": COMPRESSIONS[code], "streams": streams, "origin": "top-left"}
    layout = {"code": code, "stream": events[0] if events else None, "table": root.scalar(1, "<q", -1)}
    return Header(sensor, metadata, 18 + size, layout)


def _streams(text: bytes) -> dict[int, dict[str, Any]]:
    """Number -> type, sensor and source of every stream."""
    if b"<!" in text:  # no entities, so nothing that could grow
        raise EventFormatError("the XML description holds declarations")
    tree = ElementTree.fromstring(text)
    nodes = next((node for node in tree.iter("node") if node.get("name") == "outInfo"), tree)
    found = {}
    for node in nodes.findall("node"):
        if not (number := node.get("name", "")).isdecimal():
            continue
        values = {attr.get("key"): attr.text or "" for attr in node.iter("attr")}
        size = tuple(int(values.get(key, 0)) for key in ("sizeX", "sizeY"))
        found[int(number)] = {
            "type": values.get("typeIdentifier", ""),
            "source": values.get("source", ""),
            "sensor": size if 0 < size[0] < 32768 and 0 < size[1] < 32768 else None,
        }
    return found


def decode(run: Pass) -> Iterator[None]:
    layout, report = run.header.layout, run.report
    for number, payload, offset in packets(run):
        if number != layout["stream"]:
            report.other += 1
            continue
        try:
            elements = Table.root(expand(payload, layout["code"]), 4).vector(0, _EVENT)
        except EventFormatError as error:
            if not run.skip:
                error.offset, error.event = offset, report.events
                raise
            report.skipped_bytes += len(payload) + 8
            continue
        _store(run, elements, offset)
        yield


def packets(run: Pass) -> Iterator[tuple[int, bytes, int]]:
    """Stream number, payload and offset of every packet; where the next one begins is known only from the last."""
    parse = partial(_packet, header=run.header, size=run.source.size)
    with run.source.reader(run.mark.offset if run.mark else run.header.offset) as reader:
        for offset, packet in walk(run, reader, parse, _SIGN):
            yield *packet, offset


def _store(run: Pass, elements: np.ndarray[Any, Any], offset: int) -> None:
    """Puts a packet behind the events there are: in one sweep if all lie on the sensor, else with the slower checks."""
    columns, count = run.columns, len(elements)
    if not count:
        return
    words = elements.view(np.int64)
    if not words.flags.aligned:
        words = words.copy()
    width, height = run.header.sensor or (1 << 15, 1 << 15)
    space = columns.space(count)
    right, bottom, back = _sweep(words, count, *space)
    if right >= width or bottom >= height:
        store(run, (elements["t"], elements["x"], elements["y"], elements["p"] & 1), offset)
        return
    run.report.events += count
    run.report.steps_back += back + (columns.last is not None and int(space[0][0]) < columns.last)
    columns.count += count
    columns.last = int(space[0][count - 1])


@compiled
def _sweep(words: Any, count: int, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int, int]:
    """The largest x and y, as unsigned numbers, and the number of steps back."""
    right: Any = 0
    bottom: Any = 0
    back = 0
    for i in range(count):
        t[i], rest = words[2 * i], words[2 * i + 1]
        column, row = rest & 0xFFFF, rest >> 16 & 0xFFFF
        x[i], y[i], p[i] = column, row, rest >> 32 & 1
        right, bottom = max(right, column), max(bottom, row)
    for i in range(1, count):
        back += t[i] < t[i - 1]
    return right, bottom, back


def _packet(reader: Reader, header: Header, size: int | None) -> tuple[int, bytes] | None:
    """The next packet's stream and payload, None at the end."""
    table = header.layout["table"]
    if 0 <= table <= reader.offset:
        if table < reader.offset or b"FTAB" not in reader.read(64):
            raise EventFormatError(f"the header says that the data table begins at byte {table}; it does not")
        return None
    prefix = reader.read(8)
    if not prefix and table < 0:
        return None
    if len(prefix) < 8:
        raise CutShort("the file ends before its data table or inside a packet: it was cut short")
    number, length = struct.unpack("<ii", prefix)
    if number not in header.metadata["streams"] or length < 0:
        raise EventFormatError(f"a packet of {length} bytes of stream {number}, which the header does not name")
    return number, exactly(reader, length, size, "packet")


def extent(source: Source, header: Header) -> tuple[int, int, int] | None:
    """Number of events, first and last time by the data table, where there is one."""
    table, stream = header.layout["table"], header.layout["stream"]
    if table < 0 or source.size is None or not header.offset <= table < source.size or stream is None:
        return None
    root = Table.root(expand(source.read(table, source.size - table), header.layout["code"]), 4)
    rows = [row for row in root.tables(0) if row.scalar(1, "<i", 0) == stream]
    count = sum(row.scalar(2, "<q", 0) for row in rows)
    if not count:
        return None
    return count, min(row.scalar(3, "<q", 0) for row in rows), max(row.scalar(4, "<q", 0) for row in rows)


_XML = """<dv version="2.0">
    <node name="outInfo" path="/mainloop/Recorder/outInfo/">
        <node name="0" path="/mainloop/Recorder/outInfo/0/">
            <attr key="compression" type="string">{compression}</attr>
            <attr key="originalModuleName" type="string">eventsnn</attr>
            <attr key="originalOutputName" type="string">events</attr>
            <attr key="typeDescription" type="string">Array of events (polarity ON/OFF).</attr>
            <attr key="typeIdentifier" type="string">EVTS</attr>
            <node name="info" path="/mainloop/Recorder/outInfo/0/info/">{size}
                <attr key="source" type="string">eventsnn</attr>
            </node>
        </node>
    </node>
</dv>
"""
_SIZE = """
                <attr key="sizeX" type="int">{}</attr>
                <attr key="sizeY" type="int">{}</attr>"""
_PACKET = 1 << 14  # events


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None, compression: str = "LZ4") -> None:
    """One event stream in packets of 2^14 events, without a data table; ``compression`` is none, LZ4 or zstd."""
    code = COMPRESSIONS.index(compression)
    size = _SIZE.format(*sensor) if sensor else ""
    text = _XML.format(compression=compression.upper(), size=size).encode()
    file.write(MAGIC + b".0\r\n" + _io_header(code, text))
    for events in parts:
        for begin in range(0, len(events), _PACKET):
            payload = shrink(_event_packet(events[begin : begin + _PACKET]), code)
            file.write(struct.pack("<ii", 0, len(payload)) + payload)


def _io_header(code: int, text: bytes) -> bytes:
    """Size, root at 28, identifier, vtable of three fields, table of 20 bytes, string."""
    table = struct.pack("<iqiI", 28 - 12, -1, code, 4)
    vtable = struct.pack("<5H2x4x", 10, 20, 12, 4, 16)
    data = struct.pack("<I4s", 24, b"IOHE") + vtable + table + struct.pack("<I", len(text)) + text + bytes(4)
    return struct.pack("<I", len(data)) + data


def _event_packet(events: Events) -> bytes:
    """Size, root at 20, identifier, vtable of one field, table of 8 bytes, vector whose elements begin at 32."""
    elements = np.zeros(len(events), _EVENT)
    for name, column in zip("txyp", events.columns, strict=True):
        elements[name] = column
    data = struct.pack("<I4s3H2xiII", 16, b"EVTS", 6, 8, 4, 20 - 12, 4, len(events)) + elements.tobytes()
    return struct.pack("<I", len(data)) + data
