"""Averaged time surfaces (HATS): what went on around the events of each cell of pixels shortly before them."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import torch

from eventsnn.events import Events, microseconds

from .binning import UNSORTED, device_of
from .cells import cells
from .packed import Packed

__all__ = ["AveragedTimeSurface", "to_averaged_time_surface"]


class AveragedTimeSurface:
    """Averaged time surfaces ``[cells, 2, S, S]`` of all events so far, of a sensor ``(width, height)``.

    Around each event, the events of the same cell and polarity before it, by at most ``time_window``, add
    ``exp(-age / tau)`` (``decay="lin"``: ``max(0, 1 - age / tau)``) at their distance, at most ``surface_size // 2``
    pixels; the sum over a cell of ``cell_size`` x ``cell_size`` pixels is divided by the number of its events. Sironi
    et al., HATS: histograms of averaged time surfaces (2018).

    Called with consecutive stretches of a recording; events of the last ``time_window`` are remembered, so the result
    does not depend on the cuts. Raises ValueError for bad settings, events outside the sensor or out of order.

    >>> surface = AveragedTimeSurface((4, 2), cell_size=2, surface_size=3, time_window=100, tau=10)
    >>> events = Events([0, 10], x=[0, 1], y=[0, 0], p=[1, 1], sensor=(4, 2))
    >>> surface(events).shape, round(surface(events[:0])[0, 1, 1, 0].item(), 3)
    (torch.Size([2, 2, 3, 3]), 0.184)
    """

    def __init__(
        self,
        sensor: tuple[int, ...],
        cell_size: int = 10,
        surface_size: int = 5,
        time_window: int | str = 1_000,
        tau: int | str = 100,
        decay: Literal["exp", "lin"] = "exp",
    ) -> None:
        self.sensor, self.cell_size, self.reach = (sensor[0], sensor[1]), int(cell_size), surface_size // 2
        self.window, self.tau, self.linear = microseconds(time_window), microseconds(tau), decay == "lin"
        if cell_size < 1 or surface_size < 1 or surface_size % 2 == 0:
            raise ValueError(f"cell_size must be at least 1 and surface_size odd, got {cell_size} and {surface_size}")
        if self.window <= 0 or self.tau <= 0 or decay not in ("exp", "lin"):
            raise ValueError(
                f"time_window and tau must be at least 1 us and decay 'exp' or 'lin', got {time_window!r}, {tau!r}, "
                f"{decay!r}"
            )
        self.columns, self.rows = (-(-side // self.cell_size) for side in self.sensor)
        self.reset()

    def reset(self) -> Self:
        """Forget all events."""
        number, side = self.columns * self.rows, 2 * self.reach + 1
        self._sums, self._numbers = np.zeros((number, 2, side, side)), np.zeros(number, np.int64)
        self._recent = Events.empty(self.sensor)
        return self

    def __call__(self, events: Events) -> torch.Tensor:
        """Add events; the surfaces of all so far, on their device."""
        new = Events(*events.numpy().columns, sensor=self.sensor)
        if new.outside().any():
            raise ValueError(f"events lie outside the {self.sensor[0]}x{self.sensor[1]} sensor; crop them first")
        known = len(self._recent)
        both = Events.concatenate([self._recent, new])
        if not both.is_sorted:
            raise ValueError(UNSORTED)
        heads = np.empty((len(self._numbers), 2), np.int64)
        x, y, p = both.x.astype(np.int64), both.y.astype(np.int64), both.p.astype(np.int64)
        fixed = self.cell_size, self.columns, self.reach, self.window, float(self.tau), self.linear
        from .averaged_kernel import add_surfaces

        add_surfaces(self._sums, self._numbers, heads, both.t, x, y, p, known, *fixed)
        if len(both):
            self._recent = both.between(int(both.t[-1]) - self.window)
        mean = self._sums / np.maximum(self._numbers, 1)[:, None, None, None]
        return torch.from_numpy(mean).float().to(device_of(events))


def to_averaged_time_surface(
    events: Events | Packed, sensor: tuple[int, int] | None = None, **settings: Any
) -> torch.Tensor:
    """Averaged time surfaces ``[cells, 2, S, S]``, of ``Packed`` recordings ``[B, cells, 2, S, S]``.

    Settings, equation and errors are those of ``AveragedTimeSurface``.

    >>> events = Events([0, 10], x=[0, 1], y=[0, 0], p=[1, 1], sensor=(4, 2))
    >>> to_averaged_time_surface(events, cell_size=2, surface_size=1).shape
    torch.Size([2, 2, 1, 1])
    """
    surface = AveragedTimeSurface(cells(events, sensor).sensor, **settings)
    if isinstance(events, Events):
        return surface(events)
    return torch.stack([surface.reset()(recording) for recording in events])
