"""What a clip of moving shapes is like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from .geometry import Form, form

Range = float | tuple[float, float] | list[Any]
SUBSTEP_PX = 0.5


@dataclass(frozen=True)
class ShapesConfig:
    """A range is a number (fixed), a pair (low, high: uniform) or a list of these (one of them, all equally likely); it
    is drawn once for each object. Lengths in px, angles in rad, rates per frame or, with ``unit`` "second", per second.
    """

    width: int = 128
    height: int = 128
    frames: int = 128
    dt_us: int = 1000
    pre_roll: int = 5
    """Frames that are simulated before the clip begins."""
    n_objects: int | tuple[int, int] = 3
    shapes: tuple[str | Form, ...] = ("circle", "square", "triangle")
    """Taken in turn."""
    position: tuple[Range, Range] | None = None
    """None: anywhere in the image where the object fits."""
    speed: Range = (0.1, 0.6)
    direction: Range | Literal["diagonal"] = (0.0, 2 * math.pi)
    """The word diagonal: along each axis the speed, or minus the speed."""
    angle: Range = 0.0
    spin: Range = 0.0
    size: Range = (12.0, 24.0)
    aspect: Range = 1.0
    """Width through height, of equal area."""
    growth: Range = 0.0
    size_limits: tuple[float, float] = (0.05, 0.7)
    """Shares of the shorter side of the image between which a size that changes goes to and fro."""
    shear: Range = 0.0
    shear_rate: Range = 0.0
    shear_max: float = 0.5
    brownian: float = 0.0
    """Standard deviation of the change of velocity a frame and axis."""
    unit: Literal["frame", "second"] = "frame"
    border: Literal["bounce", "wrap", "leave"] = "bounce"
    margin: float = 5.0
    """Distance to the border that a bouncing object keeps."""
    lanes: bool = False
    """Each object bounces within its own horizontal strip of the image."""
    composition: Literal["superpose", "occlude"] = "superpose"
    """Every object for itself, events added; or one scene in which later objects hide earlier ones."""
    texture: int = 0
    """Small polygons in a scene of their own behind the objects, drifting together, without labels."""
    coverage: Literal["exact", "clamp"] = "exact"
    """How the share of a pixel that an edge covers is found; clamp is wrong by 0.043 at most."""
    signal: Literal["coverage", "log"] = "coverage"
    """What pixels follow: the share covered, times the contrast; or the logarithm of the intensity."""
    contrast: Range = 1.0
    background: float = 0.2
    intensity: Range = 0.8
    threshold: float | None = None
    """None: 0.5 for coverage, 0.2 for log."""
    threshold_jitter: float = 0.0
    """Relative standard deviation, for each pixel and polarity."""
    phase: float = 0.9
    """Pixels start with up to this share of a threshold; with 0, all pixels of an edge fire at once."""
    refractory_us: int = 0
    event_density: float = 1.0
    max_per_frame: int | None = None
    """Most events of a pixel, frame and polarity."""
    binary: bool = False
    """Frames of 0 and 1 instead of counts."""
    noise_rate: float = 1.0
    """Noise events per pixel [Hz], half ON, half OFF."""
    leak_rate: float = 0.0
    """ON events of leaky pixels [Hz]."""
    hot_pixels: float = 0.0
    """Share of pixels that fire at ``hot_rate`` [Hz]."""
    hot_rate: float = 500.0

    def __post_init__(self) -> None:
        for name in ("width", "height", "frames", "dt_us"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("pre_roll", "texture", "brownian", "threshold_jitter", "refractory_us", "margin"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("phase", "event_density", "hot_pixels"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        for name in ("noise_rate", "leak_rate", "hot_rate"):
            if not 0 <= getattr(self, name) * self.dt_us <= 1e6:
                raise ValueError(
                    f"{name} must be at most one event a frame of {self.dt_us} us, got {getattr(self, name)} Hz"
                )
        for name, least in (("speed", 0.0), ("size", 1e-6), ("aspect", 1e-6), ("intensity", 1e-9)):
            if ends(getattr(self, name))[0] < least:
                what = "positive" if least else "zero or more"
                raise ValueError(f"{name} must be {what}, got {getattr(self, name)}")
        if self.theta <= 0 or self.background <= 0:
            raise ValueError(f"threshold and background must be positive, got {self.theta}, {self.background}")
        if self.most < 0 or self.least > self.most:
            raise ValueError(f"n_objects must be a number or a pair (least, most), got {self.n_objects}")
        if self.max_per_frame is not None and self.max_per_frame < 1:
            raise ValueError(f"max_per_frame must be None or at least 1, got {self.max_per_frame}")
        if not self.shapes:
            raise ValueError("shapes must name at least one shape")
        for shape in self.shapes:
            form(shape)
        for field in fields(self):
            given, choices = getattr(self, field.name), CHOICES.get(field.name)
            if choices and given not in choices:
                raise ValueError(f"{field.name} must be one of {', '.join(choices)}, got {given!r}")

    @property
    def theta(self) -> float:
        return self.threshold if self.threshold is not None else {"coverage": 0.5, "log": 0.2}[self.signal]

    @property
    def least(self) -> int:
        return self.n_objects if isinstance(self.n_objects, int) else self.n_objects[0]

    @property
    def most(self) -> int:
        return self.n_objects if isinstance(self.n_objects, int) else self.n_objects[1]

    @property
    def per_frame(self) -> float:
        """What a rate is multiplied by to be one per frame."""
        return 1.0 if self.unit == "frame" else self.dt_us / 1e6

    @property
    def substeps(self) -> int:
        """Equal steps of a frame, in which no edge moves further than half a pixel.

        For Brownian motion the speed is taken at three standard deviations at the end of the clip.
        """
        radius = ends(self.size)[1] / 2 * math.sqrt(2 * max(max(v, 1 / v) for v in ends(self.aspect)))
        fastest = ends(self.speed)[1] * (math.sqrt(2) if self.direction == "diagonal" else 1)
        fastest += 3 * self.brownian * math.sqrt(self.pre_roll + self.frames)
        fastest += radius * (max(abs(v) for v in ends(self.spin)) + max(abs(v) for v in ends(self.shear_rate)))
        fastest += max(abs(v) for v in ends(self.growth)) / math.sqrt(2)
        return max(1, math.ceil(fastest * self.per_frame / SUBSTEP_PX - 1e-9))


CHOICES = {
    "unit": ("frame", "second"),
    "border": ("bounce", "wrap", "leave"),
    "composition": ("superpose", "occlude"),
    "coverage": ("exact", "clamp"),
    "signal": ("coverage", "log"),
}


def options(value: Range) -> Sequence[tuple[float, float]]:
    """The pairs (low, high) of a range, one of which is drawn."""
    listed = value if isinstance(value, list) else [value]
    return [tuple(v) if isinstance(v, tuple | list) else (v, v) for v in listed]


def ends(value: Range) -> tuple[float, float]:
    """Least and largest value of a range."""
    pairs = options(value)
    return min(min(pair) for pair in pairs), max(max(pair) for pair in pairs)
