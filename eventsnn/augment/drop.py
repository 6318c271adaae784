"""Events dropped: by count, by time, by area, by pixel.

Gu et al., EventDrop: data augmentation for event-based learning (2021).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .augmentation import Augmentation, check_ratio
from .batch import Batch


class Drop(Augmentation):
    """An augmentation that leaves events out."""

    @abstractmethod
    def _keep(self, batch: Batch) -> Tensor:
        """Mask ``[n]`` of the events that stay."""

    def _apply(self, batch: Batch) -> Batch:
        return batch.kept(self._keep(batch))


@dataclass(frozen=True)
class DropEvent(Drop):
    """The part ``p`` of each recording's events dropped at random, rounded down; a range is drawn from.

    >>> from eventsnn import Events
    >>> len(DropEvent(p=0.5)(Events([0, 5, 9], [1, 2, 3], [0, 0, 0], [1, 0, 0])))
    2
    """

    p: float | tuple[float, float]

    def __post_init__(self) -> None:
        check_ratio("p", self.p)

    def _keep(self, batch: Batch) -> Tensor:
        dropped = (batch.between(self.p) * batch.lengths).long()
        return batch.rank(batch.draw(len(batch.events))) >= dropped[batch.recording]


@dataclass(frozen=True)
class DropEventByTime(Drop):
    """The events of a stretch of time dropped: the part ``duration_ratio`` of each recording's duration, anywhere.

    >>> from eventsnn import Events
    >>> len(DropEventByTime(duration_ratio=0.5)(Events(range(8), [1] * 8, [0] * 8, [1] * 8)))
    4
    """

    duration_ratio: float | tuple[float, float] = 0.2

    def __post_init__(self) -> None:
        check_ratio("duration_ratio", self.duration_ratio)

    def _keep(self, batch: Batch) -> Tensor:
        first, last = batch.span
        ratio = batch.between(self.duration_ratio)
        duration = last - first + 1
        begin = first + (duration * batch.draw(len(batch)) * (1 - ratio)).long()
        end = begin + (duration * ratio).round().long()
        t = batch.events.t
        return (t < begin[batch.recording]) | (t >= end[batch.recording])


@dataclass(frozen=True)
class DropEventByArea(Drop):
    """The events of a rectangle dropped, anywhere on the sensor and of its shape: the part ``area_ratio`` of its area.

    >>> from eventsnn import Events
    >>> len(DropEventByArea(area_ratio=1.0)(Events([0, 5], [1, 2], [0, 0], [1, 0], sensor=(4, 4))))
    0
    """

    sensor_size: Sequence[int] | None = None
    area_ratio: float | tuple[float, float] = 0.2

    def __post_init__(self) -> None:
        check_ratio("area_ratio", self.area_ratio)

    def _keep(self, batch: Batch) -> Tensor:
        side = batch.between(self.area_ratio).sqrt()
        dropped = torch.ones_like(batch.recording, dtype=torch.bool)
        for place, whole in zip((batch.events.x, batch.events.y), batch.sensor(self.sensor_size), strict=True):
            length = (whole * side).round()
            begin = (batch.draw(len(batch)) * (whole - length + 1)).floor()
            dropped &= (place >= begin[batch.recording]) & (place < (begin + length)[batch.recording])
        return ~dropped


@dataclass(frozen=True)
class EventDrop(Drop):
    """Each recording treated in one of four ways, at random: whole, or 0.1 to 0.9 dropped by time, by area or by count.

    >>> from eventsnn import Events
    >>> len(EventDrop()(Events([0, 5], [1, 2], [0, 0], [1, 0], sensor=(4, 4)))) <= 2
    True
    """

    sensor_size: Sequence[int] | None = None

    def _keep(self, batch: Batch) -> Tensor:
        part = (0.1, 0.9)
        drops = DropEventByTime(part), DropEventByArea(self.sensor_size, part), DropEvent(part)
        way = batch.draw(len(batch), 0, 1 + len(drops)).long()[batch.recording]
        keep = way == len(drops)
        for number, drop in enumerate(drops):
            keep |= (way == number) & drop._keep(batch)
        return keep
