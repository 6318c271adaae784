"""What filters with state share: checks, the clock, and keeping events by a mask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events, microseconds, sensor_size
from eventsnn.jit import compiled
from eventsnn.structured import either, is_structured

NEVER = int(np.iinfo(np.int64).min)


def positive(name: str, duration: int | str) -> int:
    """A duration in us. Raises ValueError if it is none or not positive."""
    us = microseconds(duration)
    if us <= 0:
        raise ValueError(f"{name} must be at least 1 us, got {duration!r}")
    return us


def pixels(sensor: Any) -> tuple[int, int]:
    """``(width, height)`` of a sensor size, of which tonic's has a third number; ValueError if it is none."""
    return sensor_size(sensor[:2] if isinstance(sensor, Sequence) else sensor)


@compiled
def _fit(t: Any, x: Any, y: Any, clock: int, width: int, height: int) -> bool:
    """True if all events are in order of time, from the clock on, and on the sensor; without branches."""
    bad = len(t) > 0 and t[0] < clock
    for i in range(1, len(t)):
        bad |= t[i] < t[i - 1]
    for i in range(len(x)):
        bad |= (x[i] < 0) | (x[i] >= width)
    for i in range(len(y)):
        bad |= (y[i] < 0) | (y[i] >= height)
    return not bad


@compiled
def _kept(keep: Any, column: Any, n: int) -> Any:
    """The ``n`` values where ``keep``, without a branch: each value is written and the next may overwrite it."""
    kept = np.empty(n + 1, column.dtype)
    k = np.uint64(0)  # unsigned: no check for a negative index
    for i in range(len(column)):
        kept[k] = column[i]
        k += np.uint64(keep[i])
    return kept[:n]


class Filter(ABC):
    """A filter that keeps some of the events it is given and remembers those that went before.

    Called with consecutive stretches of a recording; the state is carried, so the result does not depend on the cuts.
    ``keep(events)`` gives the mask ``[n]`` instead of the events. Torch columns come back on their device; the work is
    done on the CPU. ``sensor`` is ``(width, height)``; ``late`` says what to do where time steps back: "raise", or
    "hold", which judges such an event as if it came at the latest time before it (its time stamp stays).

    Raises ValueError for events outside the sensor and, unless held, for events that are not in order of time.
    """

    takes_either = True

    def __init__(self, sensor: Sequence[int], late: str = "raise") -> None:
        size = pixels(sensor)
        if late not in ("raise", "hold"):
            raise ValueError(f"late must be 'raise' or 'hold', got {late!r}")
        self.sensor, self.late = size, late
        self.reset()

    def reset(self) -> None:
        """Forget all events."""
        self._clock = NEVER
        self._forget()

    @abstractmethod
    def _forget(self) -> None:
        """Set the state to that before the first event."""

    @abstractmethod
    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        """Mask of the events to keep, in order of time and inside the sensor; carries the state on."""

    def keep(self, events: Events) -> NDArray[np.bool_]:
        """Mask ``[n]`` of the events that stay."""
        t, x, y, p = (np.ascontiguousarray(column) for column in events.numpy().columns)
        if not _fit(t, x, y, self._clock, *self.sensor):
            self._refuse(t, x, y)
            t = np.maximum.accumulate(np.maximum(t, self._clock))
        if len(t):
            self._clock = int(t[-1])
        return self._judge(t, x, y, p)

    def _refuse(self, t: Any, x: Any, y: Any) -> None:
        """Raise ValueError for the first event outside the sensor, or out of order of time unless that is held."""
        outside = (x < 0) | (x >= self.sensor[0]) | (y < 0) | (y >= self.sensor[1])
        if outside.any():
            i = int(outside.argmax())
            raise ValueError(
                f"event {i} at ({x[i]}, {y[i]}) lies outside the {self.sensor[0]}x{self.sensor[1]} sensor; "
                "crop the events first"
            )
        if self.late == "raise":
            before = np.concatenate([[self._clock], t[:-1]])
            i = int((t < before).argmax())
            raise ValueError(
                f"event {i} at {t[i]} us comes after one at {before[i]} us: events must be in order of time; sort() "
                "them, reset() the filter before another recording, or give late='hold'"
            )

    def __call__(self, events: Events) -> Events:
        """The events that stay. A record array, as tonic passes it, is a whole recording: the filter begins anew."""
        if is_structured(events):
            self.reset()
        return self._filtered(events)

    @either
    def _filtered(self, events: Events) -> Events:
        keep = self.keep(events)
        if isinstance(events.t, torch.Tensor):
            kept: Events = events[torch.from_numpy(keep).to(events.t.device)]
        else:
            n = int(np.count_nonzero(keep))
            kept = Events(*(_kept(keep, column, n) for column in events.columns), sensor=events.sensor)
        kept.sensor = self.sensor
        return kept
