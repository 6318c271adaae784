"""Event files: every real recording agrees with what independent readers found; every format obeys the same laws."""

import bz2
import hashlib
import io
import json
import os
import pickle
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zlib
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import h5py
import lz4.frame
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsnn.io
from eventsnn.events import Events
from eventsnn.io import EventFormatError, aedat4, dat, drive, ecf, formats, hdf5_layouts, index, recording, waiting

DATA = Path(os.environ.get("EVENTSNN_DATA") or Path(__file__).parents[2] / "shared" / "data") / "recordings"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recordings in {DATA}; set EVENTSNN_DATA")
ORACLE = json.loads((DATA / "oracle.json").read_text()) if DATA.is_dir() else {}
NAMES = [
    "driving.evt3.raw",
    "lighthouse.es",
    "moving-dark-box.aedat",
    "ncars.dat",
    "office.aedat4",
    "poker-club62.es",
    "slider-depth.txt",
    "spinning-marker.evt2.raw",
    "traffic.aedat4",
]


def as_stored(events, format):
    """The columns with the conversion to a top-left origin undone: t, x, y, p."""
    y = events.y.astype(np.int64)
    if format == "ES":
        y = events.sensor[1] - 1 - y
    if format == "AEDAT2":  # the truth table of these files reverses x too, as the format's own readers do
        y = events.sensor[1] - 1 - y
    return events.t, events.x.astype(np.int64), y, events.p


def digest(columns):
    sha = hashlib.sha256()
    for column, dtype in zip(columns, ("<i8", "<u2", "<u2", "u1"), strict=True):
        sha.update(column.astype(dtype).tobytes())
    return sha.hexdigest()


def read_by(recording, way):
    if way == "between":
        first = recording.extent().first
        cuts = [None, first + recording.extent().duration // 3, first + recording.extent().duration // 2, None]
        return Events.concatenate(recording.between(*pair) for pair in pairwise(cuts))
    return recording.read() if way == "read" else Events.concatenate(recording.chunks(way))


@needs_data
@pytest.mark.parametrize("way", ["read", "between", 1, 7, 1000, 10**6])
@pytest.mark.parametrize("name", NAMES)
def test_real_recordings_agree_with_independent_readers(name, way):
    truth = ORACLE[name]
    with eventsnn.io.open(DATA / name) as recording:
        events = read_by(recording, way)
        t, x, y, p = as_stored(events, recording.format)
    assert len(events) == truth["n"]
    assert recording.report.events == truth["n"] or way == "between"
    assert (int(p.sum()), int((t - t[0]).sum()), int(x.sum()), int(y.sum())) == (
        truth["on"],
        truth["sum_t_minus_t0"],
        truth["sum_x"],
        truth["sum_y"],
    )
    rows = np.stack([t, x, y, p], 1).tolist()
    assert rows[: len(truth["first"])] == truth["first"]
    assert rows[-len(truth["last"]) :] == truth["last"]
    assert digest((t, x, y, p)) == truth["events_sha256"]
    assert recording.report.steps_back == 0
    if truth["sensor"] and recording.sensor:
        assert list(recording.sensor) == truth["sensor"]


@needs_data
def test_one_recording_in_three_formats():
    es, dat, aedat = (eventsnn.io.read(DATA / f"poker-club62.{suffix}") for suffix in ("es", "dat", "aedat"))
    assert (es.sensor, dat.sensor, aedat.sensor) == ((30, 32), None, (128, 128))
    for other in (dat, aedat):
        np.testing.assert_array_equal(es.t, other.t - other.t[0])
        np.testing.assert_array_equal(es.p, other.p)
    # the same numbers stand in all three; ES and AEDAT2 count rows from the bottom, AEDAT2 columns from the right
    np.testing.assert_array_equal(es.x, dat.x)
    np.testing.assert_array_equal(31 - es.y, dat.y)
    np.testing.assert_array_equal(127 - aedat.x, dat.x)
    np.testing.assert_array_equal(aedat.y, es.y + 96)


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_what_the_files_say_of_themselves(name):
    with eventsnn.io.open(DATA / name) as recording:
        assert recording.path.endswith(name)
        assert recording.format in eventsnn.io.formats
        assert recording.metadata["origin"].startswith("top-left")
        first, again = next(iter(recording)), next(iter(recording))
        assert first == again  # every iteration starts anew
        with open(DATA / name, "rb") as file:
            assert next(iter(eventsnn.io.open(file))) == first


@needs_data
def test_a_generic_stream_is_no_stream_of_pixels():
    with pytest.raises(EventFormatError, match="no polarity events"):
        eventsnn.io.read(DATA / "generic.es")
    with eventsnn.io.open(DATA / "generic.es", on_error="skip") as recording:
        assert (len(recording.read()), recording.report.other) == (0, 70)


# small files made by hand, one for each format


def es_bytes(kind=1, body=b"", size=(8, 4)):
    return b"Event Stream\x02\x00\x00" + bytes([kind]) + struct.pack("<HH", *size) + body


def aedat2_bytes(records, chip=""):
    head = b"#!AER-DAT2.0\r\n# a comment\r\n" + (f"# AEChip: eu.chips.{chip}\r\n".encode() if chip else b"")
    return head + b"".join(struct.pack(">Ii", address, t) for address, t in records)


def evt_bytes(version, words, dtype, size=(64, 32)):
    geometry = f"% geometry {size[0]}x{size[1]}\n" if size else ""
    return f"% evt {version}\n{geometry}% end\n".encode() + np.asarray(words, dtype).tobytes()


def evt2(t, x, y, p):
    return p << 28 | (t & 63) << 22 | x << 11 | y


def aedat3_packet(kind, size, records, overflow=0, number=None):
    number = len(records) // size if number is None else number
    return struct.pack("<hh6i", kind, 1, size, 4, overflow, len(records) // size, number, number) + records


def polarity(*events, valid=1):
    return b"".join(struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t) for t, x, y, p in events)


def evt21(t, x, y, p, mask):
    return p << 60 | (t & 63) << 54 | x << 43 | y << 32 | mask


HIGH2 = 8 << 28
WORDS21 = [8 << 60 | 1 << 32, evt21(69, 3, 4, 1, 1 | 1 << 31), evt21(70, 5, 6, 0, 2), 14 << 60]
AEDAT3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"


def ros_record(data, **fields):
    header = b"".join(struct.pack("<I", len(k) + 1 + len(v)) + k.encode() + b"=" + v for k, v in fields.items())
    return struct.pack("<I", len(header)) + header + struct.pack("<I", len(data)) + data


def ros_message(*events, conn=b"\1\0\0\0"):
    data = struct.pack("<3I", 0, 0, 0) + struct.pack("<I", 3) + b"cam" + struct.pack("<3I", 10, 12, len(events))
    data += b"".join(struct.pack("<HHIIB", x, y, t // 10**6, t % 10**6 * 1000, p) for t, x, y, p in events)
    return ros_record(data, op=b"\2", conn=conn, time=bytes(8))


def ros_bag(squeeze, name):
    connection = struct.pack("<I", 24) + b"type=dvs_msgs/EventArray"
    image = ros_record(b"", op=b"\7", conn=bytes(4), topic=b"/image") + ros_record(b"..", op=b"\2", conn=bytes(4))
    first = image + ros_record(connection, op=b"\7", conn=b"\1\0\0\0", topic=b"/dvs/events") + ros_message((5, 3, 4, 1))
    chunks = (first, ros_message((7, 5, 6, 0)) + ros_message((9, 7, 8, 1)))
    records = [ros_record(squeeze(chunk), op=b"\5", compression=name, size=bytes(4)) for chunk in chunks]
    return b"#ROSBAG V2.0\n" + ros_record(b" " * 9, op=b"\3", index_pos=bytes(8)) + b"".join(records)


def cdr_message(*events):
    """A dvs_msgs/EventArray as ROS 2 writes it."""
    data = struct.pack("<iI I4s 3I", 0, 0, 4, b"cam", 10, 12, len(events))
    for x, y, t, p in ((x, y, t, p) for t, x, y, p in events):
        data += bytes(len(data) % 2) + struct.pack("<HH", x, y)
        data += bytes(-len(data) % 4) + struct.pack("<iIB", t // 10**6, t % 10**6 * 1000, p)
    return b"\0\1\0\0" + data


def mcap_record(kind, *parts):
    content = b"".join(
        part if isinstance(part, bytes) else struct.pack("<I", len(part)) + part.encode() for part in parts
    )
    return struct.pack("<BQ", kind, len(content)) + content


def mcap_file(squeeze, name):
    schema = mcap_record(3, b"\1\0", "dvs_msgs/msg/EventArray", "ros2msg", bytes(4))
    channel = mcap_record(4, b"\2\0\1\0", "/dvs/events", "cdr", bytes(4))
    other = mcap_record(3, b"\3\0", "std_msgs/msg/String", "ros2msg", bytes(4))
    other += mcap_record(4, b"\4\0\3\0", "/text", "cdr", bytes(4)) + mcap_record(5, b"\4\0" + bytes(20), b"...")
    messages = [mcap_record(5, b"\2\0" + bytes(20), cdr_message(*part)) for part in (THREE[:1], THREE[1:])]
    chunks = b""
    for part in (other + schema + channel + messages[0], messages[1]):
        packed = squeeze(part)
        head = struct.pack("<QQQI", 0, 9, len(part), zlib.crc32(part))
        chunks += mcap_record(6, head, name, struct.pack("<Q", len(packed)), packed)
    magic = b"\x89MCAP0\r\n"
    return (
        magic
        + mcap_record(1, "ros2", "by hand")
        + chunks
        + mcap_record(15, bytes(4))
        + mcap_record(2, bytes(20))
        + magic
    )


def db3_file():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)")
    database.execute("CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)")
    topics = [(1, "/text", "std_msgs/msg/String", "cdr"), (2, "/dvs/events", "dvs_msgs/msg/EventArray", "cdr")]
    database.executemany("INSERT INTO topics VALUES(?, ?, ?, ?)", topics)
    data = [(1, b"..."), (2, cdr_message(*THREE[:1])), (2, cdr_message(*THREE[1:]))]
    database.executemany("INSERT INTO messages(topic_id, timestamp, data) VALUES(?, 0, ?)", data)
    database.commit()
    return database.serialize()


THREE = [(5, 3, 4, 1), (7, 5, 6, 0), (9, 7, 8, 1)]


def davis_bytes():
    """Two frames of a 240x180 sensor would be long; here are some samples, an inertial one and an external signal."""
    frame = [
        (1 << 31 | y << 22 | x << 12 | read << 10 | 900 - 600 * read, read)
        for read in (0, 1)
        for y in (0, 1)
        for x in (0, 1)
    ]
    values = (8192, 0, -8192, 340, 131, 0, -131)
    inertial = [(0x80000C00 | kind << 28 | (value & 0xFFFF) << 12, 77) for kind, value in enumerate(values)]
    return aedat2_bytes(
        [*frame, *inertial, (10 << 12 | 20 << 22 | 1 << 10, 99), (10 << 12 | 20 << 22, 100)], "DAVIS240C"
    )


def aedat3_aside():
    """An image of 2x3, inertial samples of both kinds, signals."""
    image = struct.pack("<I8i", 1 | 1 << 1, 1, 2, 30, 40, 2, 3, 0, 0) + struct.pack("<6H", *range(6))
    special = b"".join(struct.pack("<Ii", kind << 1 | 1, t) for kind, t in ((2, 50), (9, 51), (3, 52)))
    six = struct.pack("<Ii7f", 1, 60, 0, 0, 1, 2, 3, 4, 25)
    nine = struct.pack("<Ii10f", 1, 61, 0, 0, 1, 2, 3, 4, 25, 7, 8, 9)
    packets = ((2, len(image), image), (0, 8, special), (3, 36, six), (4, 48, nine))
    return AEDAT3 + b"".join(aedat3_packet(kind, size, data, overflow=1) for kind, size, data in packets)


def es1_bytes(kind, *records):
    return b"Event Stream\x01\x00" + bytes([kind]) + b"".join(record.to_bytes(3, "little") for record in records)


BESIDE = [
    ("AEDAT2", davis_bytes()),
    ("AEDAT2", aedat2_bytes([(3 << 1 | 4 << 11 | 1, 5), (5 << 1 | 6 << 11, 7)], "DVS640")),
    ("AEDAT3", aedat3_aside()),
    ("ES", es1_bytes(0, 3 | 7 << 4 | 1 << 23, 1 | 8 << 4 | 100 << 14) + b"\x2f"),
    ("ES", es1_bytes(1, 3 | 300 << 5 | 9 << 14 | 1 << 23, 1 | 8 << 5 | 1 << 22) + b"\x3f"),
    ("EVT2.1", evt_bytes("2.1", [8 << 60 | 1 << 32, 10 << 60 | 5 << 54 | 3 << 40 | 1 << 32], "<u8")),
    ("EVT3", evt_bytes("3.0", [0x8001, 0x6005, 0xA301, 0x0004, 0x2803, 0x8002, 0xA300], "<u2")),
    ("DAT", b"% Version 2\n% end\n\x0e\x08" + struct.pack("<4I", 7, 1 | 6 << 26, 9, 6 << 26)),
    ("CSV", b"x,y,p,t_ms\n3,4,1,1.25\n5,6,0,2.5\n"),
]
MADE = {
    "mcap": mcap_file(lz4.frame.compress, "lz4"),
    "db3": db3_file(),
    "rosbag": ros_bag(bytes, b"none"),
    "EVT2.1": evt_bytes("2.1", WORDS21, "<u8"),
    "AEDAT1": b"#!AER-DAT1.0\r\n"
    + b"".join(struct.pack(">Hi", *r) for r in [(0x0206, 5), (0x8000, 6), (0x0409, 7), (0x7F01, 9)]),
    "AEDAT3": AEDAT3
    + aedat3_packet(0, 8, bytes(16))
    + aedat3_packet(1, 8, polarity((5, 3, 4, 1)) + polarity((6, 1, 1, 1), valid=0))
    + aedat3_packet(2, 36, bytes(36))
    + aedat3_packet(1, 8, polarity((7, 5, 6, 0), (9, 7, 8, 1))),
    "EVT2": evt_bytes(
        "2.0", [HIGH2 | 1, evt2(69, 3, 4, 1), evt2(70, 5, 6, 0), 10 << 28, HIGH2 | 2, evt2(130, 7, 8, 1)], "<u4"
    ),
    "EVT3": evt_bytes("3.0", [0x8001, 0x6005, 0x0004, 0x2803, 0x6006, 0x3805, 0x4003, 0x5001, 0x0006, 0x2007], "<u2"),
    "DAT": b"% Version 2\n% end\n\x0c\x08"
    + struct.pack("<6I", 5, 3 | 4 << 14 | 1 << 28, 6, 5 | 6 << 14, 9, 7 | 8 << 14),
    "AEDAT2": aedat2_bytes([(0x0206, 5), (0x0409, 7), (0x8000, 8), (0x7F01, 9)]),
    "ES": es_bytes(body=b"\x0b\x03\x00\x01\x00\xff\x04\x07\x00\x03\x00\x04\x00\x00\x00\x00"),
    "N-MNIST": bytes([3, 4, 0x80, 0, 5, 5, 6, 0, 0, 7, 7, 8, 0x80, 1, 9]),
    "text": b"0.000005 3 4 1\n0.000007 5 6 0\n0.000009 7 8 1\n",
}
RECORD = {"EVT2": 4, "EVT2.1": 8, "EVT3": 2, "DAT": 8, "AEDAT1": 6, "AEDAT2": 8, "AEDAT3": 44, "ES": 5, "N-MNIST": 5}
LAST = {"mcap": MADE["mcap"].rindex(b"\x0f" + struct.pack("<Q", 4)) + 9, "db3": 0}  # it counts rows, read at once
RECORD["rosbag"] = len(MADE["rosbag"]) - MADE["rosbag"].rindex(b"compression") + 16
EXPECTED = {
    "rosbag": THREE,
    "mcap": THREE,
    "db3": THREE,
    "EVT2.1": [(69, 3, 4, 1), (69, 34, 4, 1), (70, 6, 6, 0)],
    "AEDAT1": [(5, 124, 125, 1), (7, 123, 123, 0), (9, 127, 0, 0)],
    "AEDAT3": [(5, 3, 4, 1), (7, 5, 6, 0), (9, 7, 8, 1)],
    "EVT2": [(69, 3, 4, 1), (70, 5, 6, 0), (130, 7, 8, 1)],
    "EVT3": [(4101, 3, 4, 1), (4102, 5, 4, 1), (4102, 6, 4, 1), (4102, 17, 4, 1), (4102, 7, 6, 0)],
    "DAT": [(5, 3, 4, 1), (6, 5, 6, 0), (9, 7, 8, 0)],
    "AEDAT2": [(5, 124, 125, 1), (7, 123, 123, 0), (9, 127, 0, 0)],
    "ES": [(5, 3, 2, 1), (134, 7, 0, 0), (136, 0, 3, 0)],
    "N-MNIST": [(5, 3, 4, 1), (7, 5, 6, 0), (265, 7, 8, 1)],
    "text": [(5, 3, 4, 1), (7, 5, 6, 0), (9, 7, 8, 1)],
}


# what each writer holds: largest sensor, largest gap, times it may begin at, whether the file keeps the sensor
WRITERS = {
    "EVT2": (2048, 2**33 - 1, (0, 7, -5, 2**34 - 3, 17 * 10**14), True),
    "EVT3": (2048, 2**30, (0, 7, -5, 2**24 - 3, 2**30, 17 * 10**14), True),
    "DAT": (2**14, 2**31 - 1, (0, 7, -5, 2**32 - 3, 17 * 10**14), True),
    "AEDAT4": (2**15 - 1, 2**40, (0, -5, 17 * 10**14), True),
    "ES": (2**15 - 1, 10**6, (0, 7, 10**6), True),
    "N-MNIST": (240, 2**24, (0, 7, 2**23 - 1), False),
    "HDF5": (2**15 - 1, 2**30, (0, -5, 17 * 10**14), True),
    "NumPy": (2**15 - 1, 2**40, (0, -5, 17 * 10**14), True),
    "CSV": (2**15 - 1, 2**40, (0, -5, 17 * 10**14), False),
    "text": (9999, 2**40, (0, -5, 17 * 10**14), True),
}


def rows(events):
    return list(zip(*(column.tolist() for column in events.columns), strict=True))


@pytest.mark.parametrize("format", MADE)
def test_made_files(format, monkeypatch):
    data = MADE[format]
    with eventsnn.io.open(data) as recording:
        assert recording.format == format
        assert rows(recording.read()) == EXPECTED[format]
        assert recording.report.last_good == LAST.get(format, len(data))
        assert [len(chunk) for chunk in recording.chunks(2)] == [2] * (len(EXPECTED[format]) // 2) + [1]
    monkeypatch.setattr(drive, "BLOCK", 24)  # a state carried over many small blocks gives the same events
    assert rows(eventsnn.io.read(data, format=format.lower())) == EXPECTED[format]


@pytest.mark.parametrize("format", sorted({*MADE} - {"mcap", "db3"}))
def test_every_truncation_is_told(format):
    data = MADE[format]
    if format == "text":
        data = data[:-1]  # without its last line break the file is still whole
        assert rows(eventsnn.io.read(data)) == EXPECTED[format]
        with pytest.raises(EventFormatError, match=r"text: byte 30, event 2: .*too few"):
            eventsnn.io.read(data[:-2])
        return
    size = RECORD[format]
    for cut in range(1, size):
        with pytest.raises(EventFormatError, match="cut short") as caught:
            eventsnn.io.read(data[:-cut], format=format)
        error = caught.value
        assert (error.format, error.path, error.offset) == (format, "<bytes>", len(data) - size)
        recording = eventsnn.io.open(data[:-cut], format=format, on_error="skip")
        assert rows(recording.read()) == EXPECTED[format][: recording.report.events]
        recovered = format == "rosbag" and recording.report.events == 2  # a message of a chunk that is cut off
        assert recording.report.skipped_bytes == (139 if recovered else size) - cut


@pytest.mark.parametrize("format", MADE)
def test_events_outside_the_sensor(format):
    with pytest.raises(EventFormatError, match=r"pixel \(\d+, -?\d+\) lies outside the 7x") as caught:
        eventsnn.io.read(MADE[format], sensor=(7, 9))
    assert caught.value.offset is not None
    recording = eventsnn.io.open(MADE[format], sensor=(7, 130), on_error="skip")
    inside = [event for event in EXPECTED[format] if event[1] < 7]
    assert rows(recording.read()) == inside
    assert recording.report.outside == len(EXPECTED[format]) - len(inside)


@pytest.mark.parametrize("format", ["EVT2", "EVT3"])
def test_raw_without_a_header_needs_the_format(format):
    payload = MADE[format].partition(b"% end\n")[2]
    assert rows(eventsnn.io.read(payload, format=format)) == EXPECTED[format]
    with pytest.raises(EventFormatError, match="the header says EVT3, not EVT2"):
        eventsnn.io.open(MADE["EVT3"], format="EVT2")


def test_dat_without_a_header_and_of_version_1():
    records = struct.pack("<4I", 5, 3 | 4 << 9 | 1 << 17, 6, 5 | 6 << 9)
    for data in (records, b"% Version 1\n\x00\x08" + records):
        assert rows(eventsnn.io.read(data)) == [(5, 3, 4, 1), (6, 5, 6, 0)]
    with pytest.raises(EventFormatError, match=r"byte 12: event type 28 08"):
        eventsnn.io.open(b"% Version 2\n\x28\x08" + records)


def test_davis_frames_imu_and_external_words_are_told_apart():
    davis = 10 << 12 | 20 << 22
    records = [(davis | 1 << 11, 5), (1 << 31 | davis, 6), (0x80000C00, 6), (davis | 1 << 10, 7), (davis, 8)]
    recording = eventsnn.io.open(aedat2_bytes(records, "DAVIS240C"))
    assert recording.sensor == (240, 180)
    assert rows(recording.read()) == [(5, 229, 159, 1), (8, 229, 159, 0)]
    assert recording.report.other == 3
    with pytest.raises(EventFormatError, match="not known"):
        eventsnn.io.open(aedat2_bytes(records, "Cochlea"))


@pytest.mark.parametrize(("squeeze", "name"), [(bz2.compress, b"bz2"), (lz4.frame.compress, b"lz4")])
def test_compressed_bags(squeeze, name):
    recording = eventsnn.io.open(ros_bag(squeeze, name))
    assert recording.metadata["topics"] == ["/dvs/events"]
    assert recording.sensor == (12, 10)
    assert rows(recording.read()) == EXPECTED["rosbag"]
    assert recording.report.other == 1
    with pytest.raises(EventFormatError, match="no messages with events"):
        eventsnn.io.open(MADE["rosbag"].replace(b"EventArray", b"OtherArray"))


def test_evt21_with_its_halves_swapped():
    words = [word >> 32 | (word & 0xFFFFFFFF) << 32 for word in WORDS21]
    data = b"% format EVT21;height=32;width=64\n% endianness legacy\n% end\n" + np.asarray(words, "<u8").tobytes()
    assert rows(eventsnn.io.read(data)) == EXPECTED["EVT2.1"]


def test_aedat3_counts_what_it_passes_over_and_minds_the_overflow():
    recording = eventsnn.io.open(MADE["AEDAT3"])
    recording.read()
    assert (recording.sensor, recording.report.other) == ((128, 128), 3)
    late = AEDAT3 + aedat3_packet(1, 8, polarity((5, 3, 4, 1)), overflow=2)
    assert eventsnn.io.read(late).t.tolist() == [2**32 + 5]
    for packet in (aedat3_packet(1, 8, b"", number=5), aedat3_packet(1, 9, bytes(9)), b"\xff" * 28):
        with pytest.raises(EventFormatError, match=r"packet header|they have 8"):
            eventsnn.io.read(AEDAT3 + packet)


def test_atis_exposure_events_are_no_polarity_events():
    body = bytes([5 << 2 | 2, 1, 0, 1, 0, 0xFE, 2 << 2 | 1, 1, 0, 1, 0, 0xFC, 3 << 2, 2, 0, 0, 0])
    recording = eventsnn.io.open(es_bytes(2, body))
    assert rows(recording.read()) == [(5, 1, 2, 1), (5 + 126 + 2 + 3, 2, 3, 0)]
    assert recording.report.other == 1


@pytest.mark.parametrize(
    ("data", "times", "wraps", "back"),
    [
        (
            evt_bytes("2.0", [HIGH2 | 0xFFFFFFF, evt2(0, 1, 1, 1), HIGH2, evt2(1, 1, 1, 1)], "<u4"),
            [2**34 - 64, 2**34 + 1],
            1,
            0,
        ),
        (evt_bytes("2.0", [HIGH2 | 9, evt2(0, 1, 1, 1), HIGH2 | 8, evt2(1, 1, 1, 1)], "<u4"), [576, 513], 0, 1),
        (evt_bytes("3.0", [0x8FFF, 0x0001, 0x2001, 0x8000, 0x2001], "<u2"), [0xFFF000, 1 << 24], 1, 0),
        (evt_bytes("3.0", [0x8009, 0x0001, 0x2001, 0x8008, 0x2001], "<u2"), [9 << 12, 8 << 12], 0, 1),
        (evt_bytes("3.0", [0x8001, 0x0001, 0x6009, 0x2001, 0x6008, 0x2001], "<u2"), [4105, 4104], 0, 1),
        (struct.pack("<4I", 2**32 - 1, 1, 3, 1), [2**32 - 1, 2**32 + 3], 1, 0),
        (struct.pack("<4I", 9, 1, 3, 1), [9, 3], 0, 1),
        (aedat2_bytes([(0, 2**31 - 1), (0, -(2**31))]), [2**31 - 1, 2**31], 1, 0),
        (bytes([1, 1, 0, 0, 5, 0, 240, 0, 0, 0, 1, 1, 0, 0, 6]), [5, 8198], 1, 0),
    ],
)
def test_a_roll_over_is_a_fall_of_half_the_range_and_a_smaller_one_a_step_back(data, times, wraps, back):
    recording = eventsnn.io.open(data, format=None if data[:1] in b"%#\x01" else "DAT")
    assert recording.read().t.tolist() == times
    assert (recording.report.wraps, recording.report.steps_back) == (wraps, back)


def test_evt3_second_camera_and_early_words():
    words = [0x2001, 0x8001, 0x2001, 0x4001, 0x0801, 0x2001, 0x0001, 0x2001]
    recording = eventsnn.io.open(evt_bytes("3.0", words, "<u2"), on_error="skip")
    assert rows(recording.read()) == [(4096, 1, 1, 0)]
    assert (recording.report.early, recording.report.outside) == (3, 1)


@pytest.mark.parametrize(
    ("key", "sensor"),
    [
        ("% geometry 320x240", (320, 240)),
        ("% format EVT2;height=720;width=1280", (1280, 720)),
        ("% system_ID 21", (640, 480)),
        ("% system_ID 49", (1280, 720)),
        ("% system_ID 9999", None),
    ],
)
def test_sensor_from_the_header(key, sensor):
    assert eventsnn.io.open(f"{key}\n% evt 2.0\n".encode()).sensor == sensor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"0.000100 3 4 1\n0.0025004 5 6 0\n", [(100, 3, 4, 1), (2500, 5, 6, 0)]),
        (b"# made by hand\n3,4,100,1\n5,6,2500,-1\n", [(100, 3, 4, 1), (2500, 5, 6, 0)]),
        (b"x,y,p,t_ms\n3,4,1,1.25\n5,6,0,2.5\n", [(1250, 3, 4, 1), (2500, 5, 6, 0)]),
        (b"timestamp[us];x;y;polarity\r\n100;3;4;1\r\n\r\n2500;5;6;0", [(100, 3, 4, 1), (2500, 5, 6, 0)]),
        (b"1.0e-04 3.0e+00 4.0 1.0\n2.5e-03 5 6 0\n", [(100, 3, 4, 1), (2500, 5, 6, 0)]),
        (
            b"1468940293.922905922 3 4 1\n1468940293.9229070 5 6 0\n",
            [(1468940293922906, 3, 4, 1), (1468940293922907, 5, 6, 0)],
        ),
        (b"\xef\xbb\xbft,x,y,p\r\n1,3,4,1\r\n2,5,6,0\r\n", [(1, 3, 4, 1), (2, 5, 6, 0)]),
        (b"\xef\xbb\xbf0.000100 3 4 1\n0.0002 5 6 0\n", [(100, 3, 4, 1), (200, 5, 6, 0)]),
        (b",t,x,y,p\n0,100,3,4,True\n1,2500,5,6,False\n", [(100, 3, 4, 1), (2500, 5, 6, 0)]),
        (b"100 3 4 true\n2500 5 6 false", [(100, 3, 4, 1), (2500, 5, 6, 0)]),
        (b"1\t3\t400\t1\n2\t3\t400\t-1\n", [(1, 3, 400, 1), (2, 3, 400, 0)]),
        (b"5000 3 4 1\n5000 5 6 0\n", [(5000, 3, 4, 1), (5000, 5, 6, 0)]),
        (b"x [px],y [px],t [ms],p\n3,4,100,1\n5,6,250,0\n", [(100_000, 3, 4, 1), (250_000, 5, 6, 0)]),
        (b'"timestamp (us)","x","y","p"\n100,3,4,1\n250,5,6,0\n', [(100, 3, 4, 1), (250, 5, 6, 0)]),
        (b"t / ns; x; y; p\n1000;3;4;1\n2000;5;6;0\n", [(1, 3, 4, 1), (2, 5, 6, 0)]),
        (b"t,x,y,p,label\n0.001,3,4,1,up\n0.002,5,6,0,up\n", [(1000, 3, 4, 1), (2000, 5, 6, 0)]),
        (b"1.00e+02 3.00e+00 4.00e+00 1.00e+00\n2.50e+03 5.0 6.0 0.0\n", [(100, 3, 4, 1), (2500, 5, 6, 0)]),
        (b"t,x,y,p\n5.0,3,4,1\n5.0,5,6,0\n", [(5_000_000, 3, 4, 1), (5_000_000, 5, 6, 0)]),
    ],
)
def test_text_columns_and_units_are_recognised(text, expected):
    recording = eventsnn.io.open(text)
    assert recording.format == ("CSV" if b"," in text else "text")
    assert rows(recording.read()) == expected


@pytest.mark.parametrize("line", [b"10,5;2;3;1", b"10,5\t2\t3\t1", b"2 3 1 10,5"])
def test_a_decimal_comma_is_told_and_not_read_as_two_numbers(line):
    for head in (b"", b"t;x;y;p\n"):
        with pytest.raises(EventFormatError, match="decimal comma"):
            eventsnn.io.read(head + line + b"\n")


def test_text_with_words_for_numbers():
    with pytest.raises(EventFormatError, match="byte 15, event 1: not a number"):
        eventsnn.io.read(b"0.000100 3 4 1\n0.0002 five 6 0\n")
    with pytest.raises(EventFormatError, match="not a whole number"):
        eventsnn.io.read(b"0.000100 3.5 4 1\n")
    for row in (b'"1","3","4","1"\n', b"1,3,4,Tru\n", b"1,3,4,falsy\n", b"1,3,4,fals\n2,3,4,1\n"):
        with pytest.raises(EventFormatError, match="byte 8: not a number"):
            eventsnn.io.read(b"t,x,y,p\n" + row)


def test_damage_among_frames_is_named():
    file = io.BytesIO()
    aedat4.write(file, [Events([1], [2], [3], [1], sensor=(8, 8))], (8, 8))
    recording = eventsnn.io.open(file.getvalue().replace(b"EVTS", b"FRME", 1)[:-1])
    with pytest.raises(EventFormatError, match=r"^<bytes>: AEDAT4: byte \d+: .*does not fit"):
        list(recording.frames())


@needs_data
@pytest.mark.parametrize(("name", "counts"), [("office.aedat4", (3, 13, 11)), ("traffic.aedat4", (4, 16, 13))])
def test_frames_imu_and_triggers_of_aedat4(name, counts):
    with eventsnn.io.open(DATA / name) as opened:
        events, frames, imu, triggers = opened.read(), list(opened.frames()), opened.imu(), opened.triggers()
        assert opened.report.other == sum(counts)
    assert len(frames) == counts[0]
    first, last = int(events.t[0]), int(events.t[-1])
    for t, image in frames:
        assert (image.shape, image.dtype) == ((260, 346), np.uint8)
        assert first - 10**5 < t < last + 10**5
        assert image.std() > 10
    assert len(imu) >= counts[1]
    assert len(triggers) >= counts[2]
    assert (np.abs(np.linalg.norm(imu["accelerometer"], axis=1) - 1) < 0.2).all()  # at rest it measures 1 g
    assert (np.diff(imu["t"]) > 0).all()
    with pytest.raises(ValueError, match="frames are read from AEDAT2, AEDAT3, AEDAT4, HDF5 files, not from DAT"):
        eventsnn.io.open(MADE["DAT"]).frames()


def saved(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


FOUR = {"ts": [0.000005, 0.000007], "x": [3, 5], "y": [4, 6], "polarity": [True, False]}
STRUCTURED = np.array([(3, 4, 5, 1), (5, 6, 7, -1)], [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "i1")])


TABLE = np.array([[5, 3, 4, 1], [7, 5, 6, 0]])
NUMPY = [
    saved(np.savez, **FOUR),
    saved(np.save, STRUCTURED),
    saved(np.savez_compressed, STRUCTURED),
    saved(np.savez, events=STRUCTURED, label=np.array([7])),
    saved(np.save, TABLE),
    saved(np.save, np.asfortranarray(TABLE)),
    saved(np.savez_compressed, np.asfortranarray(TABLE[:, [1, 2, 3, 0]])),
    saved(np.savez, events=TABLE * [1e-6, 1, 1, 1]),
    saved(np.save, TABLE.astype(np.float32)),
    saved(np.savez, t=TABLE[:, 0] * 1.0, x=TABLE[:, 1], y=TABLE[:, 2], p=TABLE[:, 3], image=np.zeros((2, 2, 2))),
]


@pytest.mark.parametrize("data", NUMPY)
def test_numpy_files_of_others(data):
    recording = eventsnn.io.open(data)
    assert recording.format == "NumPy"
    assert rows(recording.read()) == [(5, 3, 4, 1), (7, 5, 6, 0)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (saved(np.save, np.zeros((3, 5))), "of shape"),
        (saved(np.savez, a=[1], b=[2]), "columns t, x, y and p are needed; the file has a, b"),
        (saved(np.savez, **{**FOUR, "x": [1, 2, 3]}), "differ in length"),
        (saved(np.savez, **{**FOUR, "x": [1.5, 2]}), "not whole numbers"),
        (saved(np.savez, **{**FOUR, "ts": [np.nan, 2]}), "no numbers"),
        (saved(np.savez, **{**FOUR, "ts": [1e300, 2]}), "beyond 64 bits"),
        (saved(np.savez, **{**FOUR, "x": ["a", "b"]}), "numbers were expected"),
        (saved(np.savez, **FOUR)[:-30], "cannot be read"),
        (saved(np.save, STRUCTURED)[:-1], "cut short"),
        (saved(np.save, STRUCTURED).replace(b"(2,)", b"(2" + b"0" * 16 + b",)")[:-16], "cut short"),
    ],
)
def test_numpy_files_that_hold_no_events(data, reason):
    with pytest.raises(EventFormatError, match=reason):
        eventsnn.io.read(data)


def hdf5(items, attributes=()):
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        for name, values in items.items():
            opened[name] = values
        opened.attrs.update(dict(attributes))
    return file.getvalue()


T, X, Y, P = (np.array(column) for column in zip(*THREE, strict=True))
RECORDS = np.array([(3, 4, 1, 5), (5, 6, 0, 7), (7, 8, 1, 9)], [("x", "u2"), ("y", "u2"), ("p", "i2"), ("t", "i8")])
LAYOUTS = {
    "DSEC": (
        {"events/t": T.astype("u4") - 2, "events/x": X, "events/y": Y, "events/p": P, "t_offset": np.int64(2)},
        {},
    ),
    "e2vid": (
        {"events/ts": T / 1e6, "events/xs": X, "events/ys": Y, "events/ps": P > 0},
        {"sensor_resolution": (10, 12)},
    ),
    "MVSEC": ({"davis/left/events": np.stack([X, Y, T / 1e6, 2.0 * P - 1], 1)}, {}),
    "Prophesee": ({"CD/events": RECORDS}, {"geometry": "12x10"}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hdf5_files_of_others(layout):
    items, attributes = LAYOUTS[layout]
    recording = eventsnn.io.open(hdf5(items, attributes))
    assert recording.format == "HDF5"
    assert recording.sensor == ((12, 10) if attributes else None)
    assert rows(recording.read()) == THREE


def ecf_chunk(layout):
    """THREE and 40 equal events behind them, packed by hand in one of the three ways."""
    t = struct.pack("<Q", 5) + bytes([0x01, 0x21, 0x21, 0xF3, 0xF2, 0x0F, 40, 0])  # 40 events, 0x23 us later
    if layout == "together":
        words = [y << 12 | x << 1 | p for _, x, y, p in THREE] + [2 << 12 | 1 << 1 | 1] * 41
        rest = b""
        for a, b, c, d in zip(*[iter(words)] * 4, strict=True):
            rest += struct.pack("<3I", a << 8 | b & 255, (b >> 8) << 16 | c & 65535, (c >> 16) << 24 | d)
        return struct.pack("<I", 43 << 2 | 2) + t + rest
    y = struct.pack("<5H", 4 << 5 | 1, 6 << 5 | 1, 8 << 5 | 1, 2 << 5 | 31, 40)
    if layout == "x and p":
        words, rest = [x << 1 | p for _, x, _, p in THREE] + [3] * 41, b""
        for a, b, c, d in zip(*[iter(words)] * 4, strict=True):
            rest += struct.pack("<3H", a << 4 | b & 15, (b >> 4) << 8 | c & 255, (c >> 8) << 12 | d)
        return struct.pack("<I", 43 << 2 | 1) + t + y + rest
    x = struct.pack("<3H", 3 << 5, 5 << 5, 7 << 5) + struct.pack("<40H", *[1 << 5] * 40)
    return struct.pack("<I", 43 << 2) + t + y + x + bytes([0x81, 0x01, 0x80 | 41])


@pytest.mark.parametrize("layout", ["apart", "x and p", "together"])
def test_ecf_chunks(layout):
    columns = ecf.expand(ecf_chunk(layout), 43)
    events = list(zip(*(columns[name].tolist() for name in "txyp"), strict=True))
    assert events == THREE + [(9 + 0x23, 1, 2, 1)] * 40
    for cut in range(1, len(ecf_chunk(layout)) - 1):
        with pytest.raises(EventFormatError, match="damaged"):
            ecf.expand(ecf_chunk(layout)[:cut], 43)


def ecf_file():
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((43,))
        plist.set_filter(0x8ECF, h5py.h5z.FLAG_OPTIONAL)
        kind, space = h5py.h5t.py_create(RECORDS.dtype), h5py.h5s.create_simple((86,))
        data = h5py.h5d.create(opened.create_group("CD").id, b"events", kind, space, plist)
        for begin in (0, 43):
            data.write_direct_chunk((begin,), ecf_chunk("apart"))
    return file.getvalue()


def test_an_ecf_file():
    recording = eventsnn.io.open(ecf_file())
    assert rows(recording.read()) == (THREE + [(9 + 0x23, 1, 2, 1)] * 40) * 2
    assert recording.report.steps_back == 1


def test_ecf_vectors():
    x = struct.pack("<H", 100 << 5 | 0b10011)
    data = struct.pack("<IQ", 4 << 2, 7) + bytes([0x04]) + struct.pack("<H", 9 << 5 | 4) + x + bytes([0x04])
    assert ecf.expand(data, 4)["x"].tolist() == [100, 101, 104, 105]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (hdf5({"spikes/times": [1.0], "spikes/units": [3]}), "no events at any of .* the file has spikes"),
        (hdf5({"events/t": T, "events/x": X, "events/y": Y, "events/p": P[:2]}), "differ in length"),
        (hdf5(LAYOUTS["DSEC"][0])[:-100], "the last 100 bytes are missing"),
    ],
)
def test_hdf5_files_that_hold_no_events(data, reason):
    with pytest.raises(EventFormatError, match=reason):
        eventsnn.io.read(data)


def test_own_hdf5_has_the_time_index_of_dsec(tmp_path):
    path = tmp_path / "a.h5"
    t = np.array([10**15, 10**15, 10**15 + 999, 10**15 + 1000, 10**15 + 4500])
    eventsnn.io.write(path, (Events(t[:2], [1, 2], [1, 2], [0, 1]), Events(t[2:], [1, 2, 3], [1, 2, 3], [0, 1, 1])))
    with h5py.File(path) as opened:
        since, index = opened["events/t"][:], opened["ms_to_idx"][:]
        assert index.tolist() == [np.searchsorted(since, ms * 1000) for ms in range(5)]
        assert opened["t_offset"][()] == 10**15


# seeking


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_between_is_what_a_mask_over_all_gives(name, monkeypatch):
    monkeypatch.setattr(drive, "BLOCK", 1 << 12)
    monkeypatch.setattr(index, "SPAN", 1000)
    monkeypatch.setattr(recording, "SPAN", 1000)
    with eventsnn.io.open(DATA / name) as opened:
        events = opened.read()
        quarter = events.duration // 4
        start, stop = int(events.t[0]) + quarter, int(events.t[0]) + 2 * quarter
        expected = events[(events.t >= start) & (events.t < stop)]
        assert 0 < len(expected) < len(events)
        assert opened.between(start, stop) == expected
        assert opened.between(f"{quarter}us", f"{2 * quarter}us") == expected
        assert opened.between(stop=start) == events[events.t < start]
        assert opened.between() == events
        assert len(opened.between("1h", "2h")) == 0
        assert len(opened._index.count) > 1


@pytest.mark.parametrize("format", MADE)
def test_between_in_files_shorter_than_a_stretch(format):
    with eventsnn.io.open(MADE[format]) as opened:
        assert rows(opened.between("1us", "3us")) == [
            e for e in EXPECTED[format] if 1 <= e[0] - EXPECTED[format][0][0] < 3
        ]


def test_an_index_is_kept_for_as_long_as_the_file_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "KEEP", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "a.dat"
    eventsnn.io.write(path, Events([1, 5, 9], [1, 2, 3], [1, 2, 3], [0, 1, 0], sensor=(8, 8)))
    assert eventsnn.io.open(path).between(2, 6).t.tolist() == [5]
    (kept,) = (tmp_path / "cache" / "eventsnn").iterdir()
    with monkeypatch.context() as no_building:
        no_building.setattr(index.Index, "of", None)
        assert eventsnn.io.open(path).between(2, 6).t.tolist() == [5]
    kept.write_bytes(b"damaged")
    assert eventsnn.io.open(path).between(2, 6).t.tolist() == [5]
    eventsnn.io.write(path, Events([3, 4], [1, 2], [1, 2], [0, 1], sensor=(8, 8)))
    assert eventsnn.io.open(path).between(2, 6).t.tolist() == [3, 4]


def test_an_index_that_cannot_be_kept_leaves_nothing(tmp_path, monkeypatch):
    def full(file, **columns):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index, "KEEP", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(index.np, "savez", full)
    eventsnn.io.write(tmp_path / "a.dat", Events([1, 5, 9], [1, 2, 3], [1, 2, 3], [0, 1, 0], sensor=(8, 8)))
    assert eventsnn.io.open(tmp_path / "a.dat").between(2, 6).t.tolist() == [5]
    assert list((tmp_path / "cache" / "eventsnn").iterdir()) == []


# damage


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "a PNG picture"),
        (b"% evt 4.0\n% end\n", "EVT4 files are not read"),
        (b"#!AER-DAT9.0\r\n", "AEDAT9 files are not read"),
        (b"#!AER-DAT4.0\r\n", "ends inside its header"),
        (b"#!AER-DAT4.0\r\n\xff\xff\xff\x7f" + bytes(40), "ends inside its header of 2147483647 bytes"),
        (b"#!AER-DAT4.0\r\n\x20\x00\x00\x00" + b"\xff" * 32, "cannot be decoded"),
        (b"Event Stream\x02\x00\x00", "ends inside its header"),
        (es_bytes(9), "type 9"),
        (es_bytes(size=(0, 4)), "sensor of 0x4"),
        (b"% evt 2.0\n% geometry 99999x4\n", "sensor of 99999x4"),
        (bytes(range(250, 256)) * 11, "cannot|can be told"),
        (bytes(4000), "can be told by its content"),
        (b"just some words\nand more of them\n", "can be told"),
    ],
)
def test_foreign_and_damaged_files(data, reason, tmp_path):
    path = tmp_path / "clip.raw"
    path.write_bytes(data)
    for origin, name in ((path, str(path)), (data, "<bytes>")):
        with pytest.raises(EventFormatError, match=reason) as caught:
            eventsnn.io.open(origin)
        assert str(caught.value).startswith(name)


def mutated(data, rng):
    """The bytes with a few bits turned, bytes set, pieces cut, put in or cut off."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data)) if data else 0
        at = rng.choice((at, at % 100))
        what = rng.randrange(5)
        if what == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1 and data:
            data[at] = rng.choice((0, 127, 128, 255))
        elif what == 2:
            del data[at : at + rng.randrange(1, 20)]
        elif what == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


@pytest.mark.parametrize("format", sorted({*MADE, *WRITERS}))
def test_damage_ends_in_events_or_in_an_event_format_error(format, tmp_path):
    n = np.arange(300)
    kinds = [MADE[format]] if format in MADE else []
    if format in WRITERS:
        eventsnn.io.write(tmp_path / "whole", Events(n * 37, n % 30, n % 20, n % 2, sensor=(30, 20)), format=format)
        kinds.append((tmp_path / "whole").read_bytes())
    rng = random.Random(format)
    read = 0
    for _ in range(150):
        data = mutated(rng.choice(kinds), rng)
        for on_error in ("raise", "skip"):
            try:
                opened = eventsnn.io.open(data, format=rng.choice((format, None)), on_error=on_error)
                events = opened.read()
            except EventFormatError:
                continue
            read += 1
            assert opened.sensor is None or not events.outside().any()
    assert read > 10


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.raw"):
        eventsnn.io.open(tmp_path / "gone.raw")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        eventsnn.io.open(tmp_path)
    with pytest.raises(TypeError, match="binary file object"):
        eventsnn.io.open(7)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="unknown format 'EVT9'"):
        eventsnn.io.open(MADE["EVT2"], format="EVT9")
    with pytest.raises(ValueError, match="on_error"):
        eventsnn.io.open(MADE["EVT2"], on_error="ignore")
    with pytest.raises(ValueError, match="at least one event"):
        next(eventsnn.io.open(MADE["EVT2"]).chunks(0))
    with pytest.raises(ValueError, match="both positive"):
        eventsnn.io.open(MADE["EVT2"], sensor=(0, 4))


def test_an_error_survives_pickling():
    error = EventFormatError("reason", path="a.raw", format="EVT2", offset=3, event=4)
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "a.raw: EVT2: byte 3, event 4: reason"


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives a few bytes at a time."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, view):
        return self._data.readinto(memoryview(view)[:7])


@pytest.mark.parametrize("format", sorted({*MADE} - {"rosbag", "mcap", "db3"}))
def test_pipes_can_be_read_once(format):
    recording = eventsnn.io.open(Pipe(MADE[format]))
    assert rows(recording.read()) == EXPECTED[format]
    with pytest.raises(EventFormatError, match="only once"):
        recording.read()


def test_standard_input():
    code = "import eventsnn.io; print([len(part) for part in eventsnn.io.open('-').chunks(2)])"
    run = subprocess.run([sys.executable, "-c", code], input=MADE["ES"], capture_output=True)
    assert run.stdout == b"[2, 1]\n"


@pytest.mark.parametrize("keep", [lambda e: e, lambda e: e[3:9].x[::2], lambda e: e[5:].to("cpu").t])
def test_memory_is_used_again_only_where_nobody_looks(keep, monkeypatch):
    monkeypatch.setattr(drive, "BLOCK", 1 << 9)
    monkeypatch.setattr(recording, "_NATURAL", 10)
    n = np.arange(4000)
    file = io.BytesIO()
    dat.write(file, [Events(n, n % 200, n % 100, n % 2)], None)
    opened = eventsnn.io.open(file.getvalue())
    held = [keep(part) for part in opened]
    assert len(held) > 20
    whole = opened.read()
    places, begin = set(), 0
    for part in opened:
        places.add(part.t.ctypes.data)
        assert part == whole[begin : begin + len(part)]
        begin += len(part)
    assert len(places) <= 4
    cuts = np.cumsum([0, *(len(part) for part in opened)])
    for kept, begin, end in zip(held, cuts[:-1], cuts[1:], strict=True):
        expected = keep(whole[begin:end])
        assert kept == expected if isinstance(kept, Events) else kept.tolist() == expected.tolist()


def test_a_file_object_is_read_from_where_it_stands_and_stays_open():
    file = io.BytesIO(b"before" + MADE["ES"])
    file.seek(6)
    with eventsnn.io.open(file) as recording:
        first, second = iter(recording), iter(recording)
        assert next(first) == next(second)
    assert not file.closed
    with pytest.raises(ValueError, match="was closed"):
        recording.read()


def test_opening_the_room_imports_nothing_heavy():
    code = "import sys, eventsnn.io; print(sorted({'numba', 'h5py', 'lz4', 'zstandard'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


# decoders against slow ones that follow the formats' text word by word


def slow_evt2(words):
    events, high, epoch = [], None, 0
    for word in words:
        kind = word >> 28
        if kind == 8:
            new = word & 0xFFFFFFF
            epoch += (1 << 34) * (high is not None and high - new >= 1 << 27)
            high = new
        elif kind < 2 and high is not None:
            events.append((epoch + (high << 6) + (word >> 22 & 63), word >> 11 & 2047, word & 2047, kind))
    return events


def slow_evt3(words):
    events, high, low, epoch, row, base, on = [], None, 0, 0, None, None, 0
    for word in words:
        kind, value = word >> 12, word & 4095
        xs = []
        if kind == 8 and value != high:
            epoch += (1 << 24) * (high is not None and high >= value + 0x800)
            high, low = value, 0
        elif kind == 6:
            low = value
        elif kind == 0:
            row = value
        elif kind == 3:
            base, on = value & 2047, value >> 11
        elif kind == 2:
            xs = [(value & 2047, value >> 11)]
        elif kind in (4, 5) and base is not None:
            size = 12 if kind == 4 else 8
            xs = [(base + bit, on) for bit in range(size) if value >> bit & 1]
            base += size
        if high is not None and row is not None and row < 2048:
            events += [(epoch + (high << 12) + low, x, row, p) for x, p in xs if x < 2048]
    return events


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.integers(0, 2**32 - 1), st.builds(lambda w: HIGH2 | w, st.integers(0, 2**28 - 1)))))
def test_evt2_against_the_slow_decoder(words):
    data = np.asarray(words, "<u4").tobytes()
    assert rows(eventsnn.io.read(b"% evt 2.0\n% end\n" + data)) == slow_evt2(words)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.builds(lambda k, v: k << 12 | v, st.sampled_from([0, 2, 3, 4, 5, 6, 8, 8, 14]), st.integers(0, 4095)))
)
def test_evt3_against_the_slow_decoder(words):
    data = np.asarray(words, "<u2").tobytes()
    assert rows(eventsnn.io.read(b"% evt 3.0\n% end\n" + data, on_error="skip")) == slow_evt3(words)


# recordings of ROS, written by an independent package

DVS = "std_msgs/Header header\nuint32 height\nuint32 width\ndvs_msgs/Event[] events\n"
EVENT = "uint16 x\nuint16 y\n{time} ts\nbool polarity\n"
PACKET = (
    "std_msgs/Header header\nuint32 height\nuint32 width\nuint64 seq\nuint64 time_base\nstring encoding\n"
    "bool is_bigendian\nuint8[] events\n"
)
PAYLOADS = {  # encoding -> packets, one after the other one stream, and the events in them
    "evt3": (
        (np.array([0x8001, 0x6005, 0x0004, 0x2803], "<u2"), np.array([0x6006, 0x3805, 0x4003], "<u2")),
        [(4101, 3, 4, 1), (4102, 5, 4, 1), (4102, 6, 4, 1)],
    ),
    "evt2": (
        (np.array([HIGH2 | 1, evt2(69, 3, 4, 1)], "<u4"), np.array([evt2(70, 5, 6, 0)], "<u4")),
        [(69, 3, 4, 1), (70, 5, 6, 0)],
    ),
    "mono": (
        (np.array([1 << 63 | 4 << 48 | 3 << 32 | 5000], "<u8"), np.array([6 << 48 | 5 << 32 | 7999], "<u8")),
        [(1005, 3, 4, 1), (1007, 5, 6, 0)],
    ),
    "libcaer": (
        (np.array([3 << 17 | 4 << 2 | 2, 5], "<u4"), np.array([5 << 17 | 6 << 2, 7], "<u4")),
        [(1005, 3, 4, 1), (1007, 5, 6, 0)],
    ),
}


def ros_recording(folder, container, encoding):
    """A recording of that encoding ("" for an array of events) beside messages of another type; the file and events."""
    from rosbags import rosbag1, rosbag2
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    old = container == "rosbag"
    types = get_typestore(Stores.ROS1_NOETIC if old else Stores.ROS2_HUMBLE)
    for name, text in (
        ("dvs_msgs/msg/Event", EVENT.format(time="time" if old else "builtin_interfaces/Time")),
        ("dvs_msgs/msg/EventArray", DVS),
        ("event_camera_msgs/msg/EventPacket", PACKET),
    ):
        types.register(get_types_from_msg(text, name))
    stamp = types.types["builtin_interfaces/msg/Time"]
    head = types.types["std_msgs/msg/Header"](*([0] if old else []), stamp(1, 2), "camera")
    if encoding:
        kind = "event_camera_msgs/msg/EventPacket"
        payloads, expected = PAYLOADS[encoding]
        packets = [
            types.types[kind](head, 20, 30, 0, 10**6, encoding, False, np.frombuffer(words.tobytes(), np.uint8))
            for words in payloads
        ]
    else:
        kind = "dvs_msgs/msg/EventArray"
        expected = [(10**6 + 5, 3, 4, 1), (10**6 + 7, 5, 6, 0), (2 * 10**6, 7, 8, 1), (2 * 10**6 + 1, 1, 2, 0)]
        event = types.types["dvs_msgs/msg/Event"]
        made = [event(x, y, stamp(t // 10**6, t % 10**6 * 1000 + 999), bool(p)) for t, x, y, p in expected]
        packets = [types.types[kind](head, 20, 30, made[begin:end]) for begin, end in ((0, 3), (3, 4), (4, 4))]
    path = folder / ("a.bag" if old else "a")
    if old:
        writer = rosbag1.Writer(path)
    else:
        plugin = rosbag2.StoragePlugin.SQLITE3 if container == "db3" else rosbag2.StoragePlugin.MCAP
        writer = rosbag2.Writer(path, version=9, storage_plugin=plugin)
    with writer:
        text = writer.add_connection("/other", "std_msgs/msg/String", typestore=types)
        topic = writer.add_connection("/camera/events", kind, typestore=types)
        save = types.serialize_ros1 if old else types.serialize_cdr
        writer.write(text, 1, save(types.types["std_msgs/msg/String"]("hello"), "std_msgs/msg/String"))
        for number, packet in enumerate(packets):
            writer.write(topic, 2 + number, save(packet, kind))
    return path if old else next(path.glob(f"*.{container}")), expected


@pytest.mark.parametrize("encoding", ["", *PAYLOADS])
@pytest.mark.parametrize("container", ["rosbag", "mcap", "db3"])
def test_recordings_of_ros_written_by_rosbags(container, encoding, tmp_path):
    pytest.importorskip("rosbags")
    path, expected = ros_recording(tmp_path, container, encoding)
    for origin in (path, path.read_bytes(), *([path.parent] if container != "rosbag" else [])):
        with eventsnn.io.open(origin) as opened:
            assert (opened.format, opened.sensor) == (container, (30, 20))
            assert opened.metadata["topics"] == ["/camera/events"]
            assert rows(opened.read()) == expected
            assert opened.report.other == 1
            assert rows(opened.between(expected[1][0], expected[1][0] + 1)) == [
                each for each in expected if each[0] == expected[1][0]
            ]
    with eventsnn.io.open(path, sensor=(4, 5), on_error="skip") as opened:
        assert rows(opened.read()) == [each for each in expected if each[1] < 4 and each[2] < 5]
        assert opened.metadata["dropped"]["outside"] == sum(each[1] >= 4 or each[2] >= 5 for each in expected)
    data = path.read_bytes()
    with pytest.raises(EventFormatError, match=r"cut short|damaged|cannot be read"):
        eventsnn.io.read(data[: len(data) // 2])


# writing


@st.composite
def some_events(draw, format):
    size, gap, starts, _ = WRITERS[format]
    sensor = (draw(st.sampled_from([1, 31, 40, size])), draw(st.sampled_from([1, size])))
    count = draw(st.integers(1, 40))
    gaps = draw(st.lists(st.sampled_from([0, 0, 1, 5, 63, 126, 127, 4096, gap]), min_size=count, max_size=count))
    gaps[0] = draw(st.sampled_from(starts))
    rising = draw(st.booleans())  # rows of rising x in one moment, as vectors hold them
    bounds = (sensor[0] - 1, sensor[1] - 1, 1)
    x, y, p = (draw(st.lists(st.integers(0, high), min_size=count, max_size=count)) for high in bounds)
    if rising:
        gaps[1:], x, y, p = [0] * (count - 1), sorted(x), y[:1] * count, p[:1] * count
    keeps = draw(st.booleans()) or format == "ES"
    return Events(np.cumsum(np.asarray(gaps, np.int64)), x, y, p, sensor=sensor if keeps else None)


@pytest.mark.parametrize("format", WRITERS)
@settings(deadline=None, max_examples=50)
@given(data=st.data(), cut=st.integers(0, 40))
def test_what_is_written_is_read_again(format, data, cut, tmp_path_factory):
    events = data.draw(some_events(format))
    path = tmp_path_factory.getbasetemp() / "again"
    for parts in (events, (events[:cut], events[cut:])):
        eventsnn.io.write(path, parts, format=format)
        recording = eventsnn.io.open(path, sensor=None if WRITERS[format][3] else events.sensor)
        assert recording.format == format
        assert recording.read() == events
        assert recording.report.steps_back == 0


@pytest.mark.parametrize("format", WRITERS)
def test_files_without_events(format, tmp_path):
    path = tmp_path / "none"
    eventsnn.io.write(path, Events.empty((8, 8)), format=format)
    if path.stat().st_size:
        assert len(eventsnn.io.read(path, format=format)) == 0


@pytest.mark.parametrize("compression", ["none", "LZ4", "zstd"])
def test_aedat4_compressions(compression):
    n = np.arange(40_000)
    events = Events(n, n % 300, n % 200, n % 2, sensor=(346, 260))
    file = io.BytesIO()
    aedat4.write(file, [events], (346, 260), compression)
    recording = eventsnn.io.open(file.getvalue())
    assert recording.metadata["compression"] == compression
    assert recording.read() == events
    damaged = bytearray(file.getvalue())
    if compression != "none":
        damaged[damaged.rindex({"LZ4": b"\x04\x22\x4d\x18", "zstd": b"\x28\xb5\x2f\xfd"}[compression])] ^= 0xFF
        with pytest.raises(EventFormatError, match=r"event 32768: "):
            eventsnn.io.read(bytes(damaged))
        recording = eventsnn.io.open(bytes(damaged), on_error="skip")
        assert recording.read() == events[:32768]
        assert recording.report.skipped_bytes > 0
    with pytest.raises(EventFormatError, match=r"cut short|does not fit"):
        eventsnn.io.read(bytes(damaged[:-3]))


def test_evt3_is_written_as_cameras_send_it(tmp_path):
    t = np.array([5, 4095, 4096, 4096, 2**24, 2**24 + 1])
    x = [3, 3, *range(2), 3, 4]
    eventsnn.io.write(tmp_path / "a.raw", Events(t, x, [1, 1, 2, 2, 2, 2], [1] * 6, sensor=(64, 32)))
    words = np.frombuffer((tmp_path / "a.raw").read_bytes().partition(b"% end\n")[2], "<u2")
    kinds = words >> 12
    after_high = kinds[np.flatnonzero(kinds[:-1] == 8) + 1]
    assert set(after_high.tolist()) <= {6, 8}  # readers may wait for TIME_LOW before they believe TIME_HIGH
    row = Events([7] * 40, range(40), [1] * 40, [1] * 40, sensor=(64, 32))
    eventsnn.io.write(tmp_path / "b.raw", row)
    words = np.frombuffer((tmp_path / "b.raw").read_bytes().partition(b"% end\n")[2], "<u2")
    assert (words >> 12).tolist() == [8, 6, 0, 3, 4, 4, 5, 3, 4, 4, 5]


def test_writing_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "a.raw"
    good = Events([1], [2], [3], [1], sensor=(8, 8))
    eventsnn.io.write(path, good)

    def broken():
        yield good
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        eventsnn.io.write(path, broken())
    with pytest.raises(ValueError, match="outside the 8x8 sensor"):
        eventsnn.io.write(path, Events([1], [9], [3], [1], sensor=(8, 8)))
    assert [file.name for file in tmp_path.iterdir()] == ["a.raw"]
    assert eventsnn.io.read(path) == good


def test_writing_says_what_it_cannot_do(tmp_path):
    events = Events([1], [2], [3], [1])
    with pytest.raises(ValueError, match="the name does not tell the format"):
        eventsnn.io.write(tmp_path / "a.xyz", events)
    for name in ("a.h5", "a.npz", "a.csv", "a.aedat4"):
        with pytest.raises(ValueError, match="holds x from 0 to 32767; it runs from -1 to -1"):
            eventsnn.io.write(tmp_path / name, Events([1], [-1], [3], [1]))
        with pytest.raises(ValueError, match=r"polarity must be 0 \(OFF\) or 1 \(ON\), got 7"):
            eventsnn.io.write(tmp_path / name, Events([1], [1], [3], np.full(1, 7, np.uint8)))
    with pytest.raises(ValueError, match="EVT2 holds x from 0 to 2047"):
        eventsnn.io.write(tmp_path / "a.evt2.raw", Events([1], [2048], [3], [1]))
    with pytest.raises(ValueError, match="it holds no gap"):
        eventsnn.io.write(tmp_path / "a.dat", Events([1, 2**31 + 1], [2, 2], [3, 3], [1, 1]))
    for name, reason in (("a.raw", "no step back"), ("a.es", "needs the sensor"), ("a.bin", "sort first")):
        with pytest.raises(ValueError, match=reason):
            eventsnn.io.write(tmp_path / name, Events([2**24, 0], [2, 2], [3, 3], [1, 1]))
    with pytest.raises(ValueError, match="no gap of over 200 days"):  # it would fill the disk
        eventsnn.io.write(tmp_path / "a.raw", Events([0, 2**60], [2, 2], [3, 3], [1, 1]))
    for wrong in ([1, 2], "abc"):
        with pytest.raises(TypeError, match="takes Events or a stream of them"):
            eventsnn.io.write(tmp_path / "a.raw", wrong)
    with pytest.raises(FileNotFoundError, match="gone: there is no such folder to write"):
        eventsnn.io.write(tmp_path / "gone" / "a.raw", events)
    (tmp_path / "folder.raw").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.raw'$"):
        eventsnn.io.write(tmp_path / "folder.raw", events)


def test_a_recording_can_be_written_as_it_is_read(tmp_path):
    for data, name in ((MADE["EVT3"], "a.h5"), (es_bytes(), "b.raw")):
        with eventsnn.io.open(data) as opened:
            eventsnn.io.write(tmp_path / name, opened)
            assert eventsnn.io.read(tmp_path / name) == opened.read()


def test_a_kill_while_writing_leaves_no_file_of_that_name(tmp_path):
    code = """
import os, signal, sys, eventsnn.io
def parts():
    for events in [eventsnn.io.read(sys.stdin.buffer.read())] * 50:
        yield events
    os.kill(os.getpid(), signal.SIGKILL)
eventsnn.io.write(sys.argv[1], parts())
"""
    data = MADE["AEDAT2"]
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.dat")], input=data, capture_output=True)
    assert run.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.dat").exists()


# what lies beside the events


@pytest.mark.parametrize(
    ("data", "edges"),
    [
        (MADE["EVT2"], [(64, 0, 0)]),
        (dict(BESIDE)["EVT3"], [(4101, 3, 1), (8192, 3, 0)]),
        (dict(BESIDE)["EVT2.1"], [(69, 3, 1)]),
        (dict(BESIDE)["DAT"], [(7, 6, 1), (9, 6, 0)]),
        (MADE["DAT"], []),
        (
            evt_bytes("2.0", [10 << 28, HIGH2 | 0xFFFFFFF, HIGH2 | 1, 10 << 28 | 5 << 8 | 1], "<u4"),
            [(2**34 + 64, 5, 1)],
        ),
        (evt_bytes("3.0", [0xA000, 0x8FFF, 0x8001, 0xA001], "<u2"), [(2**24 + 4096, 0, 1)]),
    ],
)
def test_edges_at_the_triggers_of_prophesee(data, edges):
    opened = eventsnn.io.open(data)
    assert opened.triggers().tolist() == edges
    events = opened.read()
    assert opened.triggers().tolist() == edges  # and reading the events leaves them be
    assert len(events) + opened.report.other + opened.report.early > 0


def test_what_lies_beside_the_events_of_a_davis():
    pixels = [(y, x) for y in range(180) for x in range(240)]
    samples = [
        (1 << 31 | y << 22 | x << 12 | read << 10 | (900 - (x + y + frame if read else 0)), 10 * frame + read)
        for frame in (0, 1)
        for read in (0, 1)
        for y, x in pixels
    ]
    data = davis_bytes() + b"".join(struct.pack(">Ii", *sample) for sample in samples)
    opened = eventsnn.io.open(data)
    (first, image), (second, other) = opened.frames()
    assert (first, second, image.shape, image.dtype) == (1, 11, (180, 240), np.uint16)
    y, x = np.mgrid[:180, :240]
    np.testing.assert_array_equal(image, (239 - x) + (179 - y))  # counted from the bottom-right in the file
    np.testing.assert_array_equal(other, image + 1)
    (sample,) = opened.imu()
    assert (sample["t"], sample["temperature"]) == (77, 36)
    assert (sample["accelerometer"].tolist(), sample["gyroscope"].tolist()) == ([1, 0, -1], [2, 0, -2])
    assert opened.triggers().tolist() == [(99, 1)]
    assert rows(opened.read()) == [(100, 229, 159, 0)]


def test_what_lies_beside_the_events_of_aedat3():
    opened = eventsnn.io.open(aedat3_aside())
    ((t, image),) = opened.frames()
    assert t == 2**31 + 30
    np.testing.assert_array_equal(image, np.arange(6).reshape(3, 2))
    six, nine = opened.imu()
    assert (six["t"], six["temperature"], six["accelerometer"].tolist()) == (2**31 + 60, 25, [0, 0, 1])
    assert (nine["gyroscope"].tolist(), nine["magnetometer"].tolist()) == ([2, 3, 4], [7, 8, 9])
    assert opened.triggers().tolist() == [(2**31 + 50, 2), (2**31 + 52, 3)]
    assert len(opened.read()) == 0


def test_what_lies_beside_the_events_in_hdf5():
    mvsec = LAYOUTS["MVSEC"][0] | {
        "davis/left/image_raw": np.arange(12, dtype="u1").reshape(2, 2, 3),
        "davis/left/image_raw_ts": [1.5, 2.5],
        "davis/left/imu": [[0, 0, 9.80665, np.pi, 0, 0]],
        "davis/left/imu_ts": [1.25],
    }
    opened = eventsnn.io.open(hdf5(mvsec))
    assert [(t, image.tolist()) for t, image in opened.frames()][1] == (2_500_000, [[6, 7, 8], [9, 10, 11]])
    np.testing.assert_allclose(opened.imu()["accelerometer"], [[0, 0, 1]])
    np.testing.assert_allclose(opened.imu()["gyroscope"], [[180, 0, 0]])
    edges = np.array([(1, 50, 6)], [("p", "i2"), ("t", "i8"), ("id", "i2")])
    opened = eventsnn.io.open(hdf5(LAYOUTS["Prophesee"][0] | {"EXT_TRIGGER/events": edges}))
    assert opened.triggers().tolist() == [(50, 6, 1)]
    assert (len(list(opened.frames())), len(opened.imu())) == (0, 0)


def test_aedat_of_versions_and_chips():
    words = b"".join(struct.pack("<Ii", x << 18 | y << 4 | p << 1 | 1, t) for t, x, y, p in THREE)
    old = b"#!AER-DAT3.0\r\n#Format: RAW\r\n#Source 1: DVS128\r\n" + aedat3_packet(1, 8, words)
    assert rows(eventsnn.io.read(old)) == [(t, x, 127 - y, p) for t, x, y, p in THREE]
    address = [(3 << 1 | 4 << 11 | 1, 5), (5 << 1 | 6 << 11, 7)]
    opened = eventsnn.io.open(aedat2_bytes(address, "DVS640"))
    assert (opened.sensor, rows(opened.read())) == ((640, 480), [(5, 636, 475, 1), (7, 634, 473, 0)])
    for chip, sensor in (("EDVS128", (128, 128)), ("DAVIS240C", (240, 180)), ("Davis346blue", (346, 260))):
        assert eventsnn.io.open(aedat2_bytes([], chip)).sensor == sensor


def test_event_stream_1():
    dvs, atis = (data for format, data in BESIDE if format == "ES")
    assert rows(eventsnn.io.read(dvs)) == [(3, 7, 239, 1), (4, 8, 139, 0)]
    opened = eventsnn.io.open(atis)
    assert (opened.sensor, rows(opened.read()), opened.report.other) == ((304, 240), [(3, 300, 230, 1)], 1)
    late = es1_bytes(0) + b"\x2f\x1f" + (1 | 7 << 4).to_bytes(3, "little")
    assert rows(eventsnn.io.read(late, sensor=(9, 9))) == [(46, 7, 8, 0)]
    with pytest.raises(EventFormatError, match="no polarity events"):
        eventsnn.io.open(es1_bytes(3))


# columns and units that are given, layouts that are found


@pytest.mark.parametrize(
    ("data", "options", "times"),
    [
        (b"3 4 100 1\n5 6 2500 0\n", {"columns": "xytp", "unit": "ms"}, [100_000, 2_500_000]),
        (b"9,1.5,3,4,1\n9,2.5,5,6,0\n", {"columns": "_txyp"}, [1_500_000, 2_500_000]),
        (b"t,x,y,p\n1500,3,4,1\n", {"unit": "ns"}, [2]),
        (saved(np.save, TABLE), {"columns": "t x y p", "unit": "s"}, [5_000_000, 7_000_000]),
        (saved(np.savez, **FOUR), {"unit": "ms"}, [0, 0]),
        (saved(np.save, STRUCTURED), {"unit": "ns"}, [0, 0]),
    ],
)
def test_columns_and_units_are_given(data, options, times):
    events = eventsnn.io.read(data, **options)
    assert events.t.tolist() == times
    assert events.x[0] == 3


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"1 2 3 1\n", {"columns": "txy"}, "names each of t, x, y and p once"),
        (b"1 2 3 1\n", {"unit": "min"}, "unit must be one of"),
        (MADE["EVT2"], {"unit": "ms"}, "unit is for files in the formats NumPy, CSV, text; this one is EVT2"),
        (saved(np.savez, **FOUR), {"columns": "txyp"}, "the columns of this file have names"),
    ],
)
def test_columns_and_units_that_cannot_be(data, options, message):
    with pytest.raises(ValueError, match=message):
        eventsnn.io.open(data, **options)


def packed(filter, **columns):
    """An HDF5 file whose columns are packed by one of hdf5plugin's filters."""
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        for name, values in columns.items():
            opened.create_dataset(f"events/{name}", data=values, chunks=(2,), **filter)
        opened["t_offset"] = 0
    return file.getvalue()


def test_hdf5_packed_by_blosc_or_zstd(monkeypatch):
    hdf5plugin = pytest.importorskip("hdf5plugin")
    for filter in (hdf5plugin.Blosc("zstd"), hdf5plugin.Zstd()):
        data = packed(filter, t=T, x=X, y=Y, p=P)
        assert rows(eventsnn.io.read(data)) == THREE
        with monkeypatch.context() as missing:
            missing.setattr(h5py.h5z, "filter_avail", lambda code: False)
            missing.setitem(sys.modules, "hdf5plugin", None)
            with pytest.raises(EventFormatError, match="pip install hdf5plugin"):
                eventsnn.io.open(data)


@pytest.mark.parametrize(
    "items",
    [
        {"camera/0/t": T, "camera/0/x": X, "camera/0/y": Y, "camera/0/p": P},
        {"a/b": RECORDS},
        {"evs": np.stack([T, X, Y, P], 1)},
        {"evs": np.stack([T, X, Y, P], 1) * 1.0},
        {"t": T, "x": X, "y": Y, "p": P},
        {"t": T * 1e-6, "x": X, "y": Y, "p": P},
    ],
)
def test_events_are_found_where_no_known_layout_has_them(items):
    assert rows(eventsnn.io.read(hdf5(items | {"other": [1, 2]}))) == THREE


@pytest.mark.parametrize("compression", ["lzf", "gzip", "zstd", "none", "LZF"])
def test_own_hdf5_is_packed_as_said(compression, tmp_path):
    if compression == "zstd":
        pytest.importorskip("hdf5plugin")
    events = Events(T, X, Y, P, sensor=(12, 10))
    eventsnn.io.write(tmp_path / "a.h5", events, compression=compression)
    with eventsnn.io.open(tmp_path / "a.h5") as opened:
        assert opened.read() == events
    with pytest.raises(ValueError, match="HDF5 is written lzf, gzip, zstd, none; not with 'bz2'"):
        eventsnn.io.write(tmp_path / "a.h5", events, compression="bz2")
    with pytest.raises(ValueError, match="DAT is written not packed"):
        eventsnn.io.write(tmp_path / "a.dat", events, compression="lzf")


# length and duration, growing files, other places


@pytest.mark.parametrize("format", sorted({*MADE, *WRITERS}))
def test_extent(format, tmp_path):
    if format in MADE:
        data = MADE[format]
    else:
        eventsnn.io.write(tmp_path / "a", Events(T, X, Y, P, sensor=(12, 10)), format=format)
        data = (tmp_path / "a").read_bytes()
    with eventsnn.io.open(data, format=format) as opened:
        events = opened.read()
        assert opened.extent() == (len(events), events.t.min(), events.t.max())
        assert opened.extent().duration == events.duration
    assert eventsnn.io.open(b"# sensor 8x8\n# t[s] x y p\n").extent() == (0, 0, 0)


@needs_data
def test_extent_is_told_by_tables_where_there_are_some(tmp_path, monkeypatch):
    whole = eventsnn.io.read(DATA / "office.aedat4")
    eventsnn.io.write(tmp_path / "a.h5", whole)
    monkeypatch.setattr(index.Index, "of", None)
    for path in (DATA / "office.aedat4", tmp_path / "a.h5"):
        assert eventsnn.io.open(path).extent() == (len(whole), whole.t.min(), whole.t.max())


@pytest.mark.parametrize("format", sorted(name for name in MADE if formats[name].streams))
def test_a_growing_file_is_followed(format, tmp_path):
    data, path = MADE[format], tmp_path / "growing"
    offset = eventsnn.io.open(data, format=format)._header.offset
    begin = {"rosbag": len(data) - RECORD["rosbag"], "mcap": len(data) - 150}.get(format, max(offset, len(data) // 2))
    path.write_bytes(data[:begin])
    with eventsnn.io.open(path, format=format) as opened:
        steps = iter(range(begin + 1, len(data) + 1))

        def wait():
            with open(path, "ab") as file:
                file.write(data[(step := next(steps, len(data) + 1)) - 1 : step])
            return step <= len(data)

        parts = list(opened.follow(wait=wait))
        assert len(parts) > 1
        assert rows(Events.concatenate(parts)) == EXPECTED[format]
        assert opened.report.events == len(EXPECTED[format])
        assert opened.report.skipped_bytes == 0


def test_following_ends_when_nothing_comes(tmp_path, monkeypatch):
    path, clock = tmp_path / "a.dat", iter(range(100))
    path.write_bytes(MADE["DAT"])
    monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(clock)))
    assert rows(Events.concatenate(eventsnn.io.open(path).follow("5s"))) == EXPECTED["DAT"]
    assert next(clock) < 20
    for origin in (MADE["DAT"], io.BytesIO(MADE["DAT"])):
        with pytest.raises(ValueError, match="cannot be followed"):
            next(eventsnn.io.open(origin).follow())


def test_urls_are_opened_by_fsspec(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://folder/a.dat", "wb") as file:
        file.write(MADE["DAT"])
    with eventsnn.io.open("memory://folder/a.dat") as opened:
        assert (rows(opened.read()), opened.path) == (EXPECTED["DAT"], "memory://folder/a.dat")
        assert rows(opened.between(6, 7)) == EXPECTED["DAT"][1:2]
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match="pip install fsspec"):
        eventsnn.io.open("memory://folder/a.dat")


# going on after damage


def aedat4_bytes(compression, events):
    file = io.BytesIO()
    aedat4.write(file, events, events[0].sensor, compression)
    return file.getvalue()


def spoiled(format):
    """Three stretches of events in a file, the second of which is damaged; and the events of the others."""
    n = np.arange(40)
    parts = [Events(n + 100 * i, n % 30, n % 20, n % 2, sensor=(30, 20)) for i in range(3)]
    good = rows(parts[0]) + rows(parts[2])
    if format.startswith("AEDAT4"):
        data = aedat4_bytes(format[7:], parts)
        sign = {"LZ4": b"\x04\x22\x4d\x18", "zstd": b"\x28\xb5\x2f\xfd", "none": b"EVTS"}[format[7:]]
        at = data.index(sign, data.index(sign, data.index(b"</dv>")) + 9) - (16 if format[7:] == "none" else 8)
        return data[:at] + b"\x11" * 9 + data[at + 9 :], good
    if format == "AEDAT3":
        packets = [aedat3_packet(1, 8, polarity(*rows(part))) for part in parts]
        return AEDAT3 + packets[0] + b"\xff" * 11 + packets[1][11:] + packets[2], good
    if format == "rosbag":
        data = ros_bag(bz2.compress, b"bz2")
        return data.replace(b"BZh", b"BZx", 2).replace(b"BZx", b"BZh", 1), THREE[:1]
    if format == "mcap":
        data = MADE["mcap"]
        at = data.index(b"lz4", data.index(b"lz4") + 1) + 30
        return data[:at] + b"\x55\xaa" + data[at + 2 :], THREE[:1]
    if format == "text":
        return b"0.1 1 2 1\n0.2 x 2 1\n0.3 3 4 0\n", [(100_000, 1, 2, 1), (300_000, 3, 4, 0)]
    data = packed({"compression": "gzip", "fletcher32": True}, t=[1, 2, 3, 4, 5], x=[1] * 5, y=[2] * 5, p=[1] * 5)
    with h5py.File(io.BytesIO(data)) as opened:
        at = opened["events/x"].id.get_chunk_info(1).byte_offset
    return data[:at] + b"\xff\xff" + data[at + 2 :], [(t, 1, 2, 1) for t in (1, 2, 5)]


@pytest.mark.parametrize(
    "format", ["AEDAT4 LZ4", "AEDAT4 zstd", "AEDAT4 none", "AEDAT3", "rosbag", "mcap", "text", "HDF5"]
)
def test_reading_goes_on_behind_damage(format, monkeypatch):
    monkeypatch.setattr(hdf5_layouts, "_PIECE", 2)
    data, good = spoiled(format)
    with pytest.raises(EventFormatError) as caught:
        eventsnn.io.read(data)
    assert caught.value.offset is not None
    with eventsnn.io.open(data, on_error="skip") as opened:
        assert rows(opened.read()) == good
        dropped = opened.metadata["dropped"]
        assert dropped.get("skipped_bytes", 0) + opened.report.other > 0
        assert rows(opened.between()) == good


def test_what_is_left_of_an_hdf5_file_that_was_cut_short(tmp_path):
    n = np.arange(300_000)
    eventsnn.io.write(tmp_path / "a.h5", Events(n, n % 300, n % 200, n % 2, sensor=(300, 200)))
    data = (tmp_path / "a.h5").read_bytes()
    cut = data[: len(data) * 3 // 4]
    with pytest.raises(EventFormatError, match="bytes are missing: it was cut short"):
        eventsnn.io.read(cut)
    with pytest.raises(EventFormatError, match="was cut short, and the rest leads to no events"):
        eventsnn.io.read(data[:2000])
    with eventsnn.io.open(cut, on_error="skip") as opened:
        events = opened.read()
        assert 0 < len(events) < len(n)
        assert np.isin(events.t, n).all()
        assert opened.metadata["dropped"]["skipped_bytes"] > 0


def test_aedat4_whose_table_is_elsewhere():
    data = bytearray(aedat4_bytes("LZ4", [Events(T, X, Y, P, sensor=(12, 10))]))
    struct.pack_into("<q", data, 18 + 20, 700)  # the place of the data table in the header
    with pytest.raises(EventFormatError):
        eventsnn.io.read(bytes(data))


KILLING = """
import os, signal, sys
from eventsnn.cli import main
source, folder, steps = sys.argv[1], sys.argv[2], [int(step) for step in sys.argv[3].split(",")]
main(["convert", source, "-o", folder + "/whole.h5"])
for step in steps:
    if os.fork():
        os.wait()
        continue
    left = step
    def count(frame, event, argument):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)
    main(["convert", source, "-o", f"{folder}/{step}.h5"])
    sys.setprofile(None)
    print("calls", step - left, flush=True)
    os._exit(0)
"""


def test_a_kill_at_any_moment_leaves_no_file_or_the_whole_one(tmp_path):
    (tmp_path / "a.dat").write_bytes(MADE["DAT"])

    def convert(steps):
        command = [sys.executable, "-c", KILLING, tmp_path / "a.dat", tmp_path, ",".join(map(str, steps))]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    (total,) = (int(line.split()[1]) for line in convert([10**9]).splitlines() if line.startswith("calls"))
    steps = [total * k // 40 for k in range(1, 40)] + [total - k for k in range(1, 400, 25)]
    assert "calls" not in convert(steps)
    found = [tmp_path / f"{step}.h5" for step in steps if (tmp_path / f"{step}.h5").exists()]
    assert 0 < len(found) < len(steps)
    for path in found:
        assert rows(eventsnn.io.read(path)) == EXPECTED["DAT"]


# what is written opens in independent readers


def by_faery(path):
    found = np.concatenate(list(pytest.importorskip("faery").events_stream_from_file(str(path))))
    return found["t"], found["x"], found["y"], found["on"]


def by_aedat(path):
    decoder = pytest.importorskip("aedat").Decoder(str(path))
    found = np.concatenate([packet["events"] for packet in decoder])
    return found["t"], found["x"], found["y"], found["on"]


def by_tonic(path):
    read = pytest.importorskip("tonic.io").read_mnist_file
    found = read(path, dtype=np.dtype([("x", int), ("y", int), ("t", int), ("p", int)]))
    return found["t"], found["x"], found["y"], found["p"]


def by_h5py(path):
    with h5py.File(path) as opened:
        t = opened["events/t"][:] + opened["t_offset"][()]
        return t, opened["events/x"][:], opened["events/y"][:], opened["events/p"][:]


def by_numpy(path):
    with np.load(path) as found:
        return tuple(found[name] for name in "txyp")


def by_loadtxt(path):
    comma = path.suffix == ".csv"
    t, x, y, p = np.loadtxt(path, delimiter="," if comma else None, skiprows=1 if comma else 2).T
    return (t if comma else np.rint(t * 1e6)), x, y, p


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("a.evt2.raw", by_faery),
        ("a.raw", by_faery),
        ("a.dat", by_faery),
        ("a.es", by_faery),
        ("a.aedat4", by_faery),
        ("a.aedat4", by_aedat),
        ("a.bin", by_tonic),
        ("a.h5", by_h5py),
        ("a.npz", by_numpy),
        ("a.txt", by_loadtxt),
        ("a.csv", by_loadtxt),
    ],
)
def test_what_is_written_opens_in_independent_readers(name, reader, tmp_path):
    n = np.arange(5000)
    events = Events(n * 7, n % 30, n % 20, n % 2, sensor=(240, 180))
    eventsnn.io.write(tmp_path / name, events)
    for found, column in zip(reader(tmp_path / name), events.columns, strict=True):
        np.testing.assert_array_equal(found.astype(np.int64), column)


# seeds of tests/fuzz_readers.py


def fuzz_seeds():
    """Format and bytes of small files of every kind."""
    yield from MADE.items()
    n = np.arange(90)
    events = Events(n * n * 11, n % 30, n % 20, n % 2, sensor=(30, 20))
    for format in WRITERS:
        for compression in formats[format].compressions or (None,):
            with tempfile.TemporaryDirectory() as folder:
                eventsnn.io.write(f"{folder}/a", events, format=format, compression=compression)
                yield format, Path(folder, "a").read_bytes()
    for items, attributes in LAYOUTS.values():
        yield "HDF5", hdf5(items, attributes)
    yield "HDF5", ecf_file()
    yield from (("mcap", mcap_file(*way)) for way in ((bytes, ""), (zstandard.compress, "zstd")))
    yield from (("rosbag", ros_bag(*way)) for way in ((bz2.compress, b"bz2"), (lz4.frame.compress, b"lz4")))
    yield from (("NumPy", data) for data in NUMPY)
    yield from BESIDE
    if (DATA / "traffic.aedat4").is_file():
        whole = (DATA / "traffic.aedat4").read_bytes()
        at = 18 + struct.unpack_from("<I", whole, 14)[0]
        parts, streams = [whole[:at]], set()
        while len(streams) < 4 and at < len(whole) - 8:
            stream, size = struct.unpack_from("<ii", whole, at)
            if stream not in streams and size < 60_000:
                parts.append(whole[at : at + 8 + size])
                streams.add(stream)
            at += 8 + size
        yield "AEDAT4", b"".join(parts)


def test_a_file_does_not_take_the_place_of_a_pipe_or_a_device(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "out.csv").symlink_to("/proc/self/fd/1")
    for name in ("pipe.csv", "out.csv"):
        with pytest.raises(ValueError, match=rf"{name} is a device or a pipe"):
            eventsnn.io.write(tmp_path / name, Events([1], [2], [3], [1]))
    assert (tmp_path / "pipe.csv").is_fifo()
    assert (tmp_path / "out.csv").is_symlink()


@pytest.mark.parametrize("suffix", [".h5", ".raw", ".csv", ".aedat4"])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, suffix):
    """A limit on the size of files stands for the disk; in a process of its own, as HDF5 may end it."""
    code = """
import resource, sys, numpy as np, eventsnn
n = 300_000
x, y = np.random.default_rng(0).integers(0, 100, (2, n)).astype(np.int16)
events = eventsnn.Events(np.arange(n) * 3, x, y, x > 50, sensor=(100, 100))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    eventsnn.write(sys.argv[1], events)
except OSError as error:
    print(error.filename == sys.argv[1], error.strerror)
"""
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / f"full{suffix}")], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, "True File too large"), run.stderr
    assert list(tmp_path.iterdir()) == []
