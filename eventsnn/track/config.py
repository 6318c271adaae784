"""The constants of the tracker, and what is asked of its windows."""

from __future__ import annotations

from dataclasses import dataclass

from eventsnn.events import microseconds


@dataclass(frozen=True)
class TrackerConfig:
    """Lengths in px, durations in ms, so that what comes out does not hang on the length of the windows.

    Raises ValueError unless ``0 < min_size < max_size``, and for what is negative or no number.
    """

    min_size: float = 12.0
    """Least and largest longer side of an object."""
    max_size: float = 240.0
    max_age: float = 150.0
    """How long a track without events moves on as predicted, though no longer than it was seen."""
    max_rest: float = 10_000.0
    """How long the place and number of a known track are kept after that: an object at rest gives no events."""
    confirm: float = 20.0
    """For how long a track is seen before it gets its number (in 5 windows at least), and before it is known."""
    known: float = 150.0
    tentative: float = 15.0
    """Time without events that ends a track without a number."""
    look_every: int = 2
    """How often new regions are looked for, and the time constant of the map that they are seen in [windows]."""
    map_time: float = 2.4
    birth_z: float = 20.0
    """How far, in standard deviations of the noise, and over how many cells a new object must stand out."""
    least_cells: int = 4
    least_events: int = 6
    """Events that make a measurement."""
    merge_after: float = 50.0
    """How long two touching tracks keep their distance before they are taken for one object."""
    trail: float = 100.0
    """How long pixels may go on firing behind an object."""
    acceleration: float = 1e-7
    """Density of the white acceleration [px^2 / ms^3] of an object at rest, and its part in speed^3 / size."""
    agility: float = 0.02
    noise: float = 0.3
    """Least standard deviation of a measurement [px]."""
    crowd_noise: float = 10.0
    """How many times less a measurement counts while objects overlap."""
    manoeuvre: float = 6.0
    """Squared Mahalanobis distance from which on a measurement means a sudden turn."""
    growth: float = 90.0
    """Time constants with which a size larger, or smaller, than the one known is taken over."""
    shrinking: float = 200.0

    def __post_init__(self) -> None:
        if not 0 < self.min_size < self.max_size:
            raise ValueError(f"sizes must satisfy 0 < min_size < max_size, got {self.min_size} and {self.max_size}")
        for name, value in vars(self).items():
            if not value >= 0:
                raise ValueError(f"{name} must be a number that is not negative, got {value}")


def window_length(dt: int | str) -> int:
    """The length of a window [us], given so or as a text. Raises ValueError unless it is one.

    >>> window_length("5ms"), window_length(500)
    (5000, 500)
    """
    us = microseconds(dt)
    if us <= 0:
        raise ValueError(f"dt must be at least 1 us, got {dt!r}")
    return us
