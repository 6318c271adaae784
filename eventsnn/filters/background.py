"""Background-activity filter: an event stays if one of its eight neighbours fired shortly before it.

Delbruck, Frame-free dynamic digital vision (2008): every event writes its time to its neighbours, so that each is
judged by a single look at its own pixel. Removes shot noise and lone hot pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.jit import compiled

from .filter import NEVER, Filter, positive


@compiled
def _supported(t: Any, x: Any, y: Any, latest: Any, stride: int, tau: int) -> Any:
    """Mask of the events with a neighbour not older than tau; ``latest`` is a flat map with one pixel of border."""
    keep = np.empty(len(t), np.bool_)
    side, one = np.uint64(stride), np.uint64(1)  # unsigned: no check for a negative index
    for i in range(len(t)):
        now = t[i]
        centre = np.uint64(np.int64(y[i]) * stride + np.int64(x[i]) + stride + 1)
        keep[i] = latest[centre] >= now - tau
        above, below = centre - side, centre + side
        latest[above - one] = latest[above] = latest[above + one] = now
        latest[centre - one] = latest[centre + one] = now
        latest[below - one] = latest[below] = latest[below + one] = now
    return keep


class BackgroundActivityFilter(Filter):
    """Keeps an event if one of its eight neighbouring pixels had an event at most ``tau`` before it.

    For more support than one neighbour see ``SpatioTemporalCorrelationFilter``; what all filters share is told at
    ``Filter``.

    >>> from eventsnn import Events
    >>> events = Events([0, 10, 20, 9_000], x=[3, 4, 9, 4], y=[2, 2, 7, 3], p=[1, 1, 0, 1], sensor=(12, 10))
    >>> BackgroundActivityFilter((12, 10), tau="5ms")(events).t
    array([10])
    """

    def __init__(self, sensor: Sequence[int], tau: int | str = "10ms", *, late: str = "raise") -> None:
        self.tau = positive("tau", tau)
        super().__init__(sensor, late)

    def _forget(self) -> None:
        width, height = self.sensor
        self._latest = np.full((height + 2) * (width + 2), NEVER)

    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = _supported(t, x, y, self._latest, self.sensor[0] + 2, self.tau)
        return mask
