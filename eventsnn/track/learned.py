"""Tracking by a trained network of receptive fields: where the one object is that stands out most."""

from __future__ import annotations

import math
import os
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events

from . import kalman
from .config import TrackerConfig
from .field_network import FieldNetwork, NetworkState
from .network_file import read_network
from .records import Row

Array = NDArray[Any]
GRID = 64
_SPREAD = 0.25  # of a map that says where; noise alone gives more
_LEAST_EVENTS = 6
_CELLS_PER_WINDOW = 12
_CONFIRM = 10  # windows in which a target is seen before it has a number, at least
_NEAR = 4.0  # what is seen within so many cells, or its own size, is still the target
_NOISE = 0.7  # standard deviation of what the network says [cells]
_ACCELERATION = 0.01  # density of the white acceleration [cells^2 / windows^3]
_MANOEUVRE = 6.0  # squared Mahalanobis distance from which on it means a sudden turn


def pretrained() -> FieldNetwork:
    """The network that comes with the package, trained by ``eventsnn learn-to-track`` on moving shapes.

    >>> pretrained().training
    False
    """
    with as_file(files("eventsnn.track") / "learned.safetensors") as path:
        return read_network(path).net


def cell_of(sensor: tuple[int, int]) -> int:
    """Side of the cells [px] of which at most 64 x 64 cover a sensor."""
    return math.ceil(max(sensor) / GRID)


def learned_dt(rate: float, sensor: tuple[int, int]) -> int:
    """Window length [us], 0.1 to 20 ms, in which some dozen cells' worth of events come at a rate [events/s]: as many
    as in the frames that the network was trained on.

    >>> learned_dt(100e3, (128, 128)), learned_dt(11e6, (640, 480))
    (480, 109)
    """
    return round(min(max(_CELLS_PER_WINDOW * cell_of(sensor) ** 2 / max(rate, 1e-9) * 1e6, 100), 20_000))


class LearnedTracker:
    """``update(events of the next window) -> rows``, as ``Tracker``; it follows one object, the most salient.

    A window is one frame of the network. Sensors are seen at 64 x 64 cells, each the mean of ``cell`` x ``cell``
    pixels; places are coarse, for the network's map has 16 x 16 cells. ``network`` is a file that was trained by
    ``eventsnn learn-to-track``; by default the one of the package.

    >>> tracker = LearnedTracker((128, 96), dt_us=1000)
    >>> tracker.cell, tracker.update(Events.empty(sensor=(128, 96)), end_us=1000)
    (2, [])
    """

    def __init__(
        self,
        sensor: tuple[int, int],
        dt_us: int,
        config: TrackerConfig | None = None,
        device: torch.device | str = "cpu",
        network: FieldNetwork | str | os.PathLike[str] | None = None,
    ) -> None:
        if network is None:
            network = pretrained()
        elif not isinstance(network, FieldNetwork):
            network = read_network(network).net
        self.sensor, self.dt_us, self.config, self.device = sensor, dt_us, config or TrackerConfig(), device
        self.net = network.to(device).eval()
        self.cell = cell_of(sensor)
        self.reset()

    def reset(self) -> None:
        """Forget the track and the network's state."""
        self.frame = self.last_id = 0
        self._recent = np.zeros((GRID, GRID))
        self._state: NetworkState | None = None
        self._target: _Target | None = None

    @torch.inference_mode()
    def update(self, events: Events, end_us: int) -> list[Row]:
        """Rows for the window that ends at ``end_us``; with the first of a track come those since it was first seen."""
        self.frame += 1
        frame = self._frame(events)
        self._recent = 0.9 * self._recent + frame.sum(0)
        given = torch.from_numpy(frame).float().to(self.device)[None, None]
        answer, self._state = self.net(given, self._state)
        centre, spread, size = (part[0, 0].double().cpu().numpy() for part in answer[:3])
        place, size = (centre + 1) / 2 * GRID, np.maximum(size, 2.0)
        number = self._events(place, size)
        seen = bool(spread < _SPREAD and number >= _LEAST_EVENTS)
        if self._target is not None:
            self._follow(self._target, place, size, seen)
        if self._target is None and seen:
            self._target = _Target(place, size)
        return self._report(self._target, number if seen else 0, end_us) if self._target is not None else []

    def _follow(self, target: _Target, place: Array, size: Array, seen: bool) -> None:
        """Predict, and correct by what was seen, unless it is elsewhere; give up one that was not seen for long."""
        target.predict()
        if seen and np.abs(place - target.state[0, :2]).max() < max(target.size.max(), _NEAR):
            target.correct(place, size)
        else:
            target.silent += 1
        patience = self._windows(self.config.max_age) if target.id else _CONFIRM
        if target.silent > min(patience, max(target.hits, _CONFIRM)):
            self._target = None

    def _report(self, target: _Target, number: int, end_us: int) -> list[Row]:
        (x, y, vx, vy), (w, h) = target.state[0] * self.cell, target.size * self.cell
        rate, coasting = 1e6 / self.dt_us, target.silent > 0
        place, box = (float(x) - 0.5, float(y) - 0.5), (float(w), float(h))
        velocity, score = (float(vx * rate), float(vy * rate)), 0.5 if coasting else 1.0
        target.rows.append((self.frame, end_us, target.id, *place, *box, *velocity, score, int(coasting), number))
        if target.hits < max(_CONFIRM, self._windows(self.config.confirm)) and not target.id:
            return []
        if not target.id:
            self.last_id += 1
            target.id = self.last_id
        rows: list[Row] = [(*row[:2], target.id, *row[3:]) for row in target.rows]
        target.rows.clear()
        return rows

    def _windows(self, ms: float) -> int:
        return max(1, round(ms * 1e3 / self.dt_us))

    def _frame(self, events: Events) -> Array:
        """Mean number of events a pixel ``[2, 64, 64]``, at most 1."""
        events = events.numpy()
        at = (events.p.astype(np.int64) * GRID + events.y // self.cell) * GRID + events.x // self.cell
        counts = np.bincount(at, minlength=2 * GRID * GRID).reshape(2, GRID, GRID)
        return np.minimum(counts / self.cell**2, 1.0)

    def _events(self, place: Array, size: Array) -> int:
        """How many of the latest events lie in a box."""
        low, high = np.maximum(place - size / 2, 0).astype(int), np.ceil(place + size / 2).astype(int)
        return int(self._recent[low[1] : high[1], low[0] : high[0]].sum() * self.cell**2)


class _Target:
    """What is followed, in cells and windows: ``state [1, 4]`` as (x, y, vx, vy), and ``size [2]``."""

    def __init__(self, place: Array, size: Array) -> None:
        self.state, self.size = np.append(place, [0.0, 0.0])[None], size
        self.covariance = np.diag([1.0, 1.0, 1.0, 1.0])[None]
        self.id, self.hits, self.silent = 0, 1, 0
        self.rows: list[Row] = []

    def predict(self) -> None:
        self.state, self.covariance = kalman.predict(self.state, self.covariance, 1.0, _ACCELERATION)

    def correct(self, place: Array, size: Array) -> None:
        if kalman.distance(self.state, self.covariance, place[None], _NOISE)[0] > _MANOEUVRE:
            self.covariance = 10 * self.covariance
        self.state, self.covariance = kalman.update(self.state, self.covariance, place[None], _NOISE)
        self.size = 0.9 * self.size + 0.1 * size
        self.hits, self.silent = self.hits + 1, 0
