"""Cut a stream of events into windows of equal duration, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from eventsnn.events import Events, microseconds


def windows(chunks: Iterable[Events], dt: int | str, *, start: int | None = None) -> Iterator[tuple[int, Events]]:
    """Windows ``start + k dt <= t < start + (k + 1) dt`` of a stream, as pairs (start of the window in us, its events).

    The result does not depend on how the stream is cut into chunks. Windows without events are yielded too, up to the
    last event. ``start`` defaults to the time of the first event. Memory is bounded by one window and one chunk. An
    event that arrives after its window has closed, because time stepped back, is given to the open window, so none is
    lost. Columns are NumPy.

    Raises ValueError for a window that is not positive.

    >>> stream = [Events([0, 5], [0, 0], [0, 0], [1, 1]), Events([12, 31], [0, 0], [0, 0], [1, 0])]
    >>> [(begin, len(window)) for begin, window in windows(stream, 10)]
    [(0, 2), (10, 1), (20, 0), (30, 1)]
    """
    length = microseconds(dt)
    if length <= 0:
        raise ValueError(f"a window must last at least 1 us, got {dt!r}")
    held: list[Events] = []
    for chunk in chunks:
        events = chunk.numpy()
        if not len(events):
            continue
        if start is None:
            start = int(events.t[0])
        arrival = np.maximum.accumulate(np.maximum(events.t, start))
        position = 0
        while arrival[-1] >= start + length:
            cut = int(np.searchsorted(arrival, start + length))
            yield start, Events.concatenate([*held, events[position:cut]])
            held, position, start = [], cut, start + length
        held.append(events[position:])
    if start is not None:
        yield start, Events.concatenate(held)
