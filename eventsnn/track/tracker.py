"""Multi-object tracking of events without training: regions of activity give birth to tracks, events keep them exact.

For each window of events: predict, assign every event to the target it fits best, measure and update, merge, then look
for regions that no target explains.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import torch

from eventsnn.devices import device_named
from eventsnn.events import Events, sensor_size

from . import fleet_kernels as kernels
from .attribution import Shares, attribute
from .config import TrackerConfig, window_length
from .fleet import Array, Fleet
from .identity import Mergers, report
from .parting import EVERY, Parting
from .records import Row
from .regions import RegionDetector, Sight, thinned

if TYPE_CHECKING:
    from .gpu import Part, Watch


class Tracker:
    """``update(events of the next window) -> rows of the confirmed tracks``; ``reset()`` starts anew.

    A row is one of ``Tracks``; when a track is confirmed, its rows since birth come with the current one. ``update`` is
    ``follow`` with what ``see`` makes of the events. ``see`` knows nothing of the tracks: in another thread it may be
    called for windows to come. ``dt_us`` is the length of a window [us], or a text as "5ms".

    Raises ValueError for a sensor, a length or a device that cannot be.

    >>> tracker = Tracker((64, 48), dt_us=5000)
    >>> tracker.update(Events.empty(sensor=(64, 48)), end_us=5000)
    []
    """

    def __init__(
        self,
        sensor: tuple[int, int],
        dt_us: int | str,
        config: TrackerConfig | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.sensor, self.dt_us, self.config = sensor_size(sensor), window_length(dt_us), config or TrackerConfig()
        decay = float(np.exp(-self.config.look_every / self.config.map_time))
        scale = (self.config.min_size / 4) ** 2
        self.regions = RegionDetector(self.sensor, scale=scale, decay=decay)
        self.device = device_named(device)
        if self.device.type not in ("cpu", "cuda"):
            raise ValueError(f"the tracker runs on cpu or cuda, not on {device}")
        if self.device.type == "cuda":
            from .gpu_attribution import Attribution

            self._attribution = Attribution(self.dt_us, self.device)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and events."""
        self.regions.reset()
        self.fleet = Fleet(self.config, self.dt_us / 1e3)
        self.frame, self._density = 0, 0.0
        looks = self.fleet.windows(self.config.confirm / (EVERY * self.config.look_every), 3)
        self._mergers = Mergers()
        self._parting = Parting(self.config.min_size / 4, looks, self.sensor, self.config.look_every)
        self._fading = math.exp(-self.dt_us / 1e3 / self.config.merge_after)
        self._waits = self.fleet.windows(self.config.confirm, 5), self.fleet.windows(2 * self.config.merge_after, 5)
        self._trail = self.fleet.windows(self.config.trail)
        self._trails: deque[tuple[int, Array]] = deque()  # when and where targets were
        self._unlooked: list[Events] = []
        self._watch: Watch | None = None

    def update(self, events: Events, end_us: int) -> list[Row]:
        """Rows for the window that ends at ``end_us``."""
        if self.device.type == "cpu":
            return self.follow(events, end_us, self.see(events))
        self._watch = self._watch or self.watch()
        ((part, sight),) = self._watch([events])
        return self.follow(part, end_us, sight)

    def watch(self, tau: int | None = None) -> Watch:
        """On a GPU: ``see`` for many windows at once, whose events stay there; ``tau`` is for a background filter."""
        from .gpu import Watch

        return Watch(self.regions, tau, self.config.look_every, self.config.birth_z, self.device)

    def see(self, events: Events) -> Sight | None:
        """What the map shows after these events of the next window; None if it is not looked at in this one."""
        self._unlooked.append(events)
        if len(self._unlooked) < self.config.look_every:
            return None
        recent = Events.concatenate(self._unlooked)
        self.regions.add_events(recent)
        self._unlooked = []
        background = self.regions.background()
        seen = self.regions.response(background)[None], self.regions.map.numpy()[None]
        some = recent.numpy()[thinned(np.arange(len(recent)))]
        return Sight(background, self.regions.outlined(*seen, self.config.birth_z)[0], some)

    def follow(self, events: Events | Part, end_us: int, sight: Sight | None) -> list[Row]:
        """Rows for the window that ends at ``end_us``, with what ``see`` gave for it."""
        self.frame += 1
        self.fleet.predict(self.sensor)
        self._measure(events, end_us)
        self._mergers.merge(self.fleet)
        self.fleet.keep(~self.fleet.expired)
        if sight is not None:
            self._look(sight, end_us)
        return self._report(end_us)

    def _measure(self, events: Events | Part, end_us: int) -> None:
        """Correct every target by its events; those in the box of another one, where they overlap, do not say where."""
        fleet, config = self.fleet, self.config
        if not len(fleet):
            return
        columns = fleet.state, fleet.half, fleet.reach, fleet.id, fleet.silent, fleet.lost
        which, state, half, reach, gate, crowd = kernels.sought(*columns)
        if isinstance(events, Events):
            counts = attribute(events, end_us, self.dt_us, self.sensor, state, half, reach, gate, crowd)
        else:
            counts = self._attribution(events, end_us, state, half, reach, gate, crowd)
        shares = Shares.of(counts, reach, crowd)
        known = fleet.polarity, fleet.half, fleet.silent, fleet.events
        numbers = shares.events, shares.on, shares.clear
        heard = kernels.heard(*known, which, *numbers, self._fading, config.least_events, self._density)
        fleet.correct(which, heard, shares, crowd)

    def _look(self, sight: Sight, end_us: int) -> None:
        """Compare the regions with the targets; one that no target explains becomes a target."""
        config, regions, fleet, found = self.config, self.regions, self.fleet, sight.regions
        self._density = sight.background * (1 - regions.decay) / config.look_every / regions.pool**2
        fleet.reach = fleet.gate
        while self._trails and self.frame - self._trails[0][0] >= self._trail:
            self._trails.popleft()
        low, high, cells = found[:, :2], found[:, 2:4], found[:, 4]
        owners = kernels.owners(low, high, fleet.state, fleet.half, fleet.silent, config.min_size)
        for i in np.flatnonzero(owners == -1).tolist():
            if self._is_object(low[i], high[i], cells[i]):
                fleet.add((low[i] + high[i]) / 2, (high[i] - low[i]) / 2 * 1.05, self.frame)
        kernels.widen(fleet.state, fleet.half, fleet.reach, owners, low, high, config.max_size)
        self._part(sight.events, end_us)
        self._trails.append((self.frame, kernels.boxes(fleet.state, fleet.half, fleet.silent)))

    def _part(self, events: Events, end_us: int) -> None:
        """Make two targets of each that turns out to be two objects; the larger one keeps what is known."""
        fleet = self.fleet
        for k, boxes in self._parting.part(fleet, events, end_us, self.dt_us).items():
            larger, smaller = sorted(boxes, key=lambda box: -float(np.diff(box, axis=0).prod()))
            fleet.state[k, :2], fleet.half[k] = larger.mean(0), np.diff(larger, axis=0)[0] / 2 * 1.05
            fleet.covariance[k] = np.diag([4.0, 4.0, 5.0, 5.0])
            fleet.reach[k] = fleet.gate[k]
            fleet.add(smaller.mean(0), np.diff(smaller, axis=0)[0] / 2 * 1.05, self.frame)

    def _is_object(self, low: Array, high: Array, cells: int) -> bool:
        """True for a region of a fitting size that is not the trail of an object that passed lately."""
        size = (high - low).max()
        if cells < self.config.least_cells or not self.config.min_size / 3 <= size <= self.config.max_size:
            return False
        passed = [boxes for _, boxes in self._trails] or [np.zeros((0, 4), np.int64)]
        return bool(kernels.share_in(low, high, self.sensor, np.concatenate(passed)) <= 0.5)

    def _report(self, end_us: int) -> list[Row]:
        fleet, bounds = self.fleet, (self.fleet.thin, 0.375 * self.config.min_size)
        ready = kernels.ready(fleet.id, fleet.hits, fleet.half, fleet.polarity, *self._waits, *bounds)
        return report(fleet, ready, self.frame, end_us) if len(ready) else fleet.rows(self.frame, end_us)
