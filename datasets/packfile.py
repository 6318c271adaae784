"""The file of a packed split.

    "EVSPACK1"  u64 length of the header, its SHA-256, the header in JSON; then, each at a multiple of 4096 bytes:
    offsets     i64 [n + 1]    sample k has the events offsets[k] .. offsets[k + 1]
    labels      i64 [n]
    ids         the samples' names, one a line
    t, x, y, p  i64, i16, i16, u8 [events], in order of time within a sample

The header tells of the dataset, and of each column its place, length and SHA-256. Numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

DTYPES = {"offsets": "<i8", "labels": "<i8", "ids": "|u1", "t": "<i8", "x": "<i2", "y": "<i2", "p": "|u1"}
_MAGIC = b"EVSPACK1"
_PAGE = 4096


def header_of(path: Path) -> dict[str, Any]:
    """The header of a packed file. Raises ValueError for another file, or one that is damaged or cut short there."""
    with path.open("rb") as file:
        start = file.read(48)
        if start[:8] != _MAGIC:
            raise ValueError(f"{path}: not a packed split (it does not begin with {_MAGIC.decode()})")
        text = file.read(min(int.from_bytes(start[8:16], "little"), 1 << 30))
    if hashlib.sha256(text).digest() != start[16:]:
        raise ValueError(f"{path}: the header is damaged; pack the split again")
    header: dict[str, Any] = json.loads(text)
    end = max(column["at"] + column["bytes"] for column in header["columns"].values())
    if path.stat().st_size < end:
        raise ValueError(f"{path}: cut short at {path.stat().st_size:,} of {end:,} bytes; pack the split again")
    return header


def column(path: Path, dtype: str, at: int, size: int) -> NDArray[Any]:
    """A column mapped into memory, in pages of our own: torch wants arrays it may write to, the file stays as it is."""
    count = size // np.dtype(dtype).itemsize
    return np.memmap(path, dtype, "c", at, (count,)).view(np.ndarray) if count else np.empty(0, dtype)


def assemble(room: Path, path: Path, about: dict[str, Any], ids: tuple[str, ...]) -> None:
    """The file from the columns; the header is written last."""
    lengths = np.fromfile(room / "lengths", "<i8")
    offsets = np.concatenate([[0], lengths.cumsum()]).astype("<i8")
    columns: dict[str, Any] = {"offsets": offsets.tobytes(), "ids": "\n".join(ids).encode()}
    sizes = {name: len(columns[name]) if name in columns else (room / name).stat().st_size for name in DTYPES}
    header = {**about, "events": int(offsets[-1]), "columns": {}}
    for name, size in sizes.items():
        header["columns"][name] = {"at": 0, "bytes": size, "sha256": "0" * 64}
    at = _page(len(_head(header)) + 20 * len(sizes))  # room for the places, which are not yet known
    with path.open("wb") as out:
        for name, size in sizes.items():
            out.seek(at)
            header["columns"][name].update(at=at, sha256=_copy(columns.get(name, room / name), out))
            at = _page(at + size)
        out.truncate(at)
        out.seek(0)
        out.write(_head(header))


def _page(at: int) -> int:
    return -(-at // _PAGE) * _PAGE


def _head(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    return _MAGIC + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest() + text


def _copy(source: bytes | Path, out: BinaryIO) -> str:
    digest = hashlib.sha256()
    with ExitStack() as stack:
        blocks: Any = [source]
        if isinstance(source, Path):
            file = stack.enter_context(source.open("rb"))
            blocks = iter(lambda: file.read(1 << 20), b"")
        for block in blocks:
            digest.update(block)
            out.write(block)
    return digest.hexdigest()
