"""The part of a sensor that a network looks at, 64 x 64 cells, and the events of a window as its frames."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events

GRID = 64
_EVENTS = 20  # cells' worth of events in a frame, as many as in the frames that the network was trained on
_MOST = 16  # frames of a window
_NARROW, _WIDE, _TOO_WIDE = 12.0, 32.0, 45.0  # cells across an object: at least, at most at first, and at most
_CENTRAL = 10.0  # cells that an object may be off the middle


class View(NamedTuple):
    """Cells of ``cell`` x ``cell`` px, the first of which begins at ``x`` and ``y`` [px].

    >>> View.whole((640, 480))
    View(x=0, y=-80, cell=10)
    """

    x: int
    y: int
    cell: int

    @classmethod
    def whole(cls, sensor: tuple[int, int]) -> View:
        """All of a sensor."""
        cell = math.ceil(max(sensor) / GRID)
        return cls((sensor[0] - GRID * cell) // 2, (sensor[1] - GRID * cell) // 2, cell)

    def about(self, place: NDArray[Any], size: float, sensor: tuple[int, int]) -> View:
        """This view, or a better one of an object: large enough in it, and not far from its middle."""
        whole = View.whole(sensor)
        if not _NARROW <= size / self.cell <= _TOO_WIDE:
            cell = min(max(1, math.ceil(size / _WIDE)), whole.cell)
        else:
            cell = self.cell
        if cell == whole.cell:
            return whole
        middle = np.array(self[:2]) + GRID / 2 * self.cell
        if cell == self.cell and np.abs(place - middle).max() <= _CENTRAL * cell:
            return self
        x, y = (round(float(c)) - GRID // 2 * cell for c in place)
        return View(x, y, cell)

    def frames(self, events: Events) -> NDArray[Any]:
        """Mean number of events a pixel, at most 1, ``[n, 2, 64, 64]``: as many frames as there are enough events for,
        each of as many events.

        >>> events = Events([1, 2, 3, 4], [0, 1, 1, 5], [0, 0, 0, 7], [1, 1, 0, 0], sensor=(128, 128))
        >>> frames = View(0, 0, 2).frames(events)
        >>> frames.shape, frames[0, 1, 0, 0].tolist(), frames[0, 0, 3, 2].tolist()
        ((1, 2, 64, 64), 0.5, 0.25)
        """
        x, y = (events.x.astype(np.int64) - self.x) // self.cell, (events.y.astype(np.int64) - self.y) // self.cell
        inside = (x >= 0) & (x < GRID) & (y >= 0) & (y < GRID)
        x, y, p = x[inside], y[inside], events.p[inside].astype(np.int64)
        n = min(max(1, round(len(x) / (_EVENTS * self.cell**2))), _MOST)
        frame = np.arange(len(x)) * n // max(len(x), 1)
        counts = np.bincount(((frame * 2 + p) * GRID + y) * GRID + x, minlength=n * 2 * GRID * GRID)
        return np.minimum(counts.reshape(n, 2, GRID, GRID) / self.cell**2, 1.0)
