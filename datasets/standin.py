"""StandIn: generated recordings in the layout of a dataset, to try a workflow before the data are there."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from eventsnn.events import Events

from .card import Card
from .sample import Sample

__all__ = ["StandIn"]

TYPICAL = {
    "nmnist": (300_000, 4_200),
    "dvsgesture": (6_000_000, 370_000),
    "shd": (1_000_000, 8_000),
    "ssc": (1_000_000, 8_000),
    "cifar10dvs": (1_280_000, 200_000),
    "ncaltech101": (300_000, 115_000),
    "pokerdvs": (20_000, 2_000),
}
"""Duration [us] and number of events of a recording, about; a second and 10,000 for others."""


class StandIn:
    """A split of noise: sensor, classes, duration and number of events as a dataset has them, ``per_class`` samples.

    Half of the events lie around a place that is that of the class, so that there is something to learn. What a network
    reaches here tells nothing about the dataset.

    >>> from eventsnn.datasets import card_of
    >>> samples = StandIn(card_of("nmnist"), "test")
    >>> len(samples), samples[3].target, len(samples[3].events)
    (20, 1, 4200)
    """

    def __init__(self, card: Card, split: str = "train", per_class: int = 2) -> None:
        if split not in card.splits:
            raise ValueError(f"{card.title} has no split {split!r}; there are {', '.join(card.splits)}")
        self.name, self.split, self.sensor, self.classes = card.name, split, card.sensor, card.classes
        self.per_class = per_class
        self.split_hash = f"generated{per_class}"
        self.ids = tuple(f"{split}/{k:05d}" for k in range(len(self)))

    def __len__(self) -> int:
        return self.per_class * len(self.classes)

    def __getitem__(self, index: int) -> Sample:
        label = range(len(self))[index] // self.per_class
        duration, count = TYPICAL.get(self.name, (1_000_000, 10_000))
        draw = np.random.default_rng(zlib.crc32(f"{self.name} {self.ids[index]}".encode()))
        place = np.random.default_rng(label).random(2)
        width, height = self.sensor
        x, y = (
            np.where(draw.random(count) < 0.5, draw.random(count), np.clip(draw.normal(at, 0.05, count), 0, 0.999))
            * side
            for at, side in zip(place, (width, height), strict=True)
        )
        t = np.sort(draw.integers(0, duration, count))
        t[[0, -1]] = 0, duration - 1
        p = draw.integers(0, 2, count) if height > 1 else np.ones(count)
        events = Events(t, x.astype(np.int16), y.astype(np.int16), p.astype(np.uint8), sensor=self.sensor)
        return Sample(events, label, {"id": self.ids[index], "split": self.split})

    def __iter__(self) -> Iterator[Sample]:
        return (self[k] for k in range(len(self)))
