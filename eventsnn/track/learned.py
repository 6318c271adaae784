"""Tracking by a trained network of receptive fields: where the one object is that stands out most."""

from __future__ import annotations

import os
from collections import deque
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.devices import device_named
from eventsnn.events import Events, sensor_size

from . import kalman
from .config import TrackerConfig, window_length
from .field_network import FieldNetwork, NetworkState
from .network_file import read_network
from .records import Row
from .view import GRID, View

Array = NDArray[Any]
_SPREAD = 0.25  # of a map that says where; noise alone gives more
_LEAST_EVENTS = 6
_MEMORY = 40  # frames after which the network has forgotten
_SURE = 3  # windows in which a target is seen before the network looks closer
_CONFIRM = 4  # windows in which a target is seen before it has a number, at least
_NEAR = 4.0  # what is seen within so many cells, or its own size, is still the target
_NOISE = 0.7  # standard deviation of what the network says [cells]
_ACCELERATION = 0.01  # standard deviation of the change of velocity a window [sizes]
_MANOEUVRE = 6.0  # squared Mahalanobis distance from which on it means a sudden turn


def pretrained() -> FieldNetwork:
    """The network that comes with the package, trained by ``eventsnn learn-to-track`` on moving shapes.

    >>> pretrained().training
    False
    """
    with as_file(files("eventsnn.track") / "learned.safetensors") as path:
        return read_network(path).net


class LearnedTracker:
    """``update(events of the next window) -> rows``, as ``Tracker``; it follows one object, the most salient.

    The network looks at the whole sensor, through ``View``, until it has seen something, then at a smaller part about
    it, in which the object is 12 to 45 cells wide and whose cells are at best pixels. Where the part moves, the latest
    windows are looked at again. ``network`` is a file that was trained by ``eventsnn learn-to-track``; by default the
    one of the package. Raises ValueError for a sensor, window, device or network that cannot be.

    >>> tracker = LearnedTracker((128, 96), dt_us=1000)
    >>> tracker.view, tracker.update(Events.empty(sensor=(128, 96)), end_us=1000)
    (View(x=0, y=-16, cell=2), [])
    """

    def __init__(
        self,
        sensor: tuple[int, int],
        dt_us: int | str,
        config: TrackerConfig | None = None,
        device: torch.device | str = "cpu",
        network: FieldNetwork | str | os.PathLike[str] | None = None,
    ) -> None:
        self.sensor, self.dt_us = sensor_size(sensor), window_length(dt_us)
        self.config, self.device = config or TrackerConfig(), device_named(device)
        if network is None:
            network = pretrained()
        elif not isinstance(network, FieldNetwork):
            network = read_network(network).net
        self.net = network.to(self.device).eval()
        self._age = self._windows(self.config.max_age)
        self.reset()

    def reset(self) -> None:
        """Forget the track, the latest windows and the network's state."""
        self.frame = self.last_id = 0
        self.view = View.whole(self.sensor)
        self._latest = deque[Events](maxlen=_MEMORY)
        self._state: NetworkState | None = None
        self._target: _Target | None = None

    def update(self, events: Events, end_us: int) -> list[Row]:
        """Rows for the window that ends at ``end_us``; with the first of a track come those since it was looked at."""
        self.frame += 1
        self._latest.append(events.numpy())
        place, size, spread = self._look(self.view.frames(self._latest[-1]))
        number = self._events(place, size)
        seen = bool(spread < _SPREAD and number >= _LEAST_EVENTS)
        if self._target is not None:
            self._follow(self._target, place, size, seen, number)
        if self._target is None and seen:
            self._target = _Target(place, size, self.view.cell)
        self._turn()
        return self._report(self._target, number if seen else 0, end_us) if self._target is not None else []

    @torch.no_grad()
    def _look(self, frames: Array) -> tuple[Array, Array, float]:
        """Where the network says the object is [px], its size [px], and how far the map is spread."""
        given = torch.from_numpy(frames).float().to(self.device)[:, None]
        answer, self._state = self.net(given, self._state)
        centre, spread, size = (part[-1, 0].double().cpu().numpy() for part in answer[:3])
        place = (self.view.x, self.view.y) + (centre + 1) / 2 * GRID * self.view.cell
        return place, np.maximum(size, 2.0) * self.view.cell, float(spread)

    def _turn(self) -> None:
        """Look where the target is, or at everything."""
        view, target = View.whole(self.sensor), self._target
        if target is not None and target.hits < _SURE:
            return
        if target is not None and target.silent <= self._age:
            view = self.view.about(target.state[0, :2], float(target.size.max()), self.sensor)
        if view == self.view:
            return
        if target is not None and view.cell != self.view.cell:
            target.rows.clear()
        self.view, self._state, frames = view, None, list[Array]()
        for events in reversed(self._latest):
            frames.append(view.frames(events))
            if sum(map(len, frames)) >= _MEMORY:
                break
        self._look(np.concatenate(frames[::-1])[-_MEMORY:])

    def _follow(self, target: _Target, place: Array, size: Array, seen: bool, number: int) -> None:
        """Predict, and correct by what was seen, unless it is elsewhere; give up one that was not seen for long.

        One that was known for long and gives no events is at rest, until something is seen elsewhere.
        """
        before = target.state
        target.predict(self.sensor)
        reach = target.size.max() * (2 if target.silent > self._age else 1)
        if seen and np.abs(place - target.state[0, :2]).max() < max(reach, _NEAR * self.view.cell):
            target.correct(place, size, _NOISE * self.view.cell)
            return
        target.silent += 1
        if number < _LEAST_EVENTS:
            target.state = before * (1, 1, 0, 0)
        patience = min(self._age if target.id else _CONFIRM, max(target.hits, _CONFIRM))
        elsewhere = seen and target.silent > patience
        if target.hits > self._windows(self.config.known) and not elsewhere:
            patience += self._windows(self.config.max_rest)
        if target.silent > patience:
            self._target = None

    def _report(self, target: _Target, number: int, end_us: int) -> list[Row]:
        if target.silent > self._age:
            return []
        x, y, vx, vy = target.state[0].tolist()
        w, h = target.size.tolist()
        rate, coasting = 1e6 / self.dt_us, target.silent > 0
        state = (0.5 if coasting else 1.0, int(coasting), number)
        target.rows.append((self.frame, end_us, target.id, x - 0.5, y - 0.5, w, h, vx * rate, vy * rate, *state))
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

    def _events(self, place: Array, size: Array) -> int:
        """How many events of the last windows lie in a box."""
        count = 0
        for events in list(self._latest)[-_SURE:]:
            columns, rows = np.abs(events.x + 0.5 - place[0]), np.abs(events.y + 0.5 - place[1])
            count += int(((columns <= size[0] / 2) & (rows <= size[1] / 2)).sum())
        return count


class _Target:
    """What is followed, in px and windows: ``state [1, 4]`` as (x, y, vx, vy), and ``size [2]``."""

    def __init__(self, place: Array, size: Array, noise: float) -> None:
        self.state, self.size = np.append(place, [0.0, 0.0])[None], size
        self.covariance = np.diag([noise**2, noise**2, *(size / 4) ** 2])[None]
        self.id, self.hits, self.silent = 0, 1, 0
        self.rows: list[Row] = []

    def predict(self, sensor: tuple[int, int]) -> None:
        """Move on by one window, as far as the sensor's edge."""
        density = (_ACCELERATION * self.size.max()) ** 2
        self.state, self.covariance = kalman.predict(self.state, self.covariance, 1.0, density)
        self.state[0, :2] = np.clip(self.state[0, :2], 0, sensor)

    def correct(self, place: Array, size: Array, noise: float) -> None:
        if kalman.distance(self.state, self.covariance, place[None], noise)[0] > _MANOEUVRE:
            self.covariance = 10 * self.covariance
        self.state, self.covariance = kalman.update(self.state, self.covariance, place[None], noise)
        self.size = 0.9 * self.size + 0.1 * size
        self.hits, self.silent = self.hits + 1, 0
