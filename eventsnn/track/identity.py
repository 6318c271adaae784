"""Which targets are one object: those that move as one, and those that go on where another ended."""

from __future__ import annotations

import numpy as np

from .fleet import Array, Fleet
from .records import Row


class Mergers:
    """Tells, window by window, which targets have become parts of another one."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, int], tuple[Array, Array, int]] = {}
        self._strangers: set[tuple[int, int]] = set()

    def merge(self, fleet: Fleet) -> None:
        """Two targets that touch and keep their distance while they move are one: the older takes in the younger.

        Two with numbers that were seen apart are two objects ever after.
        """
        config = fleet.config
        since, self._since = self._since, {}
        here = np.flatnonzero(fleet.silent == 0)
        if len(here) < 2:
            return
        offset = fleet.place[None, here] - fleet.place[here, None]
        low = np.minimum(fleet.low[here, None], fleet.low[None, here])
        high = np.maximum(fleet.high[here, None], fleet.high[None, here])
        size = (high - low).max(-1)
        gap = (np.abs(offset) - fleet.half[here, None] - fleet.half[None, here]).max(-1)
        line = fleet.is_line[here]
        length = np.where(line, 2 * fleet.size[here], 0)
        facing = np.minimum(length[:, None], length)
        touch = gap <= np.maximum(np.maximum(config.min_size / 2, size / 5), facing)
        known = fleet.id[here] > 0
        for a, b in np.argwhere(np.triu(~touch & known[:, None] & known, 1)).tolist():
            self._strangers.add((int(fleet.serial[here[a]]), int(fleet.serial[here[b]])))
        gone: set[int] = set()
        lasting = fleet.windows(config.merge_after)
        for a, b in np.argwhere(np.triu(touch & (size <= config.max_size), 1)).tolist():
            old, young = here[a], here[b]
            pair = int(fleet.serial[old]), int(fleet.serial[young])
            if pair in self._strangers or gone & set(pair):
                continue
            first, place, lasted = since.get(pair, (offset[a, b], fleet.place[old].copy(), 0))
            moved = np.hypot(*(fleet.place[old] - place))
            steady = np.hypot(*(offset[a, b] - first)) < max(2.0, 0.2 * moved)
            self._since[pair] = (first, place, lasted + 1) if steady else (offset[a, b], fleet.place[old].copy(), 0)
            if steady and moved > max(4.0, 0.2 * size[a, b]) and lasted >= lasting:
                fleet.state[old, :2] = (low[a, b] + high[a, b]) / 2
                fleet.half[old] = (high[a, b] - low[a, b]) / 2
                fleet.reach[old] = fleet.gate[old]
                gone.add(pair[1])
        if gone:
            fleet.keep(~np.isin(fleet.serial, list(gone)))
        if self._strangers:
            left = set(fleet.serial.tolist())
            self._strangers = {pair for pair in self._strangers if left.issuperset(pair)}


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
