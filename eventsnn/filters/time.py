"""Time scaled and shifted. NumPy or torch columns, on any device."""

from __future__ import annotations

import math

import torch

from eventsnn.events import Events, microseconds
from eventsnn.structured import either


def _check_span(events: Events, scale: float, shift: int) -> None:
    ends = (int(events.t.min()), int(events.t.max())) if len(events) else (0, 0)
    if any(not -(2**63) <= math.floor(end * scale) + shift < 2**63 for end in ends):
        raise ValueError(f"times from {ends[0]} to {ends[1]} us times {scale} plus {shift} us do not fit 64 bits")


@either
def scale_time(events: Events, factor: float, origin: int = 0) -> Events:
    """Time stretched around ``origin`` [us]: t becomes origin + factor (t - origin), rounded to whole microseconds.

    Raises ValueError for a factor that is not positive or times that would not fit.

    >>> scale_time(Events([10, 15], [0, 0], [0, 0], [1, 1]), 0.1, origin=10).t
    array([10, 10])
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"factor must be positive and finite, got {factor}")
    _check_span(events, factor, math.ceil(abs(origin) * (1 + factor)))
    stretched = (events.t - origin) * factor
    t = stretched.round().long() if isinstance(stretched, torch.Tensor) else stretched.round().astype("int64")
    return Events(t + origin, events.x, events.y, events.p, sensor=events.sensor)


@either
def shift_time(events: Events, offset: int | str) -> Events:
    """Time moved by ``offset`` (us, or a text such as "10ms" or "-10ms"): t becomes t + offset.

    Raises ValueError for times that would not fit.

    >>> shift_time(Events([10, 15], [0, 0], [0, 0], [1, 1]), "-10us").t
    array([0, 5])
    """
    back = isinstance(offset, str) and offset.startswith("-")
    us = -microseconds(offset[1:]) if back else microseconds(offset)  # type: ignore[index]
    _check_span(events, 1, us)
    return Events(events.t + us, events.x, events.y, events.p, sensor=events.sensor)
