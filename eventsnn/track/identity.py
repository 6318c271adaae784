"""Which targets are one object: those that move as one, and those that go on where another ended."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eventsnn.jit import brief

from .fleet import Array, Fleet
from .records import Row

_TOUCHING, _APART, _FACING = 1, 2, 3


class Mergers:
    """Tells, window by window, which targets have become parts of another one."""

    def __init__(self) -> None:
        self._serials: Array = np.zeros(0, np.int64)
        self._known: tuple[Array, Array, Array] = (
            np.zeros((0, 0), np.bool_),
            np.zeros((0, 0), np.int64),
            np.zeros((0, 0, 4)),
        )

    def merge(self, fleet: Fleet) -> None:
        """Two targets that touch and keep their distance while they move are one: the older takes in the younger.

        Two with numbers that were seen apart are two objects ever after, unless they are its two sides, one of which
        gives ON events and the other OFF.
        """
        config = fleet.config
        if len(fleet) != len(self._serials) or (fleet.serial != self._serials).any():
            self._known = _kept(self._serials, fleet.serial, *self._known)
            self._serials = fleet.serial.copy()
        columns = fleet.state, fleet.half, fleet.id, *fleet.edges, fleet.silent
        lasting = fleet.windows(config.merge_after)
        steady = _steady(*columns, *self._known, config.min_size, config.max_size, lasting)
        gone: set[int] = set()
        for old, young, facing in steady.tolist():
            both = [old, young]
            if gone.intersection(both):
                continue
            half = np.where(fleet.half[both] > config.min_size / 4, fleet.half[both], 0.0)  # the least says nothing
            low, high = (fleet.place[both] - half).min(0), (fleet.place[both] + half).max(0)
            moved = math.dist(fleet.place[old], self._known[2][old, young, :2])
            if facing or moved > 0.2 * (high - low).max():
                fleet.state[old, :2] = (low + high) / 2
                fleet.half[old] = np.maximum((high - low) / 2, config.min_size / 4)
                fleet.reach[old] = fleet.gate[old]
                gone.add(young)
        if gone:
            fleet.keep(~np.isin(np.arange(len(fleet)), list(gone)))


@brief
def _kept(before: Any, now: Any, *known: Any) -> Any:
    """What is known of pairs of targets, with rows and columns for those of ``now``; both serials ascend."""
    n = len(now)
    strangers, lasted, since = np.zeros((n, n), np.bool_), np.full((n, n), -1), np.zeros((n, n, 4))
    at = np.searchsorted(before, now)
    for a in range(n):
        for b in range(n):
            i, j = at[a], at[b]
            if i < len(before) and j < len(before) and before[i] == now[a] and before[j] == now[b]:
                strangers[a, b], lasted[a, b], since[a, b] = known[0][i, j], known[1][i, j], known[2][i, j]
    return strangers, lasted, since


@brief
def _kind(
    a: int, b: int, state: Any, half: Any, number: Any, line: Any, side: Any, least: float, largest: float
) -> int:
    """Whether two targets touch within the largest size, are the two sides of something, or both known and apart."""
    size, gap, facing = 0.0, -np.inf, np.inf
    for axis in range(2):
        low = min(state[a, axis] - half[a, axis], state[b, axis] - half[b, axis])
        high = max(state[a, axis] + half[a, axis], state[b, axis] + half[b, axis])
        size = max(size, high - low)
        gap = max(gap, abs(state[a, axis] - state[b, axis]) - half[a, axis] - half[b, axis])
    for k in (a, b):
        facing = min(facing, 2 * max(half[k, 0], half[k, 1]) if line[k] else 0.0)
    opposite = side[a] * side[b] < 0
    if opposite:
        facing = 2 * max(half[a, 0], half[a, 1], half[b, 0], half[b, 1])
    if opposite and gap <= facing and size <= largest:
        return _FACING
    if gap <= max(least / 2, size / 5, facing):
        return _TOUCHING if size <= largest else 0
    return _APART if number[a] > 0 and number[b] > 0 else 0


@brief
def _steady(
    state: Any,
    half: Any,
    number: Any,
    line: Any,
    side: Any,
    silent: Any,
    strangers: Any,
    lasted: Any,
    since: Any,
    least: float,
    largest: float,
    lasting: int,
) -> Any:
    """``[k, 3]``: pairs a < b that touch and have kept their distance for so long while they moved; whether they are
    the two sides of something.

    ``strangers``, ``lasted`` (in windows, -1 for what does not touch) and ``since`` are brought up to date, in place.
    """
    found = []
    for a in range(len(state)):
        if silent[a]:
            lasted[a, a + 1 :] = -1
            continue
        for b in range(a + 1, len(state)):
            kind = 0 if silent[b] else _kind(a, b, state, half, number, line, side, least, largest)
            if kind == _APART:
                strangers[a, b] = True
            if kind == _FACING or (kind == _TOUCHING and not strangers[a, b]):
                x, y = state[a, 0], state[a, 1]
                from_x, from_y = state[b, 0] - x, state[b, 1] - y
                now = since[a, b]
                moved = np.hypot(x - now[0], y - now[1])
                steady = np.hypot(from_x - now[2], from_y - now[3]) < max(2.0, 0.2 * moved)
                if steady and lasted[a, b] >= 0:
                    if moved > 4.0 and lasted[a, b] >= lasting:
                        found.append((a, b, kind == _FACING))
                    lasted[a, b] += 1
                else:
                    now[0], now[1], now[2], now[3] = x, y, from_x, from_y
                    lasted[a, b] = 0 if lasted[a, b] >= 0 else 1
            else:
                lasted[a, b] = -1
    result = np.empty((len(found), 3), np.int64)
    for k in range(len(found)):
        result[k, 0], result[k, 1], result[k, 2] = found[k]
    return result


def earlier_self(young: int, fleet: Fleet, frame: int) -> int | None:
    """The past of target number ``young``: one that fell silent before it was born, of its size, that can have come
    here since; None if there is none.

    Among several the nearest, likest in size and best known is taken.
    """
    gap = fleet.born[young] - (frame - fleet.silent)
    size = np.abs(np.log(fleet.size[young] / fleet.size))
    reach = fleet.half[young] + fleet.half + (fleet.pace * np.maximum(gap, 0))[:, None]
    apart = np.minimum(
        *((np.abs(fleet.birthplace[young] - place) / reach).max(1) for place in (fleet.place, fleet.seen))
    )
    misfit = apart + size - 0.2 * np.log(np.maximum(fleet.hits, 1))
    possible = (fleet.id > 0) & (fleet.silent > 0) & (gap >= 0) & (size <= 1.6) & (apart < 1)
    return int(np.where(possible, misfit, np.inf).argmin()) if possible.any() else None


def report(fleet: Fleet, ready: Array, frame: int, end_us: int) -> list[Row]:
    """Rows of the targets with a number; the targets ``ready`` get theirs, and bring their rows since birth.

    A target that continues a lost one gets the number of that.
    """
    rows: list[Row] = []
    for serial in fleet.serial[ready].tolist():
        k = int(np.flatnonzero(fleet.serial == serial)[0])
        earlier = earlier_self(k, fleet, frame)
        if earlier is None:
            fleet.last_id += 1
            fleet.id[k] = fleet.last_id
        else:
            fleet.id[k], fleet.pace[k] = fleet.id[earlier], fleet.pace[earlier]
            fleet.hits[k] += fleet.hits[earlier]
        number = int(fleet.id[k])
        rows += [(*past[:2], number, *past[3:]) for past in fleet.past[serial]]
        fleet.past[serial].clear()
        fleet.keep((fleet.id != number) | (fleet.serial == serial))
    return rows + fleet.rows(frame, end_us)
