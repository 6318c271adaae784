"""When a target turns out to be two objects that part: each then gets its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .fleet import Array
from .regions import Region


class Parting:
    """Watches, look by look, the gap between the regions within each target's box.

    The edges of one object keep their gap, or turn, and what they enclose keeps its size. Two objects that part do not:
    the gap and what they enclose grow together.
    """

    def __init__(self, least: float) -> None:
        self.least = least
        self._first: dict[int, tuple[float, float]] = {}

    def part(self, serial: int, size: float, regions: Sequence[Region]) -> tuple[Array, Array, Array, Array] | None:
        """Low and high corners ``[2]`` of the first and of the second part of a target, if its regions part."""
        if len(regions) < 2:
            self._first.pop(serial, None)
            return None
        low, high = np.stack([r.low for r in regions]), np.stack([r.high for r in regions])
        best: tuple[float, int, Array] | None = None
        for axis in (0, 1):
            order = np.argsort(low[:, axis])
            reached = np.maximum.accumulate(high[order, axis])
            gaps = low[order[1:], axis] - reached[:-1]
            k = int(gaps.argmax())
            if best is None or gaps[k] > best[0]:
                best = float(gaps[k]), k, order
        assert best is not None
        gap, k, order = best
        extent = _extent(regions)
        if gap <= 0:
            self._first.pop(serial, None)
            return None
        gap_first, extent_first = self._first.setdefault(serial, (gap, max(extent, size)))
        groups = order[: k + 1], order[k + 1 :]
        corners = [(low[group].min(0), high[group].max(0)) for group in groups]
        large = min((b - a).max() for a, b in corners) > self.least / 2
        grown = min(gap - gap_first, extent - extent_first)
        if not large or grown < max(3.0, 0.1 * extent_first):
            return None
        self._first.pop(serial)
        return (*corners[0], *corners[1])

    def forget(self, serials: set[int]) -> None:
        """Keep only what concerns these targets."""
        self._first = {serial: first for serial, first in self._first.items() if serial in serials}


def _extent(regions: Sequence[Region]) -> float:
    low, high = np.stack([r.low for r in regions]).min(0), np.stack([r.high for r in regions]).max(0)
    return float(np.hypot(*(high - low)))
