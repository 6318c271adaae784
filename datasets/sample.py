"""Sample: one item of a dataset, the same for all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from eventsnn.events import Events

__all__ = ["Sample"]


class Sample(NamedTuple):
    """``(events, target, metadata)``.

    ``events`` is a recording. A recording of spikes is one too: its sensor is ``(channels, 1)``, x is the channel and
    every p is 1. ``target`` is the number of a class where the dataset has classes, else what its card says.
    ``metadata`` has at least ``id``, the sample's name in the dataset, and ``split``.

    >>> events, target, metadata = Sample(Events.empty((700, 1)), 3, {"id": "a", "split": "train"})
    >>> events.sensor, target, metadata["id"]
    ((700, 1), 3, 'a')
    """

    events: Events
    target: Any
    metadata: dict[str, Any]
