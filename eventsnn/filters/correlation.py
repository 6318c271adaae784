"""Spatio-temporal correlation filter: an event stays if enough of its eight neighbours fired shortly before it.

Guo and Delbruck, Low cost and latency event camera background activity denoising (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.jit import compiled

from .filter import NEVER, Filter, positive


@compiled
def _supported(t: Any, x: Any, y: Any, p: Any, latest: Any, stride: int, plane: int, tau: int, support: int) -> Any:
    """Mask of the events with enough neighbours not older than tau; ``latest`` is a flat map with a border of 1 px.

    ``plane`` is the distance of the map of ON events from that of OFF events, 0 where polarities share one.
    """
    keep = np.empty(len(t), np.bool_)
    side, one = np.uint64(stride), np.uint64(1)  # unsigned: no check for a negative index
    for i in range(len(t)):
        now = t[i]
        oldest = now - tau
        centre = np.uint64((np.int64(y[i]) + 1) * stride + np.int64(x[i]) + 1 + np.int64(p[i]) * plane)
        above, below = centre - side, centre + side
        found = (latest[above - one] >= oldest) + (latest[above] >= oldest) + (latest[above + one] >= oldest)
        found += (latest[centre - one] >= oldest) + (latest[centre + one] >= oldest)
        found += (latest[below - one] >= oldest) + (latest[below] >= oldest) + (latest[below + one] >= oldest)
        latest[centre] = now
        keep[i] = found >= support
    return keep


class SpatioTemporalCorrelationFilter(Filter):
    """Keeps an event if at least ``support`` of its eight neighbouring pixels had an event at most ``tau`` before it.

    ``same_polarity`` counts only neighbours whose event had the polarity of this one. What all filters share is told at
    ``Filter``.

    >>> from eventsnn import Events
    >>> events = Events([0, 10, 20, 30], x=[3, 4, 4, 9], y=[2, 2, 3, 7], p=[1, 1, 0, 1], sensor=(12, 10))
    >>> SpatioTemporalCorrelationFilter((12, 10))(events).t
    array([20])
    """

    def __init__(
        self,
        sensor: Sequence[int],
        tau: int | str = "5ms",
        support: int = 2,
        *,
        same_polarity: bool = False,
        late: str = "raise",
    ) -> None:
        self.tau = positive("tau", tau)
        if not 1 <= support <= 8:
            raise ValueError(f"support must lie in 1..8, the number of neighbours, got {support}")
        self.support, self.same_polarity = support, same_polarity
        super().__init__(sensor, late)

    def _forget(self) -> None:
        width, height = self.sensor
        self._latest = np.full((1 + self.same_polarity) * (height + 2) * (width + 2), NEVER)

    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        width, height = self.sensor
        plane = (height + 2) * (width + 2) if self.same_polarity else 0
        mask: NDArray[np.bool_] = _supported(t, x, y, p, self._latest, width + 2, plane, self.tau, self.support)
        return mask
