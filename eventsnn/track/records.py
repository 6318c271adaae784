"""Tracks: equal-length columns, one row for each track and frame; CSV and MOTChallenge text in and out."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import torch
from numpy.typing import NDArray

from .mot import mot_line, read_mot

STATES = ("confirmed", "coasting", "resting")


@dataclass(frozen=True, eq=False)
class Tracks:
    """Rows of a tracking result; every column has shape ``[n]``, rows in order of time and then id; NumPy, or after
    ``to(device)`` torch.

    ``frame`` counts windows from 1, ``t_us`` is the time at the window's end, ``id`` starts at 1 and is never reused,
    ``x, y`` is the centre and ``w, h`` the size of the box [px], ``vx, vy`` the velocity [px/s], ``score`` 1 for a
    track seen in this frame and 0.5 for one carried on by prediction, ``state`` an index into ``STATES``, ``events``
    the number of events measured.

    >>> tracks = Tracks.of([(1, 5000, 1, 10.0, 20.0, 8.0, 6.0, 100.0, 0.0, 1.0, 0, 42)])
    >>> len(tracks), tracks.ids, tracks.boxes
    (1, [1], array([[ 6., 17.,  8.,  6.]]))
    """

    frame: NDArray[np.int64]
    t_us: NDArray[np.int64]
    id: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    w: NDArray[np.float64]
    h: NDArray[np.float64]
    vx: NDArray[np.float64]
    vy: NDArray[np.float64]
    score: NDArray[np.float64]
    state: NDArray[np.int64]
    events: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """Columns from rows in the order of the fields, sorted by time and id.

        Of two rows of one track in one frame, the one given later holds.
        """
        ordered = sorted({(row[0], row[2]): row for row in rows}.values())
        kinds = [np.int64 if "int" in str(field.type) else np.float64 for field in fields(cls)]
        columns: list[Any] = list(zip(*ordered, strict=True)) or [()] * len(kinds)
        arrays: list[Any] = [np.asarray(column, kind) for column, kind in zip(columns, kinds, strict=True)]
        return cls(*arrays)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        things = "object" if len(self.ids) == 1 else "objects"
        return f"Tracks({len(self.ids)} {things}, {len(self)} rows)"

    def rows(self) -> Iterator[Row]:
        """The rows as tuples in the order of the fields."""
        return zip(*(getattr(self, field.name).tolist() for field in fields(self)), strict=True)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice | NDArray[np.generic]) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        """Some of the rows, by slice, mask or index array: ``tracks[tracks.id == 3]``; a number gives a row's tuple."""
        if isinstance(index, int | np.integer):
            return tuple(getattr(self, field.name)[index].item() for field in fields(self))
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def ids(self) -> list[int]:
        """The distinct ids, ascending."""
        return sorted({int(i) for i in self.id})

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Boxes ``[n, 4]`` as left, top, width, height [px]."""
        columns: Any = [self.x - self.w / 2, self.y - self.h / 2, self.w, self.h]
        return torch.stack(columns, 1) if isinstance(self.x, torch.Tensor) else np.stack(columns, 1)

    def to(self, device: torch.device | str) -> Self:
        """The same tracks as torch columns on a device."""
        return self._each(lambda column: torch.as_tensor(column).to(device))

    def numpy(self) -> Self:
        """The same tracks with NumPy columns."""
        return self._each(lambda column: column.cpu().numpy() if isinstance(column, torch.Tensor) else column)

    def _each(self, change: Callable[[Any], Any]) -> Self:
        return type(self)(*(change(getattr(self, field.name)) for field in fields(self)))

    def to_csv(self, path: str | Path) -> None:
        """Write all columns with a header line."""
        with Path(path).open("w", newline="") as file:
            file.write(HEADER)
            file.writelines(map(as_csv, self.rows()))

    @classmethod
    def from_csv(cls, path: str | Path) -> Self:
        """Read what ``to_csv`` wrote. Raises ValueError if the columns are others, or a line is damaged."""
        with Path(path).open(newline="") as file:
            lines = csv.reader(file)
            names = next(lines, [])
            wanted = [field.name for field in fields(cls)]
            if names != wanted:
                raise ValueError(f"{path}: columns {names} are not those of tracks, {wanted}")
            table = [_row(line, path, number) for number, line in enumerate(lines, start=2) if line]
        return cls.of(table)

    def to_mot(self, path: str | Path) -> None:
        """Write MOTChallenge text: ``frame,id,left,top,width,height,score,-1,-1,-1``."""
        with Path(path).open("w") as file:
            file.writelines(map(as_mot, self.rows()))

    @classmethod
    def from_mot(cls, path: str | Path, dt_us: int = 5_000) -> Self:
        """Read MOTChallenge text, ``frame,id,left,top,width,height[,score,...]``; a frame lasts ``dt_us``.

        Velocities and numbers of events, which it does not tell, are 0. Raises ValueError for anything else.
        """
        rows: list[Row] = []
        for frame, track, left, top, w, h, score in read_mot(path).tolist():
            place = left + w / 2, top + h / 2, w, h
            rows.append((int(frame), int(frame) * dt_us, int(track), *place, 0.0, 0.0, score, int(score < 1), 0))
        return cls.of(rows)

    def to_supervision(self) -> Any:
        """A ``supervision.Detections`` with tracker ids, such as of ``tracks[tracks.frame == 7]``.

        Raises ImportError if the package supervision is not installed.
        """
        from .detections import as_supervision

        known = self.numpy()
        return as_supervision(known.boxes, known.score, known.id)


Row = tuple[int, int, int, float, float, float, float, float, float, float, int, int]
COLUMNS = tuple(field.name for field in fields(Tracks))
HEADER = ",".join(COLUMNS) + "\r\n"
_WHOLE = {k for k, field in enumerate(fields(Tracks)) if "int" in str(field.type)}


def as_mot(row: Row) -> str:
    """A row as a line of MOTChallenge text."""
    frame, _, number, x, y, w, h, _, _, score, _, _ = row
    return mot_line(frame, number, x - w / 2, y - h / 2, w, h, score)


_CSV = ",".join("%d" if k in _WHOLE else "%.2f" for k in range(len(COLUMNS))) + "\r\n"


def as_csv(row: Row) -> str:
    """A row as a line of CSV, lengths to a hundredth of a pixel."""
    return _CSV % row


def _row(texts: list[str], path: str | Path, number: int) -> Row:
    """A row from the texts of its columns."""
    try:
        if len(texts) != len(COLUMNS):
            raise ValueError
        return tuple(int(text) if k in _WHOLE else float(text) for k, text in enumerate(texts))  # type: ignore[return-value]
    except ValueError:
        raise ValueError(f"{path}, line {number}: not the {len(COLUMNS)} numbers of a row of tracks: {texts}") from None


def as_text(row: Row) -> list[str]:
    """A row as the texts of its columns."""
    return as_csv(row).rstrip().split(",")
