"""Flicker filter: pixels that turn bright again and again at the lamp's own period are silenced.

A pixel's period is the time between the first ON events after OFF ones, as in Hoseini and Linares-Barranco, Real-time
temporal frequency detection in FPGA using event-based vision sensor (2018); Wang et al., A linear comb filter for event
flicker removal (2022), show what flicker does to a recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.jit import compiled

from .filter import NEVER, Filter, positive


@compiled
def _steady(t: Any, x: Any, y: Any, p: Any, state: Any, width: int, shortest: Any, longest: Any, needed: int) -> Any:
    """Mask of the events of pixels that do not flicker; ``state`` holds the latest rise, cycles and polarity."""
    rise, cycles, polarity = state
    keep = np.empty(len(t), np.bool_)
    slowest = longest[0]
    for i in range(len(t)):
        place = np.int64(y[i]) * width + np.int64(x[i])
        if rise[place] < t[i] - slowest:  # a period has passed without a rise
            cycles[place] = 0
        if p[i] and not polarity[place]:
            matches = False
            for k in range(len(longest)):
                matches |= t[i] - longest[k] <= rise[place] <= t[i] - shortest[k]
            cycles[place] = min(cycles[place] + 1, needed) if matches else 0
            rise[place] = t[i]
        polarity[place] = p[i]
        keep[i] = cycles[place] < needed
    return keep


class FlickerFilter(Filter):
    """Drops the events of a pixel after ``cycles`` periods of a flicker in a row, until a period is missed.

    ``frequency`` is that of the light in Hz: 100 for lamps on a mains of 50 Hz, 120 on one of 60 Hz. Periods may differ
    from it by the part ``tolerance``. With ``harmonics`` above one, its multiples up to that are removed too. What all
    filters share is told at ``Filter``. Raises ValueError for a frequency or tolerance that makes no band of periods.

    >>> from eventsnn import Events
    >>> t = np.arange(12) * 5_000
    >>> lamp = Events(t, np.full(12, 3), np.full(12, 2), np.arange(12) % 2, sensor=(12, 10))
    >>> FlickerFilter((12, 10), frequency=100)(lamp)[-1]
    (30000, 3, 2, 0)
    """

    def __init__(
        self,
        sensor: Sequence[int],
        frequency: float = 100.0,
        tolerance: float = 0.15,
        cycles: int = 3,
        *,
        harmonics: int = 1,
        late: str = "raise",
    ) -> None:
        if not 0 < frequency <= 1e5:
            raise ValueError(f"frequency must lie in (0, 100000] Hz, got {frequency}")
        if not 0 <= tolerance < 1:
            raise ValueError(f"tolerance is a part of the period in [0, 1), got {tolerance}")
        if not 1 <= cycles <= 255 or harmonics < 1:
            raise ValueError(f"cycles must lie in 1..255 and harmonics be at least 1, got {cycles} and {harmonics}")
        self.frequency, self.tolerance, self.cycles, self.harmonics = frequency, tolerance, cycles, harmonics
        periods = 1e6 / frequency / np.arange(1, harmonics + 1)
        self._shortest = np.ceil(periods * (1 - tolerance)).astype(np.int64)
        self._longest = np.floor(periods * (1 + tolerance)).astype(np.int64)
        positive("the longest period", int(self._longest[-1]))
        super().__init__(sensor, late)

    def _forget(self) -> None:
        pixels = self.sensor[0] * self.sensor[1]
        self._state = np.full(pixels, NEVER), np.zeros(pixels, np.uint8), np.zeros(pixels, np.uint8)

    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        state, width = self._state, self.sensor[0]
        mask: NDArray[np.bool_] = _steady(t, x, y, p, state, width, self._shortest, self._longest, self.cycles)
        return mask
