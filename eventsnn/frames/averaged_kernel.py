"""The CPU kernel of averaged time surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsnn.jit import compiled


@compiled
def add_surfaces(
    sums: Any, numbers: Any, heads: Any, t: Any, x: Any, y: Any, p: Any, known: int, size: int, columns: int,
    reach: int, window: int, tau: float, linear: bool,
) -> None:  # fmt: skip
    """Add the surfaces of events ``known`` on; those before are remembered only."""
    previous = np.empty(len(t), np.int64)
    heads[:] = -1
    for i in range(len(t)):
        cell, polarity = (y[i] // size) * columns + x[i] // size, np.int64(p[i])
        j = heads[cell, polarity]
        previous[i], heads[cell, polarity] = j, i
        if i < known:
            continue
        numbers[cell] += 1
        while j >= 0 and t[i] - t[j] <= window:
            row, column = y[j] - y[i] + reach, x[j] - x[i] + reach
            if 0 <= row <= 2 * reach and 0 <= column <= 2 * reach and t[j] < t[i]:
                age = (t[i] - t[j]) / tau
                sums[cell, polarity, row, column] += max(0.0, 1 - age) if linear else np.exp(-age)
            j = previous[j]
