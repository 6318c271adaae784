"""One pass over a recording: what it reads, where the events go, what it has found."""

from __future__ import annotations

from dataclasses import dataclass, field

from .columns import Columns
from .header import Header
from .source import Source


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

    @property
    def dropped(self) -> dict[str, int]:
        """What of the recording is missing in the events, where it is anything."""
        counts = {"outside": self.outside, "early": self.early, "skipped_bytes": self.skipped_bytes}
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True)
class Mark:
    """A place to read on from: the byte (in HDF5 and NumPy files the event) and the decoder's state there."""

    offset: int
    state: bytes = b""


@dataclass
class Pass:
    """One pass: a decoder reads ``source`` from ``mark`` or the header on, fills ``columns`` and keeps ``report``.

    Between two of its steps ``mark`` is the place it has reached. ``growing`` tells that the input is still being
    written: a record unfinished at its end is then no damage but left for a later pass.
    """

    source: Source
    header: Header
    columns: Columns
    skip: bool
    mark: Mark | None = None
    report: Report = field(default_factory=Report)
    growing: bool = False
