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
        self._since: dict[tuple[int, int], tuple[tuple[float, float], tuple[float, float], int]] = {}
        self._strangers: set[tuple[int, int]] = set()
        self._code = b"", b""

    def merge(self, fleet: Fleet) -> None:
        """Two targets that touch and keep their distance while they move are one: the older takes in the younger.

        Two with numbers that were seen apart are two objects ever after, unless they are its two sides, one of which
        gives ON events and the other OFF.
        """
        config = fleet.config
        since, self._since = self._since, {}
        columns = fleet.state, fleet.half, fleet.id, fleet.is_line, fleet.one_sided, fleet.silent
        kinds = _pairs(*columns, config.min_size, config.max_size)
        if not kinds.any():
            return
        code = kinds.tobytes(), fleet.serial.tobytes()
        if code != self._code:
            apart = (fleet.serial[side].tolist() for side in np.nonzero(kinds == _APART))
            self._strangers.update(zip(*apart, strict=True))
            if code[1] != self._code[1]:
                left = set(fleet.serial.tolist())
                self._strangers = {pair for pair in self._strangers if left.issuperset(pair)}
            self._code = code
        gone: set[int] = set()
        lasting, serials, places = fleet.windows(config.merge_after), fleet.serial.tolist(), fleet.place.tolist()
        for old, young in np.argwhere((kinds == _TOUCHING) | (kinds == _FACING)).tolist():
            pair, (x, y), (other_x, other_y) = (serials[old], serials[young]), places[old], places[young]
            if (pair in self._strangers and kinds[old, young] != _FACING) or gone.intersection(pair):
                continue
            offset = other_x - x, other_y - y
            first, place, lasted = since.get(pair, (offset, (x, y), 0))
            moved = math.dist((x, y), place)
            steady = math.dist(offset, first) < max(2.0, 0.2 * moved)
            self._since[pair] = (first, place, lasted + 1) if steady else (offset, (x, y), 0)
            if not (steady and moved > 4.0 and lasted >= lasting):
                continue
            both = [old, young]
            half = np.where(fleet.half[both] > config.min_size / 4, fleet.half[both], 0.0)  # the least says nothing
            low, high = (fleet.place[both] - half).min(0), (fleet.place[both] + half).max(0)
            if kinds[old, young] == _FACING or moved > 0.2 * (high - low).max():
                fleet.state[old, :2] = (low + high) / 2
                fleet.half[old] = np.maximum((high - low) / 2, config.min_size / 4)
                fleet.reach[old] = fleet.gate[old]
                places[old] = fleet.place[old].tolist()
                gone.add(pair[1])
        if gone:
            fleet.keep(~np.isin(fleet.serial, list(gone)))


@brief
def _pairs(state: Any, half: Any, number: Any, line: Any, side: Any, silent: Any, least: float, largest: float) -> Any:
    """``[n, n]``, for a < b both seen in this window: touching within the largest size, the two sides of something, or
    both known and apart.
    """
    n = len(state)
    kinds = np.zeros((n, n), np.uint8)
    for a in range(n):
        for b in range(a + 1, n):
            if silent[a] or silent[b]:
                continue
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
                kinds[a, b] = _FACING
            elif gap <= max(least / 2, size / 5, facing):
                kinds[a, b] = _TOUCHING if size <= largest else 0
            elif number[a] > 0 and number[b] > 0:
                kinds[a, b] = _APART
    return kinds


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
    """Rows of the targets with a number; those that are ``ready [n]`` get theirs, and bring their rows since birth.

    A target that continues a lost one gets the number of that.
    """
    rows: list[Row] = []
    for serial in fleet.serial[ready & (fleet.id == 0)].tolist():
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
