"""Refractory filter: a pixel that let an event pass is silent for a while.

    keep event i  <=>  t_i - (time of the pixel's latest kept event) >= period

The dead time of a pixel, as in Lichtsteiner et al. (2008). Filtering twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.jit import compiled

from .filter import NEVER, Filter, positive


@compiled
def _rested(t: Any, x: Any, y: Any, p: Any, latest: Any, plane: int, width: int, period: int) -> Any:
    """Mask of the events whose pixel kept none for a period; ``latest`` is a flat map of times."""
    keep = np.empty(len(t), np.bool_)
    for i in range(len(t)):
        place = np.uint64(np.int64(p[i]) * plane + np.int64(y[i]) * width + np.int64(x[i]))
        keep[i] = latest[place] <= t[i] - period
        latest[place] = t[i] if keep[i] else latest[place]
    return keep


class RefractoryFilter(Filter):
    """Keeps an event if its pixel kept none in the ``period`` before it: kept events of a pixel are ``period`` apart.

    ``same_polarity`` gives each polarity a rest of its own. What all filters share is told at ``Filter``.

    >>> from eventsnn import Events
    >>> events = Events([0, 400, 900, 1_000], x=[3, 3, 3, 3], y=[2, 2, 2, 2], p=[1, 1, 0, 1], sensor=(12, 10))
    >>> RefractoryFilter((12, 10), period="1ms")(events).t
    array([   0, 1000])
    """

    def __init__(
        self, sensor: Sequence[int], period: int | str = "1ms", *, same_polarity: bool = False, late: str = "raise"
    ) -> None:
        self.period, self.same_polarity = positive("period", period), same_polarity
        super().__init__(sensor, late)

    def _forget(self) -> None:
        width, height = self.sensor
        self._latest = np.full((1 + self.same_polarity) * height * width, NEVER)

    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        width, height = self.sensor
        plane = height * width if self.same_polarity else 0
        mask: NDArray[np.bool_] = _rested(t, x, y, p, self._latest, plane, width, self.period)
        return mask
