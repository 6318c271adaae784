"""A representation as an object: settings once, then any number of recordings, batches or streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from eventsnn.events import Events
from eventsnn.events import sensor_size as checked_size
from eventsnn.structured import either

from .packed import Packed
from .windows import spans

__all__ = ["Representation"]

_WINDOWS = ("dt", "count", "n_bins", "overlap", "start", "stop")


class Representation:
    """Events, a record array of events or ``Packed`` recordings to a tensor, and streams to one tensor a window.

    ``sensor_size`` is ``(width, height)`` or tonic's ``(width, height, polarities)``; one polarity is one channel.
    ``settings`` go to the function that makes the tensor; those in ``time`` say which windows there are.
    """

    points: int | None = None  # in each window of a stream, where there is more than one

    def __init__(
        self,
        function: Callable[..., torch.Tensor],
        sensor_size: tuple[int, ...],
        time: dict[str, Any],
        settings: dict[str, Any],
    ) -> None:
        self.function, self.sensor = function, checked_size(sensor_size[:2])
        if len(sensor_size) > 2 and "channels" not in settings:
            settings = {"channels": int(sensor_size[2]), **settings}
        self.time = {key: value for key, value in time.items() if value is not None}
        self.settings = settings

    def __repr__(self) -> str:
        set_to = {**self.time, **self.settings}  # by the names that the function has for them
        return f"{type(self).__name__}({', '.join([str(self.sensor), *(f'{k}={v!r}' for k, v in set_to.items())])})"

    @either
    def __call__(self, events: Events | Packed) -> torch.Tensor:
        """The whole recording, or a batch of them."""
        return self.function(events, sensor=self.sensor, **self.time, **self.settings)

    def stream(
        self, chunks: Events | Iterable[Events], *, device: torch.device | str = "cpu", **time: Any
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Pairs (start of the window in us, its tensor) of a stream, in memory bounded by one window and one chunk.

        The tensors are those of the whole recording, one by one. ``time`` are settings of ``windows``, in place of
        those that the representation has. An event that comes late, after its window has closed, counts at the start of
        the open one. Windows go to the ``device``, and the tensors are made there. Raises ValueError where the windows
        are not told: a number of bins needs ``start`` and ``stop``.
        """
        known = {} if self.points is not None else {key: value for key, value in self.time.items() if key in _WINDOWS}
        if any(key in time for key in ("dt", "count", "n_bins")):
            known = {key: value for key, value in known.items() if key not in ("dt", "count", "n_bins", "overlap")}
        time = {**known, **time}
        if not any(key in time for key in ("dt", "count")) and not {"n_bins", "start", "stop"} <= time.keys():
            raise ValueError("a stream has no end to divide by; give the length of a window, dt")
        state: dict[str, torch.Tensor] = {}
        waiting: torch.Tensor | None = None
        begin = end = 0
        full, on_host = True, torch.device(device).type == "cpu"
        for low, high, window in spans(chunks, **time):
            if waiting is not None:
                yield begin, waiting
            begin, end = low, high
            if "count" in time:
                full = len(window) == time["count"]
            else:
                window = Events(window.t.clip(low, high - 1), *window.columns[1:], sensor=self.sensor)
                full = "n_bins" in time or (len(window) > 0 and int(window.t.max()) == high - 1)
            waiting = self._window(window if on_host else window.to(device), begin, end - begin, state)
        if waiting is not None and (full or self.time.get("incomplete", True)):
            yield begin, waiting

    def _window(self, window: Events, begin: int, length: int, state: dict[str, torch.Tensor]) -> torch.Tensor:
        """The tensor of one window; ``state`` is what is carried to the next."""
        settings = {"sensor": self.sensor, **self.settings}
        if self.points is not None:
            return self.function(window, n_bins=self.points, start=begin, duration=length, **settings)
        return self.function(window, n_bins=1, start=begin, duration=length, **settings)[0]
