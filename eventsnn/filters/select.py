"""Events of one polarity, of a region of interest, of unmasked pixels. NumPy or torch columns, on any device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from eventsnn.events import Events
from eventsnn.structured import either


@either
def only_polarity(events: Events, on: bool = True) -> Events:
    """The ON events, or with ``on=False`` the OFF events.

    >>> only_polarity(Events([0, 5], [1, 2], [0, 0], [1, 0])).t
    array([0])
    """
    kept: Events = events[events.p > 0 if on else events.p == 0]
    return kept


@either
def crop(events: Events, left: int, top: int, width: int, height: int) -> Events:
    """The events of a region of interest, which becomes the sensor: its upper left pixel is (0, 0).

    Raises ValueError for a region that has no pixels or reaches beyond a sensor that is known.

    >>> crop(Events([0, 5], [10, 2], [4, 0], [1, 0], sensor=(16, 8)), left=8, top=2, width=4, height=4)
    Events(1 events, 0 us, 0 events/s, 4x4)
    """
    right, bottom = left + width, top + height
    known = events.sensor or (right, bottom)
    if min(left, top) < 0 or min(width, height) < 1 or right > known[0] or bottom > known[1]:
        raise ValueError(
            f"the region of {width}x{height} px at ({left}, {top}) must have pixels and lie on the sensor "
            f"{'of unknown size' if events.sensor is None else '{}x{}'.format(*known)}"
        )
    x, y = (c.int() if isinstance(c, torch.Tensor) else c.astype(np.int32) for c in (events.x, events.y))
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    kept = events[inside]
    return Events(kept.t, kept.x - left, kept.y - top, kept.p, sensor=(width, height))


@either
def mask(events: Events, keep: Any) -> Events:
    """The events of the pixels where the mask ``keep [H, W]`` (NumPy or torch) is true.

    Raises ValueError for a mask that has not the sensor's size, or events outside it.

    >>> keep = np.ones((2, 4), bool)
    >>> keep[0, 1] = False
    >>> mask(Events([0, 5], [1, 2], [0, 0], [1, 0], sensor=(4, 2)), keep).t
    array([5])
    """
    height, width = keep.shape
    if events.sensor not in (None, (width, height)):
        raise ValueError(f"the mask [H, W] is {height}x{width}, but the sensor is {events.sensor} (width, height)")
    whole = Events(*events.columns, sensor=(width, height))
    if bool(whole.outside().any()):
        raise ValueError(f"events lie outside the {width}x{height} pixels of the mask; crop them first")
    if isinstance(events.t, torch.Tensor):
        kept = whole[torch.as_tensor(keep, dtype=torch.bool, device=events.t.device)[whole.y.long(), whole.x.long()]]
    else:
        kept = whole[np.asarray(keep, np.bool_)[whole.y, whole.x]]
    kept.sensor = events.sensor
    return kept
