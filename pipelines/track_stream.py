"""From a stream of events to windows with tracks, in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eventsnn.events import Events
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.frames import windows
from eventsnn.track import Row, Tracker, TrackerConfig
from eventsnn.track.fleet import LOOKBACK
from eventsnn.track.learned import LearnedTracker


@dataclass(frozen=True)
class Frame:
    """One window after tracking: its number from 1, its end, its events, and its rows of ``Tracks``."""

    number: int
    end_us: int
    events: Events
    rows: tuple[Row, ...]
    spent: float = 0.0
    """Seconds from having the window's events to having its tracks."""


def stream(
    chunks: Iterable[Events],
    tracker: Tracker | LearnedTracker,
    start_us: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Frame]:
    """Frames of a stream of events, one for each window of ``tracker.dt_us`` from ``start_us`` on.

    Frames come some windows late, because a track that is confirmed brings its rows since birth with it. The result
    does not depend on how the stream is cut into chunks. Of a pause without events there are as many frames as it takes
    for all tracks to end; the others are left out, though counted. Once ``stopped`` says so, the frames held back come
    and no more.
    """
    dt = tracker.dt_us
    clean = BackgroundActivityFilter(tracker.sensor, tau=2 * dt, late="hold")
    waiting: deque[tuple[Frame, dict[int, Row], int]] = deque()
    left_out: deque[tuple[int, int]] = deque()

    def ready() -> Frame:
        frame, rows, skipped = waiting.popleft()
        late = skipped * dt
        events, found = frame.events, [rows[key] for key in sorted(rows)]
        if late:
            events = _shifted(events, late)
            found = [(row[0] + skipped, row[1] + late, *row[2:]) for row in found]
        return Frame(frame.number + skipped, frame.end_us + late, events, tuple(found), frame.spent)

    skipped = 0
    closed_up = _without_pauses(chunks, start_us, dt, _longest(tracker.config, dt), left_out)
    for begin, events in windows(closed_up, dt, start=start_us):
        end, since = begin + dt, time.perf_counter()
        while left_out and left_out[0][0] < end:
            skipped = left_out.popleft()[1]
        rows = tracker.update(clean(events), end)
        waiting.append((Frame(tracker.frame, end, events, (), time.perf_counter() - since), {}, skipped))
        for row in rows:
            behind = tracker.frame - row[0]
            if behind < len(waiting):
                waiting[-1 - behind][1][row[2]] = row
        if len(waiting) > LOOKBACK:
            yield ready()
        if stopped():
            break
    while waiting:
        yield ready()


def _longest(config: TrackerConfig, dt: int) -> int:
    """The length of a pause [us] after which nothing is left of any track."""
    return max(round(1e3 * (config.max_age + config.max_rest)) + 1_000_000, 8 * dt)


def _without_pauses(
    chunks: Iterable[Events], start_us: int, dt: int, longest: int, left_out: deque[tuple[int, int]]
) -> Iterator[Events]:
    """The stream with pauses cut to ``longest`` by whole windows; ``left_out`` gets the new time of the first event
    after each pause, and how many windows have been left out until then.
    """
    latest, skipped = start_us, 0
    for chunk in chunks:
        events = chunk.numpy()
        if not len(events):
            continue
        now = np.maximum.accumulate(np.maximum(events.t, latest))
        steps = np.diff(now, prepend=latest)
        latest = int(now[-1])
        cuts = set(np.flatnonzero(steps > longest + dt).tolist())
        for low, high in pairwise(sorted({0, *cuts, len(events)})):
            if low in cuts:
                skipped += (int(steps[low]) - longest) // dt
                left_out.append((int(now[low]) - skipped * dt, skipped))
            yield _shifted(events[low:high], -skipped * dt) if skipped else events[low:high]


def _shifted(events: Events, us: int) -> Events:
    return Events(events.t + us, events.x, events.y, events.p, sensor=events.sensor)
