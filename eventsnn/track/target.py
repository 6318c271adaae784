"""One object that is followed: where it is, how fast, how large, and how its events correct all that."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import kalman
from .config import TrackerConfig
from .records import STATES, Row
from .regions import Region

Array = NDArray[np.float64]
LOOKBACK = 40  # windows of a target before it has a number that are reported afterwards


@dataclass(eq=False)
class Target:
    """``state`` is (x, y, vx, vy), px and px per window; ``half`` half its width and height.

    ``seen`` is where it was last seen. ``silent`` counts windows without enough events. ``lost`` means that only its
    memory is left: it is not reported.
    """

    config: TrackerConfig
    state: Array
    half: Array
    serial: int
    born: int
    birthplace: Array
    covariance: Array = field(default_factory=lambda: np.diag([4.0, 4.0, 5.0, 5.0]))
    id: int = 0
    hits: int = 1
    silent: int = 0
    lost: bool = False
    events: int = 0
    pace: float = 0.0
    recent: deque[tuple[Array, Array]] = field(default_factory=deque)
    past: deque[Row] = field(default_factory=lambda: deque(maxlen=LOOKBACK))

    def __post_init__(self) -> None:
        self.seen = self.birthplace
        self.reach = self.gate

    @classmethod
    def at(cls, region: Region, config: TrackerConfig, serial: int, frame: int) -> Target:
        """A new target where a region is."""
        half = np.maximum((region.high - region.low) / 2 * 1.05, config.min_size / 4)
        return cls(config, np.append(region.centre, [0.0, 0.0]), half, serial, frame, region.centre)

    @property
    def place(self) -> Array:
        return self.state[:2]

    @property
    def low(self) -> Array:
        return self.place - self.half

    @property
    def high(self) -> Array:
        return self.place + self.half

    @property
    def gate(self) -> Array:
        """Half sides of the box whose events are taken for the target's own."""
        return 1.25 * self.half + 2

    @property
    def speed(self) -> float:
        return float(np.hypot(*self.state[2:]))

    @property
    def at_rest(self) -> bool:
        """True if it would not leave its own place while it is carried on: it may have come to rest."""
        return bool(self.speed * self.config.max_age < self.half.max())

    @property
    def expired(self) -> bool:
        """True if it has been silent for longer than it is remembered."""
        if self.hits > self.config.known_hits:
            return self.silent > self.config.max_age + self.config.max_rest
        return self.silent > (min(self.hits, self.config.max_age) if self.id else self.config.tentative_age)

    def predict(self, sensor: tuple[int, int]) -> None:
        """Move on by one window; a silent target that is slow waits where it was seen last."""
        outside = bool((self.high < 0).any() or (self.low > np.array(sensor)).any())
        gone = self.silent > self.config.max_age or (self.silent > 0 and outside)
        self.lost = not self.at_rest and (self.lost or gone)
        if self.silent and self.at_rest:
            self.state = np.append(self.seen, self.state[2:])
        elif not self.lost:
            state, covariance = kalman.predict(self.state[None], self.covariance[None], 1.0, self.config.acceleration)
            self.state, self.covariance = state[0], covariance[0]

    def overlaps(self, other: Target) -> bool:
        return bool((np.abs(other.place - self.place) < other.half + self.half).all())

    def measure(self, places: Array, ages: Array, density: float, crowd: Sequence[Target]) -> None:
        """Correct the target by the places ``[n, 2]`` of its new events, which are ``ages [n]`` windows old.

        Its newest windows are taken together, moved along to now, until there are enough events. ``density`` is the
        number of noise events per pixel and window. What lies in the box of a target of the ``crowd`` is left out.
        """
        config = self.config
        self.events = len(places)
        self.recent = deque(((place, age + 1) for place, age in self.recent), maxlen=config.measure_windows)
        self.recent.append((places, ages))
        moved: list[Array] = []
        for place, age in reversed(self.recent):
            moved.append(place + self.state[2:] * age[:, None])
            if sum(map(len, moved)) >= config.measure_events:
                break
        points = np.concatenate(moved)
        chance = density * np.prod(2 * self.gate) * len(moved)
        if len(points) < max(config.least_events, chance + 4 * np.sqrt(chance + 1)):
            self.silent += 1
            return
        for other in crowd:
            points = points[(np.abs(points - other.place) > other.gate).any(1)]
        if len(points) >= config.least_events:
            self._correct(points, len(moved), crowded=bool(crowd))

    def _correct(self, points: Array, windows: int, *, crowded: bool) -> None:
        config = self.config
        low, high = np.quantile(points, (0.05, 0.95), axis=0)
        half = (high - low) / 2 * 1.05
        # edges that show only in part say less about the centre: then move the box no more than it takes to hold them
        shown = np.zeros(2) if crowded else np.clip(half / self.half, 0, 1) ** 2
        fitting = np.clip(self.place, high - self.half, low + self.half)
        centre = shown * (points.mean(0) + (low + high) / 2) / 2 + (1 - shown) * fitting
        noise = float(np.hypot(config.noise, 0.7 * self.half.max() * np.sqrt(windows / len(points))))
        noise *= config.crowd_noise if crowded else 1
        state, covariance = self.state[None], self.covariance[None]
        surprise = kalman.distance(state, covariance, centre[None], noise)[0] > config.manoeuvre
        if self.silent or (surprise and not crowded):
            covariance = kalman.loosen(covariance, 4.0, 4.0, 2.0)
        state, covariance = kalman.update(state, covariance, centre[None], noise)
        self.state, self.covariance = state[0], covariance[0]
        self.hits, self.silent, self.lost, self.seen = self.hits + 1, 0, False, self.place.copy()
        self.pace += 0.1 * (self.speed - self.pace)
        if not crowded:
            half = np.clip(half, config.min_size / 4, config.max_size / 2)
            weight = np.where(half > self.half, config.growth, config.shrinking * np.maximum(shown, 0.2))
            self.half = self.half + weight * (half - self.half)

    def near(self, region: Region) -> bool:
        """True if a region lies so near that it is taken for a part of this object."""
        margin = self.config.min_size / 2 + 0.6 * self.half.max()
        return bool(((region.low < self.high + margin) & (region.high > self.low - margin)).all())

    def widen(self, region: Region) -> None:
        """Take in all events of a region until the next look, if the object does not become too large by it."""
        low, high = np.minimum(self.low, region.low), np.maximum(self.high, region.high)
        if (high - low).max() <= self.config.max_size:
            self.reach = np.maximum(self.reach, np.maximum(self.place - low, high - self.place) + 2)

    def row(self, frame: int, end_us: int, dt_us: int) -> Row:
        """What ``Tracks`` says of the target in this window."""
        x, y, vx, vy = self.state.tolist()
        w, h = (2 * self.half).tolist()
        state = STATES.index("confirmed" if not self.silent else "resting" if self.at_rest else "coasting")
        score, per_second = 0.5 if self.silent else 1.0, 1e6 / dt_us
        return frame, end_us, self.id, x, y, w, h, vx * per_second, vy * per_second, score, state, self.events
