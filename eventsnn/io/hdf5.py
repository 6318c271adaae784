"""HDF5 event files: those of eventsnn and DSEC, of e2vid, M3ED, MVSEC and Prophesee, told apart by what is in them.

    events/{t, x, y, p}     t in us, t_offset to add; ms_to_idx[k]: the first event at or after k ms    DSEC, eventsnn
    events/{ts, xs, ys, ps} and prophesee/left/{t, x, y, p}                                             e2vid, M3ED
    davis/left/events       rows x, y, t in seconds, p = -1 or 1                                        MVSEC
    CD/events               records x, y, p, t in chunks packed by a codec of its own                   Prophesee

Source: Gehrig et al., "DSEC" (2021); Zhu et al., "The Multivehicle Stereo Event Camera Dataset" (2018); Prophesee,
"HDF5 event files" (2022). What eventsnn writes adds the attributes width, height, source and eventsnn_schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import h5py
import numpy as np

from ..events import Events
from .aliases import find
from .errors import EventFormatError
from .header import Header
from .reading import Mark, Pass
from .source import Source
from .store import store, whole

_SCHEMA = 1
_PIECE = 1 << 16
_ECF = 0x8ECF
_GROUPS = ("events", "prophesee/left", "prophesee/right", "CD/events", "davis/left/events", "davis/right/events")
_DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, NotImplementedError, OverflowError)


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    with source.file() as file:
        try:
            with h5py.File(file, "r") as opened:
                yield opened
        except EventFormatError:
            raise
        except _DAMAGE as error:
            hint = " (this filter may come with: pip install hdf5plugin)" if "filter" in str(error) else ""
            raise EventFormatError(f"the HDF5 structure cannot be read: {error}{hint}") from error


def _reader(opened: Any) -> tuple[str, int, int, Callable[[int, int], dict[str, Any]]]:
    """The place of the events, their number, the size of a piece, and a reader of the columns between two events."""
    for place in _GROUPS:
        item = opened.get(place)
        if isinstance(item, h5py.Group) and len(names := find(item)) == 4:
            sets = {column: item[name] for column, name in names.items()}
            count = _checked(*sets.values())
            return place, count, _PIECE, partial(_group, sets)
        if not isinstance(item, h5py.Dataset):
            continue
        count = _checked(item)
        if item.ndim == 2 and item.shape[1] == 4:
            return place, count, _PIECE, partial(_rows, item)
        names = find(item.dtype.names or ())
        if len(names) == 4 and _ECF in _filters(item):
            return place, count, item.chunks[0], partial(_chunk, item)
        if len(names) == 4:
            return place, count, _PIECE, partial(_records, item, names)
    raise EventFormatError(f"no events at any of {', '.join(_GROUPS)}; the file has {', '.join(opened) or 'nothing'}")


def _filters(data: Any) -> list[int]:
    plist = data.id.get_create_plist()
    return [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]


def _checked(*sets: Any) -> int:
    """The common length, if the datasets agree in it and can hold it: no header makes us count to 2^60."""
    lengths = {data.shape[0] if data.ndim else -1 for data in sets}
    if len(lengths) > 1 or -1 in lengths:
        raise EventFormatError(f"the columns differ in length: {sorted(lengths)}")
    for data in sets:
        piece = math.prod(data.chunks or (0,)) * data.dtype.itemsize
        if data.nbytes > 8192 * data.id.get_storage_size() or piece > 1 << 28:
            raise EventFormatError(f"{data.name} claims {data.shape[0]} events, which are not in the file")
    return int(lengths.pop())


def _group(sets: dict[str, Any], begin: int, stop: int) -> dict[str, Any]:
    return {column: data[begin:stop] for column, data in sets.items()}


def _rows(data: Any, begin: int, stop: int) -> dict[str, Any]:
    return dict(zip("xytp", data[begin:stop].T, strict=True))


def _records(data: Any, names: dict[str, str], begin: int, stop: int) -> dict[str, Any]:
    return _fields(data[begin:stop], names)


def _fields(block: Any, names: dict[str, str]) -> dict[str, Any]:
    return {column: block[name] for column, name in names.items()}


def _chunk(data: Any, begin: int, stop: int) -> dict[str, Any]:
    from .ecf import expand

    mask, packed = data.id.read_direct_chunk((begin,))
    if mask:
        return _fields(np.frombuffer(packed, data.dtype)[: stop - begin], find(data.dtype.names))
    return expand(packed, stop - begin)


def start(source: Source) -> Header:
    with _opened(source) as opened:
        place, count, _, _ = _reader(opened)
        attributes = {**opened.attrs, **opened[place].attrs, **opened[place].parent.attrs}
        offset = int(opened["t_offset"][()]) if "t_offset" in opened else 0
        texts = {key: value for key, value in attributes.items() if isinstance(value, str | int | float | np.generic)}
        sensor = _sensor(attributes)
    metadata = {**texts, "events at": place, "origin": "top-left"}
    return Header(sensor, metadata, 0, {"count": count, "offset": offset})


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
    count, offset = run.header.layout["count"], run.header.layout["offset"]
    with _opened(run.source) as opened:
        _, _, step, read = _reader(opened)
        for at in range(run.mark.offset if run.mark else 0, count, step):
            t, x, y, p = whole(read(at, min(at + step, count)), at)
            store(run, (t + offset, x, y, p), at)
            run.report.last_good = min(at + step, count)
            run.mark = Mark(run.report.last_good)
            yield


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """The layout of DSEC, chunked and compressed with LZF, with its coarse index of time if the events are sorted."""
    first: int | None = None
    marks: list[Any] = []
    rising, ms, latest = True, 0, -(2**63)
    with h5py.File(file, "w") as opened:
        opened.attrs.update({"eventsnn_schema": _SCHEMA, "source": "eventsnn"})
        if sensor is not None:
            opened.attrs.update({"width": sensor[0], "height": sensor[1]})
        kinds = {"t": "<i8", "x": "<u2", "y": "<u2", "p": "u1"}
        options: dict[str, Any] = {"maxshape": (None,), "chunks": (1 << 15,), "compression": "lzf", "shuffle": True}
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
        opened["t_offset"] = np.int64(first or 0)
        if rising and marks:
            opened["ms_to_idx"] = np.concatenate(marks).astype("<u8")
