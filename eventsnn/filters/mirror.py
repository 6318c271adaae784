"""Flips and transposition of the sensor. NumPy or torch columns, on any device; twice is nothing."""

from __future__ import annotations

from collections.abc import Sequence

from eventsnn.events import Events
from eventsnn.structured import either


def _sensor(events: Events, given: Sequence[int] | None) -> tuple[int, int]:
    size = events.sensor if given is None else (int(given[0]), int(given[1]))
    if size is None:
        raise ValueError("the sensor size of these events is not known; pass sensor=(width, height)")
    if bool(Events(*events.columns, sensor=size).outside().any()):
        raise ValueError(f"events lie outside the {size[0]}x{size[1]} sensor; crop them first")
    return size


@either
def flip_lr(events: Events, sensor: Sequence[int] | None = None) -> Events:
    """Left and right exchanged: x becomes width - 1 - x. Raises ValueError for events outside the sensor.

    >>> flip_lr(Events([0], [1], [0], [1], sensor=(8, 4))).x
    array([6], dtype=int16)
    """
    size = _sensor(events, sensor)
    return Events(events.t, size[0] - 1 - events.x, events.y, events.p, sensor=size)


@either
def flip_ud(events: Events, sensor: Sequence[int] | None = None) -> Events:
    """Top and bottom exchanged: y becomes height - 1 - y. Raises ValueError for events outside the sensor.

    >>> flip_ud(Events([0], [1], [0], [1], sensor=(8, 4))).y
    array([3], dtype=int16)
    """
    size = _sensor(events, sensor)
    return Events(events.t, events.x, size[1] - 1 - events.y, events.p, sensor=size)


@either
def transpose(events: Events) -> Events:
    """Columns become rows: x and y, width and height exchanged.

    >>> transpose(Events([0], [6], [1], [1], sensor=(8, 4)))[0], transpose(Events.empty((8, 4))).sensor
    ((0, 1, 6, 1), (4, 8))
    """
    return Events(events.t, events.y, events.x, events.p, sensor=events.sensor and events.sensor[::-1])
