"""Multi-object tracking of events without training: regions of activity give birth to tracks, events keep them exact.

For each window of events: predict, assign every event to the track it fits best, measure and update, merge, then look
for regions that no track explains. Lengths are in px, velocities and durations in windows, so that one set of constants
serves slow and fast scenes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.frames import to_frames

from . import kalman
from .records import STATES, Row
from .regions import Region, RegionDetector

Array = NDArray[np.float64]
_LOOKBACK = 40  # windows of a track before it is confirmed that are reported afterwards


@dataclass(frozen=True)
class TrackerConfig:
    """Constants of the tracker: lengths in px, durations in windows.

    ``min_size`` and ``max_size`` bound the longer side of an object. ``max_age`` is how long a track without events
    moves on as predicted; ``max_rest`` how long its place and number are kept after that, since an object at rest is
    invisible to an event camera. A track counts as confirmed after ``confirm_hits`` windows in which it was seen, and
    its place is kept only after ``known_hits``.
    """

    min_size: float = 12.0
    max_size: float = 240.0
    max_age: int = 30
    max_rest: int = 500
    confirm_hits: int = 6
    known_hits: int = 30
    tentative_age: int = 3
    look_every: int = 2
    map_time: float = 2.4
    birth_z: float = 20.0
    least_events: int = 6
    least_cells: int = 4
    measure_events: int = 40
    measure_windows: int = 3
    merge_after: int = 10
    trail: int = 20
    growth: float = 0.2
    acceleration: float = 0.001
    noise: float = 0.3
    crowd_noise: float = 10.0
    manoeuvre: float = 6.0
    size_memory: float = 0.05


@dataclass(eq=False)
class _Track:
    """One object: ``state`` (x, y, vx, vy) and ``half``, half its width and height."""

    state: Array
    covariance: Array
    half: Array
    serial: int
    born: int
    birthplace: Array
    seen: Array
    id: int = 0
    hits: int = 1
    silent: int = 0
    lost: bool = False
    events: int = 0
    pace: float = 0.0
    recent: deque[tuple[Array, Array]] = field(default_factory=deque)
    past: deque[Row] = field(default_factory=lambda: deque(maxlen=_LOOKBACK))

    def __post_init__(self) -> None:
        self.reach = 1.25 * self.half + 2

    @property
    def speed(self) -> float:
        return float(np.hypot(*self.state[2:]))

    @property
    def low(self) -> Array:
        return self.state[:2] - self.half

    @property
    def high(self) -> Array:
        return self.state[:2] + self.half


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
        smallest, largest = self.config.min_size, self.config.max_size
        if not 0 < smallest < largest:
            raise ValueError(f"sizes must satisfy 0 < min_size < max_size, got {smallest} and {largest}")
        decay = float(np.exp(-self.config.look_every / self.config.map_time))
        self.regions = RegionDetector(sensor, scale=(smallest / 4) ** 2, decay=decay, device=device)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks and events."""
        self.regions.reset()
        self.tracks: list[_Track] = []
        self.frame, self._last_id, self._serial, self._density = 0, 0, 0, 0.0
        self._pairs: dict[tuple[int, int], tuple[Array, Array, int]] = {}
        self._covered = np.full(self.sensor[::-1], -self.config.trail)
        self._new: list[Events] = []

    def update(self, events: Events, end_us: int) -> list[Row]:
        """Rows for the window that ends at ``end_us``."""
        self.frame += 1
        self._predict()
        owner = self._assign(events, end_us)
        for k, track in enumerate(self.tracks):
            self._measure(track, events[owner == k], end_us)
        self._merge()
        self._end_lives()
        self._new.append(events)
        if self.frame % self.config.look_every == 0:
            self._look()
        return self._report(end_us)

    def _at_rest(self, track: _Track) -> bool:
        """True if the silent track would not have left its own place yet: it may have come to rest."""
        return track.speed * self.config.max_age < track.half.max()

    def _lost(self, track: _Track) -> bool:
        """True if the track is only remembered: it was carried on for long enough, or out of the picture."""
        outside = (track.high < 0).any() or (track.low > np.array(self.sensor)).any()
        return track.silent > self.config.max_age or bool(track.silent and outside)

    def _predict(self) -> None:
        for track in self.tracks:
            track.lost = not self._at_rest(track) and (track.lost or self._lost(track))
            if track.silent and self._at_rest(track):
                track.state = np.append(track.seen, track.state[2:])
            elif not track.lost:
                state, covariance = kalman.predict(
                    track.state[None], track.covariance[None], 1.0, self.config.acceleration
                )
                track.state, track.covariance = state[0], covariance[0]

    def _assign(self, events: Events, end_us: int) -> NDArray[np.int64]:
        """Index of the track of each event, -1 for none: the nearest in units of its size, at the event's own time."""
        if not self.tracks or not len(events):
            return np.full(len(events), -1)
        when = (events.t - end_us) / self.dt_us
        state = np.stack([track.state for track in self.tracks])
        half = np.stack([track.half for track in self.tracks])
        across = np.abs(events.x - (state[:, :1] + state[:, 2:3] * when))
        down = np.abs(events.y - (state[:, 1:2] + state[:, 3:] * when))
        reach = np.stack([track.reach for track in self.tracks])
        here = np.array([not track.lost for track in self.tracks])[:, None]
        inside = (across < reach[:, :1]) & (down < reach[:, 1:]) & here
        apart = np.where(inside, (across / half[:, :1]) ** 2 + (down / half[:, 1:]) ** 2, np.inf)
        nearest = apart.argmin(0)
        return np.where(inside.any(0), nearest, -1)

    def _measure(self, track: _Track, own: Events, end_us: int) -> None:
        """Take the track's newest windows together, moved to the window's end, and update it if they are enough."""
        config = self.config
        track.events = len(own)
        track.recent.append((np.stack([own.x, own.y], 1).astype(float), own.t.astype(float)))
        if len(track.recent) > config.measure_windows:
            track.recent.popleft()
        crowd = self._crowd(track)
        places: list[Array] = []
        for place, time in reversed(track.recent):
            places.append(place + track.state[2:] * ((end_us - time) / self.dt_us)[:, None])
            if sum(map(len, places)) >= config.measure_events:
                break
        place = np.concatenate(places)
        chance = self._density * np.prod(2 * (1.25 * track.half + 2)) * len(places)
        if len(place) < max(config.least_events, chance + 4 * np.sqrt(chance + 1)):
            track.silent += 1
            return
        for other in crowd:  # what lies in both boxes may be the other's
            place = place[(np.abs(place - other.state[:2]) > 1.25 * other.half + 2).any(1)]
        if len(place) < config.least_events:
            return
        low, high = np.quantile(place, (0.05, 0.95), axis=0)
        half = (high - low) / 2 * 1.05
        # an edge that shows only in part says less about the centre: then move the box no more than it takes to hold it
        shown = np.zeros(2) if crowd else np.clip(half / track.half, 0, 1) ** 2
        fitting = np.clip(track.state[:2], high - track.half, low + track.half)
        centre = shown * (place.mean(0) + (low + high) / 2) / 2 + (1 - shown) * fitting
        noise = float(np.hypot(config.noise, 0.7 * track.half.max() * np.sqrt(len(places) / len(place))))
        noise *= config.crowd_noise if crowd else 1
        state, covariance = track.state[None], track.covariance[None]
        surprise = kalman.distance(state, covariance, centre[None], noise)[0] > config.manoeuvre
        if track.silent or (surprise and not crowd):
            covariance = kalman.loosen(covariance, 4.0, 4.0, 2.0)
        state, covariance = kalman.update(state, covariance, centre[None], noise)
        track.state, track.covariance = state[0], covariance[0]
        track.hits, track.silent, track.lost, track.seen = track.hits + 1, 0, False, track.state[:2].copy()
        track.pace += 0.1 * (track.speed - track.pace)
        if not crowd:
            half = np.clip(half, config.min_size / 4, config.max_size / 2)
            speed = np.where(half > track.half, config.growth, config.size_memory * np.maximum(shown, 0.2))
            track.half = track.half + speed * (half - track.half)

    def _crowd(self, track: _Track) -> list[_Track]:
        """The confirmed tracks that overlap this one."""
        return [
            other
            for other in self.tracks
            if other is not track
            and other.id
            and not other.silent
            and (np.abs(other.state[:2] - track.state[:2]) < other.half + track.half).all()
        ]

    def _merge(self) -> None:
        """Two touching tracks that keep their distance for a while are one object: the older takes in the younger."""
        pairs: dict[tuple[int, int], tuple[Array, Array, int]] = {}
        gone: set[int] = set()
        for i, old in enumerate(self.tracks):
            for k, young in enumerate(self.tracks[i + 1 :], start=i + 1):
                if i in gone or k in gone or old.silent or young.silent:
                    continue
                offset = young.state[:2] - old.state[:2]
                low, high = np.minimum(old.low, young.low), np.maximum(old.high, young.high)
                size = (high - low).max()
                gap = (np.abs(offset) - old.half - young.half).max()
                if gap > max(self.config.min_size / 2, size / 5) or size > self.config.max_size:
                    continue
                pair = old.serial, young.serial
                start, place, lasted = self._pairs.get(pair, (offset, old.state[:2], 0))
                moved = np.hypot(*(old.state[:2] - place))
                steady = np.hypot(*(offset - start)) < max(2.0, 0.2 * moved)
                pairs[pair] = (start, place, lasted + 1) if steady else (offset, old.state[:2], 0)
                if steady and moved > max(4.0, 0.2 * size) and lasted >= self.config.merge_after:
                    old.state[:2], old.half = (low + high) / 2, (high - low) / 2
                    gone.add(k)
        self._pairs = pairs
        self.tracks = [track for k, track in enumerate(self.tracks) if k not in gone]

    def _end_lives(self) -> None:
        config = self.config
        for track in list(self.tracks):
            limit = min(track.hits, config.max_age) if track.id else config.tentative_age
            if track.hits > config.known_hits:
                limit = config.max_age + config.max_rest
            if track.silent > limit:
                self.tracks.remove(track)

    def _look(self) -> None:
        """Find the regions of the leaky map; one that no track explains gives birth to one."""
        config = self.config
        events = Events.concatenate(self._new).to(self.regions.map.device)
        self._new = []
        self.regions.add(to_frames(events, n_bins=1, sensor=self.sensor)[0])
        seen = self.regions.background() * (1 - self.regions.decay)
        self._density = seen / config.look_every / self.regions.pool**2
        for track in self.tracks:
            track.reach = 1.25 * track.half + 2
        for region in self.regions.find(config.birth_z):
            size = float((region.high - region.low).max())
            owners = [track for track in self.tracks if not track.silent and self._touches(track, region)]
            if len(owners) == 1:
                self._widen(owners[0], region)
            fits = config.min_size / 3 <= size <= config.max_size and region.cells >= config.least_cells
            if fits and not owners and not self._in_trail(region):
                self._start(region)
        for track in self.tracks:
            if not track.silent:
                self._covered[_pixels(track.low, track.high)] = self.frame

    def _touches(self, track: _Track, region: Region) -> bool:
        margin = self.config.min_size / 2 + 0.6 * track.half.max()
        return bool(((region.low < track.high + margin) & (region.high > track.low - margin)).all())

    def _widen(self, track: _Track, region: Region) -> None:
        """Let a track take in all events of a region that is its alone."""
        low, high = np.minimum(track.low, region.low), np.maximum(track.high, region.high)
        if (high - low).max() <= self.config.max_size:
            track.reach = np.maximum(track.reach, np.maximum(track.state[:2] - low, high - track.state[:2]) + 2)

    def _in_trail(self, region: Region) -> bool:
        """True if tracks passed here lately: pixels go on firing for a while behind an object."""
        covered = self._covered[_pixels(region.low, region.high)]
        return bool(((self.frame - covered) < self.config.trail).mean() > 0.5)

    def _start(self, region: Region) -> None:
        half = np.maximum((region.high - region.low) / 2 * 1.05, self.config.min_size / 4)
        state, covariance = np.append(region.centre, [0.0, 0.0]), np.diag([4.0, 4.0, 5.0, 5.0])
        self._serial += 1
        self.tracks.append(_Track(state, covariance, half, self._serial, self.frame, region.centre, region.centre))

    def _continued(self, young: _Track) -> _Track | None:
        """The past of a track: one that fell silent before it was born, of its size, that can have come here since.

        Among several the nearest, likest in size and best known is taken.
        """
        best, least = None, np.inf
        for old in self.tracks:
            gap = young.born - (self.frame - old.silent)
            size = abs(np.log(young.half.max() / old.half.max()))
            if not old.id or not old.silent or gap < 0 or size > 1.6:
                continue
            reach = young.half + old.half + old.pace * gap
            apart = min(float((np.abs(young.birthplace - place) / reach).max()) for place in (old.state[:2], old.seen))
            misfit = apart + size - 0.2 * np.log(old.hits)
            if apart < 1 and misfit < least:
                best, least = old, misfit
        return best

    def _report(self, end_us: int) -> list[Row]:
        rows: list[Row] = []
        per_second = 1e6 / self.dt_us
        for track in list(self.tracks):
            if (
                not track.id
                and track.hits >= self.config.confirm_hits
                and track.half.max() > 0.375 * self.config.min_size
            ):
                earlier = self._continued(track)
                if earlier is None:
                    self._last_id += 1
                    track.id = self._last_id
                else:
                    self.tracks.remove(earlier)
                    track.id, track.hits, track.pace = earlier.id, track.hits + earlier.hits, earlier.pace
                rows += [(*past[:2], track.id, *past[3:]) for past in track.past]
                track.past.clear()
            if track.lost:
                continue
            x, y, vx, vy = track.state.tolist()
            w, h = (2 * track.half).tolist()
            state = STATES.index("confirmed" if not track.silent else "resting" if self._at_rest(track) else "coasting")
            score = 0.5 if track.silent else 1.0
            motion = vx * per_second, vy * per_second
            row: Row = (self.frame, end_us, track.id, x, y, w, h, *motion, score, state, track.events)
            (rows if track.id else track.past).append(row)
        return rows


def _pixels(low: Array, high: Array) -> tuple[slice, slice]:
    (x0, y0), (x1, y1) = np.maximum(low, 0).astype(int), np.maximum(high, 0).astype(int) + 1
    return slice(y0, y1), slice(x0, x1)
