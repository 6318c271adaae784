"""Crops: a window of the sensor, anywhere or in its middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .augmentation import Augmentation
from .batch import Batch


def _cropped(batch: Batch, left: Tensor, top: Tensor, size: tuple[int, int]) -> Batch:
    """The window with that upper left corner ``[B]``, which becomes (0, 0)."""
    x = batch.events.x - left[batch.recording]
    y = batch.events.y - top[batch.recording]
    inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    return batch.replaced(x=x, y=y, sensor=size).kept(inside)


def _check_window(sensor: tuple[int, int], size: Sequence[int]) -> tuple[int, int]:
    width, height = int(size[0]), int(size[1])
    if not (1 <= width <= sensor[0] and 1 <= height <= sensor[1]):
        raise ValueError(f"a window of {width}x{height} px does not lie within the {sensor[0]}x{sensor[1]} sensor")
    return width, height


@dataclass(frozen=True)
class RandomCrop(Augmentation):
    """A window of ``target_size`` (width, height) anywhere on the sensor, another for each recording; it is the sensor.

    Raises ValueError for a window larger than the sensor.

    >>> from eventsnn import Events
    >>> RandomCrop((8, 4), (4, 2))(Events([0], [1], [0], [1], sensor=(8, 4))).sensor
    (4, 2)
    """

    sensor_size: Sequence[int] | None
    target_size: Sequence[int]

    def _apply(self, batch: Batch) -> Batch:
        sensor = batch.sensor(self.sensor_size)
        size = _check_window(sensor, self.target_size)
        left, top = (batch.draw(len(batch), 0, 1 + sensor[i] - size[i]).long() for i in (0, 1))
        return _cropped(batch, left, top, size)


@dataclass(frozen=True)
class CenterCrop(Augmentation):
    """The window of ``size`` (width, height), or of that many pixels a side, in the middle of the sensor.

    Raises ValueError for a window larger than the sensor.

    >>> from eventsnn import Events
    >>> CenterCrop((8, 4), 2)(Events([0, 5], [3, 0], [1, 0], [1, 1], sensor=(8, 4))).x
    array([0], dtype=int16)
    """

    sensor_size: Sequence[int] | None
    size: int | Sequence[int]

    def _apply(self, batch: Batch) -> Batch:
        sensor = batch.sensor(self.sensor_size)
        size = _check_window(sensor, (self.size, self.size) if isinstance(self.size, int) else self.size)
        left, top = (torch.full_like(batch.lengths, (sensor[i] - size[i]) // 2) for i in (0, 1))
        return _cropped(batch, left, top, size)
