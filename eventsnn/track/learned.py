"""Tracking by a trained network of receptive fields: where the one object is that stands out most."""

from __future__ import annotations

import math
import os
from importlib.resources import as_file, files

import numpy as np
import torch

from eventsnn.events import Events

from .by_detections import DetectionTracker
from .config import TrackerConfig
from .detections import Detections
from .field_network import Answer, FieldNetwork, NetworkState
from .network_file import read_network
from .records import Row

GRID = 64
_SPREAD = 0.25  # of a map that says where; noise alone gives more
_LEAST_EVENTS = 6


def pretrained() -> FieldNetwork:
    """The network that comes with the package, trained by ``eventsnn learn_to_track`` on moving shapes.

    >>> pretrained().training
    False
    """
    with as_file(files("eventsnn.track") / "learned.safetensors") as path:
        return read_network(path).net


class LearnedTracker:
    """``update(events of the next window) -> rows``, as ``Tracker``; it follows one object, the most salient.

    A window is one frame of the network. Sensors are seen at 64 x 64 cells, each the mean of ``cell`` x ``cell``
    pixels. ``network`` is a file that was trained by ``eventsnn learn_to_track``; by default the one of the package.

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
        self.cell = math.ceil(max(sensor) / GRID)
        self.reset()

    @property
    def frame(self) -> int:
        return self._tracker.frame

    def reset(self) -> None:
        """Forget the track and the network's state."""
        self._tracker = DetectionTracker(self.dt_us, self.config, self.sensor)
        self._state: NetworkState | None = None
        self._recent = np.zeros((GRID, GRID))

    @torch.inference_mode()
    def update(self, events: Events, end_us: int) -> list[Row]:
        """Rows for the window that ends at ``end_us``."""
        frame = self._frame(events)
        self._recent = 0.9 * self._recent + frame.sum(0)
        given = torch.from_numpy(frame).float().to(self.device)[None, None]
        answer, self._state = self.net(given, self._state)
        return self._tracker.update(self._detections(answer), end_us)

    def _frame(self, events: Events) -> np.ndarray:
        """Mean number of events a pixel ``[2, 64, 64]``, at most 1."""
        events = events.numpy()
        at = (events.p.astype(np.int64) * GRID + events.y // self.cell) * GRID + events.x // self.cell
        counts = np.bincount(at, minlength=2 * GRID * GRID).reshape(2, GRID, GRID)
        return np.minimum(counts / self.cell**2, 1.0)

    def _detections(self, answer: Answer) -> Detections:
        centre, spread, size = (part[0, 0].double().cpu().numpy() for part in answer[:3])
        place, half = (centre + 1) / 2 * GRID, np.maximum(size, 2.0) / 2
        low, high = np.maximum(place - half, 0).astype(int), np.ceil(place + half).astype(int)
        events = self._recent[low[1] : high[1], low[0] : high[0]].sum() * self.cell**2
        box = np.append(place - half, 2 * half)[None] * self.cell
        box[:, :2] -= 0.5  # the centre of the first pixel is 0
        found = Detections.of_boxes(box, np.array([float(events)]))
        return found if spread < _SPREAD and events >= _LEAST_EVENTS else found[:0]
