"""NumPy files: .npz with columns t, x, y, p (by these or other usual names), .npz or .npy with one structured array.

Whole times are in us, times with decimals in seconds; p > 0 is ON. A member ``sensor`` holds width and height. Arrays
are read piece by piece, never as a whole, and never unpickled.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from .aliases import find
from .errors import EventFormatError
from .header import Header
from .reading import Mark, Pass
from .source import Source
from .store import store, whole

_PIECE = 1 << 16
_BROKEN = (zipfile.BadZipFile, zlib.error, tokenize.TokenError, struct.error, SyntaxError, EOFError, OSError)
_DAMAGE = (*_BROKEN, NotImplementedError, RuntimeError, ValueError, KeyError, TypeError, OverflowError)


class _Array:
    """One array of a file, read forward."""

    def __init__(self, file: Any) -> None:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, self.dtype = read(file)
        if self.dtype.hasobject or self.dtype.itemsize > 256 or len(shape) != 1:
            raise EventFormatError(f"an array of shape {shape} and type {self.dtype}; a column of numbers was expected")
        self.count, self._file = shape[0], file

    def take(self, count: int) -> np.ndarray[Any, Any]:
        data = self._file.read(count * self.dtype.itemsize)
        if len(data) < count * self.dtype.itemsize:
            raise EventFormatError("the file ends inside an array: it was cut short")
        return np.frombuffer(data, self.dtype)


@contextmanager
def _arrays(source: Source) -> Iterator[dict[str, _Array]]:
    """The arrays of the file by name, a lone one under the empty name; all that is wrong is an EventFormatError."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(source.file())
            if source.head.startswith(b"\x93NUMPY"):
                yield {"": _Array(file)}
                return
            archive = stack.enter_context(zipfile.ZipFile(file))
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            yield {name[:-4]: _Array(stack.enter_context(archive.open(name))) for name in names}
        except EventFormatError:
            raise
        except _DAMAGE as error:
            raise EventFormatError(f"the arrays cannot be read: {error or type(error).__name__}") from error


def start(source: Source) -> Header:
    with _arrays(source) as arrays:
        names = {name: [name] for name in arrays}
        if len(arrays) == 1:
            ((name, array),) = arrays.items()
            names = {field: [name, field] for field in array.dtype.names or ()}
        columns = find(names)
        if len(columns) < 4:
            raise EventFormatError(f"columns t, x, y and p are needed; the file has {', '.join(names) or 'no names'}")
        sensor = tuple(int(n) for n in arrays["sensor"].take(2)) if "sensor" in arrays else None
        used = {column: names[name] for column, name in columns.items()}
        counts = {arrays[path[0]].count for path in used.values()}
        if len(counts) > 1:
            raise EventFormatError(f"the columns differ in length: {sorted(counts)}")
    good = sensor is not None and 0 < sensor[0] < 32768 and 0 < sensor[1] < 32768
    size: Any = sensor if good else None
    return Header(size, {"columns": columns, "origin": "top-left"}, 0, {"columns": used, "count": counts.pop()})


def decode(run: Pass) -> Iterator[None]:
    paths, count = run.header.layout["columns"], run.header.layout["count"]
    begin = run.mark.offset if run.mark else 0
    with _arrays(run.source) as arrays:
        used = {path[0]: arrays[path[0]] for path in paths.values()}
        for at in chain(range(0, begin, _PIECE), range(begin, count, _PIECE)):
            stop = begin if at < begin else count
            pieces = {name: array.take(min(_PIECE, stop - at)) for name, array in used.items()}
            if at < begin:
                continue
            columns = {key: pieces[name][field[0]] if field else pieces[name] for key, (name, *field) in paths.items()}
            store(run, whole(columns, at), at)
            run.report.last_good = min(at + _PIECE, count)
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
