"""Compose: transforms one after the other, ours and those of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from eventsnn.events import Events
from eventsnn.frames.packed import Packed
from eventsnn.structured import either, from_structured, is_structured, takes_either, to_structured

from .augmentation import Augmentation


def _sensor_after(transform: Any, sensor: tuple[int, int] | None) -> tuple[int, int] | None:
    """The sensor after a foreign transform, which has a target_size or size (width, height) if it changes it."""
    size = getattr(transform, "target_size", None) or getattr(transform, "size", None)
    if size is None:
        return sensor
    return (size, size) if isinstance(size, int) else (size[0], size[1])


class Compose:
    """Transforms in the order given, for one recording, as Events or a record array, or a ``Packed`` batch of them.

    Filters begin anew with every recording. A transform of this library gets Events, an augmentation the whole batch at
    once. Any other callable, such as one of tonic's, gets a record array of one recording; where it gives one back it
    becomes Events again, and anything else (frames) goes on as it is, for a batch as a list. A record array comes out
    as one.

    >>> from eventsnn.augment import DropEvent, RandomFlipLR
    >>> events = Events([0, 5], [1, 2], [0, 0], [1, 0], sensor=(4, 2))
    >>> Compose([RandomFlipLR(p=1.0), lambda array: array[array["p"]], DropEvent(0.5)])(events).x
    array([2], dtype=int16)
    """

    def __init__(self, transforms: Iterable[Callable[..., Any]]) -> None:
        self.transforms = tuple(transforms)

    @either
    def __call__(self, events: Any) -> Any:
        """The recording or recordings after all transforms."""
        for transform in self.transforms:
            events = _applied(transform, events)
        return events

    def __repr__(self) -> str:
        return f"Compose({list(self.transforms)})"


def _applied(transform: Callable[..., Any], value: Any) -> Any:
    if isinstance(value, Packed) and not isinstance(transform, Augmentation | Compose):
        results = [_applied(transform, recording) for recording in value]
        return Packed.join(results) if all(isinstance(result, Events) for result in results) else results
    if isinstance(value, list):
        return [_applied(transform, each) for each in value]
    if hasattr(transform, "reset"):
        transform.reset()
    if not isinstance(value, Events) or takes_either(transform):
        return transform(value)
    result = transform(to_structured(value))
    return from_structured(result, _sensor_after(transform, value.sensor)) if is_structured(result) else result
