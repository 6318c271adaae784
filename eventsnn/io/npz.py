"""NumPy files: .npz with columns t, x, y, p (by these or other usual names), .npz or .npy with one structured array or
one of shape (N, 4).

Whole times are in us, times with decimals in seconds, unless the unit is given; p > 0 is ON. The order of an array's
four columns is given or seen from its first rows. A member ``sensor`` holds width and height. Arrays are read piece by
piece, never as a whole, and never unpickled.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from . import order
from .aliases import find
from .errors import EventFormatError
from .header import Header
from .reading import Mark, Pass
from .source import Source
from .store import store, whole

_PIECE = 1 << 16
_BROKEN = (zipfile.BadZipFile, zlib.error, tokenize.TokenError, struct.error, SyntaxError, EOFError, OSError)
_DAMAGE = (*_BROKEN, NotImplementedError, RuntimeError, ValueError, KeyError, TypeError, OverflowError)
_NUMBERED = ("c0", "c1", "c2", "c3")  # the columns of an array of shape (N, 4)


class _Array:
    """One array of a file, read forward; one of shape (N, 4) is an array of records of four numbers.

    ``spread`` tells that such an array lies in the file column by column; then it is read as its first column.
    """

    def __init__(self, file: Any) -> None:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, column_major, self.dtype = read(file)
        table = len(shape) == 2 and shape[1] == 4 and self.dtype.kind in "iufb"
        if self.dtype.hasobject or not 0 < self.dtype.itemsize <= 256 or not (len(shape) == 1 or table):
            raise EventFormatError(f"an array of shape {shape} and type {self.dtype}; a column of numbers was expected")
        self.spread = table and column_major
        if table and not column_major:
            self.dtype = np.dtype([(name, self.dtype) for name in _NUMBERED])
        self.count, self._file = shape[0], file

    def skip(self, columns: int) -> None:
        """Passes over so many columns of an array that is spread."""
        left = columns * self.count * self.dtype.itemsize
        while left and (got := len(self._file.read(min(left, 1 << 20)))):
            left -= got

    def take(self, count: int, *, short: bool = False) -> np.ndarray[Any, Any]:
        """The next so many, or with ``short`` as many of them as there are."""
        data = self._file.read(count * self.dtype.itemsize)
        if len(data) < count * self.dtype.itemsize and not short:
            raise EventFormatError("the file ends inside an array: it was cut short")
        return np.frombuffer(data, self.dtype, len(data) // self.dtype.itemsize)


@contextmanager
def _arrays(source: Source) -> Iterator[dict[str, _Array]]:
    """The arrays of the file by name, a lone one under the empty name; all that is wrong is an EventFormatError."""
    with ExitStack() as stack:
        try:
            if source.head.startswith(b"\x93NUMPY"):
                yield _apart("", lambda: stack.enter_context(source.file()))
                return
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(source.file())))
            found: dict[str, _Array] = {}
            refused: list[EventFormatError] = []  # pictures, say, beside the events
            for name in archive.namelist():
                if name.endswith(".npy"):
                    try:
                        found |= _apart(name[:-4], partial(_member, stack, archive, name))
                    except EventFormatError as error:
                        refused.append(error)
            if refused and not found:
                raise refused[0]
            yield found
        except EventFormatError:
            raise
        except _DAMAGE as error:
            raise EventFormatError(f"the arrays cannot be read: {error or type(error).__name__}") from error


def _member(stack: ExitStack, archive: zipfile.ZipFile, name: str) -> Any:
    return stack.enter_context(archive.open(name))


def _apart(name: str, opened: Callable[[], Any]) -> dict[str, _Array]:
    """The array under its name; one that is spread as its four columns, each read from a file of its own."""
    first = _Array(opened())
    if not first.spread:
        return {name: first}
    columns = [first, *(_Array(opened()) for _ in range(3))]
    for i, column in enumerate(columns):
        column.skip(i)
    return dict(zip(_NUMBERED, columns, strict=True))


def start(source: Source, columns: str | None = None, unit: str | None = None) -> Header:
    with _arrays(source) as arrays:
        names = {name: [name] for name in arrays}
        tables = [name for name, array in arrays.items() if array.dtype.names]
        if len(tables) == 1 and len(find(names)) < 4:
            names = {field: [tables[0], field] for field in arrays[tables[0]].dtype.names or ()}
        used = {column: names[name] for column, name in find(names).items()}
        sensor = tuple(int(n) for n in arrays["sensor"].take(2)) if "sensor" in arrays else None
        if set(_NUMBERED) <= set(names):
            used = _ordered(arrays, names, columns)
        elif columns is not None:
            raise ValueError("columns is for arrays of shape (N, 4); the columns of this file have names")
        if len(used) < 4:
            raise EventFormatError(f"columns t, x, y and p are needed; the file has {', '.join(names) or 'no names'}")
        counts = {arrays[path[0]].count for path in used.values()}
        if len(counts) > 1:
            raise EventFormatError(f"the columns differ in length: {sorted(counts)}")
    good = sensor is not None and 0 < sensor[0] < 32768 and 0 < sensor[1] < 32768
    size: Any = sensor if good else None
    shown = {column: path[-1] for column, path in used.items()}
    power = _unit(source, used["t"]) if unit is None else order.power(unit)
    layout = {"columns": used, "count": counts.pop(), "unit": power}
    return Header(size, {"columns": shown, "origin": "top-left"}, 0, layout)


def _unit(source: Source, path: list[str]) -> int | None:
    """The power of ten that takes times with a point to us, where the first of them can be read."""
    try:
        with _arrays(source) as arrays:
            array = arrays[path[0]]
            times = _picked({path[0]: array.take(min(256, array.count), short=True)}, path)
    except EventFormatError:
        return None
    return order.scale(times) if times.dtype.kind == "f" and np.isfinite(times).all() else None


def _ordered(arrays: dict[str, _Array], names: dict[str, list[str]], columns: str | None) -> dict[str, list[str]]:
    """Column -> where it is, for an array of shape (N, 4)."""
    if columns is not None:
        places = order.given(columns)
    else:
        used = {names[name][0] for name in _NUMBERED}
        pieces = {name: arrays[name].take(min(256, arrays[name].count), short=True) for name in used}
        rows = min(map(len, pieces.values()))
        sample = np.stack([_picked(pieces, names[name])[:rows].astype(np.float64) for name in _NUMBERED], 1)
        if not len(sample) or not np.isfinite(sample).all():
            sample = np.zeros((1, 4))
        places = order.guessed(sample, [i for i in range(4) if (sample[:, i] % 1).any()])
    if max(places.values()) > 3:
        raise ValueError(f"the array has four columns; {columns!r} names more")
    return {column: names[_NUMBERED[place]] for column, place in places.items()}


def _picked(pieces: dict[str, Any], path: list[str]) -> Any:
    name, *field = path
    return pieces[name][field[0]] if field else pieces[name]


def decode(run: Pass) -> Iterator[None]:
    paths, count, unit = (run.header.layout[key] for key in ("columns", "count", "unit"))
    begin = run.mark.offset if run.mark else 0
    with _arrays(run.source) as arrays:
        used = {path[0]: arrays[path[0]] for path in paths.values()}
        for at in chain(range(0, begin, _PIECE), range(begin, count, _PIECE)):
            wanted = min(_PIECE, (begin if at < begin else count) - at)
            try:
                pieces = {name: array.take(wanted, short=run.skip) for name, array in used.items()}
            except (*_DAMAGE, EventFormatError):
                if not run.skip:
                    raise
                pieces = {name: np.empty(0, array.dtype) for name, array in used.items()}
            if at < begin:
                continue
            there = min(map(len, pieces.values()))
            store(run, whole({key: _picked(pieces, path)[:there] for key, path in paths.items()}, at, unit), at)
            run.report.last_good = at + there
            if there < wanted:
                run.report.skipped_bytes += (count - at - there) * sum(array.dtype.itemsize for array in used.values())
                return
            run.mark = Mark(run.report.last_good)
            yield


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Columns t, x, y, p and, where it is known, sensor."""
    dtypes = {"t": "<i8", "x": "<i2", "y": "<i2", "p": "|u1"}
    count = 0
    with ExitStack() as stack:
        spools = {name: stack.enter_context(tempfile.SpooledTemporaryFile(1 << 24)) for name in dtypes}
        for events in parts:
            count += len(events)
            for name, spool in spools.items():
                spool.write(getattr(events, name).astype(dtypes[name]).tobytes())
        archive = stack.enter_context(zipfile.ZipFile(file, "w"))
        if sensor is not None:
            with archive.open("sensor.npy", "w") as member:
                np.lib.format.write_array(member, np.asarray(sensor, "<i8"))
        for name, spool in spools.items():
            spool.seek(0)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                description = {"descr": dtypes[name], "fortran_order": False, "shape": (count,)}
                np.lib.format.write_array_header_1_0(member, description)
                shutil.copyfileobj(spool, member, 1 << 20)
