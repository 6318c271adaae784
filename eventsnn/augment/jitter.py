"""Jitter: places moved by an affine map or each by itself, times moved or stretched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .augmentation import Augmentation, check_ratio
from .batch import Batch


@dataclass(frozen=True)
class RandomAffine(Augmentation):
    """Rotated by up to ``degrees``, scaled, sheared by up to ``shear`` degrees and moved, another way each recording.

        (x, y) -> c + scale R(angle) [[1, tan(shear)], [0, 1]] ((x, y) - c) + shift,      c the middle of the sensor

    ``translate`` is the largest shift in x and y as parts of the sensor's sides. Places are rounded; events that leave
    the sensor are dropped. Names as in torchvision. Raises ValueError for negative angles, parts or scales.

    >>> from eventsnn import Events
    >>> RandomAffine(degrees=0, translate=(0, 0), scale=(2, 2))(Events([0], [5], [3], [1], sensor=(9, 9)))[0]
    (0, 6, 2, 1)
    """

    sensor_size: Sequence[int] | None = None
    degrees: float = 10.0
    translate: tuple[float, float] = (0.1, 0.1)
    scale: tuple[float, float] = (0.9, 1.1)
    shear: float = 0.0

    def __post_init__(self) -> None:
        check_ratio("translate", (0, self.translate[0]))
        check_ratio("translate", (0, self.translate[1]))
        if self.degrees < 0 or not 0 <= self.shear < 90 or not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(
                f"degrees must not be negative, shear lie in 0..90 and scale be a positive range (low, high), got "
                f"{self.degrees}, {self.shear} and {self.scale}"
            )

    def _apply(self, batch: Batch) -> Batch:
        width, height = batch.sensor(self.sensor_size)
        angle, shear = (batch.between((-a, a)) * math.pi / 180 for a in (self.degrees, self.shear))
        size = batch.between(self.scale)
        moves = [
            batch.between((-part * side, part * side))
            for part, side in zip(self.translate, (width, height), strict=True)
        ]
        cos, sin, slant = size * angle.cos(), size * angle.sin(), shear.tan()
        x, y = batch.events.x - (width - 1) / 2, batch.events.y - (height - 1) / 2
        cos, sin, slant, right, down = (value[batch.recording] for value in (cos, sin, slant, *moves))
        x = x + slant * y
        x, y = cos * x - sin * y + right + (width - 1) / 2, sin * x + cos * y + down + (height - 1) / 2
        moved = batch.replaced(x=x, y=y, sensor=(width, height))
        return moved.kept(~moved.events.outside())


@dataclass(frozen=True)
class SpatialJitter(Augmentation):
    """Every event moved by a normal draw of variances ``var_x``, ``var_y`` and covariance ``sigma_xy`` [px^2], rounded.

    Events that leave the sensor are dropped; ``clip_outliers=False`` keeps them, at places outside it.

    Raises ValueError for variances and a covariance that do not go together.

    >>> from eventsnn import Events
    >>> SpatialJitter(var_x=0, var_y=0)(Events([0], [5], [3], [1], sensor=(9, 9)))[0]
    (0, 5, 3, 1)
    """

    sensor_size: Sequence[int] | None = None
    var_x: float = 1
    var_y: float = 1
    sigma_xy: float = 0
    clip_outliers: bool = True

    def __post_init__(self) -> None:
        if min(self.var_x, self.var_y) < 0 or self.sigma_xy**2 > self.var_x * self.var_y:
            raise ValueError(
                f"variances must not be negative, nor sigma_xy^2 exceed var_x var_y; got {self.var_x}, {self.var_y} "
                f"and {self.sigma_xy}"
            )

    def _apply(self, batch: Batch) -> Batch:
        sensor, n = batch.sensor(self.sensor_size), len(batch.events)
        one, two = batch.normal(n), batch.normal(n)
        along = self.sigma_xy / math.sqrt(self.var_x) if self.var_x else 0.0
        x = batch.events.x + math.sqrt(self.var_x) * one
        y = batch.events.y + along * one + math.sqrt(max(self.var_y - along**2, 0)) * two
        moved = batch.replaced(x=x, y=y, sensor=sensor)
        return moved.kept(~moved.events.outside()) if self.clip_outliers else moved


@dataclass(frozen=True)
class TimeJitter(Augmentation):
    """Every time stamp moved by a normal draw of standard deviation ``std`` [us], rounded.

    Events that come before time 0 by it are dropped unless ``clip_negative=False``. They are brought in order of time
    again unless ``sort_timestamps=False``. Raises ValueError for a negative deviation.

    >>> from eventsnn import Events
    >>> TimeJitter(std=0)(Events([0, 5], [5, 5], [3, 3], [1, 0], sensor=(9, 9))).t
    array([0, 5])
    """

    std: float
    clip_negative: bool = True
    sort_timestamps: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.std < math.inf:
            raise ValueError(f"std must be finite and not negative, got {self.std}")

    def _apply(self, batch: Batch) -> Batch:
        t = batch.events.t + (self.std * batch.normal(len(batch.events))).round().long()
        moved = batch.replaced(t=t)
        moved = moved.kept((t >= 0) | (batch.events.t < 0)) if self.clip_negative else moved
        return moved.sorted() if self.sort_timestamps else moved


@dataclass(frozen=True)
class TimeSkew(Augmentation):
    """Time stretched and moved, t -> coefficient t + offset, rounded; ranges are drawn from for each recording.

    Raises ValueError for a coefficient that is not positive.

    >>> from eventsnn import Events
    >>> TimeSkew(coefficient=2.0, offset=3)(Events([0, 5], [5, 5], [3, 3], [1, 0])).t
    array([ 3, 13])
    """

    coefficient: float | tuple[float, float]
    offset: float | tuple[float, float] = 0

    def __post_init__(self) -> None:
        low = self.coefficient[0] if isinstance(self.coefficient, tuple) else self.coefficient
        if not low > 0:
            raise ValueError(f"coefficient must be positive, got {self.coefficient}")

    def _apply(self, batch: Batch) -> Batch:
        factor, offset = (batch.between(value)[batch.recording] for value in (self.coefficient, self.offset))
        return batch.replaced(t=torch.round(batch.events.t * factor + offset).long())
