"""Time stamps of few bits, for writing: where they count from, and whether a reader will see every roll-over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from ..events import Events


def based(parts: Iterable[Events], limit: int) -> tuple[int, Iterator[Events]]:
    """The time to count from, 0 if the first event lies in ``0 <= t < limit`` and else its own, and the parts again."""
    rest = iter(parts)
    first = next(rest, None)
    if first is None:
        return 0, rest
    start = int(first.t[0])
    return 0 if 0 <= start < limit else start, chain([first], rest)


def rolling(t: np.ndarray[Any, Any], base: int, before: int, bits: int, format: str) -> np.ndarray[Any, Any]:
    """Times since the base; ``before`` is that of the event before these, -1 at the start.

    Raises ValueError for a gap or a step back that a reader of stamps of that many bits would take for something else.
    """
    since = t - base
    start = before if before >= 0 else int(since[0])
    steps, rolls = np.diff(since, prepend=start), np.diff(since >> bits, prepend=start >> bits)
    if int(since.min()) < 0 or int(np.abs(steps).max()) >= 1 << bits - 1 or int(rolls.min()) < 0:
        raise ValueError(
            f"{format} counts time in {bits} bits: it holds no gap of {1 << bits - 1} us or more, "
            "and no step back over its start or a roll-over; sort or cut the events"
        )
    return since


def bounded(events: Events, width: int, height: int, format: str) -> None:
    """Raises ValueError if a coordinate is beyond what the format can hold."""
    for name, column, size in (("x", events.x, width), ("y", events.y, height)):
        if int(column.min()) < 0 or int(column.max()) >= size:
            raise ValueError(
                f"{format} holds {name} from 0 to {size - 1}; it runs from {int(column.min())} to {int(column.max())}"
            )
