"""What is seen of events before any target, on a GPU: filter, map and receptive field, many windows a transfer.

What is sequential stays on the CPU: regions are outlined there, targets predicted, corrected and merged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import triton

from eventsnn.events import Events
from eventsnn.filters.filter import NEVER

from . import gpu_kernels as kernels
from .attribution import Array
from .regions import LEAST_VARIANCE, MOST_PER_PIXEL, RegionDetector, Sight, thinned

_BLOCK = 256
_UNFUSED = {"enable_fp_fusion": False}


@dataclass(frozen=True)
class Part:
    """Events ``first`` to ``last`` of columns on a GPU, those of one window."""

    columns: tuple[torch.Tensor, ...]
    """``t, x, y, p`` and ``keep``, which marks what is no background, and where they lie."""
    pointers: tuple[int, ...]
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class Batch:
    """The events of windows in ``staged`` memory, where the columns are in it; and last, room for edges."""

    windows: int
    events: Events
    ends: Array
    ordered: bool
    staged: torch.Tensor
    places: Sequence[tuple[slice, torch.dtype]]


@dataclass(frozen=True)
class Begun:
    """Windows that the device looks at: their events here and there, and what comes back once it is ``done``."""

    batch: Batch
    looked: Array
    columns: tuple[torch.Tensor, ...]
    fetched: list[torch.Tensor]
    done: torch.cuda.Event


class Watch:
    """``watch(windows) -> [(events on the device, what is seen, or None where it is not looked)]``.

    As ``BackgroundActivityFilter(sensor, tau, late="hold")``, or no filter where ``tau`` is None, and the map of
    ``regions`` looked at every so many windows. Raises ValueError for events outside the sensor.
    """

    def __init__(
        self, regions: RegionDetector, tau: int | None, every: int, birth_z: float, device: torch.device
    ) -> None:
        self.regions, self.tau, self.every, self.birth_z, self.device = regions, tau, every, birth_z, device
        width, height = regions.sensor
        self._latest = torch.full((width * height + 1,), NEVER, device=device)
        self._runs = torch.zeros(2, width * height + 1, dtype=torch.int32, device=device)
        self._map = torch.zeros(regions.height * regions.width, device=device)
        self._seen = torch.zeros(1, width * height, dtype=torch.int32, device=device)  # since the last look
        self._counts = torch.zeros(1, len(self._map), dtype=torch.int32, device=device)
        self._taps = torch.from_numpy(regions.taps).to(device)
        self._decay = torch.tensor(regions.decay, dtype=torch.float64, device=device)
        self._fault = torch.zeros(1, dtype=torch.int32, device=device)
        self._clock, self._windows = NEVER, 0
        self._unlooked = Events.empty(sensor=regions.sensor)
        self._stream = torch.cuda.Stream(device)
        torch.cuda.synchronize(device)

    def __call__(self, windows: Sequence[Events]) -> list[tuple[Part, Sight | None]]:
        return self.finish(self.begin(self.pack(windows)))

    def pack(self, windows: Sequence[Events]) -> Batch:
        """What ``begin`` takes. Each of the three steps takes the windows in order; they may go on in three threads."""
        windows = [window.numpy() for window in windows]
        filled = [window for window in windows if len(window)]
        ordered = all(window.is_sorted for window in filled)  # what slices know of their chunk
        ordered = ordered and all(a.t[-1] <= b.t[0] for a, b in pairwise(filled))
        ends = np.cumsum([0, *map(len, windows)])
        kinds = [np.dtype(kind) for kind in ("i8", "i2", "i2", "u1")]
        sizes = [int(ends[-1]) * kind.itemsize for kind in kinds]
        starts = np.cumsum([0, *(-(-size // 16) * 16 for size in sizes)]).tolist()
        staged = torch.empty(starts[-1] + 8 * len(windows), dtype=torch.uint8, pin_memory=True)
        places = [slice(start, start + size) for start, size in zip(starts, sizes, strict=False)]
        columns = []
        for k, (place, kind) in enumerate(zip(places, kinds, strict=True)):
            into = staged[place].view(getattr(torch, str(kind)))
            if filled:
                torch.cat([_tensor(window.columns[k].view(kind)) for window in filled], out=into)
            columns.append(into.numpy().view(windows[0].columns[k].dtype))
        types = [getattr(torch, str(kind)) for kind in kinds]
        events = Events(*columns, sensor=self.regions.sensor)
        return Batch(len(windows), events, ends, ordered, staged, list(zip(places, types, strict=True)))

    def begin(self, batch: Batch) -> Begun:
        """Have the windows looked at, without waiting for the device."""
        looked = (self._windows + 1 + np.arange(batch.windows)) % self.every == 0
        self._windows += batch.windows
        looks = int(looked.sum())
        with torch.cuda.stream(self._stream):
            columns = self._uploaded(batch, batch.ends[1:][looked])
            keep = self._judged(batch, columns, looks)
            fetched = [_fetched(part) for part in (keep, *self._seen_in(looks))]
            done = torch.cuda.Event()
            done.record(self._stream)
        return Begun(batch, looked, (*columns, keep), fetched, done)

    def finish(self, begun: Begun) -> list[tuple[Part, Sight | None]]:
        """What is seen in the windows, those of one ``begin`` after those of the one before."""
        begun.done.synchronize()
        keep, told, z, maps = (part.numpy() for part in begun.fetched)
        if told[-1]:
            raise ValueError("events lie outside the {}x{} sensor; crop them first".format(*self.regions.sensor))
        recent = self._recent(begun.batch.events, keep.view(bool), begun.batch.ends[1:][begun.looked])
        found, ends = self.regions.outlined(z, maps, self.birth_z)
        sights = (
            Sight(mean, found[low:high], events)
            for mean, (low, high), events in zip(told[:-1].tolist(), pairwise(ends.tolist()), recent, strict=True)
        )
        pointers = tuple(column.data_ptr() for column in begun.columns)
        return [
            (Part(begun.columns, pointers, first, last), next(sights) if look else None)
            for (first, last), look in zip(pairwise(begun.batch.ends.tolist()), begun.looked.tolist(), strict=True)
        ]

    def _judged(self, batch: Batch, columns: tuple[torch.Tensor, ...], looks: int) -> torch.Tensor:
        """Which events are kept; those are counted for each look."""
        regions, n = self.regions, len(batch.events)
        width, height = regions.sensor
        t, x, y, _ = columns
        clock = t
        keep = torch.empty(n, dtype=torch.int8, device=self.device)
        self._make_room(looks)
        if n:
            held = batch.events.t
            if not (batch.ordered and held[0] >= self._clock):
                held = np.maximum.accumulate(np.maximum(held, self._clock))
                clock = torch.from_numpy(held).to(self.device)
            self._clock = int(held[-1])
            pixel = torch.empty(n, dtype=torch.int32, device=self.device)
            grid = (triton.cdiv(n, _BLOCK),)
            kernels.locate[grid](x, y, pixel, self._fault, n, width, height, _BLOCK)
            order = pixel
            if self.tau is not None:
                pixel, order = torch.sort(pixel, stable=True)
                self._runs.zero_()
                kernels.runs[grid](pixel, *self._runs, n, _BLOCK)
            kernels.judge[grid](
                clock, x, y, order, *self._runs, self._latest, keep, self._edges, self._seen, self._counts, n,
                n.bit_length(), looks, self.tau or 0, width, height, regions.width, len(self._map), regions.pool,
                MOST_PER_PIXEL, self.tau is not None, _BLOCK,
            )  # fmt: skip
            if self.tau is not None:
                kernels.remember[grid](clock, order, pixel, self._latest, n, _BLOCK)
        return keep

    def _uploaded(self, batch: Batch, edges: Array) -> tuple[torch.Tensor, ...]:
        """The columns on the device; with the ``edges``, in one transfer."""
        at = len(batch.staged) - 8 * batch.windows
        last = slice(at, at + 8 * len(edges))
        batch.staged[last].view(torch.int64).numpy()[:] = edges
        there = batch.staged.to(self.device, non_blocking=True)
        self._edges = there[last].view(torch.int64)
        return tuple(there[place].view(kind) for place, kind in batch.places)

    def _make_room(self, looks: int) -> None:
        """Room for the counts of so many looks and of one to come, the first with what is counted already."""
        for name in ("_seen", "_counts"):
            before = getattr(self, name)
            room = (
                before if looks == 0 else torch.zeros(looks + 1, before.shape[1], dtype=torch.int32, device=self.device)
            )
            room[0] = before[0]
            setattr(self, name, room)

    def _recent(self, events: Events, keep: Array, edges: Array) -> list[Events]:
        """Some of what is kept of the events since the last look, for each look."""
        kept = np.flatnonzero(keep)
        borders = [0, *np.searchsorted(kept, edges).tolist(), len(kept)]
        *parts, rest = (kept[low:high] for low, high in pairwise(borders))
        found = []
        if parts and len(self._unlooked):
            first = Events.concatenate([self._unlooked, events[parts.pop(0)]])
            found = [first[thinned(np.arange(len(first)))]]
            self._unlooked = self._unlooked[:0]
        if len(rest):
            self._unlooked = Events.concatenate([self._unlooked, events[rest]])
        parts = [thinned(part) for part in parts]
        some = events[np.concatenate([rest[:0], *parts])]
        ends = np.cumsum([0, *map(len, parts)]).tolist()
        return found + [some[low:high] for low, high in pairwise(ends)]

    def _seen_in(self, looks: int) -> list[torch.Tensor]:
        """Of each look the mean of the background, and a fault; z; and the map."""
        regions, cells, device = self.regions, len(self._map), self.device
        maps = torch.empty(looks, cells, device=device)
        z, half = torch.empty_like(maps), torch.empty_like(maps)
        mean = torch.empty(looks, dtype=torch.float64, device=device)
        if looks:
            grid = (triton.cdiv(cells, _BLOCK),)
            kernels.fade[grid](self._map, self._counts, maps, self._decay, looks, cells, _BLOCK, **_UNFUSED)
            self._seen, self._counts = self._seen[looks:], self._counts[looks:]
            mean = self._background(maps)
            variance = (mean / (1 + regions.decay)).clamp(min=LEAST_VARIANCE)
            factor = (4 * math.pi * regions.scale / variance).sqrt().float()
            size = regions.height, regions.width, len(self._taps) // 2
            low = mean.float()
            several = (grid[0], looks)
            kernels.smooth[several](maps, half, self._taps, low, factor, *size, regions.width, True, _BLOCK, **_UNFUSED)
            kernels.smooth[several](half, z, self._taps, low, factor, *size, 1, False, _BLOCK, **_UNFUSED)
        shape = looks, regions.height, regions.width
        return [torch.cat([mean, self._fault.double()]), z.view(shape), maps.view(shape)]

    def _background(self, maps: torch.Tensor) -> torch.Tensor:
        side = self.regions.block
        across, down = self.regions.width // side, self.regions.height // side
        blocks = across * down
        sums = torch.empty(len(maps), blocks, dtype=torch.float64, device=self.device)
        grid = (triton.cdiv(blocks, _BLOCK), len(maps))
        kernels.block_sums[grid](maps, sums, self.regions.width, maps.shape[1], across, blocks, side, _BLOCK)
        return sums.sort(1).values[:, self.regions.rank] / side**2


def _tensor(column: Array) -> torch.Tensor:
    """As a tensor: torch copies without the interpreter's lock."""
    return torch.from_numpy(column if column.flags.writeable else column.copy())


def _fetched(values: torch.Tensor) -> torch.Tensor:
    """A copy on the host, once the stream has come to it; without waiting."""
    return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
