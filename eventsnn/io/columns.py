"""Columns under construction: decoders write after the last event, readers take what is there."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..events import Events

DTYPES = (np.int64, np.int16, np.int16, np.uint8)
_SLACK = 1 << 12


class Columns:
    """Growing ``t, x, y, p``. Where ``whole`` they are to hold all events of a file, of which ``share`` is in so far.

    Memory that was taken is used again once nobody else holds a view of it: writing to warm memory is far faster.
    """

    def __init__(self, sensor: tuple[int, int] | None, whole: bool = False) -> None:
        self.sensor, self.count = sensor, 0
        self.share, self._whole = 0.0, whole
        self.last: int | None = None  # time of the last event, also across take
        self._arrays = [np.empty(0, dtype) for dtype in DTYPES]
        self._taken: list[list[Any]] = []

    def space(self, count: int) -> list[Any]:
        """Views after the last event, each of at least that length."""
        if self.count + count > len(self._arrays[0]):
            needed = self.count + count
            arrays = self._grown(needed) if self._whole and self.share else self.room(max(needed, self.count * 3 // 2))
            for new, old in zip(arrays, self._arrays, strict=True):
                new[: self.count] = old[: self.count]
            self._arrays = arrays
        return [array[self.count :] for array in self._arrays]

    def _grown(self, needed: int) -> list[Any]:
        """Room for a whole file that goes on as it began; memory that is never written costs nothing."""
        try:
            return self.room(max(needed, int(self.count / self.share * 1.02) + _SLACK))
        except MemoryError:  # it cannot be so much
            return self.room(max(needed, self.count * 3 // 2))

    def room(self, count: int) -> list[Any]:
        """Four arrays of at least that length, of which nobody else has a view."""
        places = sorted(range(len(self._taken)), key=lambda place: len(self._taken[place][0]))  # the least that will do
        for place in places:
            arrays = self._taken[place]
            # held by our list and by getrefcount's own argument: a view of anybody's would be one more
            if len(arrays[0]) >= count and all(sys.getrefcount(arrays[i]) == 2 for i in range(4)):
                return self._taken.pop(place)
        return [np.empty(count, dtype) for dtype in DTYPES]

    def append(self, columns: Any) -> list[Any]:
        """Copies whole columns behind the last event; gives the copies."""
        count = len(columns[0])
        copies = [mine[:count] for mine in self.space(count)]
        for mine, theirs in zip(copies, columns, strict=True):
            mine[:] = theirs
        self.count += count
        return copies

    def adopt(self, arrays: list[Any], count: int) -> None:
        """Puts the first ``count`` items of arrays that are ours behind the last event, without a copy if it can."""
        if self.count:
            self.append([array[:count] for array in arrays])
        else:
            self._arrays, arrays, self.count = arrays, self._arrays, count
        self._keep(arrays)

    def _keep(self, arrays: list[Any]) -> None:
        self._taken = [*self._taken[-3:], arrays]

    def take(self) -> Events:
        """Everything so far as Events; what comes next goes into other memory for as long as these are in use."""
        events = Events(*(array[: self.count] for array in self._arrays), sensor=self.sensor)
        self._keep(self._arrays)
        self._arrays, self.count = [np.empty(0, dtype) for dtype in DTYPES], 0
        return events
