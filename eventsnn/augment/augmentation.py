"""What augmentations share: one recording or a batch, Events or record arrays, on any device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from eventsnn.events import Events
from eventsnn.frames.packed import Packed
from eventsnn.structured import either

from .batch import Batch

E = TypeVar("E", Events, Packed)


def check_ratio(name: str, value: float | tuple[float, float]) -> None:
    """Raises ValueError unless the number, or both of a range, lie in 0..1 and in order."""
    low, high = value if isinstance(value, tuple) else (value, value)
    if not 0 <= low <= high <= 1:
        raise ValueError(f"{name} must lie in 0..1, or be a range (low, high) in it, got {value}")


@dataclass(frozen=True)
class Augmentation(ABC):
    """A random change of recordings for training.

    Takes Events, a ``Packed`` batch (every recording has draws of its own, the work is done for all at once, on the
    device of the columns) or a NumPy record array as tonic passes it, and gives back the same kind. ``generator`` makes
    the draws (default: torch's own, so ``torch.manual_seed`` and the seeds of loading workers hold). ``sensor_size`` is
    ``(width, height)`` or tonic's ``(width, height, polarities)``; None takes that of the events.
    """

    generator: torch.Generator | None = field(default=None, kw_only=True, repr=False, compare=False)

    @abstractmethod
    def _apply(self, batch: Batch) -> Batch:
        """The batch, changed."""

    @either
    def __call__(self, events: E) -> E:
        """The recording or recordings, changed."""
        store = events.events if isinstance(events, Packed) else events
        on_host = not isinstance(store.t, torch.Tensor)
        if isinstance(events, Packed):
            packed = events.to("cpu") if on_host else events
        else:
            packed = Packed.join([store.to("cpu") if on_host else store])
        batch = self._apply(Batch.of(packed, self.generator))
        changed = batch.events.numpy() if on_host else batch.events
        return Packed.from_offsets(changed, batch.offsets) if isinstance(events, Packed) else changed
