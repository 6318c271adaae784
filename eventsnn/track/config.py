"""The constants of the tracker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerConfig:
    """Lengths in px, durations in windows, so that one set serves slow and fast scenes.

    Raises ValueError unless ``0 < min_size < max_size``.
    """

    min_size: float = 12.0
    """Least and largest longer side of an object."""
    max_size: float = 240.0
    max_age: int = 30
    """How long a track without events moves on as predicted, though no longer than it was seen."""
    max_rest: int = 500
    """How long the place and number of a known track are kept after that: an object at rest gives no events."""
    confirm_hits: int = 6
    """Windows in which a track was seen before it gets its number, and before it is known."""
    known_hits: int = 30
    tentative_age: int = 3
    """Windows without events that end a track without a number."""
    look_every: int = 2
    """How often new regions are looked for, and the time constant of the map that they are seen in."""
    map_time: float = 2.4
    birth_z: float = 20.0
    """How far, in standard deviations of the noise, and over how many cells a new object must stand out."""
    least_cells: int = 4
    least_events: int = 6
    """Events that make a measurement, and how many are gathered from how many windows at most."""
    measure_events: int = 40
    measure_windows: int = 3
    merge_after: int = 10
    """How long two touching tracks keep their distance before they are taken for one object."""
    trail: int = 20
    """How long pixels may go on firing behind an object."""
    acceleration: float = 0.001
    """Density of the white acceleration [px^2 per window^3], and the least standard deviation of a measurement [px]."""
    noise: float = 0.3
    crowd_noise: float = 10.0
    """How many times less a measurement counts while objects overlap."""
    manoeuvre: float = 6.0
    """Squared Mahalanobis distance from which on a measurement means a sudden turn."""
    growth: float = 0.2
    """Weight of a new size that is larger, or smaller, than the one known."""
    shrinking: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.min_size < self.max_size:
            raise ValueError(f"sizes must satisfy 0 < min_size < max_size, got {self.min_size} and {self.max_size}")
