"""A seek index: where each stretch of a recording begins, how many events it has, its earliest and latest time.

The index of a large file is kept in the user's cache folder ($XDG_CACHE_HOME or ~/.cache, under eventsnn) and holds for
as long as the file has the same size and time of change.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..events import Events
from .atomic import whole
from .reading import Mark

SPAN = 1 << 18  # events a stretch has at least
KEEP = 1 << 24  # bytes of a file from which on its index is kept


@dataclass
class Index:
    """Columns with one entry a stretch; ``first`` is the time of the first event."""

    offset: Any
    state: Any
    count: Any
    earliest: Any
    latest: Any
    first: Any

    @classmethod
    def of(cls, stretches: Iterable[tuple[Mark, Events]]) -> Index:
        """From the stretches of a pass, each with the mark it begins at."""
        marks: list[Mark] = []
        rows, first = [], 0
        for mark, events in stretches:
            first = first if marks else int(events.t[0])
            marks.append(mark)
            rows.append((mark.offset, len(events), int(events.t.min()), int(events.t.max())))
        numbers = np.array(rows, np.int64).reshape(-1, 4).T
        state = np.zeros((len(marks), max((len(mark.state) for mark in marks), default=0)), np.uint8)
        for row, mark in zip(state[1:], marks[1:], strict=True):  # the first stretch begins with a fresh decoder
            row[:] = np.frombuffer(mark.state, np.uint8)
        return cls(numbers[0], state, numbers[1], numbers[2], numbers[3], np.int64(first))

    def mark(self, stretch: int) -> Mark | None:
        """Where a stretch begins; None is the start of the recording."""
        return Mark(int(self.offset[stretch]), self.state[stretch].tobytes()) if stretch else None

    def within(self, start: int, stop: int) -> list[int]:
        """The stretches that have events with ``start <= t < stop``, or may have."""
        return np.flatnonzero((self.latest >= start) & (self.earliest < stop)).tolist()  # type: ignore[no-any-return]

    def save(self, path: str, key: str) -> None:
        """Keeps the index for a large file; where the cache cannot be written it is just built again next time."""
        if os.path.getsize(path) < KEEP:
            return
        target = _place(path, key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole(target) as place:
                np.savez(place, **vars(self))
        except OSError:
            return

    @classmethod
    def load(cls, path: str, key: str) -> Index | None:
        """The kept index if it is there and of this file."""
        try:
            with np.load(_place(path, key)) as file:
                return cls(**{name: file[name] for name in ("offset", "state", "count", "earliest", "latest", "first")})
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            return None


def _place(path: str, key: str) -> Path:
    """A name made of all that the index depends on, so that another file or another way to read it has another."""
    file = os.stat(path)
    text = f"1\n{os.path.abspath(path)}\n{file.st_size}\n{file.st_mtime_ns}\n{key}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "eventsnn" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
