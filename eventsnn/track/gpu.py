"""What is seen of events before any target, on a GPU: filter, map and receptive field, many windows a transfer.

What is sequential stays on the CPU: regions are outlined there, targets predicted, corrected and merged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import triton

from eventsnn.events import Events
from eventsnn.filters.filter import NEVER

from . import gpu_kernels as kernels
from .attribution import Array
from .regions import BLOCK as SIDE
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
        events = Events.concatenate([window.numpy() for window in windows])
        filled = [window for window in windows if len(window)]
        ordered = all(window.is_sorted for window in filled)  # what slices know of their chunk
        ordered = ordered and all(a.t[-1] <= b.t[0] for a, b in pairwise(filled))
        ends = np.cumsum([len(window) for window in windows])
        looked = [(self._windows + k + 1) % self.every == 0 for k in range(len(windows))]
        self._windows += len(windows)
        with torch.cuda.stream(self._stream):
            columns = self._judged(events, ends[looked], ordered)
            keep = _fetched(columns[-1]).numpy()
            sights = iter(self._looked(sum(looked), lambda: self._recent(events, keep, ends[looked])))
        firsts = [0, *ends[:-1].tolist()]
        pointers = tuple(column.data_ptr() for column in columns)
        return [
            (Part(columns, pointers, first, last), next(sights) if look else None)
            for first, last, look in zip(firsts, ends.tolist(), looked, strict=True)
        ]

    def _judged(self, events: Events, edges: Array, ordered: bool) -> tuple[torch.Tensor, ...]:
        """The events on the device with what is kept of them, which is counted for each look."""
        regions, n, looks = self.regions, len(events), len(edges)
        width, height = regions.sensor
        t, x, y, p = self._uploaded(events, edges)
        clock = t
        if n:
            held = events.t
            if not (ordered and held[0] >= self._clock):
                held = np.maximum.accumulate(np.maximum(held, self._clock))
                clock = torch.from_numpy(held).to(self.device)
            self._clock = int(held[-1])
        pixel = torch.empty(n, dtype=torch.int32, device=self.device)
        keep = torch.empty(n, dtype=torch.int8, device=self.device)
        self._begin(looks)
        if n:
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
        return t, x, y, p, keep

    def _uploaded(self, events: Events, edges: Array) -> list[torch.Tensor]:
        """The columns, and the ``edges``, in one transfer."""
        x, y, p = (column.view(kind) for column, kind in zip(events.columns[1:], ("i2", "i2", "u1"), strict=True))
        columns = edges.astype(np.int64), events.t, x, y, p
        sizes = [-(-column.nbytes // 16) * 16 for column in columns]
        staged = torch.empty(sum(sizes) + 16, dtype=torch.uint8, pin_memory=True)
        into, at = staged.numpy(), 0
        for column, size in zip(columns, sizes, strict=True):
            into[at : at + column.nbytes] = np.ascontiguousarray(column).view(np.uint8)
            at += size
        self._staged = staged  # until the copy has ended
        there, at, result = staged.to(self.device, non_blocking=True), 0, []
        for column, size in zip(columns, sizes, strict=True):
            kind = getattr(torch, str(column.dtype))
            result.append(there[at : at + column.nbytes].view(kind))
            at += size
        self._edges = result[0]
        return result[1:]

    def _begin(self, looks: int) -> None:
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
        parts = [kept[low:high] for low, high in pairwise(borders)]
        rest, found = events[parts.pop()], []
        if parts and len(self._unlooked):
            found = [thinned(Events.concatenate([self._unlooked, events[parts.pop(0)]]))]
            self._unlooked = self._unlooked[:0]
        self._unlooked = Events.concatenate([self._unlooked, rest])
        return found + [events[thinned(part)] for part in parts]

    def _looked(self, looks: int, recent: Callable[[], list[Events]]) -> list[Sight]:
        regions, cells, device = self.regions, len(self._map), self.device
        if not looks:
            self._stream.synchronize()
            recent()
            return []
        maps = torch.empty(looks, cells, device=device)
        grid = (triton.cdiv(cells, _BLOCK),)
        kernels.fade[grid](self._map, self._counts, maps, self._decay, looks, cells, _BLOCK, **_UNFUSED)
        self._seen, self._counts = self._seen[looks:], self._counts[looks:]
        mean = self._background(maps)
        variance = (mean / (1 + regions.decay)).clamp(min=LEAST_VARIANCE)
        factor = (4 * math.pi * regions.scale / variance).sqrt().float()
        z, half = torch.empty_like(maps), torch.empty_like(maps)
        size = regions.height, regions.width, len(self._taps) // 2
        low = mean.float()
        several = (grid[0], looks)
        kernels.smooth[several](maps, half, self._taps, low, factor, *size, regions.width, True, _BLOCK, **_UNFUSED)
        kernels.smooth[several](half, z, self._taps, low, factor, *size, 1, False, _BLOCK, **_UNFUSED)
        told, z, maps = (_fetched(part) for part in (torch.cat([mean, self._fault.double()]), z, maps))
        self._stream.synchronize()
        *means, fault = told.tolist()
        if fault:
            raise ValueError("events lie outside the {}x{} sensor; crop them first".format(*regions.sensor))
        shape = regions.height, regions.width
        return [
            Sight(mean, regions.outlined(z[k].view(shape).numpy(), maps[k].view(shape).numpy(), self.birth_z), events)
            for k, (mean, events) in enumerate(zip(means, recent(), strict=True))
        ]

    def _background(self, maps: torch.Tensor) -> torch.Tensor:
        side = min(SIDE, self.regions.height, self.regions.width)
        across, down = self.regions.width // side, self.regions.height // side
        blocks = across * down
        sums = torch.empty(len(maps), blocks, dtype=torch.float64, device=self.device)
        grid = (triton.cdiv(blocks, _BLOCK), len(maps))
        kernels.block_sums[grid](maps, sums, self.regions.width, maps.shape[1], across, blocks, side, _BLOCK)
        return sums.sort(1).values[:, (blocks - 1) // 2] / side**2


def _fetched(values: torch.Tensor) -> torch.Tensor:
    """A copy on the host, once the stream has come to it; without waiting."""
    return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
