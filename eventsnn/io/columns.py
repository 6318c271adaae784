"""Columns under construction: decoders write after the last event, readers take what is there."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..events import Events

DTYPES = (np.int64, np.int16, np.int16, np.uint8)


class Columns:
    """Growing ``t, x, y, p``. ``capacity`` is a first guess; memory that is never written costs nothing.

    Memory that was taken is used again once nobody else holds a view of it: writing to warm memory is far faster.
    """

    def __init__(self, sensor: tuple[int, int] | None, capacity: int = 0) -> None:
        self.sensor, self.count = sensor, 0
        self.last: int | None = None  # time of the last event, also across take
        self._arrays = [np.empty(capacity, dtype) for dtype in DTYPES]
        self._taken: list[list[Any]] = []

    def space(self, count: int) -> list[Any]:
        """Views after the last event, each of at least that length."""
        if self.count + count > len(self._arrays[0]):
            arrays = self._room(max(self.count + count, self.count * 3 // 2))
            for new, old in zip(arrays, self._arrays, strict=True):
                new[: self.count] = old[: self.count]
            self._arrays = arrays
        return [array[self.count :] for array in self._arrays]

    def _room(self, count: int) -> list[Any]:
        for arrays in self._taken:
            # held by our list and by getrefcount's own argument: a view of anybody's would be one more
            if len(arrays[0]) >= count and all(sys.getrefcount(arrays[i]) == 2 for i in range(4)):
                self._taken.remove(arrays)
                return arrays
        return [np.empty(count, dtype) for dtype in DTYPES]

    def append(self, columns: Any) -> list[Any]:
        """Copies whole columns behind the last event; gives the copies."""
        count = len(columns[0])
        copies = [mine[:count] for mine in self.space(count)]
        for mine, theirs in zip(copies, columns, strict=True):
            mine[:] = theirs
        self.count += count
        return copies

    def take(self) -> Events:
        """Everything so far as Events; what comes next goes into other memory for as long as these are in use."""
        events = Events(*(array[: self.count] for array in self._arrays), sensor=self.sensor)
        self._taken = [*self._taken[-1:], self._arrays]
        self._arrays, self.count = [np.empty(0, dtype) for dtype in DTYPES], 0
        return events
