"""Cut a stream of events into windows of equal duration or of equal numbers of events, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events, microseconds

__all__ = ["windows"]

_MOST = 10**9  # windows that a chunk may reach over: one damaged time stamp would fill the disk with empty frames

_AT_ONCE = 256  # windows whose events are looked for together


def windows(
    chunks: Events | Iterable[Events],
    dt: int | str | None = None,
    *,
    start: int | None = None,
    stop: int | None = None,
    n_bins: int | None = None,
    count: int | None = None,
    overlap: int | str = 0,
) -> Iterator[tuple[int, Events]]:
    """Windows of a stream (or of Events), as pairs (start in us, its events): of ``dt`` us, or of ``count`` events.

    Window k holds ``start + k stride <= t < start + k stride + dt`` with the stride ``dt - overlap``; by number, the
    ``count`` events from the ``k (count - overlap)``-th on, and it starts with its first event. There are as many as it
    takes to reach the last event; windows of time without events are yielded too. ``start`` defaults to the time of the
    first event. Or ``n_bins`` equal parts of the time from ``start`` to ``stop``, which both must be given; later
    events are left out. The result does not depend on how the stream is cut into chunks. Memory is bounded by one
    window and one chunk. An event that arrives after its window has closed, because time stepped back, is given to the
    open window, so none is lost. Columns are NumPy.

    Raises ValueError for a window that is not positive, for an overlap that is not shorter, and where a chunk reaches
    over more than 10^9 windows.

    >>> stream = [Events([0, 5], [0, 0], [0, 0], [1, 1]), Events([12, 31], [0, 0], [0, 0], [1, 0])]
    >>> [(begin, len(window)) for begin, window in windows(stream, 10)]
    [(0, 2), (10, 1), (20, 0), (30, 1)]
    >>> [(begin, window.t.tolist()) for begin, window in windows(stream, count=3, overlap=2)]
    [(0, [0, 5, 12]), (5, [5, 12, 31])]
    """
    return ((begin, events) for begin, _, events in spans(chunks, dt, start, stop, n_bins, count, overlap))


def spans(
    chunks: Events | Iterable[Events],
    dt: int | str | None = None,
    start: int | None = None,
    stop: int | None = None,
    n_bins: int | None = None,
    count: int | None = None,
    overlap: int | str = 0,
) -> Iterator[tuple[int, int, Events]]:
    """The windows as (begin, end, events); by number, from its least stamp to just after its largest."""
    chunks = [chunks] if isinstance(chunks, Events) else chunks
    if sum(v is not None for v in (dt, n_bins, count)) != 1:
        raise ValueError("give either dt, the length of a window, or count, its events, or n_bins, their number")
    if count is not None and (start is not None or stop is not None):
        raise ValueError("windows of count events start with the first event; start and stop go with times")
    if n_bins is not None:
        if start is None or stop is None:
            raise ValueError(f"n_bins parts of a stream need its start and stop, got {start} and {stop}")
        if not 0 < n_bins <= stop - start:
            raise ValueError(f"n_bins must lie between 1 and the {stop - start:,} us of the span, got {n_bins:,}")
        return _cut(chunks, start, lambda k: -(-k * (stop - start) // n_bins), 0, n_bins, False)
    length = microseconds(dt) if dt is not None else int(count or 0)
    if length <= 0:
        unit = f"last at least 1 us, got {dt!r}" if dt is not None else f"hold at least 1 event, got {count!r}"
        raise ValueError(f"a window must {unit}")
    shared = microseconds(overlap)
    if not 0 <= shared < length:
        raise ValueError(f"overlap must lie in 0..{length - 1}, shorter than the window of {length}, got {overlap!r}")
    return _cut(chunks, start, lambda k: k * (length - shared), shared, None, count is not None)


def _cut(
    chunks: Iterable[Events],
    start: int | None,
    edge: Callable[[int], int],
    shared: int,
    number: int | None,
    by_count: bool,
) -> Iterator[tuple[int, int, Events]]:
    """Window k from ``edge(k)`` to ``edge(k + 1) + shared`` after the start: times, or positions of events."""
    held: list[tuple[Events, NDArray[np.int64]]] = []  # with when each counts, never before one that came earlier
    k = total = 0
    if by_count:
        start = 0

    def closed(origin: int, events: Events, seen: NDArray[np.int64], count: int) -> Iterator[tuple[int, int, Events]]:
        lows = [origin + edge(k + i) for i in range(count)]
        highs = [origin + edge(k + i + 1) + shared for i in range(count)]
        at = np.searchsorted(seen, lows + highs).tolist()  # of all at once: a thread that waits for the lock waits once
        for low, high, first, last in zip(lows, highs, at[:count], at[count:], strict=True):
            part = events[first:last]
            yield (int(part.t.min()), int(part.t.max()) + 1, part) if by_count else (low, high, part)

    for chunk in chunks:
        events = chunk.numpy()
        if not len(events) or k == number:
            continue
        if start is None:
            start = int(events.t[0])
        if number is None and not by_count and (int(events.t.max()) - start) // edge(1) - k > _MOST:
            raise ValueError(
                f"up to {int(events.t.max())} us there are over {_MOST:,} more windows: a stray time? "
                "Leave it out with stop, or take longer windows"
            )
        floor = max(start + edge(k), int(held[-1][1][-1]) if held else start)
        if by_count:
            now = np.arange(total, total + len(events))
        else:
            in_order = events.is_sorted and events.t[0] >= floor
            now = events.t if in_order else np.maximum.accumulate(events.t.clip(floor))
        total += len(events)
        held.append((events, now))
        if now[-1] < start + edge(k + 1) + shared:
            continue
        if held[:-1] and not shared:  # what is left of earlier chunks, with what this one adds to its window
            first = int(np.searchsorted(now, start + edge(k + 1)))
            yield from closed(start, *_joined([*held[:-1], (events[:first], now[:first])]), 1)
            k, held = k + 1, [(events[first:], now[first:])]
        events, seen = _joined(held)
        while len(seen):
            count, last = 0, int(seen[-1])
            while count < _AT_ONCE and last >= start + edge(k + count + 1) + shared and k + count != number:
                count += 1
            if not count:
                break
            yield from closed(start, events, seen, count)
            k += count
        first = int(np.searchsorted(seen, start + edge(k)))
        held = [(events[first:], seen[first:])] if first < len(seen) else []
    events, seen = _joined(held)
    while start is not None and (k < number if number is not None else len(events) or not by_count):
        yield from closed(start, events, seen, 1)
        k += 1
        if number is None:
            return


def _joined(held: list[tuple[Events, NDArray[np.int64]]]) -> tuple[Events, NDArray[np.int64]]:
    if len(held) == 1:
        return held[0]
    seen = np.concatenate([np.zeros(0, np.int64), *(seen for _, seen in held)])
    return Events.concatenate(part for part, _ in held), seen
