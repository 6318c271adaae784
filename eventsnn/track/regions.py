"""Where something moves: connected regions of a leaky event map in which a receptive field stands out of the noise.

Events run into a leaky integrator per cell, U. A Gaussian receptive field of scale s (a variance) answers T_s * U.
Where nothing moves, its mean is m and its variance V / (4 pi s), m and V being mean and Poisson variance of U. In
standard deviations of that background

    z = (T_s * U - m) / sqrt(V / (4 pi s))

and a region is a connected set of cells with z above a bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.fields.line import line_operators
from eventsnn.frames import to_frames

from . import region_kernels as kernels

BLOCK, FEW = 8, 64  # cells along a side of a block; blocks
LEAST_VARIANCE = 1e-3
MOST_EVENTS = 1_500
MOST_PER_PIXEL = 2  # an edge that passes gives a pixel few events: more come from hot pixels and flicker


@dataclass(frozen=True)
class Region:
    """A detection: box between the 5 % and 95 % quantiles of its events [px], cells with events, and the largest z."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    cells: int
    z: float

    @property
    def centre(self) -> NDArray[np.float64]:
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Sight:
    """The leaky map at a look: events per cell where nothing moves, and regions ``[n, 6]``, strongest first: low corner
    and high one [px], cells and z of each ``Region``.
    """

    background: float
    regions: NDArray[np.float64]
    events: Events
    """Some of the events since the last look."""


def thinned(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every k-th of some events' places, such that there are ``MOST_EVENTS`` at most."""
    return places[:: max(1, -(-len(places) // MOST_EVENTS))]


class RegionDetector:
    """Leaky map of a ``(width, height)`` sensor and the regions in it.

    Sensors with more than ``cells`` pixels on the longer side are pooled by a whole factor. ``decay`` is the factor by
    which the map fades from one ``add`` to the next, ``scale`` that of the receptive field [px^2].

    >>> detector = RegionDetector((64, 48), scale=4.0, decay=0.5)
    >>> frame = torch.zeros(2, 48, 64)
    >>> frame[1, 20:31, 10:31] = 1
    >>> detector.add(frame)
    >>> [(region.low.tolist(), region.high.tolist()) for region in detector.find(least=20.0)]
    [([11.0, 20.0], [29.0, 30.0])]
    """

    def __init__(
        self,
        sensor: tuple[int, int],
        *,
        scale: float,
        decay: float,
        device: torch.device | str = "cpu",
        cells: int = 200,
    ) -> None:
        self.pool = math.ceil(max(sensor) / cells)
        self.width, self.height = (-(-n // self.pool) for n in sensor)
        self.block = min(BLOCK, self.height, self.width)
        blocks = (self.height // self.block) * (self.width // self.block)
        self.rank = (blocks - 1) // (2 if blocks >= FEW else 4)
        self.decay = decay
        self.scale = scale / self.pool**2
        self.map = torch.zeros(self.height, self.width, device=device)
        self.sensor = int(sensor[0]), int(sensor[1])
        if self.map.device.type != "cpu":
            self._smooth_y = line_operators(self.height, [self.scale], device)[0][0]
            self._smooth_x = line_operators(self.width, [self.scale], device)[0][0]
        else:
            reach = 4 + math.ceil(6 * math.sqrt(self.scale))  # beyond, a tap is under 1e-8
            self.taps = line_operators(2 * reach + 1, [self.scale])[0][0, reach].numpy()
            self._seen = np.zeros(self.sensor[::-1], np.uint8)

    def reset(self) -> None:
        """Forget all events."""
        self.map.zero_()

    def add(self, frame: torch.Tensor) -> None:
        """Let the map fade and add the counts ``[2, H, W]`` of new events."""
        height, width = frame.shape[-2:]
        spare = (0, self.width * self.pool - width, 0, self.height * self.pool - height)
        frame = torch.nn.functional.pad(frame.to(self.map).sum(0), spare)
        frame = frame.clamp(max=MOST_PER_PIXEL)
        rows = frame.view(self.height, self.pool, -1).sum(1)  # in two steps, for memory in order
        self.map.mul_(self.decay).add_(rows.view(self.height, self.width, self.pool).sum(2))

    def add_events(self, events: Events) -> None:
        """The same for events. Raises ValueError for events outside the sensor."""
        if self.map.device.type != "cpu":
            self.add(to_frames(events.to(self.map.device), n_bins=1, sensor=self.sensor)[0])
            return
        _, x, y, _ = events.numpy().columns
        if not kernels.collect(self.map.numpy(), self.decay, x, y, self._seen, self.pool, MOST_PER_PIXEL):
            raise ValueError(f"events lie outside the {self.sensor[0]}x{self.sensor[1]} sensor; crop them first")

    def background(self) -> float:
        """Events per cell of the map where nothing moves: the median over blocks of their means.

        Of few blocks an object may fill most: there it is the lower quartile.
        """
        if self.map.device.type != "cpu":
            means = torch.nn.functional.avg_pool2d(self.map[None], self.block).flatten().sort().values
            return float(means[self.rank])
        return kernels.background(self.map.numpy(), self.block, self.rank)

    def response(self, mean: float) -> NDArray[np.float32]:
        """z of every cell, ``[H, W]``, where the background is ``mean``."""
        variance = max(mean / (1 + self.decay), LEAST_VARIANCE)
        factor = math.sqrt(4 * math.pi * self.scale / variance)
        z: NDArray[np.float32]
        if self.map.device.type != "cpu":
            z = (self._smooth_y @ (self.map - mean) @ self._smooth_x * factor).cpu().numpy()
        else:
            z = kernels.smooth(self.map.numpy(), np.float32(mean), self.taps, np.float32(factor))
        return z

    def find(self, least: float, edge: float = 6.0, mean: float | None = None) -> list[Region]:
        """Regions of z above ``edge`` that reach ``least`` somewhere, strongest first; ``mean`` of the background."""
        z = self.response(self.background() if mean is None else mean)
        found, _ = self.outlined(z[None], self.map.cpu().numpy()[None], least, edge)
        return [Region(row[:2], row[2:4], int(row[4]), float(row[5])) for row in found]

    def outlined(
        self, z: NDArray[np.float32], cells: NDArray[np.float32], least: float, edge: float = 6.0
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The same from z and the map ``cells`` of several looks, both ``[looks, H, W]``, as rows for ``Sight``, one
        look after the other, and how many there are up to each, from 0 on.
        """
        found, ends = kernels.outlines(z, cells, edge, least)
        found[:, :4] = found[:, :4] * self.pool + (self.pool - 1) / 2
        return found, ends
