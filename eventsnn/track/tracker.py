"""Multi-object tracking of events without training: regions of activity give birth to tracks, events keep them exact.

For each window of events: predict, assign every event to the target it fits best, measure and update, merge, then look
for regions that no target explains.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.frames import to_frames

from .config import TrackerConfig
from .identity import Mergers, earlier_self
from .records import Row
from .regions import Region, RegionDetector
from .target import Array, Target


class Tracker:
    """``update(events of the next window) -> rows of the confirmed tracks``; ``reset()`` starts anew.

    A row is one of ``Tracks``; when a track is confirmed, its rows since birth come with the current one.

    >>> tracker = Tracker((64, 48), dt_us=5000)
    >>> tracker.update(Events.empty(sensor=(64, 48)), end_us=5000)
    []
    """

    def __init__(
        self,
        sensor: tuple[int, int],
        dt_us: int,
        config: TrackerConfig | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.sensor, self.dt_us, self.config = sensor, dt_us, config or TrackerConfig()
        decay = float(np.exp(-self.config.look_every / self.config.map_time))
        scale = (self.config.min_size / 4) ** 2
        self.regions = RegionDetector(sensor, scale=scale, decay=decay, device=device)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and events."""
        self.regions.reset()
        self.targets: list[Target] = []
        self.frame, self._last_id, self._last_serial, self._density = 0, 0, 0, 0.0
        self._mergers = Mergers(self.config)
        self._covered = np.full(self.sensor[::-1], -self.config.trail)
        self._unlooked: list[Events] = []

    def update(self, events: Events, end_us: int) -> list[Row]:
        """Rows for the window that ends at ``end_us``."""
        self.frame += 1
        for target in self.targets:
            target.predict(self.sensor)
        ages = (end_us - events.t) / self.dt_us
        places = np.stack([events.x, events.y], 1).astype(float)
        owner = self._assign(places, ages)
        for k, target in enumerate(self.targets):
            others = (other for other in self.targets if other is not target and other.id and not other.silent)
            crowd = [other for other in others if target.overlaps(other)]
            target.measure(places[owner == k], ages[owner == k], self._density, crowd)
        self.targets = [target for target in self._mergers.merge(self.targets) if not target.expired]
        self._unlooked.append(events)
        if self.frame % self.config.look_every == 0:
            self._look()
        return self._report(end_us)

    def _assign(self, places: Array, ages: Array) -> NDArray[np.int64]:
        """Index of the target of each event, -1 for none: the nearest in units of its size, at the event's own time."""
        if not self.targets or not len(places):
            return np.full(len(places), -1)
        state, half, reach = (
            np.stack([getattr(target, name) for target in self.targets])[:, None] for name in ("state", "half", "reach")
        )
        apart = np.abs(places - (state[..., :2] - state[..., 2:] * ages[:, None]))
        here = np.array([not target.lost for target in self.targets])[:, None]
        inside = (apart < reach).all(-1) & here
        share = np.where(inside, ((apart / half) ** 2).sum(-1), np.inf)
        return np.where(inside.any(0), share.argmin(0), -1)

    def _look(self) -> None:
        """Find the regions of the leaky map; one that no target explains becomes a target."""
        config, regions = self.config, self.regions
        events = Events.concatenate(self._unlooked).to(regions.map.device)
        self._unlooked = []
        regions.add(to_frames(events, n_bins=1, sensor=self.sensor)[0])
        self._density = regions.background() * (1 - regions.decay) / config.look_every / regions.pool**2
        for target in self.targets:
            target.reach = target.gate
        own: dict[int, list[Region]] = {}
        for region in regions.find(config.birth_z):
            owners = [target for target in self.targets if not target.silent and target.near(region)]
            if len(owners) == 1:
                own.setdefault(owners[0].serial, []).append(region)
            elif not owners and self._is_object(region):
                self._last_serial += 1
                self.targets.append(Target.at(region, config, self._last_serial, self.frame))
        for target in self.targets:
            if len(own.get(target.serial, [])) == 1:  # several may be objects that part
                target.widen(own[target.serial][0])
        for target in self.targets:
            if not target.silent:
                self._covered[_pixels(target.low, target.high)] = self.frame

    def _is_object(self, region: Region) -> bool:
        """True for a region of a fitting size that is not the trail of an object that passed lately."""
        size = (region.high - region.low).max()
        if region.cells < self.config.least_cells or not self.config.min_size / 3 <= size <= self.config.max_size:
            return False
        covered = self._covered[_pixels(region.low, region.high)]
        return bool(((self.frame - covered) < self.config.trail).mean() <= 0.5)

    def _report(self, end_us: int) -> list[Row]:
        rows: list[Row] = []
        for target in list(self.targets):
            large = target.half.max() > 0.375 * self.config.min_size
            if not target.id and target.hits >= self.config.confirm_hits and large:
                self._identify(target)
                rows += [(*past[:2], target.id, *past[3:]) for past in target.past]
            if not target.lost:
                row = target.row(self.frame, end_us, self.dt_us)
                rows.append(row) if target.id else target.past.append(row)
        return rows

    def _identify(self, target: Target) -> None:
        """Give a target its number, or that of the lost one that it continues."""
        earlier = earlier_self(target, self.targets, self.frame)
        if earlier is None:
            self._last_id += 1
            target.id = self._last_id
        else:
            self.targets.remove(earlier)
            target.id, target.hits, target.pace = earlier.id, target.hits + earlier.hits, earlier.pace


def _pixels(low: Array, high: Array) -> tuple[slice, slice]:
    (x0, y0), (x1, y1) = np.maximum(low, 0).astype(int), np.maximum(high, 0).astype(int) + 1
    return slice(y0, y1), slice(x0, x1)
