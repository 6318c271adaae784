"""Cut a stream of events into windows of equal duration or of equal numbers of events, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from eventsnn.events import Events, microseconds

__all__ = ["windows"]


def windows(
    chunks: Iterable[Events],
    dt: int | str | None = None,
    *,
    start: int | None = None,
    count: int | None = None,
    overlap: int | str = 0,
) -> Iterator[tuple[int, Events]]:
    """Windows of a stream, as pairs (start of the window in us, its events): of ``dt`` us, or of ``count`` events.

    Window k holds ``start + k stride <= t < start + k stride + dt`` with the stride ``dt - overlap``; by number, the
    ``count`` events from the ``k (count - overlap)``-th on, and it starts with its first event. There are as many as it
    takes to reach the last event; windows of time without events are yielded too. ``start`` defaults to the time of the
    first event. The result does not depend on how the stream is cut into chunks. Memory is bounded by one window and
    one chunk. An event that arrives after its window has closed, because time stepped back, is given to the open
    window, so none is lost. Columns are NumPy.

    Raises ValueError for a window that is not positive, and for an overlap that is not shorter.

    >>> stream = [Events([0, 5], [0, 0], [0, 0], [1, 1]), Events([12, 31], [0, 0], [0, 0], [1, 0])]
    >>> [(begin, len(window)) for begin, window in windows(stream, 10)]
    [(0, 2), (10, 1), (20, 0), (30, 1)]
    >>> [(begin, window.t.tolist()) for begin, window in windows(stream, count=3, overlap=2)]
    [(0, [0, 5, 12]), (5, [5, 12, 31])]
    """
    if (dt is None) == (count is None):
        raise ValueError("give either dt, the length of a window, or count, its events")
    length = microseconds(dt) if dt is not None else int(count or 0)
    if length <= 0:
        unit = f"last at least 1 us, got {dt!r}" if dt is not None else f"hold at least 1 event, got {count!r}"
        raise ValueError(f"a window must {unit}")
    stride = length - microseconds(overlap)
    if not 0 < stride <= length:
        raise ValueError(f"overlap must lie in 0..{length - 1}, shorter than the window of {length}, got {overlap!r}")
    if dt is None and start is not None:
        raise ValueError("windows of count events start with the first event; start goes with dt")
    held, seen = Events.empty(), np.zeros(0, np.int64)
    where: int | None = start if dt is not None else 0
    total = 0
    for chunk in chunks:
        events = chunk.numpy()
        if not len(events):
            continue
        if where is None:
            where = int(events.t[0])
        # when an event counts: its position, or its time, but never earlier than one that came before it
        floor = max(where, int(seen[-1])) if len(seen) else where
        now = (
            np.maximum.accumulate(np.maximum(events.t, floor))
            if dt is not None
            else np.arange(total, total + len(events))
        )
        total += len(events)
        held, seen = (Events.concatenate([held, events]), np.concatenate([seen, now])) if len(seen) else (events, now)
        first = 0
        while seen[-1] >= where + length:
            first, last = (int(np.searchsorted(seen, edge)) for edge in (where, where + length))
            yield _window(held[first:last], where, dt is not None)
            where += stride
        first = int(np.searchsorted(seen, where))
        held, seen = held[first:], seen[first:]
    if where is not None and (dt is not None or len(held)):
        yield _window(held, where, dt is not None)


def _window(events: Events, begin: int, by_time: bool) -> tuple[int, Events]:
    return begin if by_time else int(events.t[0]), events
