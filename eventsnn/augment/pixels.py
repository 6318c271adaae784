"""Events dropped by pixel: given ones, hot ones, or some at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .augmentation import check_ratio
from .batch import Batch
from .drop import Drop


def _pixels(batch: Batch) -> Tensor:
    """A number ``[n]`` for the pixel and recording of each event."""
    return (batch.recording << 32) + ((batch.events.y.long() + 2**15) << 16) + batch.events.x.long() + 2**15


@dataclass(frozen=True)
class DropPixel(Drop):
    """The events dropped of the pixels ``coordinates`` (x, y), and of those that fire faster than a frequency [Hz].

    The rate of a pixel is that over its recording. See ``eventsnn.filters.hot_pixels`` for a test that knows the scene.

    >>> from eventsnn import Events
    >>> DropPixel([(1, 0)])(Events([0, 5], [1, 2], [0, 0], [1, 0])).t
    array([5])
    """

    coordinates: Sequence[tuple[int, int]] | None = None
    hot_pixel_frequency: float | None = None

    def _keep(self, batch: Batch) -> Tensor:
        keep = torch.ones_like(batch.recording, dtype=torch.bool)
        if self.coordinates:
            dead = torch.tensor(self.coordinates, device=keep.device)
            numbers = ((dead[:, 1] + 2**15) << 16) + dead[:, 0] + 2**15
            keep &= ~torch.isin(_pixels(batch) & (2**32 - 1), numbers)
        if self.hot_pixel_frequency is not None:
            first, last = batch.span
            _, place, count = torch.unique(_pixels(batch), return_inverse=True, return_counts=True)
            keep &= count[place] * 1e6 <= (self.hot_pixel_frequency * (last - first).clamp(min=1))[batch.recording]
        return keep


@dataclass(frozen=True)
class RandomDropPixel(Drop):
    """Every pixel silent with probability ``p``, others in each recording.

    >>> from eventsnn import Events
    >>> len(RandomDropPixel(p=1.0)(Events([0, 5], [1, 2], [0, 0], [1, 0])))
    0
    """

    p: float

    def __post_init__(self) -> None:
        check_ratio("p", self.p)

    def _keep(self, batch: Batch) -> Tensor:
        found, place = torch.unique(_pixels(batch), return_inverse=True)
        return (batch.draw(len(found)) >= self.p)[place]
