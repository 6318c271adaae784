"""Geometric shapes that move before an event camera, with the truth about where they are.

A pixel follows the logarithm of the intensity of the scene and fires an ON or OFF event for each whole threshold gained
or lost. Shapes cover pixels by their true area (exact for straight edges), hide one another in the order given, and
noise and hot pixels are added. The pixel (i, j) has its centre at (i, j).

The pixel model is that of ESIM (Rebecq, Gehrig, Scaramuzza 2018), the noise that of v2e (Hu, Liu, Delbruck 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events, microseconds

Array = NDArray[np.float64]
KINDS = {"circle": 0, "triangle": 3, "square": 4, "pentagon": 5, "hexagon": 6}


@dataclass(frozen=True)
class Shape:
    """One moving shape: ``size`` is the diameter of its outer circle [px], ``start`` its centre [px] at time 0,
    ``velocity`` in px/s, ``spin`` in rad/s, ``brightness`` its intensity (the background has 0.2)."""

    kind: str
    size: float
    start: tuple[float, float]
    velocity: tuple[float, float]
    spin: float = 0.0
    brightness: float = 0.8

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no shape is called {self.kind!r}; there are {', '.join(KINDS)}")
        if self.size <= 0 or self.brightness <= 0:
            raise ValueError(f"size and brightness must be positive, got {self.size} and {self.brightness}")

    def centre(self, seconds: Array | float) -> Array:
        """Centre ``[..., 2]`` at the given times."""
        when: Array = np.asarray(seconds, float)[..., None]
        return np.array(self.start) + when * np.array(self.velocity)


def coverage(shape: Shape, seconds: float, width: int, height: int) -> Array:
    """Share of each pixel ``[H, W]`` that the shape covers at a time.

    >>> disc = Shape("circle", size=20.0, start=(15.3, 14.6), velocity=(0.0, 0.0))
    >>> bool(abs(coverage(disc, 0.0, 30, 30).sum() - math.pi * 100) < 1)
    True
    """
    cx, cy = shape.centre(seconds)
    reach = shape.size / 2 + 2
    x0, x1 = max(0, math.floor(cx - reach)), min(width, math.ceil(cx + reach) + 1)
    y0, y1 = max(0, math.floor(cy - reach)), min(height, math.ceil(cy + reach) + 1)
    covered = np.zeros((height, width))
    if x0 >= x1 or y0 >= y1:
        return covered
    x, y = np.meshgrid(np.arange(x0, x1) - cx, np.arange(y0, y1) - cy)
    angle = shape.spin * seconds
    distance, slope_x, slope_y = _edge(KINDS[shape.kind], x, y, shape.size / 2, angle)
    a, b = np.maximum(abs(slope_x), abs(slope_y)), np.minimum(abs(slope_x), abs(slope_y))
    tail = np.maximum((a + b) / 2 - abs(distance), 0) ** 2 / np.maximum(2 * a * b, 1e-9)
    middle = abs(distance) <= (a - b) / 2
    covered[y0:y1, x0:x1] = np.where(middle, 0.5 - distance / a, np.where(distance > 0, tail, 1 - tail))
    return covered


def _edge(corners: int, x: Array, y: Array, radius: float, angle: float) -> tuple[Array, Array, Array]:
    """Signed distance to the nearest edge (negative inside) and the direction of its normal."""
    if not corners:
        from_centre = np.hypot(x, y)
        safe = np.maximum(from_centre, 1e-9)
        return from_centre - radius, np.where(from_centre > 0, x / safe, 1.0), y / safe
    normals = angle - math.pi / 2 + math.pi / corners + 2 * math.pi * np.arange(corners) / corners
    away = (
        np.cos(normals)[:, None, None] * x + np.sin(normals)[:, None, None] * y - radius * math.cos(math.pi / corners)
    )
    nearest = away.argmax(0)
    return away.max(0), np.cos(normals)[nearest], np.sin(normals)[nearest]


def record(
    shapes: Sequence[Shape],
    sensor: tuple[int, int] = (240, 180),
    duration: int | str = "2s",
    *,
    seed: int = 0,
    threshold: float = 0.25,
    noise_rate: float = 1.0,
    hot_pixels: int = 0,
    hot_rate: float = 500.0,
    step_us: int = 1000,
) -> tuple[Events, Array]:
    """Events of shapes in motion, and the truth: centres ``[steps + 1, shapes, 2]`` px at the times ``k step_us``.

    ``noise_rate`` is the rate of noise events per pixel [Hz], half ON and half OFF; ``hot_pixels`` pixels fire at
    ``hot_rate`` [Hz]. The same seed gives the same events. Raises ValueError for durations and thresholds that are not
    positive.

    >>> events, truth = record([Shape("square", 20.0, (20.0, 30.0), (100.0, 0.0))], (80, 60), "100ms", noise_rate=0.0)
    >>> truth[-1].tolist(), events.is_sorted, bool(events.p.any()), bool(events.p.all())
    ([[30.0, 30.0]], True, True, False)
    """
    steps = microseconds(duration) // step_us
    if steps <= 0 or threshold <= 0:
        raise ValueError(
            f"duration must last a step of {step_us} us and threshold be positive, got {duration}, {threshold}"
        )
    random = np.random.default_rng(seed)
    width, height = sensor
    state = random.uniform(-0.9, 0.9, (height, width)) * threshold  # without it, all pixels of an edge fire at once
    seconds = np.arange(steps + 1) * step_us / 1e6
    before = _log_intensity(shapes, 0.0, width, height)
    found = [_noise(random, sensor, steps * step_us, noise_rate)]
    hot = _noise(random, (hot_pixels, 1), steps * step_us, hot_rate)
    place = random.integers((width, height), size=(hot_pixels, 2))
    found.append((hot[0], place[hot[1], 0], place[hot[1], 1], hot[3]))
    for k in range(steps):
        now = _log_intensity(shapes, float(seconds[k + 1]), width, height)
        found.append(_fire(state, now - before, threshold, k * step_us, step_us))
        before = now
    t, x, y, p = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((p, x, y, t))
    events = Events(t[order], x[order].astype(np.int16), y[order].astype(np.int16), p[order] > 0, sensor=sensor)
    centres = [shape.centre(seconds)[:, None] for shape in shapes]
    return events, np.concatenate([np.empty((steps + 1, 0, 2)), *centres], 1)


def _log_intensity(shapes: Sequence[Shape], seconds: float, width: int, height: int) -> Array:
    scene = np.full((height, width), 0.2)
    for shape in shapes:
        covered = coverage(shape, seconds, width, height)
        scene += covered * (shape.brightness - scene)
    logarithm: Array = np.log(scene)
    return logarithm


def _fire(state: Array, change: Array, threshold: float, start_us: int, step_us: int) -> tuple[NDArray[np.int64], ...]:
    """Let the pixels' state follow a change; events at the times at which whole thresholds are crossed on the way."""
    y, x = np.nonzero(change)
    was, step = state[y, x], change[y, x]
    count: NDArray[np.int64] = np.trunc((was + step) / threshold).astype(np.int64)
    state[y, x] = was + step - count * threshold
    which = np.repeat(np.arange(len(count)), abs(count))
    number = np.arange(len(which)) - np.repeat(np.cumsum(abs(count)) - abs(count), abs(count)) + 1
    sign = np.sign(count[which])
    fraction = (sign * number * threshold - was[which]) / step[which]
    return start_us + np.rint(fraction * step_us).astype(np.int64), x[which], y[which], (sign > 0).astype(np.int64)


def _noise(
    random: np.random.Generator, sensor: tuple[int, int], span_us: int, rate: float
) -> tuple[NDArray[np.int64], ...]:
    n = random.poisson(sensor[0] * sensor[1] * rate * span_us / 1e6)
    return tuple(random.integers(high, size=n) for high in (span_us, *(max(1, s) for s in sensor), 2))
