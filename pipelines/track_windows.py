"""From a stream of events to windows, with what can be known of each before any track; in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from eventsnn.events import Events
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.frames import windows
from eventsnn.track import Tracker, TrackerConfig
from eventsnn.track.learned import LearnedTracker
from eventsnn.track.regions import Sight

from .ahead import has_spare_core, read_ahead, taking

if TYPE_CHECKING:
    from eventsnn.track.gpu import Batch, Watch

_AHEAD = 4  # windows that wait for the next step
_BATCH, _BATCHES = 64, 4  # windows that a GPU is given at once, at most, and how many such are on their way
_OFTEN = 8  # windows after which is seen whether more are ready


@dataclass
class Window:
    """A window on its way: its end, how many were left out before it, its events, and the seconds spent on it."""

    end_us: int
    skipped: int
    events: Events
    clean: Any
    """Those without background activity, as Events or on a GPU, and what the map shows after them."""
    sight: Sight | None = None
    spent: float = 0.0


def seen(chunks: Iterable[Events], tracker: Tracker | LearnedTracker, start_us: int) -> Iterator[Window]:
    """Windows from ``start_us`` on. Where there are cores to spare, threads read, filter and find regions ahead of the
    tracker, a few windows each; on a GPU the windows that are ready are filtered at once.
    """
    cut = _cut(chunks, tracker, start_us)
    if isinstance(tracker, Tracker) and tracker.device.type == "cuda":
        yield from _watched(cut, tracker.watch(tau=2 * tracker.dt_us))
        return
    clean = BackgroundActivityFilter(tracker.sensor, tau=2 * tracker.dt_us, late="hold")

    def cleaned(window: Window) -> None:
        window.clean = clean(window.events)

    def looked(window: Window) -> None:
        window.sight = tracker.see(window.clean) if isinstance(tracker, Tracker) else None

    items: Iterable[Window] = cut
    if not has_spare_core():
        yield from _after(looked, _after(cleaned, items))
        return
    for step in (cleaned, looked):
        items = _after(step, read_ahead(items, _AHEAD))
    yield from read_ahead(items, _AHEAD)


def _after(step: Callable[[Window], None], items: Iterable[Window]) -> Iterator[Window]:
    for window in items:
        since = time.perf_counter()
        step(window)
        window.spent += time.perf_counter() - since
        yield window


def _watched(cut: Iterable[Window], watch: Watch) -> Iterator[Window]:
    """The windows that are ready are packed, looked at on the device and outlined together; of two batches more the one
    before is seen to the end, if they are there. What takes long does so in threads that hardly need the interpreter.
    """
    packed: deque[tuple[list[Window], Future[Batch]]] = deque()
    begun: deque[tuple[list[Window], Future[list[tuple[Any, Sight | None]]]]] = deque()

    def timed(batch: list[Window], step: Callable[[Any], Any], given: Any) -> Any:
        since = time.perf_counter()
        result = step(given)
        spent = time.perf_counter() - since
        for window in batch:
            window.spent += spent
        return result

    with taking(cut, _BATCH) as take, ThreadPoolExecutor(1) as packing, ThreadPoolExecutor(1) as finishing:

        def more(wait: bool) -> bool:
            """Have the next batches on their way, if any is ready; false at the end."""
            batch: list[Window] | None = []
            while len(packed) + len(begun) < _BATCHES and (batch := take(wait and not packed and not begun)):
                packed.append((batch, packing.submit(timed, batch, watch.pack, [each.events for each in batch])))
            while packed and ((wait and not begun) or packed[0][1].done()):
                first, ready = packed.popleft()
                started = timed(first, watch.begin, ready.result())
                begun.append((first, finishing.submit(timed, first, watch.finish, started)))
            return batch is not None or bool(begun)

        while more(wait=True):
            batch, done = begun.popleft()
            for k, (window, (part, sight)) in enumerate(zip(batch, done.result(), strict=True)):
                window.clean, window.sight = part, sight
                yield window
                if k % _OFTEN == 0:
                    more(wait=False)


def _cut(chunks: Iterable[Events], tracker: Tracker | LearnedTracker, start_us: int) -> Iterator[Window]:
    dt, skipped = tracker.dt_us, 0
    left_out: deque[tuple[int, int]] = deque()
    closed_up = _without_pauses(chunks, start_us, dt, _longest(tracker.config, dt), left_out)
    for begin, events in windows(closed_up, dt, start=start_us):
        while left_out and left_out[0][0] < begin + dt:
            skipped = left_out.popleft()[1]
        yield Window(begin + dt, skipped, events, events)


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
            yield shifted(events, -skipped * dt) if skipped else events
            continue
        now = np.maximum.accumulate(np.maximum(events.t, latest))
        steps = np.diff(now, prepend=latest)
        latest = int(now[-1])
        cuts = set(np.flatnonzero(steps > longest + dt).tolist())
        for low, high in pairwise(sorted({0, *cuts, len(events)})):
            if low in cuts:
                skipped += (int(steps[low]) - longest) // dt
                left_out.append((int(now[low]) - skipped * dt, skipped))
            yield shifted(events[low:high], -skipped * dt) if skipped else events[low:high]


def shifted(events: Events, us: int) -> Events:
    """The events so much later."""
    return Events(events.t + us, events.x, events.y, events.p, sensor=events.sensor)
