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
from eventsnn.track.tracker import Sight

from .ahead import has_spare_core, read_ahead

_AHEAD = 4  # windows that wait for the next step


@dataclass(frozen=True)
class Frame:
    """One window after tracking: its number from 1, its end, its events, and its rows of ``Tracks``."""

    number: int
    end_us: int
    events: Events
    rows: tuple[Row, ...]
    spent: float = 0.0
    """Seconds from having the window's events to having its tracks."""


@dataclass
class _Window:
    """One window on its way: its end, how many windows were left out before it, what it holds, and the time spent."""

    end_us: int
    skipped: int
    events: Events
    clean: Events
    sight: Sight | None = None
    spent: float = 0.0


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
    and no more. Where there are cores to spare, threads read, filter and find regions ahead of the tracker.
    """
    waiting: deque[tuple[Frame, dict[int, Row], int]] = deque()

    def ready() -> Frame:
        frame, rows, skipped = waiting.popleft()
        late = skipped * tracker.dt_us
        events, found = frame.events, [rows[key] for key in sorted(rows)]
        if late:
            events = _shifted(events, late)
            found = [(row[0] + skipped, row[1] + late, *row[2:]) for row in found]
        return Frame(frame.number + skipped, frame.end_us + late, events, tuple(found), frame.spent)

    for window in _seen(chunks, tracker, start_us):
        since = time.perf_counter()
        if isinstance(tracker, Tracker):
            rows = tracker.follow(window.clean, window.end_us, window.sight)
        else:
            rows = tracker.update(window.clean, window.end_us)
        spent = window.spent + time.perf_counter() - since
        waiting.append((Frame(tracker.frame, window.end_us, window.events, (), spent), {}, window.skipped))
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


def _seen(chunks: Iterable[Events], tracker: Tracker | LearnedTracker, start_us: int) -> Iterator[_Window]:
    """The windows with what can be known of them before any track: each step in a thread of its own."""
    dt = tracker.dt_us
    clean = BackgroundActivityFilter(tracker.sensor, tau=2 * dt, late="hold")

    def cleaned(window: _Window) -> None:
        window.clean = clean(window.events)

    def looked(window: _Window) -> None:
        window.sight = tracker.see(window.clean) if isinstance(tracker, Tracker) else None

    def after(step: Callable[[_Window], None], items: Iterable[_Window]) -> Iterator[_Window]:
        for window in items:
            since = time.perf_counter()
            step(window)
            window.spent += time.perf_counter() - since
            yield window

    items: Iterable[_Window] = _cut(chunks, tracker, start_us)
    for step in (cleaned, looked):
        items = after(step, read_ahead(items, _AHEAD) if has_spare_core() else items)
    return iter(read_ahead(items, _AHEAD) if has_spare_core() else items)


def _cut(chunks: Iterable[Events], tracker: Tracker | LearnedTracker, start_us: int) -> Iterator[_Window]:
    dt, skipped = tracker.dt_us, 0
    left_out: deque[tuple[int, int]] = deque()
    closed_up = _without_pauses(chunks, start_us, dt, _longest(tracker.config, dt), left_out)
    for begin, events in windows(closed_up, dt, start=start_us):
        while left_out and left_out[0][0] < begin + dt:
            skipped = left_out.popleft()[1]
        yield _Window(begin + dt, skipped, events, events)


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
        if events.is_sorted and latest <= events.t[0] and events.t[-1] - latest <= longest:
            latest = int(events.t[-1])
            yield _shifted(events, -skipped * dt) if skipped else events
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
