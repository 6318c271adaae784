"""Which events belong to which target, and where in the target's box they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.jit import brief, compiled

Array = NDArray[Any]
BINS = 128
SHIFT, MOST = 4, 7  # a tile has 2^4 pixels a side; so many targets are listed for each


HEAD = 5  # events, those that are ON, those clear of others, and the sums of the offsets of these in units of 2^-32 px
FIELDS = HEAD + BINS  # and in 32 bits each, two histograms of their offsets over -reach..reach


@dataclass(frozen=True)
class Shares:
    """What the events say of n targets.

    ``events [n]`` counts a target's own, ``on [n]`` those of them that are ON, ``clear [n]`` those that lie in no other
    target of its crowd; of these are the mean offsets ``mean [n, 2]`` from the predicted place and the 5 % and 95 %
    quantiles ``low``, ``high``.
    """

    events: Array
    on: Array
    clear: Array
    mean: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, counts: Array, reach: Array, crowd: Array) -> Shares:
        """From what ``attribute`` counted."""
        return cls(*_places(counts, counts[:, HEAD:].view(np.int32), reach, crowd))


def attribute(
    events: Events,
    end_us: int,
    dt_us: int,
    sensor: tuple[int, int],
    state: Array,
    half: Array,
    reach: Array,
    gate: Array,
    crowd: Array,
) -> Array:
    """Give each event, at its own time, to the target it is nearest to in units of its size, if within its reach.

    ``events`` are those of the window of ``dt_us`` that ends at ``end_us``; ``state [n, 4]``, ``half``, ``reach`` and
    ``gate [n, 2]`` and ``crowd [n, n]`` describe the targets. ``[n, FIELDS]`` counts come back.
    """
    counts = np.zeros((len(state), FIELDS), np.int64)
    if len(state) and len(events):
        t, x, y, p = events.numpy().columns
        tiles = near_tiles(state, reach, *sensor)
        targets = state, 1 / half, reach, gate, crowd
        _assign(t, x, y, p, end_us, dt_us, *targets, tiles, counts, counts[:, HEAD:].view(np.int32))
    return counts


@brief
def near_tiles(state: Any, reach: Any, width: int, height: int) -> Any:
    """``[rows, columns, 1 + MOST]``: how many targets may reach a tile within the window, and the first of them."""
    tiles = np.zeros((-(-height >> SHIFT), -(-width >> SHIFT), MOST + 1), np.int16)
    for k in range(len(state)):
        first, last = np.zeros(2, np.int64), np.zeros(2, np.int64)
        for axis in range(2):
            now, before = state[k, axis], state[k, axis] - state[k, axis + 2]
            wide, side = reach[k, axis] + 1, float(tiles.shape[1 - axis])
            first[axis] = int(min(max((min(now, before) - wide) / 2**SHIFT, 0.0), side))
            last[axis] = int(min(max((max(now, before) + wide) / 2**SHIFT, -1.0), side - 1))
        for row in range(first[1], last[1] + 1):
            for column in range(first[0], last[0] + 1):
                tile = tiles[row, column]
                if tile[0] < MOST:
                    tile[tile[0] + 1] = k
                tile[0] += 1
    return tiles


@compiled
def _assign(
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    end: int,
    dt: int,
    state: Any,
    per_half: Any,
    reach: Any,
    gate: Any,
    crowd: Any,
    tiles: Any,
    counts: Any,
    places: Any,
) -> None:
    n: Any = np.uint64(len(state))  # unsigned: no check for a negative index
    bins, one = BINS, np.uint64(1)
    rows, columns, _ = tiles.shape
    crowded = np.zeros(n, np.bool_)
    for k in range(n):
        crowded[k] = crowd[k].any()
    for i in range(len(x)):
        here_x, here_y, since = int(x[i]), int(y[i]), end - t[i]
        row, column = here_y >> SHIFT, here_x >> SHIFT
        listed = (since >= 0) & (since <= dt) & (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        tile = tiles[np.uint64(row) if listed else np.uint64(0), np.uint64(column) if listed else np.uint64(0)]
        many = np.uint64(tile[0])
        if not listed or many > MOST:
            listed, many = False, n
        if many == 0:
            continue
        age = since / dt
        owner, least, from_x, from_y = n, np.inf, 0.0, 0.0
        for j in range(many):
            m: Any = np.uint64(tile[j + one]) if listed else np.uint64(j)
            dx = here_x - (state[m, 0] - state[m, 2] * age)
            dy = here_y - (state[m, 1] - state[m, 3] * age)
            if abs(dx) < reach[m, 0] and abs(dy) < reach[m, 1]:
                apart = (dx * per_half[m, 0]) ** 2 + (dy * per_half[m, 1]) ** 2
                if apart < least:
                    owner, least, from_x, from_y = m, apart, dx, dy
        if owner == n:
            continue
        counts[owner, 0] += 1
        counts[owner, 1] += p[i] != 0
        alone = True
        if crowded[owner]:
            for k in range(n):
                if crowd[owner, k]:
                    dx = here_x - (state[k, 0] - state[k, 2] * age)
                    dy = here_y - (state[k, 1] - state[k, 3] * age)
                    alone = alone and not (abs(dx) <= gate[k, 0] and abs(dy) <= gate[k, 1])
        if alone:
            counts[owner, 2] += 1
            counts[owner, 3] += int(from_x * 2.0**32)
            counts[owner, 4] += int(from_y * 2.0**32)
            places[owner, np.uint64((from_x / reach[owner, 0] + 1) / 2 * bins)] += 1
            places[owner, bins + np.uint64((from_y / reach[owner, 1] + 1) / 2 * bins)] += 1


@brief
def _ends(counts: Any, total: int, alone: bool) -> tuple[float, float]:
    """Where 5 % and 95 % of the counts lie below, on a scale from -1 to 1. Where many are ``alone``, by so much further
    out as 10 % and 90 % lie further in, if that is as little as where they lie evenly.
    """
    low, inner_low, inner_high, high = 0.0, 0.0, 0.0, 0.0
    at, below, last = 0, 0, len(counts) - 1
    for k in range(4):
        wanted = (0.05, 0.1, 0.9, 0.95)[k] * max(total, 1)
        while at < last and below + counts[at] < wanted:
            below += counts[at]
            at += 1
        within = min(max((wanted - below) / max(counts[at], 1), 0.0), 1.0)
        place = (at + within) / len(counts) * 2 - 1
        if k == 0:
            low = place
        elif k == 1:
            inner_low = place
        elif k == 2:
            inner_high = place
        else:
            high = place
    beyond = total / (total + 20) if alone else 0.0
    most = 0.08 * (high - low)
    return low - beyond * min(inner_low - low, most), high + beyond * min(high - inner_high, most)


@brief
def _places(counts: Any, places: Any, reach: Any, crowd: Any) -> Any:
    """The columns of ``Shares``. The ends are where 5 % and 95 % lie below, and, of a target clear of others that has
    many, by so much further out as 10 % and 90 % lie further in.
    """
    n = len(counts)
    events, on, clear = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    mean, low, high = np.empty((n, 2)), np.empty((n, 2)), np.empty((n, 2))
    for k in range(n):
        events[k], on[k], clear[k] = counts[k, 0], counts[k, 1], counts[k, 2]
        for axis in range(2):
            mean[k, axis] = counts[k, 3 + axis] * 2.0**-32 / max(clear[k], 1)
            within = places[k, axis * BINS : (axis + 1) * BINS]
            low[k, axis], high[k, axis] = _ends(within, clear[k], not crowd[k].any())
            low[k, axis] *= reach[k, axis]
            high[k, axis] *= reach[k, axis]
    return events, on, clear, mean, low, high
