"""Noise: events anywhere, at any time, of any polarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from eventsnn.events import Events

from .augmentation import Augmentation
from .batch import Batch


@dataclass(frozen=True)
class UniformNoise(Augmentation):
    """``n`` events more in each recording (a range, both included, is drawn from), anywhere between its first and last.

    A recording without events gets its noise at time 0. Raises ValueError for a negative number.

    >>> from eventsnn import Events
    >>> UniformNoise(n=3)(Events([10, 20], [1, 2], [0, 0], [1, 0], sensor=(4, 4)))
    Events(5 events, 10 us, 500 k events/s, 4x4)
    """

    sensor_size: Sequence[int] | None = None
    n: int | tuple[int, int] = 100

    def __post_init__(self) -> None:
        low, high = self.n if isinstance(self.n, tuple) else (self.n, self.n)
        if not 0 <= low <= high:
            raise ValueError(f"n must be a number of events or a range (low, high), none negative, got {self.n}")

    def _apply(self, batch: Batch) -> Batch:
        sensor, old = batch.sensor(self.sensor_size), batch.events
        low, high = self.n if isinstance(self.n, tuple) else (self.n, self.n)
        counts = batch.draw(len(batch), low, high + 1).long()
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        total = int(offsets[-1])
        first, last = (end.repeat_interleave(counts, output_size=total) for end in batch.span)
        t = first + (batch.draw(total) * (last - first + 1)).long()
        x, y = (batch.draw(total, 0, side).to(old.x.dtype) for side in sensor)
        noise = Events(t, x, y, (batch.draw(total) < 0.5).to(old.p.dtype), sensor=sensor)
        return batch.replaced(sensor=sensor).joined(Batch(noise, offsets, batch.generator))
