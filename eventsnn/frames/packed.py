"""Packed: recordings of different lengths in one set of columns, and batches of them that copy no events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self, overload

import numpy as np
import torch

from eventsnn.events import Events

__all__ = ["Packed"]


def _indices(values: Any, like: Any) -> Any:
    """Whole numbers ``[B]`` as int64, of the kind and on the device of the columns."""
    if isinstance(like, torch.Tensor):
        return torch.as_tensor(values, device=like.device).long()
    return np.asarray(values.cpu() if isinstance(values, torch.Tensor) else values).astype(np.int64)


class Packed:
    """``B`` recordings of one sensor: recording b is ``events[begin[b]:end[b]]``.

    ``begin`` and ``end`` are int64 ``[B]``, NumPy or torch as the columns are. An index array, list or slice gives a
    batch of recordings over the same columns: no event is copied and nothing waits for the device. A whole number gives
    the one recording. ``is_sorted`` says whether each recording is in order of time, where that is known; else it is
    looked up when it is first asked for. Raises ValueError for bounds that are not within the events (on a GPU this is
    not looked at, as it would wait).

    >>> recordings = [Events([5, 9], [0, 1], [0, 0], [1, 0], sensor=(4, 2)), Events([7], [3], [1], [1], sensor=(4, 2))]
    >>> packed = Packed.join(recordings)
    >>> packed
    Packed(2 recordings, 4x2)
    >>> packed[1], packed[[1, 0, 1]].lengths
    (Events(1 events, 0 us, 0 events/s, 4x2), array([1, 2, 1]))
    """

    __slots__ = ("_sorted", "begin", "end", "events")

    def __init__(self, events: Events, begin: Any, end: Any, *, is_sorted: bool | None = None) -> None:
        self.events, self.begin, self.end = events, _indices(begin, events.t), _indices(end, events.t)
        self._sorted = is_sorted
        if self.begin.ndim != 1 or self.begin.shape != self.end.shape:
            raise ValueError(
                f"begin and end need one value a recording, got {list(self.begin.shape)} and {list(self.end.shape)}"
            )
        on_host = not isinstance(self.begin, torch.Tensor) or self.begin.device.type == "cpu"
        if on_host and bool(((self.begin < 0) | (self.end < self.begin) | (self.end > len(events))).any()):
            raise ValueError(f"recordings must lie within the {len(events):,} events, each end at or after its begin")

    @classmethod
    def join(cls, recordings: Iterable[Events]) -> Self:
        """One store from recordings of one sensor."""
        parts = list(recordings)
        lengths = np.array([len(part) for part in parts], np.int64)
        return cls.from_offsets(Events.concatenate(parts), np.concatenate([[0], lengths.cumsum()]))

    @classmethod
    def from_offsets(cls, events: Events, offsets: Any, *, is_sorted: bool | None = None) -> Self:
        """Recording b is ``events[offsets[b]:offsets[b + 1]]``; ``offsets`` is ``[B + 1]``."""
        return cls(events, offsets[:-1], offsets[1:], is_sorted=is_sorted)

    @property
    def sensor(self) -> tuple[int, int] | None:
        return self.events.sensor

    @property
    def lengths(self) -> Any:
        """Events of each recording, ``[B]``."""
        return self.end - self.begin

    @property
    def is_sorted(self) -> bool:
        """True if within no recording an event is earlier than the one before it."""
        if self._sorted is None:
            t, begin, end = (torch.as_tensor(c) for c in (self.events.t, self.begin, self.end))
            back = torch.nonzero(t[1:] < t[:-1])[:, 0] + 1
            last = torch.searchsorted(back, end)
            self._sorted = bool((torch.searchsorted(back, begin, right=True) >= last).all())
        return self._sorted

    def to(self, device: torch.device | str) -> Self:
        """The same recordings with torch columns on a device."""
        return type(self)(self.events.to(device), self.begin, self.end, is_sorted=self._sorted)

    def numpy(self) -> Self:
        """The same recordings with NumPy columns."""
        return type(self)(self.events.numpy(), self.begin, self.end, is_sorted=self._sorted)

    def __len__(self) -> int:
        return len(self.begin)

    @overload
    def __getitem__(self, index: int) -> Events: ...
    @overload
    def __getitem__(self, index: Any) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self.events[int(self.begin[index]) : int(self.end[index])]
        part = object.__new__(type(self))
        part.events = self.events
        if isinstance(self.begin, torch.Tensor) and not isinstance(index, slice):
            where = index if isinstance(index, torch.Tensor) else torch.as_tensor(index)
            where = where if where.device == self.begin.device else where.to(self.begin.device, non_blocking=True)
            part.begin, part.end = self.begin[where], self.end[where]
        else:
            whole: Any = index if isinstance(index, slice) else np.asarray(index) if len(index) else slice(0)
            part.begin, part.end = self.begin[whole], self.end[whole]
        part._sorted = self._sorted or None
        return part

    def __iter__(self) -> Iterator[Events]:
        return (self[b] for b in range(len(self)))

    def __repr__(self) -> str:
        size = "sensor unknown" if self.sensor is None else f"{self.sensor[0]}x{self.sensor[1]}"
        where = f", {self.begin.device}" if isinstance(self.begin, torch.Tensor) else ""
        return f"Packed({len(self):,} recordings, {size}{where})"
