"""Moving: recordings of a shape that moves in a direction, generated; the dataset ``shapes`` of ``eventsnn train``."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import cache

from eventsnn.events import Events

from .sample import Sample
from .shapes import ShapesConfig, generate

__all__ = ["Moving"]

_SHAPES = ("circle", "square", "triangle")
_DIRECTIONS = {"right": 0.0, "down": 0.5 * math.pi, "left": math.pi, "up": 1.5 * math.pi}
_SAMPLES = {"train": 100, "test": 25}


class Moving:
    """A split of ``shapes``: 12 classes, three shapes by four directions, recordings of 40 ms by a 32x32 sensor.

    1,200 samples for training, 300 for test, drawn by seeds of their own. Each has a size from 10 to 15 px, a place, a
    speed, a direction within 20 degrees of its class's and noise of its own. Neither shape nor direction is known from
    one frame alone with certainty. Raises ValueError for another split.

    >>> moving = Moving("test")
    >>> len(moving), moving.classes[0], moving[0].events.sensor
    (300, 'circle right', (32, 32))
    """

    name, sensor = "shapes", (32, 32)
    classes = tuple(f"{shape} {direction}" for shape in _SHAPES for direction in _DIRECTIONS)

    def __init__(self, split: str = "train") -> None:
        if split not in _SAMPLES:
            raise ValueError(f"shapes has no split {split!r}; there are {', '.join(_SAMPLES)}")
        self.split, self.per_class = split, _SAMPLES[split]
        configs = repr([_config(label) for label in range(len(self.classes))])
        self.split_hash = hashlib.sha256(f"{split} {self.per_class} {configs}".encode()).hexdigest()[:16]
        self.ids = tuple(f"{self.classes[k // self.per_class]}/{k % self.per_class:03d}" for k in range(len(self)))

    def __len__(self) -> int:
        return self.per_class * len(self.classes)

    def __getitem__(self, index: int) -> Sample:
        label, clip = divmod(range(len(self))[index], self.per_class)
        events = _clips(label, self.split, self.per_class)[clip]
        return Sample(events, label, {"id": self.ids[index], "split": self.split})

    def __iter__(self) -> Iterator[Sample]:
        return (self[k] for k in range(len(self)))


def _config(label: int) -> ShapesConfig:
    shape, direction = divmod(label, len(_DIRECTIONS))
    angle = list(_DIRECTIONS.values())[direction]
    spread = math.radians(20)
    return ShapesConfig(
        width=32, height=32, frames=40, n_objects=1, shapes=(_SHAPES[shape],), border="leave", size=(10.0, 15.0),
        position=((11.0, 21.0), (11.0, 21.0)), speed=(0.1, 0.25), direction=(angle - spread, angle + spread),
    )  # fmt: skip


@cache
def _clips(label: int, split: str, count: int) -> list[Events]:
    found = generate(_config(label), count, seed=2 * label + list(_SAMPLES).index(split), frames=False).events
    assert found is not None
    return found
