"""What filters with state share: checks, the clock, and keeping events by a mask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events, microseconds
from eventsnn.jit import compiled
from eventsnn.structured import either, is_structured

NEVER = int(np.iinfo(np.int64).min)


def positive(name: str, duration: int | str) -> int:
    """A duration in us. Raises ValueError if it is none or not positive."""
    us = microseconds(duration)
    if us <= 0:
        raise ValueError(f"{name} must be at least 1 us, got {duration!r}")
    return us


@compiled
def _unfit(t: Any, x: Any, y: Any, clock: int, width: int, height: int) -> tuple[int, int]:
    """Index of the first event earlier than one before it, and of the first outside the sensor; -1 for none."""
    late = outside = -1
    for i in range(len(t)):
        if t[i] < clock:
            late = i
            break
        clock = t[i]
    for i in range(len(t)):
        if x[i] < 0 or x[i] >= width or y[i] < 0 or y[i] >= height:
            outside = i
            break
    return late, outside


@compiled
def _kept(keep: Any, t: Any, x: Any, y: Any, p: Any) -> Any:
    """The columns where ``keep``, without a branch: each event is written and the next may overwrite it."""
    n = keep.sum()
    kept_t, kept_x, kept_y = np.empty(n + 1, t.dtype), np.empty(n + 1, x.dtype), np.empty(n + 1, y.dtype)
    kept_p = np.empty(n + 1, p.dtype)
    k = 0
    for i in range(len(t)):
        kept_t[k], kept_x[k], kept_y[k], kept_p[k] = t[i], x[i], y[i], p[i]
        k += keep[i]
    return kept_t[:n], kept_x[:n], kept_y[:n], kept_p[:n]


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
        if len(sensor) < 2 or min(sensor[:2]) <= 0:
            raise ValueError(f"sensor must be (width, height) in pixels, both positive, got {tuple(sensor)}")
        if late not in ("raise", "hold"):
            raise ValueError(f"late must be 'raise' or 'hold', got {late!r}")
        self.sensor, self.late = (int(sensor[0]), int(sensor[1])), late
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
        late, outside = _unfit(t, x, y, self._clock, *self.sensor)
        if outside >= 0:
            raise ValueError(
                f"event {outside} at ({x[outside]}, {y[outside]}) lies outside the "
                f"{self.sensor[0]}x{self.sensor[1]} sensor; crop the events first"
            )
        if late >= 0:
            before = int(t[late - 1]) if late else self._clock
            if self.late == "raise":
                raise ValueError(
                    f"event {late} at {t[late]} us comes after one at {before} us: events must be in order of time; "
                    "sort() them, reset() the filter before another recording, or give late='hold'"
                )
            t = np.maximum.accumulate(np.maximum(t, self._clock))
        if len(t):
            self._clock = int(t[-1])
        return self._judge(t, x, y, p)

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
            kept = Events(*_kept(keep, *events.columns), sensor=events.sensor)
        kept.sensor = self.sensor
        return kept
