"""Flips: left and right, top and bottom, polarity, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from .augmentation import Augmentation, check_ratio
from .batch import Batch


@dataclass(frozen=True)
class _Mirror(Augmentation):
    """One axis turned round, with probability ``p`` a recording."""

    sensor_size: Sequence[int] | None = None
    p: float = 0.5
    axis: ClassVar[str]

    def __post_init__(self) -> None:
        check_ratio("p", self.p)

    def _apply(self, batch: Batch) -> Batch:
        sensor = batch.sensor(self.sensor_size)
        place, side = getattr(batch.events, self.axis), sensor["xy".index(self.axis)]
        turned = torch.where(batch.chosen(self.p), side - 1 - place, place)
        return batch.replaced(**{self.axis: turned}, sensor=sensor)


class RandomFlipLR(_Mirror):
    """Left and right exchanged, x -> width - 1 - x, with probability ``p`` a recording.

    >>> from eventsnn import Events
    >>> RandomFlipLR(p=1.0)(Events([0], [1], [0], [1], sensor=(8, 4))).x
    array([6], dtype=int16)
    """

    axis = "x"


class RandomFlipUD(_Mirror):
    """Top and bottom exchanged, y -> height - 1 - y, with probability ``p`` a recording.

    >>> from eventsnn import Events
    >>> RandomFlipUD(p=1.0)(Events([0], [1], [0], [1], sensor=(8, 4))).y
    array([3], dtype=int16)
    """

    axis = "y"


@dataclass(frozen=True)
class RandomFlipPolarity(Augmentation):
    """ON becomes OFF and OFF becomes ON, with probability ``p`` an event.

    >>> from eventsnn import Events
    >>> RandomFlipPolarity(p=1.0)(Events([0, 5], [1, 1], [0, 0], [1, 0])).p
    array([0, 1], dtype=uint8)
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        check_ratio("p", self.p)

    def _apply(self, batch: Batch) -> Batch:
        on = batch.events.p > 0
        return batch.replaced(p=on ^ (batch.draw(len(on)) < self.p))


@dataclass(frozen=True)
class RandomTimeReversal(Augmentation):
    """Played backwards, t -> first + last - t, with probability ``p`` a recording; brighter is then darker.

    ``flip_polarities=False`` leaves the polarities.

    >>> from eventsnn import Events
    >>> RandomTimeReversal(p=1.0)(Events([0, 5, 9], [1, 2, 3], [0, 0, 0], [1, 0, 0])).t
    array([0, 4, 9])
    """

    p: float = 0.5
    flip_polarities: bool = True

    def __post_init__(self) -> None:
        check_ratio("p", self.p)

    def _apply(self, batch: Batch) -> Batch:
        chosen, t, p = batch.chosen(self.p), batch.events.t, batch.events.p > 0
        first, last = (end[batch.recording] for end in batch.span)
        backwards = torch.where(chosen, first + last - t, t)
        return batch.replaced(t=backwards, p=p ^ (chosen & self.flip_polarities)).sorted()
