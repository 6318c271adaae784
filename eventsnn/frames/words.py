"""Words: recordings with every event in one whole number, a third of the memory of their columns or two thirds."""

from __future__ import annotations

from typing import Any, Self, overload

import numpy as np
import torch
from torch import Tensor

from eventsnn.events import Events

from .packed import Packed

AT_ONCE = 1 << 22  # events that are made words together


class Words:
    """``B`` recordings of one sensor on a device; ``words[[3, 1]]`` are two of them as ``Packed``, ``words[3]`` one.

    A word holds, from its lowest bit, the polarity, x, y and the time since the recording's first event, in 32 bits
    where these are enough (N-MNIST: 1 + 6 + 6 + 19), else in 64. What is taken out is what was put in; an index array
    on the CPU makes nothing wait.

    >>> packed = Packed.join([Events([5, 9], [0, 1], [0, 1], [1, 0], sensor=(4, 2)), Events([7], [3], [1], [1])])
    >>> words = Words.of(packed, "cpu")
    >>> words, words[[1, 0]].events.t.tolist(), words[0].x.tolist()
    (Words(2 recordings, 3 events of 4 bytes, 4x2), [7, 5, 9], [0, 1])
    """

    def __init__(self, values: Tensor, first: Tensor, begin: Tensor, lengths: Tensor, bits: tuple[int, int, int],
                 sensor: tuple[int, int] | None) -> None:  # fmt: skip
        self.values, self.first, self.begin, self.bits, self.sensor = values, first, begin, bits, sensor
        self._end, self._lengths = begin + lengths, lengths.cpu()

    @classmethod
    def of(cls, packed: Packed, device: torch.device | str) -> Self:
        """The words of recordings that lie one after the other, in order of time, on the CPU.

        Raises ValueError for others, and for those that no word of 64 bits holds.
        """
        events: Any = packed.events.numpy()
        begin, end = np.asarray(packed.begin), np.asarray(packed.end)
        lengths = end - begin
        if len(begin) and (begin[0] or end[-1] != len(events) or (begin[1:] != end[:-1]).any()):
            raise ValueError("recordings must lie one after the other; Packed.join puts them so")
        if not packed.is_sorted:
            raise ValueError("recordings must be in order of time; sort their events first")
        there = lengths > 0
        first = np.zeros(len(begin), np.int64)
        first[there] = events.t[begin[there]]
        span = int((events.t[end[there] - 1] - first[there]).max(initial=0))
        if min(int(column.min(initial=0)) for column in (events.x, events.y)) < 0:
            raise ValueError("coordinates must not be negative")
        x, y = (int(column.max(initial=0)).bit_length() for column in (events.x, events.y))
        bits = x, y, span.bit_length()
        if 1 + sum(bits) > 64:
            raise ValueError(f"an event takes {1 + sum(bits)} bits, more than a word of 64 has")
        values = torch.empty(
            len(events), dtype=torch.int32 if 1 + sum(bits) <= 32 else torch.int64, device=torch.device(device)
        )
        sides = [torch.from_numpy(column).to(device) for column in (first, begin, lengths)]
        words = cls(values, sides[0], sides[1], sides[2], bits, packed.sensor)
        for at in range(0, len(events), AT_ONCE):
            words._write(events[at : at + AT_ONCE].to(device), at)
        return words

    def _write(self, events: Any, at: int) -> None:
        place = torch.arange(at, at + len(events), device=self.values.device)
        owner = torch.searchsorted(self._end, place, right=True)
        x, y, _ = self.bits
        t = events.t.long() - self.first[owner]
        p = events.p.long() & 1
        self.values[at : at + len(events)] = (((t << y | events.y.long()) << x | events.x.long()) << 1 | p).to(
            self.values.dtype
        )

    def __len__(self) -> int:
        return len(self.begin)

    @overload
    def __getitem__(self, index: int) -> Events: ...
    @overload
    def __getitem__(self, index: Any) -> Packed: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self[[int(index)]].events
        here = torch.arange(len(self))[index] if isinstance(index, slice) else torch.as_tensor(index).long().cpu()
        lengths, device = self._lengths[here], self.values.device
        end = lengths.cumsum(0)
        total, places = int(lengths.sum()), torch.stack([here, end - lengths, end])
        if device.type == "cuda":
            places = places.pin_memory().to(device, non_blocking=True)
        columns = self._columns(places, total, int(lengths.max()) if len(here) else 0)
        return Packed(Events(*columns, sensor=self.sensor), places[1], places[2], is_sorted=True)

    def _columns(self, places: Tensor, total: int, longest: int) -> tuple[Tensor, ...]:
        if places.is_cuda and total:
            from . import words_gpu

            return words_gpu.columns(self.values, self.first, self.begin, places, total, longest, self.bits)
        here, begin, end = places
        owner = torch.repeat_interleave(end - begin, output_size=total)
        word = self.values[torch.arange(total, device=places.device) + (self.begin[here] - begin)[owner]]
        x, y, span = self.bits
        t = (word >> (1 + x + y) & (1 << span) - 1).long() + self.first[here][owner]
        at = ((word >> shift & (1 << count) - 1).to(torch.int16) for shift, count in ((1, x), (1 + x, y)))
        return t, *at, (word & 1).to(torch.uint8)

    def __repr__(self) -> str:
        size = "sensor unknown" if self.sensor is None else f"{self.sensor[0]}x{self.sensor[1]}"
        events = f"{len(self.values):,} events of {self.values.element_size()} bytes"
        return f"Words({len(self):,} recordings, {events}, {size})"
