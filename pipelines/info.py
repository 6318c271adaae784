"""What a recording holds: format, sensor, count, duration, rate, polarity, hot pixels, problems with time.

One pass in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from eventsnn.events import Events, show_duration, show_rate
from eventsnn.filters import hot_pixels
from eventsnn.jit import compiled

from .reading import Reading

_PAUSE = 10_000_000


@dataclass(frozen=True)
class Config(Reading):
    """Say what a recording holds."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format."""


@dataclass(frozen=True)
class Survey:
    """Facts about a stream of events; times in us, ``counts [H, W]`` events per pixel."""

    events: int
    on: int
    first: int
    last: int
    steps_back: int
    largest_gap: int
    sensor: tuple[int, int]
    inferred: bool
    counts: NDArray[np.int64]
    pauses: int = 0
    """Time in gaps of more than ten seconds."""
    whole: bool = True
    """False if these are the facts of the start of a stream that goes on."""

    @property
    def duration(self) -> int:
        return max(self.last - self.first, 0)

    @property
    def rate(self) -> float:
        return self.events / self.duration * 1e6 if self.duration else 0.0

    def hot_pixels(self) -> list[tuple[int, int, int]]:
        """Pixels ``(x, y, events)``, worst first, as told by ``eventsnn.filters.hot_pixels``."""
        y, x = np.nonzero(hot_pixels(self.counts))
        found = zip(x.tolist(), y.tolist(), self.counts[y, x].tolist(), strict=True)
        return sorted(found, key=lambda pixel: -pixel[2])


@compiled
def _tally(t: Any, x: Any, y: Any, p: Any, previous: int, pause: int, counts: Any) -> Any:
    """Steps back, largest step, sum of those over ``pause``, earliest and latest time, ON events, whether all lie on
    the sensor; each is added to ``counts [H, W]``.
    """
    height, width = counts.shape
    back, gap, paused, earliest, latest, on = 0, t[0] - previous, 0, t[0], t[0], 0
    for i in range(len(t)):
        step = t[i] - previous
        previous = t[i]
        back += step < 0
        gap, paused = max(gap, step), paused + (step if step > pause else 0)
        earliest, latest = min(earliest, t[i]), max(latest, t[i])
        on += p[i] != 0
        if not (0 <= x[i] < width and 0 <= y[i] < height):
            return back, gap, paused, earliest, latest, on, False
        counts[y[i], x[i]] += 1
    return back, gap, paused, earliest, latest, on, True


def survey(chunks: Iterable[Events], sensor: tuple[int, int] | None = None) -> Survey:
    """Go through a stream once. An unknown sensor size is inferred from the coordinates.

    >>> facts = survey([Events([0, 40], [3, 1], [0, 2], [1, 1]), Events([30], [0], [1], [0])])
    >>> facts.events, facts.on, facts.duration, facts.steps_back, facts.sensor
    (3, 2, 40, 1, (4, 3))
    """
    counts = np.zeros((1, 1) if sensor is None else sensor[::-1], np.int64)
    events = on = steps_back = largest_gap = pauses = 0
    first: int | None = None
    last = previous = 0
    for chunk in chunks:
        if not len(chunk):
            continue
        first, previous = (int(chunk.t[0]),) * 2 if first is None else (first, previous)
        if sensor is None and (side := max(int(chunk.x.max()), int(chunk.y.max())) + 1) > len(counts):
            counts = np.pad(counts, (0, 2 * side - len(counts)))
        columns = chunk.numpy().columns
        back, gap, paused, earliest, latest, bright, inside = _tally(*columns, previous, _PAUSE, counts)
        if not inside:
            height, width = counts.shape
            raise ValueError(f"events lie outside x 0..{width - 1} and y 0..{height - 1}; crop them first")
        steps_back, largest_gap, pauses = steps_back + back, max(largest_gap, gap), pauses + paused
        first, last, previous = min(first, earliest), max(last, latest), int(chunk.t[-1])
        events, on = events + len(chunk), on + bright
    inferred = sensor is None
    if sensor is None:
        used = [int(np.flatnonzero(counts.any(axis)).max(initial=0)) + 1 for axis in (0, 1)]
        sensor = used[0], used[1]
        counts = counts[: sensor[1], : sensor[0]]
    return Survey(events, on, first or 0, last, steps_back, largest_gap, sensor, inferred, counts, pauses)


def run(config: Config) -> Survey:
    """Print what the recording holds."""
    with config.opened(config.recording) as recording:
        facts = survey(config.part(recording), recording.sensor)
    width, height = facts.sensor
    on = f"{facts.on / facts.events:.1%} ON" if facts.events else "no events"
    inferred = " (not in the file; inferred from the events)" if facts.inferred else ""
    hot = facts.hot_pixels()
    longest = show_duration(facts.largest_gap)
    shown = ", ".join(f"({x}, {y}): {n:,}" for x, y, n in hot[:5]) + (", ..." if len(hot) > 5 else "")
    lines = {
        "file": str(config.recording),
        "format": recording.format,
        "sensor": f"{width}x{height}{inferred}" if facts.events or not facts.inferred else "not in the file",
        "events": f"{facts.events:,}",
        "duration": f"{show_duration(facts.duration)} (from {facts.first} to {facts.last} us)",
        "rate": show_rate(facts.rate),
        "polarity": on,
        "hot pixels": f"{len(hot)}" + (f"  {shown}" if hot else ""),
        "time": f"{facts.steps_back} steps back, {recording.report.wraps} roll-overs, largest gap {longest}",
        "beside": f"{recording.report.other:,} records that are no events" if recording.report.other else "nothing",
        "left out": ", ".join(f"{n:,} {name}" for name, n in recording.report.dropped.items()) or "nothing",
    }
    told = {name: str(value) for name, value in recording.metadata.items() if name not in (*lines, "dropped")}
    for name, text in (lines | told).items():
        print(f"{name:12} {text}")
    return facts
