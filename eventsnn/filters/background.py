"""Background-activity filter: an event stays if enough of its eight neighbours fired shortly before it.

Delbruck, Frame-free dynamic digital vision (2008). Removes shot noise and lone hot pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsnn.events import Events, microseconds
from eventsnn.jit import compiled

_NEVER = np.iinfo(np.int64).min


@compiled
def _supported(t: Any, x: Any, y: Any, last: Any, tau: int, support: int) -> Any:
    """Mask of the events with enough neighbours in ``last`` (one pixel of border) not older than tau; updates it."""
    keep = np.empty(len(t), np.bool_)
    for i in range(len(t)):
        row, column, oldest = y[i] + 1, x[i] + 1, t[i] - tau
        found = 0
        for j in range(row - 1, row + 2):
            for k in range(column - 1, column + 2):
                if last[j, k] >= oldest and (j != row or k != column):
                    found += 1
        last[row, column] = t[i]
        keep[i] = found >= support
    return keep


class BackgroundActivityFilter:
    """Keeps an event if at least ``support`` of its eight neighbouring pixels had an event at most ``tau`` before it.

    Called with consecutive stretches of a recording; the state is carried, so the result does not depend on the cuts.
    Raises ValueError for events outside the sensor.

    >>> events = Events([0, 10, 20, 9_000], x=[3, 4, 9, 4], y=[2, 2, 7, 3], p=[1, 1, 0, 1], sensor=(12, 10))
    >>> BackgroundActivityFilter((12, 10), tau="5ms")(events).t
    array([10])
    """

    def __init__(self, sensor: tuple[int, int], tau: int | str = "10ms", support: int = 1) -> None:
        self.sensor = sensor
        self.tau = microseconds(tau)
        if self.tau <= 0:
            raise ValueError(f"tau must be at least 1 us, got {tau!r}")
        if not 1 <= support <= 8:
            raise ValueError(f"support must lie in 1..8, the number of neighbours, got {support}")
        self.support = support
        self.reset()

    def reset(self) -> None:
        """Forget all events."""
        width, height = self.sensor
        self._last = np.full((height + 2, width + 2), _NEVER)

    def __call__(self, events: Events) -> Events:
        events = Events(*events.numpy().columns, sensor=self.sensor)
        if events.outside().any():
            raise ValueError(f"events lie outside the {self.sensor[0]}x{self.sensor[1]} sensor; crop them first")
        kept: Events = events[_supported(events.t, events.x, events.y, self._last, self.tau, self.support)]
        return kept
