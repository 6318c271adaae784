"""Batch: the events of a batch of recordings side by side, as the augmentations see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from eventsnn.events import Events
from eventsnn.frames.packed import Packed


class Batch:
    """Events of ``B`` recordings one after the other: columns ``[n]``, ``recording [n]``, ``offsets [B + 1]``.

    All on one device. ``generator`` draws what is random, each draw for all recordings or events at once.
    """

    def __init__(self, events: Events, offsets: Tensor, generator: torch.Generator | None) -> None:
        self.events, self.offsets, self.generator = events, offsets, generator
        numbers = torch.arange(len(offsets) - 1, device=offsets.device)
        self.recording = numbers.repeat_interleave(self.lengths, output_size=len(events))

    @classmethod
    def of(cls, packed: Packed, generator: torch.Generator | None) -> Self:
        """The recordings of a batch, gathered from the store they lie in."""
        offsets = torch.cat([packed.begin.new_zeros(1), packed.lengths.cumsum(0)])
        total = int(offsets[-1])
        skipped = (packed.begin - offsets[:-1]).repeat_interleave(packed.lengths, output_size=total)
        index = torch.arange(total, device=offsets.device) + skipped
        return cls(packed.events[index], offsets, generator)

    @property
    def lengths(self) -> Tensor:
        """Events of each recording ``[B]``."""
        return self.offsets.diff()

    @property
    def span(self) -> tuple[Tensor, Tensor]:
        """Time of the earliest and the latest event of each recording ``[B]``; 0 where there is none."""
        low, high = (
            self.offsets.new_zeros(len(self)).scatter_reduce(0, self.recording, self.events.t, how, include_self=False)
            for how in ("amin", "amax")
        )
        return low, high

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sensor(self, given: Sequence[int] | None) -> tuple[int, int]:
        """Width and height: those given, or those of the events.

        Raises ValueError if neither is known, or events lie outside.
        """
        size = self.events.sensor if given is None else (int(given[0]), int(given[1]))
        if size is None:
            raise ValueError("the sensor size of these events is not known; give sensor_size=(width, height)")
        if min(size) < 1:
            raise ValueError(f"sensor_size must be (width, height) in pixels, both positive, got {given}")
        if bool(Events(*self.events.columns, sensor=size).outside().any()):
            raise ValueError(f"events lie outside the {size[0]}x{size[1]} sensor; crop them first")
        return size

    def draw(self, count: int, low: float | Tensor = 0.0, high: float | Tensor = 1.0) -> Tensor:
        """Uniform float64 numbers ``[count]`` in [low, high)."""
        where = self.offsets.device if self.generator is None else self.generator.device
        numbers = torch.rand(count, generator=self.generator, device=where, dtype=torch.float64)
        return low + (high - low) * numbers.to(self.offsets.device)

    def normal(self, count: int) -> Tensor:
        """Normal float64 numbers ``[count]``, mean 0 and variance 1."""
        where = self.offsets.device if self.generator is None else self.generator.device
        numbers = torch.randn(count, generator=self.generator, device=where, dtype=torch.float64)
        return numbers.to(self.offsets.device)

    def between(self, value: float | tuple[float, float]) -> Tensor:
        """A number for each recording ``[B]``: the one given, or uniform between the two given."""
        low, high = value if isinstance(value, tuple) else (value, value)
        if low == high:
            return torch.full((len(self),), low, dtype=torch.float64, device=self.offsets.device)
        return self.draw(len(self), low, high)

    def chosen(self, p: float) -> Tensor:
        """Mask ``[n]`` of the events of recordings that are each chosen with probability ``p``."""
        return (self.draw(len(self)) < p)[self.recording]

    def rank(self, key: Tensor) -> Tensor:
        """Place ``[n]`` of each event in its recording, from 0, by ``key`` in [0, 1], the smallest first."""
        order = (2 * self.recording + key).argsort(stable=True)
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=order.device)
        return place - self.offsets[self.recording]

    def replaced(
        self,
        t: Tensor | None = None,
        x: Tensor | None = None,
        y: Tensor | None = None,
        p: Tensor | None = None,
        sensor: tuple[int, int] | None = None,
    ) -> Batch:
        """The same recordings with other columns; ``x`` and ``y`` are rounded, and held to what int16 can."""
        old = self.events
        x, y = (
            a if v is None else (v.round().clamp(-(2**15), 2**15 - 1) if v.is_floating_point() else v).to(a.dtype)
            for v, a in ((x, old.x), (y, old.y))
        )
        new = Events(
            old.t if t is None else t, x, y, old.p if p is None else p.to(old.p.dtype), sensor=sensor or old.sensor
        )
        return Batch(new, self.offsets, self.generator)

    def kept(self, keep: Tensor) -> Batch:
        """The events of the mask ``[n]``."""
        before = torch.cat([self.offsets.new_zeros(1), keep.cumsum(0)])
        return Batch(self.events[keep], before[self.offsets], self.generator)

    def sorted(self) -> Batch:
        """Each recording in order of time; simultaneous events keep their order."""
        order = self.events.t.argsort(stable=True)
        order = order[self.recording[order].argsort(stable=True)]
        return Batch(self.events[order], self.offsets, self.generator)

    def joined(self, other: Batch) -> Batch:
        """Each recording with the events of the other's of the same number, in order of time."""
        events = Events.concatenate([self.events, other.events])
        order = torch.cat([self.recording, other.recording]).argsort(stable=True)
        return Batch(events[order], self.offsets + other.offsets, self.generator).sorted()
