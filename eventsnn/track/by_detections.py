"""Tracking by detection: detections of each frame are assigned to the tracks that predict them.

For boxes from a network, or from ``ScaleSpaceDetector``. ``Tracker`` takes events instead: where objects touch, events
still fall to the one or the other when there is but one region to be detected.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from eventsnn.events import sensor_size

from . import kalman
from .attribution import Shares
from .config import TrackerConfig, window_length
from .detections import Detections
from .fleet import Fleet
from .identity import report
from .records import Row

_GATE = 9.21  # 99 % of chi squared with two degrees of freedom
_FAR = 1e9
_SURE = 400  # the noise of a box is that of so many events on its outline, and larger, the less sure it is
_SIZE_NOISE, _SIZE_DRIFT = 0.1, 1e-4  # standard deviation of the log of a size; how much its variance grows in a ms


class DetectionTracker:
    """``update(detections of the next frame) -> rows of the confirmed tracks``; ``reset()`` starts anew.

    Assignment by least total cost (Kuhn 1955): squared Mahalanobis distance, with a gate at 9.21, and (log of the size
    ratio / 0.3)^2. The standard deviation of a box's place is 3.5 % of half its size, and that of its size 10 %,
    divided by its score where that is below 1. Filter, numbers, coasting and rows are those of ``Tracker``.

    Raises ValueError for a window or sensor that cannot be, and ``update`` TypeError for what are no ``Detections``.

    >>> from eventsnn.track import Tracks
    >>> tracker = DetectionTracker(dt_us=10_000)
    >>> for k in range(8):
    ...     rows = tracker.update(Detections.of_boxes(np.array([[2.0 * k, 5.0, 14.0, 14.0]])))
    >>> Tracks.of(rows).ids, [round(value) for value in rows[-1][3:5]]
    ([1], [21, 12])
    """

    def __init__(
        self, dt_us: int | str, config: TrackerConfig | None = None, sensor: tuple[int, int] | None = None
    ) -> None:
        self.dt_us, self.config = window_length(dt_us), config or TrackerConfig()
        self.sensor = (2**31, 2**31) if sensor is None else sensor_size(sensor)
        self.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        config = replace(self.config, growth=math.inf, shrinking=math.inf)  # sizes have a filter of their own
        self.fleet, self.frame = Fleet(config, self.dt_us / 1e3), 0

    def update(self, detections: Detections, end_us: int | None = None) -> list[Row]:
        """Rows for the frame that ends at ``end_us``, by default the number of frames so far times ``dt_us``."""
        if not isinstance(detections, Detections):
            given = type(detections).__name__
            raise TypeError(f"expected Detections, such as Detections.of_boxes(boxes) makes, got {given}")
        self.frame += 1
        fleet, found = self.fleet, detections.numpy()
        fleet.predict(self.sensor)
        place = np.stack([found.x, found.y], 1).astype(float)
        half = np.stack([found.w, found.h], 1) / 2
        tracks, seen = self._assign(place, half)
        fleet.events = np.zeros(len(fleet), int)
        hit = np.zeros(len(fleet), bool)
        hit[tracks] = True
        fleet.silent = np.where(hit, fleet.silent, fleet.silent + 1)
        offset, wide = np.zeros((2, len(fleet), 2))
        offset[tracks], wide[tracks] = place[seen] - fleet.place[tracks], half[seen]
        events = np.full(len(fleet), _SURE)
        sure = np.clip(found.score[seen], 0.1, 1.0)
        events[tracks] = np.rint(_SURE * sure**2)
        shares = Shares(events, events, events, offset, offset - wide, offset + wide)
        fleet.correct(np.arange(len(fleet)), tracks, shares, np.zeros((len(fleet), len(fleet)), bool))
        fleet.doubt += _SIZE_DRIFT * fleet.dt
        measured = np.clip(half[seen], self.config.min_size / 4, self.config.max_size / 2)
        kalman.resize(fleet.half, fleet.doubt, tracks, measured, _SIZE_NOISE / sure)
        fleet.keep(~fleet.expired)
        for k in np.setdiff1d(np.arange(len(found)), seen).tolist():
            fleet.add(place[k], half[k], self.frame)
        ready = np.flatnonzero((fleet.id == 0) & (fleet.hits >= fleet.windows(self.config.confirm, 5)))
        return report(fleet, ready, self.frame, self.frame * self.dt_us if end_us is None else end_us)

    def _assign(self, place: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of tracks and of their detections."""
        fleet, n = self.fleet, len(place)
        if not n or not len(fleet):
            return np.zeros(0, int), np.zeros(0, int)
        state, covariance = fleet.state.repeat(n, 0), fleet.covariance.repeat(n, 0)
        noise = np.maximum(1.0, 0.1 * fleet.size).repeat(n)
        apart = kalman.distance(state, covariance, np.tile(place, (len(fleet), 1)), noise).reshape(-1, n)
        size = np.log(half.max(1)[None] / fleet.size[:, None]) / 0.3
        cost = np.where((apart <= _GATE) & ~fleet.lost[:, None], apart + size**2, _FAR)
        rows, columns = linear_sum_assignment(cost)
        held = cost[rows, columns] < _FAR
        return rows[held], columns[held]
