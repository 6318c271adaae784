"""Recordings of a scene that is written down, object by object, instead of drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.camera import chance
from eventsnn.events import Events, microseconds

from .config import ShapesConfig
from .generate import render
from .geometry import extent, form, matrix
from .job import job
from .motion import Scene

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """One moving shape: its ``kind`` such as circle or polygon(7), its ``size`` (width and height before it turns; of a
    polygon, the diameter of its outer circle) [px], ``start``, the place of its centre at time 0 [px], ``velocity`` in
    px/s, ``spin`` in rad/s, ``brightness`` its intensity (the background has 0.2).

    As in tracks, a pixel's index is the place of its centre.
    """

    kind: str
    size: float
    start: tuple[float, float]
    velocity: tuple[float, float]
    spin: float = 0.0
    brightness: float = 0.8

    def __post_init__(self) -> None:
        form(self.kind)
        if self.size <= 0 or self.brightness <= 0:
            raise ValueError(f"size and brightness must be positive, got {self.size} and {self.brightness}")

    def centre(self, seconds: Array | float) -> Array:
        """Centre ``[..., 2]`` at the given times."""
        when: Array = np.asarray(seconds, float)[..., None]
        return np.array(self.start) + when * np.array(self.velocity)


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

    Pixels follow the logarithm of the intensity; later shapes hide earlier ones. ``noise_rate`` is the rate of noise
    events per pixel [Hz], half ON and half OFF; ``hot_pixels`` pixels fire at ``hot_rate`` [Hz]. The same seed gives
    the same events. Raises ValueError for durations and thresholds that are not positive.

    >>> events, truth = record([Shape("square", 20.0, (20.0, 30.0), (100.0, 0.0))], (80, 60), "100ms", noise_rate=0.0)
    >>> truth[-1].tolist(), events.is_sorted, bool(events.p.any()), bool(events.p.all())
    ([[30.0, 30.0]], True, True, False)
    """
    steps = microseconds(duration) // step_us
    if steps <= 0 or threshold <= 0:
        raise ValueError(
            f"duration must last a step of {step_us} us and threshold be positive, got {duration}, {threshold}"
        )
    config = ShapesConfig(
        *sensor,
        frames=steps,
        dt_us=step_us,
        pre_roll=0,
        n_objects=len(shapes),
        shapes=tuple(shape.kind for shape in shapes) or ("circle",),
        speed=max([math.hypot(*shape.velocity) for shape in shapes], default=0.0),
        spin=max([abs(shape.spin) for shape in shapes], default=0.0),
        size=max([shape.size for shape in shapes], default=1.0),
        unit="second",
        composition="occlude",
        signal="log",
        threshold=threshold,
        noise_rate=noise_rate,
        hot_rate=hot_rate,
        hot_pixels=min(1.0, hot_pixels / (sensor[0] * sensor[1])),
    )
    seconds = np.arange(steps * config.substeps + 1) * step_us / config.substeps / 1e6
    clips = torch.zeros(1, dtype=torch.int64)
    task = job(config, _scene(shapes, seconds), clips, seed)
    order = chance.hashed(seed, chance.HOT, 0, 0, torch.arange(sensor[0] * sensor[1])).argsort(stable=True)
    task.hot.fill_(False)[0, order[:hot_pixels]] = True
    (events,) = render(task, events=True, frames=False)[0] or [Events.empty(sensor)]
    centres = [shape.centre(seconds[:: config.substeps])[:, None] for shape in shapes]
    return events, np.concatenate([np.empty((steps + 1, 0, 2)), *centres], 1)


def _scene(shapes: Sequence[Shape], seconds: Array) -> Scene:
    """The poses at the times, for one clip."""
    n = len(shapes)
    time = torch.from_numpy(seconds)[:, None]
    sizes, spins, values = (
        torch.tensor([getattr(shape, name) for shape in shapes], dtype=torch.float64)
        for name in ("size", "spin", "brightness")
    )
    still = torch.zeros(1, n, dtype=torch.float64)
    angle = time * spins if bool(spins.any()) else still
    a = matrix(sizes.expand_as(angle), still + 1, angle, still)
    forms = tuple(form(shape.kind) for shape in shapes)
    places = [torch.from_numpy(shape.centre(seconds)) + 0.5 for shape in shapes]
    low, high = a.new_zeros(len(angle), n, 2), a.new_zeros(len(angle), n, 2)
    for k, unit in enumerate(forms):
        low[:, k], high[:, k] = extent(a[:, k], unit)
    centre = torch.stack(places, 1) if places else a.new_zeros(len(seconds), 0, 2)
    whole = torch.ones(1, n, dtype=torch.bool)
    return Scene(a[None], centre[None], low[None], high[None], values[None], whole, forms, (tuple(range(n)),), {}, n)
