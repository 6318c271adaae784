"""Tracks: equal-length columns, one row for each track and frame; CSV and MOTChallenge text in and out."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

STATES = ("confirmed", "coasting", "resting")


@dataclass(frozen=True, eq=False)
class Tracks:
    """Rows of a tracking result; every column has shape ``[n]``, rows in order of time and then id.

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
        return np.stack([self.x - self.w / 2, self.y - self.h / 2, self.w, self.h], 1)

    def to_csv(self, path: str | Path) -> None:
        """Write all columns with a header line."""
        with Path(path).open("w", newline="") as file:
            file.write(HEADER)
            file.writelines(map(as_csv, self.rows()))

    @classmethod
    def from_csv(cls, path: str | Path) -> Self:
        """Read what ``to_csv`` wrote. Raises ValueError if the columns are others."""
        with Path(path).open(newline="") as file:
            lines = csv.reader(file)
            names = next(lines, [])
            wanted = [field.name for field in fields(cls)]
            if names != wanted:
                raise ValueError(f"{path}: columns {names} are not those of tracks, {wanted}")
            table = [tuple(int(v) if k in _WHOLE else float(v) for k, v in enumerate(line)) for line in lines]
        return cls.of(table)  # type: ignore[arg-type]

    def to_mot(self, path: str | Path) -> None:
        """Write MOTChallenge text: ``frame,id,left,top,width,height,score,-1,-1,-1``."""
        with Path(path).open("w") as file:
            for (left, top, w, h), frame, number, score in zip(
                self.boxes, self.frame, self.id, self.score, strict=True
            ):
                file.write(_mot(frame, number, left, top, w, h, score))

    @classmethod
    def from_mot(cls, path: str | Path, dt_us: int = 5_000) -> Self:
        """Read MOTChallenge text, ``frame,id,left,top,width,height[,score,...]``; a frame lasts ``dt_us``.

        Velocities and numbers of events, which it does not tell, are 0. Raises ValueError for anything else.
        """
        rows: list[Row] = []
        for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
            try:
                frame, track, left, top, w, h, *more = (float(value) for value in line.split(","))
            except ValueError:
                wanted = "MOTChallenge text, frame,id,left,top,width,height,..."
                raise ValueError(f"{path}, line {number}: not {wanted}: {line[:60]!r}") from None
            score = more[0] if more else 1.0
            place = left + w / 2, top + h / 2, w, h
            rows.append((int(frame), int(frame) * dt_us, int(track), *place, 0.0, 0.0, score, int(score < 1), 0))
        return cls.of(rows)

    def to_supervision(self) -> Any:
        """A ``supervision.Detections`` with tracker ids, such as of ``tracks[tracks.frame == 7]``.

        Raises ImportError if the package supervision is not installed.
        """
        from .detections import as_supervision

        return as_supervision(self.boxes, self.score, self.id)


Row = tuple[int, int, int, float, float, float, float, float, float, float, int, int]
COLUMNS = tuple(field.name for field in fields(Tracks))
HEADER = ",".join(COLUMNS) + "\r\n"
_WHOLE = {k for k, field in enumerate(fields(Tracks)) if "int" in str(field.type)}


def as_mot(row: Row) -> str:
    """A row as a line of MOTChallenge text."""
    frame, _, number, x, y, w, h, _, _, score, _, _ = row
    return _mot(frame, number, x - w / 2, y - h / 2, w, h, score)


def _mot(frame: int, number: int, left: float, top: float, w: float, h: float, score: float) -> str:
    return f"{frame},{number},{left:.2f},{top:.2f},{w:.2f},{h:.2f},{score:g},-1,-1,-1\n"


_CSV = ",".join("%d" if k in _WHOLE else "%.2f" for k in range(len(COLUMNS))) + "\r\n"


def as_csv(row: Row) -> str:
    """A row as a line of CSV, lengths to a hundredth of a pixel."""
    return _CSV % row


def as_text(row: Row) -> list[str]:
    """A row as the texts of its columns."""
    return as_csv(row).rstrip().split(",")
