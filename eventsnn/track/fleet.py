"""The objects that are followed, column by column: where each is, how fast, how large, how well known."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import fleet_kernels as kernels
from . import kalman
from .attribution import Shares
from .config import TrackerConfig
from .records import STATES, Row

Array = NDArray[Any]
_COASTING, _RESTING = STATES.index("coasting"), STATES.index("resting")
LOOKBACK = 40  # windows of a target before it has a number that are reported afterwards
_COLUMNS: dict[str, tuple[tuple[int, ...], type]] = {
    "state": ((4,), float),
    "covariance": ((4, 4), float),
    "half": ((2,), float),
    "doubt": ((2,), float),
    "serial": ((), int),
    "id": ((), int),
    "born": ((), int),
    "hits": ((), int),
    "silent": ((), int),
    "lost": ((), bool),
    "events": ((), int),
    "pace": ((), float),
    "birthplace": ((2,), float),
    "seen": ((2,), float),
    "reach": ((2,), float),
    "polarity": ((2,), float),
}


class Fleet:
    """n targets. ``state [n, 4]`` is (x, y, vx, vy), px and px per window; ``half [n, 2]`` half its width and height.

    ``doubt [n, 2]`` is the variance of the logs of these, where they are filtered. ``seen`` is where it was last seen.
    ``silent`` counts windows without enough events. ``lost`` means that only its memory is left: it is not reported.
    ``reach`` is half the sides of the box whose events are taken for its own.
    """

    def __init__(self, config: TrackerConfig, dt_ms: float) -> None:
        self.config, self.dt = config, dt_ms
        self.thin = 0.3 * config.min_size  # [px]
        self._max_age = self.windows(config.max_age)
        known, rest = self.windows(config.known), self.windows(config.max_rest)
        self._durations = self._max_age, self.windows(config.tentative, 2), known, rest
        c, weights = config, [1 - math.exp(-dt_ms / tau) for tau in (config.growth, config.shrinking)]
        self._constants = (
            c.noise,
            c.crowd_noise,
            c.manoeuvre,
            c.min_size / 4,
            c.max_size / 2,
            min(0.2 * dt_ms, 1.0),
            *weights,
        )
        self.past: dict[int, deque[Row]] = {}
        for name, (shape, kind) in _COLUMNS.items():
            setattr(self, name, np.zeros((0, *shape), kind))
        self.last_serial = self.last_id = 0

    state: Array
    covariance: Array
    half: Array
    doubt: Array
    serial: Array
    id: Array
    born: Array
    hits: Array
    silent: Array
    lost: Array
    events: Array
    pace: Array
    birthplace: Array
    seen: Array
    reach: Array
    polarity: Array

    def __len__(self) -> int:
        return len(self.serial)

    def windows(self, ms: float, least: int = 1) -> int:
        """A duration in windows."""
        return max(least, round(ms / self.dt))

    def add(self, centre: Array, half: Array, frame: int) -> None:
        """A new target at a place."""
        self.last_serial += 1
        half = np.maximum(half, self.config.min_size / 4)
        speed = max(5.0, (0.4 * self.dt) ** 2)
        new: dict[str, Any] = {
            "state": np.append(centre, [0.0, 0.0]),
            "covariance": np.diag([4.0, 4.0, speed, speed]),
            "half": half,
            "doubt": [0.04, 0.04],
            "serial": self.last_serial,
            "born": frame,
            "hits": 1,
            "birthplace": centre,
            "seen": centre,
            "reach": 1.25 * half + 2,
        }
        for name, (shape, kind) in _COLUMNS.items():
            value: Array = np.asarray(new.get(name, np.zeros(shape)), kind)[None]
            setattr(self, name, np.concatenate([getattr(self, name), value]))
        self.past[self.last_serial] = deque(maxlen=LOOKBACK)

    def keep(self, mask: Array) -> None:
        """Drop the other targets."""
        if mask.all():
            return
        for name in _COLUMNS:
            setattr(self, name, getattr(self, name)[mask])
        kept = set(self.serial.tolist())
        self.past = {serial: rows for serial, rows in self.past.items() if serial in kept}

    @property
    def place(self) -> Array:
        return self.state[:, :2]

    @property
    def gate(self) -> Array:
        return 1.25 * self.half + 2

    @property
    def size(self) -> Array:
        """Half the longer side."""
        result: Array = kernels.longer(self.half)
        return result

    @property
    def edges(self) -> tuple[Array, Array]:
        """Which may be an edge of something larger: true for what is thin; 1 or -1 for what gives almost only ON,
        or OFF, events, else 0.
        """
        thin, side = kernels.edges(self.half, self.polarity, self.thin)
        return thin, side

    @property
    def expired(self) -> Array:
        """True if it has been silent for longer than it is remembered."""
        result: Array = kernels.expired(self.id, self.hits, self.silent, *self._durations)
        return result

    def predict(self, sensor: tuple[int, int]) -> None:
        """Move on by one window; a silent target that is slow waits where it was seen last."""
        if not len(self):
            return
        c = self.config
        columns = self.state, self.covariance, self.half, self.seen, self.silent, self.lost
        kalman.move(*columns, sensor, self._max_age, (c.acceleration * self.dt**3, c.agility, c.max_age / self.dt))

    def correct(self, which: Array, heard: Array, shares: Shares, crowd: Array) -> None:
        """Correct those of the targets ``which [m]`` that are ``heard`` by where their events lie."""
        if not len(heard):
            return
        columns = self.state, self.covariance, self.half, self.silent, self.hits, self.lost, self.seen, self.pace
        where = shares.mean, shares.low, shares.high
        kalman.correct(*columns, which, heard, *where, shares.clear, crowd, self._constants)

    def rows(self, frame: int, end_us: int) -> list[Row]:
        """What ``Tracks`` says of the targets in this window; those without a number keep it in ``past``."""
        rows: list[Row] = []
        columns = self.serial, self.id, self.events, self.state, self.half, self.silent, self.lost
        whole, real = kernels.rows(*columns, self.config.max_age / self.dt, 1e3 / self.dt, _COASTING, _RESTING)
        for (serial, number, state, events), values in zip(whole.tolist(), real.tolist(), strict=True):
            row = (frame, end_us, number, *values, state, events)
            (rows if number else self.past[serial]).append(row)
        return rows
