"""What a file says of itself before its first event, and what reading it has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Header:
    """``offset`` is the byte of the first record, ``layout`` whatever the format's own decoder needs to know,
    ``most`` the most events the rest of the file can hold where that is known."""

    sensor: tuple[int, int] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    offset: int = 0
    layout: dict[str, Any] = field(default_factory=dict)
    most: int | None = None


@dataclass
class Report:
    """What one pass over a recording has found.

    ``steps_back`` counts events earlier than the one before them, ``wraps`` roll-overs of the time stamp, ``outside``
    events outside the sensor, ``early`` events before the stream said time and place, ``other`` records that are no
    polarity events (triggers, frames, IMU...), ``skipped_bytes`` what was passed over as damaged; ``last_good`` is the
    byte up to which all was read.
    """

    events: int = 0
    steps_back: int = 0
    wraps: int = 0
    outside: int = 0
    early: int = 0
    other: int = 0
    skipped_bytes: int = 0
    last_good: int = 0
