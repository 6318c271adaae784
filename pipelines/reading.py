"""How a command opens its recordings: the one place for what they are, what of them is used, and damage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import eventsnn.io
from eventsnn.events import Events, microseconds


@dataclass(frozen=True)
class Reading:
    """The settings of every command that reads recordings."""

    on_error: Literal["raise", "skip"] = field(default="raise", kw_only=True)
    """Damage in a recording, events outside the sensor: raise stops with an error, skip leaves them out and says so."""
    input_format: str | None = field(default=None, kw_only=True)
    """Format of a recording whose content does not show it, such as EVT2 for a RAW file without a header."""
    sensor: tuple[int, int] | None = field(default=None, kw_only=True)
    """Width and height of the sensor [px], where the recording does not say or is wrong."""
    columns: str | None = field(default=None, kw_only=True)
    """Order of the columns of a text or NumPy file, such as txyp. Default: told by their names or values."""
    unit: Literal["s", "ms", "us", "ns"] | None = field(default=None, kw_only=True)
    """Unit of time of a text or NumPy file. Default: told by the names or values."""
    start: str | None = field(default=None, kw_only=True)
    """Leave out what comes before this time: 100ms after the first event, or 1317888, a time stamp [us]."""
    stop: str | None = field(default=None, kw_only=True)
    """Leave out what comes at this time and later; as start."""

    @contextmanager
    def opened(self, path: str | Path) -> Iterator[eventsnn.io.Recording]:
        """The recording, "-" for standard input; at the end it is said what was left out."""
        with eventsnn.io.open(
            "-" if str(path) == "-" else path,
            format=self.input_format,
            sensor=self.sensor,
            on_error=self.on_error,
            columns=self.columns,
            unit=self.unit,
        ) as recording:
            yield recording
        if dropped := recording.report.dropped:
            print(f"{path}: left out: " + ", ".join(f"{count:,} {name}" for name, count in dropped.items()))

    def part(self, recording: Iterable[Events]) -> Iterable[Events]:
        """Its events from ``start`` to ``stop``, which can be gone through as often as the recording."""
        return recording if self.start is None and self.stop is None else _Part(recording, self.start, self.stop)


class _Part:
    def __init__(self, recording: Iterable[Events], start: str | None, stop: str | None) -> None:
        self._recording, self._ends = recording, [_time(start, -(2**63)), _time(stop, 2**63 - 1)]

    def __iter__(self) -> Iterator[Events]:
        first: int | None = None
        for chunk in self._recording:
            if first is None and len(chunk):
                first = int(chunk.t[0])
            low, high = (time + (first or 0) * relative for time, relative in self._ends)
            yield chunk[(chunk.t >= low) & (chunk.t < high)]


def _time(given: str | None, default: int) -> tuple[int, bool]:
    """A time in us, and whether it counts from the first event."""
    if given is None:
        return default, False
    return (int(given), False) if given.lstrip("-").isdigit() else (microseconds(given), True)
