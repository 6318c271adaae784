"""ROS messages that carry events, as ROS 1 and ROS 2 (CDR) write them.

    header        (ROS 1: u32 sequence), i32 s, u32 ns, string frame;  then u32 height, u32 width
    EventArray    (dvs_msgs) events u16 x, u16 y, i32 s, u32 ns, u8 p
    EventPacket   (event_camera_msgs) u64 sequence, u64 time base, string encoding, u8 big endian, u8[] events:
                  evt3, evt2    words as the camera sent them, one stream over all packets
                  mono          u64 p 63, y 62..48, x 47..32, ns since the time base 31..0
                  libcaer       u32 x 31..17, y 16..2, p 1;  i32 us since the time base

In CDR numbers stand at multiples of their size, which gives events of 13 bytes first and then of 16. Source:
rpg_dvs_ros (2015); event_camera_msgs (2022).
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

from .errors import EventFormatError

_PACKED = {"x": "u2", "y": "u2", "s": "i4", "ns": "u4", "p": "u1"}
_ALIGNED: Any = {"names": [*_PACKED], "formats": [*_PACKED.values()], "offsets": [0, 2, 6, 10, 14], "itemsize": 16}
_SPREAD = ("mono", "libcaer")  # encodings of 8 bytes an event
WORDS = ("evt2", "evt3")

Columns = tuple[Any, Any, Any, Any]


class Message(NamedTuple):
    """Sensor size; the encoding, "" for an array of events; the events as columns t, x, y, p, or as words."""

    height: int
    width: int
    encoding: str
    columns: Columns | None
    words: bytes = b""


class _Cursor:
    """Reads fields one after the other."""

    def __init__(self, data: bytes, dialect: str) -> None:
        self.data, self.aligned = data, dialect == "cdr"
        self.at = 4 if self.aligned else 0  # behind the encapsulation
        self.order = ">" if self.aligned and data[1:2] == b"\0" else "<"

    def number(self, code: str) -> int:
        size = struct.calcsize(code)
        if self.aligned:
            self.at += -(self.at - 4) % size
        return int(struct.unpack(self.order + code, self.bytes(size))[0])

    def bytes(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise EventFormatError(f"{count} bytes are missing in a message of {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def text(self) -> str:
        return self.bytes(self.number("I")).rstrip(b"\0").decode("latin-1")


def parse(kind: str, data: bytes, dialect: str) -> Message:
    """A message of that kind; ``dialect`` is cdr or ros1. Raises EventFormatError if it is damaged or not known."""
    cursor = _Cursor(data, dialect)
    for code in "iI" if cursor.aligned else "IiI":
        cursor.number(code)
    cursor.text()
    height, width = cursor.number("I"), cursor.number("I")
    if kind == "EventArray":
        return Message(height, width, "", _array(cursor))
    cursor.number("Q")
    base, encoding = cursor.number("Q"), cursor.text()
    if cursor.number("B"):
        raise EventFormatError("a packet from a big-endian machine")
    content = cursor.bytes(cursor.number("I"))
    if encoding in WORDS:
        return Message(height, width, encoding, None, content)
    if encoding not in _SPREAD or len(content) % 8:
        known = ", ".join((*WORDS, *_SPREAD))
        raise EventFormatError(f"a packet of {len(content)} bytes encoded as {encoding!r}; known are {known}")
    if base >= 1 << 63:
        raise EventFormatError("a time base beyond 64 bits")
    return Message(height, width, encoding, (_mono if encoding == "mono" else _libcaer)(content, base))


def _array(cursor: _Cursor) -> Columns:
    count = cursor.number("I")
    if cursor.aligned:
        # with two bytes before the first event all lie 16 apart, but for x and y of the first
        data = b"\0\0" + cursor.bytes(max(16 * count - 3, 0)) + b"\0"
        rows = np.frombuffer(data, np.dtype(_ALIGNED).newbyteorder(cursor.order), count)
        x, y = rows["x"].copy(), rows["y"].copy()
        x[:1], y[:1] = np.frombuffer(data, cursor.order + "u2")[1:3].reshape(2, 1) if count else ([], [])
    else:
        rows = np.frombuffer(cursor.bytes(13 * count), np.dtype([*_PACKED.items()]), count)
        x, y = rows["x"], rows["y"]
    return rows["s"].astype(np.int64) * 1_000_000 + rows["ns"] // 1000, x, y, rows["p"] > 0


def _mono(content: bytes, base: int) -> Columns:
    words = np.frombuffer(content, "<u8")
    t = (base + (words & np.uint64(0xFFFFFFFF)).astype(np.int64)) // 1000
    place = (words >> np.uint64(32)).astype(np.int64)
    return t, place & 0xFFFF, place >> 16 & 0x7FFF, place >> 31


def _libcaer(content: bytes, base: int) -> Columns:
    words = np.frombuffer(content, "<u4").reshape(-1, 2).astype(np.int64)
    data, low = words.T
    t = base // 1000 + low + (np.cumsum(np.diff(low, prepend=low[:1]) < 0) << 31)
    return t, data >> 17 & 0x7FFF, data >> 2 & 0x7FFF, data >> 1 & 1
