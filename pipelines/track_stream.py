"""From a stream of events to windows with tracks, in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from eventsnn.events import Events
from eventsnn.track import Row, Tracker
from eventsnn.track.fleet import LOOKBACK
from eventsnn.track.learned import LearnedTracker

from .track_windows import seen, shifted


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
    waiting: deque[tuple[Frame, dict[int, Row], int]] = deque()

    def ready() -> Frame:
        frame, rows, skipped = waiting.popleft()
        late = skipped * tracker.dt_us
        events, found = frame.events, [rows[key] for key in sorted(rows)]
        if late:
            events = shifted(events, late)
            found = [(row[0] + skipped, row[1] + late, *row[2:]) for row in found]
        return Frame(frame.number + skipped, frame.end_us + late, events, tuple(found), frame.spent)

    for window in seen(chunks, tracker, start_us):
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
