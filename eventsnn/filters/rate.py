"""Rate limiter: no more events in a window of time than a budget allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.jit import compiled

from .filter import Filter, positive


@compiled
def _drawn(t: Any, state: Any, window: int, budget: int, seed: Any) -> Any:
    """Mask of the events within budget; ``state`` holds the window's start, events, kept ones, the last one's events.

    The draw of event number n is SplitMix64 of seed and n (Steele et al. 2014): it does not depend on the cuts.
    """
    keep = np.empty(len(t), np.bool_)
    start, seen, kept, before, number = state[0], state[1], state[2], state[3], state[4]
    for i in range(len(t)):
        if t[i] - start >= window:
            passed = (t[i] - start) // window
            before = seen if passed == 1 else 0
            start += passed * window
            seen = kept = 0
        bits = np.uint64(seed) + np.uint64(number + 1) * np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        draw = ((bits ^ (bits >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
        keep[i] = kept < budget and draw * before < budget
        seen, kept, number = seen + 1, kept + keep[i], number + 1
    state[0], state[1], state[2], state[3], state[4] = start, seen, kept, before, number
    return keep


class RateLimiter(Filter):
    """Keeps at most ``budget`` events in each ``window`` of time; windows follow each other from the first event on.

    Events are dropped at random, with the chance that would have brought the window before down to the budget, and all
    are once the budget is spent; so a recording within it passes whole, and filtering twice changes nothing. The same
    ``seed`` drops the same events. What all filters share is told at ``Filter``.

    Raises ValueError for a budget below one event.

    >>> from eventsnn import Events
    >>> t = np.arange(3_000)
    >>> events = Events(t, 0 * t, 0 * t, t % 2, sensor=(12, 10))
    >>> kept = RateLimiter((12, 10), budget=100, window="1ms")(events)
    >>> int(np.bincount(kept.t // 1_000).max())
    100
    """

    def __init__(
        self, sensor: Sequence[int], budget: int, window: int | str = "1ms", *, seed: int = 0, late: str = "raise"
    ) -> None:
        if budget < 1:
            raise ValueError(f"budget must be at least one event in a window, got {budget}")
        if not 0 <= seed < 2**63:
            raise ValueError(f"seed must lie in 0..2^63 - 1, got {seed}")
        self.budget, self.window, self.seed = int(budget), positive("window", window), seed
        super().__init__(sensor, late)

    def _forget(self) -> None:
        self._state: NDArray[np.int64] | None = None

    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        if self._state is None and len(t):
            self._state = np.array([t[0], 0, 0, 0, 0], np.int64)
        mask: NDArray[np.bool_] = _drawn(t, self._state, self.window, self.budget, self.seed) if len(t) else t > 0
        return mask
