"""HDF5 event files: those of eventsnn and DSEC, of e2vid, M3ED, MVSEC and Prophesee, told apart by what is in them.

What eventsnn writes has DSEC's layout, its attributes width and height, and source and eventsnn_schema. Source: Gehrig
et al., "DSEC" (2021); Zhu et al., "The Multivehicle Stereo Event Camera Dataset" (2018); Chaney et al., "M3ED" (2023);
Prophesee, "HDF5 event files" (2022).
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py
import numpy as np

from ..events import Events
from . import order
from .enduring import Enduring
from .errors import CutShort, EventFormatError
from .hdf5_layouts import Layout, layout
from .header import Header
from .reading import Mark, Pass
from .source import Source
from .store import store, whole

_SCHEMA = 1
_DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, NotImplementedError, OverflowError)
_ROOM = 1 << 24
_END = {0: 40, 1: 44, 2: 28, 3: 28}  # version of the superblock -> place of the end of the file in it
_SORTED = ("ms_to_idx", "prophesee/left/ms_map_idx", "CD/indexes")  # indexes that only sorted events have


def _sound(heap: memoryview) -> bool:
    """Whether a heap of texts has entries that lead on from one to the next; in others HDF5 can go round for ever."""
    (size,) = struct.unpack_from("<Q", heap, 8) if len(heap) >= 16 else (0,)
    at = 16
    while at + 16 <= min(size, len(heap)):
        index, length = struct.unpack_from("<H6xQ", heap, at)
        step = 16 + -(-length // 8) * 8 if index else length
        if step < 16 or at + step > size:
            return False
        at += step
    return True


class _Padded(io.RawIOBase):
    """A file that reads as zeros behind its end, up to a size: what is left of one that was cut short can be read."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._size, self._at = file, size, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, view: Any) -> int:
        wanted = memoryview(view).cast("B")
        self._file.seek(self._at)
        got = self._file.readinto(wanted)
        np.frombuffer(wanted, np.uint8)[got:] = 0
        if wanted[:4] == b"GCOL" and not _sound(wanted):
            wanted[:4] = bytes(4)
        self._at += len(wanted)
        return len(wanted)


def _missing(source: Source) -> int:
    """How many bytes the file lacks of what its superblock says, if it is not beyond belief."""
    place = _END.get(source.head[8] if len(source.head) > 8 else -1)
    if place is None or len(source.head) < place + 8 or source.size is None:
        return 0
    (end,) = struct.unpack_from("<Q", source.head, place)
    return max(int(end) - source.size, 0) if end < 4 * source.size + _ROOM else 0


@contextmanager
def opened_file(source: Source) -> Iterator[Any]:
    """The file opened; all that is wrong with it is an EventFormatError."""
    missing = _missing(source)
    with source.file() as file:
        try:
            with h5py.File(_Padded(file, (source.size or 0) + missing), "r") as opened:
                yield opened
        except EventFormatError:
            raise
        except _DAMAGE as error:
            if missing:
                reason = f"the last {missing:,} bytes are missing: it was cut short, and the rest leads to no events"
                raise CutShort(reason, offset=source.size) from error
            raise EventFormatError(f"the HDF5 structure cannot be read: {error}") from error


def start(source: Source) -> Header:
    with opened_file(source) as opened:
        found = layout(opened)
        place, count = found.place, found.events
        near = [opened, opened[place].parent, opened[place]]
        attributes = {key: value for each in near for key, value in each.attrs.items()}
        if isinstance(size := opened.get(f"{place}/calib/resolution"), h5py.Dataset) and size.shape == (2,):
            attributes.setdefault("geometry", "{}x{}".format(*size[()].astype(int)))
        offset = int(opened["t_offset"][()]) if "t_offset" in opened else 0
        texts = {key: value for key, value in attributes.items() if isinstance(value, str | int | float | np.generic)}
        sensor = _sensor(attributes)
        unit = _unit(found)
    metadata = {**texts, "events at": place, "origin": "top-left"}
    return Header(sensor, metadata, 0, {"count": count, "offset": offset, "unit": unit})


def _unit(found: Layout) -> int | None:
    """The power of ten that takes times with a point to us, where the first of them can be read."""
    if found.time.kind != "f":
        return None
    try:
        times = found.read(0, min(found.events, 256))["t"]
    except _DAMAGE:
        return None
    return order.scale(times) if np.isfinite(times).all() else None


def extent(source: Source, header: Header) -> tuple[int, int, int] | None:
    """Number of events, first and last time, if the file has an index of time, which only sorted events have."""
    count, offset, unit = (header.layout[key] for key in ("count", "offset", "unit"))
    with opened_file(source) as opened:
        found = layout(opened)
        if not count or _missing(source) or not any(name in opened for name in _SORTED):
            return None
        last = (count - 1) // found.piece * found.piece
        ends = [whole(found.read(at, min(at + found.piece, count)), at, unit)[0] for at in (0, last)]
    return count, int(ends[0][0]) + offset, int(ends[1][-1]) + offset


def _sensor(attributes: dict[str, Any]) -> tuple[int, int] | None:
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(attributes.get("geometry", "")))
    if size:
        pair = (int(size[1]), int(size[2]))
    elif "sensor_resolution" in attributes and np.size(attributes["sensor_resolution"]) == 2:
        pair = (int(attributes["sensor_resolution"][1]), int(attributes["sensor_resolution"][0]))
    else:
        pair = (int(attributes.get("width", 0)), int(attributes.get("height", 0)))
    return pair if 0 < pair[0] < 32768 and 0 < pair[1] < 32768 else None


def decode(run: Pass) -> Iterator[None]:
    (count, offset, unit), report = (run.header.layout[key] for key in ("count", "offset", "unit")), run.report
    if (missing := _missing(run.source)) and not run.skip:
        raise CutShort(f"the last {missing:,} bytes are missing: it was cut short", offset=run.source.size)
    with opened_file(run.source) as opened:
        found = layout(opened)
        for at in range(run.mark.offset if run.mark else 0, count, found.piece):
            stop = min(at + found.piece, count)
            try:
                t, x, y, p = _piece(found, at, stop, unit)
            except EventFormatError:
                if not run.skip:
                    raise
                report.skipped_bytes += 13 * (stop - at)
            else:
                store(run, (t + offset, x, y, p), at)
            report.last_good = stop
            run.mark = Mark(stop)
            yield


def _piece(found: Layout, at: int, stop: int, unit: int | None) -> tuple[Any, Any, Any, Any]:
    try:
        return whole(found.read(at, stop), at, unit)
    except EventFormatError:
        raise
    except _DAMAGE as error:
        raise EventFormatError(f"events {at} to {stop - 1} cannot be read: {error}", offset=at) from error


def _compression(name: str) -> dict[str, Any]:
    """The options of a dataset packed in that way."""
    if name != "zstd":
        return {} if name == "none" else {"compression": name, "shuffle": True}
    try:
        import hdf5plugin
    except ImportError:
        raise ImportError("zstd in HDF5 files needs the package hdf5plugin: pip install hdf5plugin") from None
    return {**hdf5plugin.Zstd(), "shuffle": True}


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None, compression: str = "lzf") -> None:
    """The layout of DSEC, in packed chunks, with its coarse index of time if the events are sorted."""
    first: int | None = None
    marks: list[Any] = []
    rising, ms, latest = True, 0, -(2**63)
    disk = Enduring(file)
    with h5py.File(disk, "w") as opened:
        opened.attrs.update({"eventsnn_schema": _SCHEMA, "source": "eventsnn"})
        if sensor is not None:
            opened.attrs.update({"width": sensor[0], "height": sensor[1]})
        kinds = {"t": "<i8", "x": "<u2", "y": "<u2", "p": "u1"}
        options: dict[str, Any] = {"maxshape": (None,), "chunks": (1 << 15,), **_compression(compression)}
        sets = {name: opened.create_dataset(f"events/{name}", (0,), kind, **options) for name, kind in kinds.items()}
        for events in parts:
            first = int(events.t[0]) if first is None else first
            since = events.t - first
            rising = rising and events.is_sorted and int(since[0]) >= latest
            rising = rising and int(since[-1]) // 1000 - ms < 1000 + 10 * len(events)  # else the index outgrows them
            begin, latest = len(sets["t"]), int(since[-1])
            if rising:
                stamps = np.arange(ms, latest // 1000 + 1)
                marks.append(begin + np.searchsorted(since, stamps * 1000))
                ms += len(stamps)
            for name, column in zip("txyp", (since, *events.columns[1:]), strict=True):
                sets[name].resize(begin + len(events), 0)
                sets[name][begin:] = column
            disk.check()
        opened["t_offset"] = np.int64(first or 0)
        if rising and marks:
            opened["ms_to_idx"] = np.concatenate(marks).astype("<u8")
    disk.check()
