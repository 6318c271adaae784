"""Where the events lie in an HDF5 file, how many there are, and how to read them.

    events/{t, x, y, p}     t in us, t_offset to add; ms_to_idx[k]: the first event at or after k ms    DSEC, eventsnn
    events/{ts, xs, ys, ps} and prophesee/left/{t, x, y, p}                                             e2vid, M3ED
    davis/left/events       rows x, y, t in seconds, p = -1 or 1                                        MVSEC
    CD/events               records x, y, p, t in chunks packed by a codec of its own                   Prophesee

Whole times are in us, times with decimals in seconds. In any other file the first place, from the top down, that holds
four columns of these names, such records, or rows of four is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import h5py
import numpy as np

from . import order
from .aliases import find
from .errors import EventFormatError

_PIECE = 1 << 16
_ECF = 0x8ECF
_PLACES = ("events", "prophesee/left", "prophesee/right", "CD/events", "davis/left/events", "davis/right/events")
_MOST = 1000  # places looked at in a file of another layout

Read = Callable[[int, int], dict[str, Any]]


class Layout(NamedTuple):
    """The place of the events, their number, how many are read at a time, a reader of columns between two, the type
    of the times.
    """

    place: str
    events: int
    piece: int
    read: Read
    time: np.dtype[Any]


def layout(opened: Any) -> Layout:
    """The layout of an open file. Raises EventFormatError if it holds no events."""
    for place in _PLACES:
        if (found := _at(place, opened.get(place), rows="xytp" if place.startswith("davis") else None)) is not None:
            return found
    for place, item in _everything(opened):
        if (found := _at(place, item)) is not None:
            return found
    raise EventFormatError(f"no events at any of {', '.join(_PLACES)}; the file has {', '.join(opened) or 'nothing'}")


def _everything(opened: Any) -> Iterator[tuple[str, Any]]:
    """All groups and datasets from the top down, each once, up to a bound."""
    waiting: list[tuple[str, Any]] = [("/", opened)]
    seen: set[Any] = set()
    while waiting and len(seen) < _MOST:
        place, item = waiting.pop(0)
        if item.id in seen:
            continue
        seen.add(item.id)
        yield place, item
        if isinstance(item, h5py.Group):
            links = ((name, item.get(name)) for name in item if isinstance(item.get(name, getlink=True), h5py.HardLink))
            waiting += [(f"{place}/{name}".lstrip("/"), each) for name, each in links if each is not None]


def _at(place: str, item: Any, rows: str | None = None) -> Layout | None:
    if isinstance(item, h5py.Group) and len(names := find(item)) == 4:
        sets = {column: item[name] for column, name in names.items()}
        if not all(isinstance(data, h5py.Dataset) for data in sets.values()):
            return None
        return Layout(place, _checked(*sets.values()), _PIECE, partial(_group, sets), sets["t"].dtype)
    if not isinstance(item, h5py.Dataset):
        return None
    if item.ndim == 2 and item.shape[1] == 4 and item.dtype.kind in "iuf":
        count = _checked(item)
        return Layout(place, count, _PIECE, partial(_rows, item, _order(item, rows)), item.dtype)
    names = find(item.dtype.names or ())
    if len(names) < 4:
        return None
    count, time = _checked(item), item.dtype[names["t"]]
    if _ECF in _filters(item):
        return Layout(place, count, item.chunks[0], partial(_chunk, item), time)
    return Layout(place, count, _PIECE, partial(_records, item, names), time)


def _order(data: Any, rows: str | None) -> dict[str, int]:
    if rows is not None:
        return order.given(rows)
    sample = np.asarray(data[:256], np.float64)
    if not len(sample) or not np.isfinite(sample).all():
        sample = np.zeros((1, 4))
    return order.guessed(sample, [i for i in range(4) if (sample[:, i] % 1).any()])


def _filters(data: Any) -> list[int]:
    plist = data.id.get_create_plist()
    return [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]


def _checked(*sets: Any) -> int:
    """The common length, if the datasets agree in it and can hold it: no header makes us count to 2^60."""
    lengths = {data.shape[0] if data.ndim else -1 for data in sets}
    if len(lengths) > 1 or -1 in lengths:
        raise EventFormatError(f"the columns differ in length: {sorted(lengths)}")
    for data in sets:
        for code in _filters(data):
            _available(code)
        piece = math.prod(data.chunks or (0,)) * data.dtype.itemsize
        if data.nbytes > 8192 * data.id.get_storage_size() or piece > 1 << 24:
            raise EventFormatError(f"{data.name} claims {data.shape[0]} events, which are not in the file")
    return int(lengths.pop())


def _available(code: int) -> None:
    """Raises EventFormatError for a filter that cannot be had; those of hdf5plugin are brought in."""
    if code == _ECF or h5py.h5z.filter_avail(code):
        return
    try:
        import hdf5plugin  # noqa: F401
    except ImportError:
        raise EventFormatError(
            f"the events are packed by filter {code} (32001 is blosc, 32015 zstd), which comes with the package "
            "hdf5plugin: pip install hdf5plugin"
        ) from None
    if not h5py.h5z.filter_avail(code):
        raise EventFormatError(f"the events are packed by filter {code}, which is not known here")


def _group(sets: dict[str, Any], begin: int, stop: int) -> dict[str, Any]:
    return {column: data[begin:stop] for column, data in sets.items()}


def _rows(data: Any, places: dict[str, int], begin: int, stop: int) -> dict[str, Any]:
    block = data[begin:stop]
    return {column: block[:, place] for column, place in places.items()}


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
