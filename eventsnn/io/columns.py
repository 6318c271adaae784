"""Columns under construction: decoders write after the last event, readers take what is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..events import Events

DTYPES = (np.int64, np.int16, np.int16, np.uint8)


class Columns:
    """Growing ``t, x, y, p``. ``capacity`` is a first guess; memory that is never written costs nothing."""

    def __init__(self, sensor: tuple[int, int] | None, capacity: int = 0) -> None:
        self.sensor, self.count = sensor, 0
        self.last: int | None = None  # time of the last event, also across take
        self._arrays = [np.empty(capacity, dtype) for dtype in DTYPES]

    def space(self, count: int) -> list[Any]:
        """Views after the last event, each of at least that length."""
        missing = self.count + count - len(self._arrays[0])
        if missing > 0:
            capacity = max(self.count + count, self.count * 3 // 2)
            arrays = [np.empty(capacity, dtype) for dtype in DTYPES]
            for new, old in zip(arrays, self._arrays, strict=True):
                new[: self.count] = old[: self.count]
            self._arrays = arrays
        return [array[self.count :] for array in self._arrays]

    def append(self, columns: Any) -> None:
        """Copies whole columns behind the last event."""
        for mine, theirs in zip(self.space(len(columns[0])), columns, strict=True):
            mine[: len(theirs)] = theirs
        self.count += len(columns[0])

    def take(self) -> Events:
        """Everything so far as Events; the next space is fresh memory."""
        events = Events(*(array[: self.count] for array in self._arrays), sensor=self.sensor)
        self._arrays, self.count = [np.empty(0, dtype) for dtype in DTYPES], 0
        return events
