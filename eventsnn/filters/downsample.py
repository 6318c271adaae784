"""Integer down-sampling in space: blocks of pixels become one, with a rest between its events if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.structured import either

from .filter import pixels
from .refractory import RefractoryFilter


def _coarse(sensor: Sequence[int], factor: int) -> tuple[int, int]:
    if isinstance(factor, bool) or int(factor) != factor or factor < 1:
        raise ValueError(f"factor must be a whole number of at least 1, got {factor}")
    width, height = pixels(sensor)
    return -(-width // factor), -(-height // factor)


@either
def downsample(events: Events, factor: int) -> Events:
    """Every event at (x // factor, y // factor); the last blocks of a side that is no multiple are smaller.

    NumPy or torch columns, on any device. Raises ValueError for a factor below 1.

    >>> downsample(Events([0, 5], [6, 7], [1, 2], [1, 0], sensor=(8, 5)), 2)
    Events(2 events, 5 us, 400 k events/s, 4x3)
    """
    sensor = _coarse(events.sensor or (1, 1), factor) if events.sensor else None
    _coarse((1, 1), factor)
    return Events(events.t, events.x // factor, events.y // factor, events.p, sensor=sensor)


class DownsampleFilter(RefractoryFilter):
    """``downsample``, and then each block of pixels rests for ``period`` after an event that it lets pass.

    Without a rest a block fires ``factor``^2 times as often as a pixel; ``same_polarity`` gives each polarity a rest of
    its own. What all filters share is told at ``Filter``.

    >>> events = Events([0, 400, 1_000], x=[6, 7, 6], y=[1, 1, 0], p=[1, 1, 0], sensor=(8, 4))
    >>> DownsampleFilter((8, 4), factor=2, period="1ms")(events)
    Events(2 events, 1 ms, 2 k events/s, 4x2)
    """

    def __init__(
        self,
        sensor: Sequence[int],
        factor: int,
        period: int | str = "1ms",
        *,
        same_polarity: bool = False,
        late: str = "raise",
    ) -> None:
        self.factor, self.coarse = int(factor), _coarse(sensor, factor)
        super().__init__(sensor, period, same_polarity=same_polarity, late=late)

    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        return super()._judge(t, x // self.factor, y // self.factor, p)

    @either
    def _filtered(self, events: Events) -> Events:
        kept = downsample(super()._filtered(events), self.factor)
        kept.sensor = self.coarse
        return kept
