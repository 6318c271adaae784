"""Recordings merged into one, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from eventsnn.events import Events


def merge(*recordings: Events) -> Events:
    """All events in order of time; simultaneous ones in the order of the recordings. One sensor, one clock.

    Raises ValueError for different sensors or a recording that is not in order of time.

    >>> merge(Events([0, 9], [1, 1], [0, 0], [1, 1]), Events([4], [2], [0], [0])).t
    array([0, 4, 9])
    """
    for number, events in enumerate(recordings):
        if not isinstance(events, Events):
            raise TypeError(
                f"recording {number} is no Events but a {type(events).__name__}; for a list write merge(*list)"
            )
        if not events.is_sorted:
            raise ValueError(f"recording {number} is not in order of time; sort() it first")
    return Events.concatenate(recordings).sort()


def merge_streams(*streams: Iterable[Events]) -> Iterator[Events]:
    """As ``merge``, for streams of chunks such as open recordings; holds one chunk of each, and yields NumPy columns.

    Simultaneous events are kept together, however the streams are cut.

    >>> one, two = [Events([0, 9], [1, 1], [0, 0], [1, 1])], [Events([4], [2], [0], [0]), Events([9], [2], [0], [0])]
    >>> Events.concatenate(merge_streams(one, two)).x
    array([1, 2, 1, 2], dtype=int16)
    """
    sources = {number: iter(stream) for number, stream in enumerate(streams)}
    heads = {number: Events.empty() for number in sources}
    reached = dict.fromkeys(sources, int(np.iinfo(np.int64).min))
    while sources:
        behind = min(sources, key=lambda number: reached[number])
        chunk = next(sources[behind], None)
        if chunk is None:
            del sources[behind]
        elif len(chunk):
            if not chunk.is_sorted or chunk.t[0] < reached[behind]:
                raise ValueError(f"stream {behind} is not in order of time after {reached[behind]} us; sort it first")
            heads[behind] = Events.concatenate([heads[behind], chunk.numpy()])
            reached[behind] = int(chunk.t[-1])
        horizon = min((reached[number] for number in sources), default=None)
        ready = []
        for number, head in heads.items():
            cut = len(head) if horizon is None else int(np.searchsorted(head.t, horizon))
            ready.append(head[:cut])
            heads[number] = head[cut:]
        if any(map(len, ready)):
            yield Events.concatenate(ready).sort()
