"""When a target turns out to be two objects: an empty stripe runs between two groups of its events.

What moves gives events of one polarity where it arrives and of the other where it leaves. An edge of an object gives
only one of them, an object both: two groups that each have both are two objects.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from eventsnn.events import Events
from eventsnn.jit import brief, compiled

from .attribution import MOST, SHIFT, near_tiles
from .fleet import Array, Fleet

EVERY = 2  # it is watched at every so many looks
_LOOKS = 3  # whose events are taken together
_BINS = 128
_DIAGONAL = np.sqrt(0.5)
_AXES = np.array([(1.0, 0.0), (0.0, 1.0), (_DIAGONAL, _DIAGONAL), (_DIAGONAL, -_DIAGONAL)])


class Parting:
    """Watches, look by look, for a stripe of at least ``width`` px through the events of each target.

    Two objects are told apart by one that lasts for ``looks`` in a row. A look shows the events of ``look_every``
    windows on a ``(width, height)`` sensor.
    """

    def __init__(self, width: float, looks: int, sensor: tuple[int, int], look_every: int) -> None:
        self.width, self.looks, self.sensor = width, looks, sensor
        self._oldest = float(_LOOKS * look_every)
        self._recent: deque[Events] = deque(maxlen=_LOOKS)
        self._lasted: dict[int, int] = {}
        self._seen = 0

    def part(self, fleet: Fleet, events: Events, end_us: int, dt_us: int) -> dict[int, tuple[Array, Array]]:
        """The targets that part, by their number in the fleet, with the boxes of the two objects: low and high corner.

        ``events`` are those since the last look. A target with a stripe reaches no further than its own gate.
        """
        self._recent.append(events)
        self._seen += 1
        if self._seen % EVERY or not len(fleet):
            return {}
        t, x, y, p = (np.concatenate(column) for column in zip(*(e.columns for e in self._recent), strict=True))
        which = np.flatnonzero(fleet.silent == 0)
        state, half, reach = fleet.state[which], fleet.half[which], fleet.reach[which]
        tiles = near_tiles(state * (1, 1, self._oldest, self._oldest), reach, *self.sensor)
        found, owner, place = _stripes(
            t, x, y, p, end_us, dt_us, state, 1 / half, reach, tiles, self._oldest, _AXES, self.width
        )
        before, self._lasted = self._lasted, {}
        parts = {}
        for i in np.flatnonzero(found[:, 2]).tolist():
            k = int(which[i])
            serial = int(fleet.serial[k])
            self._lasted[serial] = before.get(serial, 0) + 1
            fleet.reach[k] = np.minimum(fleet.reach[k], fleet.gate[k])
            if self._lasted[serial] >= self.looks:
                low, high = _sides(place[owner == i], _AXES[int(found[i, 0])], found[i, 1])
                parts[k] = low + fleet.place[k], high + fleet.place[k]
                del self._lasted[serial]
        return parts


@brief
def _sides(place: Any, axis: Any, border: float) -> tuple[Any, Any]:
    """The boxes of the events ``[n, 2]`` below and above a place along an axis, ``[2, 2]``: 5 % and 95 % quantiles."""
    above = place[:, 0] * axis[0] + place[:, 1] * axis[1] > border
    return _box(place[~above]), _box(place[above])


@brief
def _box(place: Any) -> Any:
    box = np.empty((2, 2))
    for k in range(2):
        ordered = np.sort(place[:, k])
        for side in range(2):
            at = (0.05 + 0.9 * side) * (len(ordered) - 1)
            first = int(at)
            after = min(first + 1, len(ordered) - 1)
            box[side, k] = ordered[first] + (at - first) * (ordered[after] - ordered[first])
    return box


@compiled
def _stripes(
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    end_us: int,
    dt_us: int,
    state: Any,
    per_half: Any,
    reach: Any,
    tiles: Any,
    oldest: float,
    axes: Any,
    least: float,
) -> tuple[Any, Any, Any]:
    """For each of n targets the widest stripe through its events: ``[n, 3]``, axis, place along it from the target's
    centre and width [px]; a width of 0 where there is none of ``least`` px.

    And for each event its target, the one it is nearest to in units of its size, 1 / ``per_half``, within its
    ``reach``, or -1,
    and its place ``[2]`` from there. ``tiles`` lists the targets that may reach a tile, for events up to ``oldest``
    windows old.
    """
    rows, columns, _ = tiles.shape
    n, bins = len(state), _BINS
    owner, place = np.full(len(x), -1), np.zeros((len(x), 2))
    counts, found = np.zeros((n, len(axes), bins + 1, 2), np.int32), np.zeros((n, 3))
    radius = np.hypot(reach[:, 0], reach[:, 1])
    per_px = bins / (2 * radius)
    for i in range(len(x)):
        closest, age = np.inf, (end_us - t[i]) / dt_us
        row, column = int(y[i]) >> SHIFT, int(x[i]) >> SHIFT
        listed = 0 <= age <= oldest and 0 <= row < rows and 0 <= column < columns and tiles[row, column, 0] <= MOST
        for j in range(tiles[row, column, 0] if listed else n):
            k = tiles[row, column, j + 1] if listed else j
            dx = x[i] - (state[k, 0] - state[k, 2] * age)
            dy = y[i] - (state[k, 1] - state[k, 3] * age)
            if abs(dx) < reach[k, 0] and abs(dy) < reach[k, 1]:
                apart = (dx * per_half[k, 0]) ** 2 + (dy * per_half[k, 1]) ** 2
                if apart < closest:
                    closest, owner[i], place[i, 0], place[i, 1] = apart, k, dx, dy
        if owner[i] >= 0:
            own, side = np.uint64(owner[i]), np.uint64(p[i] != 0)  # unsigned: no check for a negative index
            for a in range(len(axes)):
                along = place[i, 0] * axes[a, 0] + place[i, 1] * axes[a, 1]
                counts[own, np.uint64(a), np.uint64(along * per_px[own] + (bins / 2 + 1)), side] += 1
    both = np.zeros(bins + 1, np.int32)
    for k in range(n):
        for a in range(len(axes)):
            below = counts[k, a]  # [bins + 1, 2]: after this, OFF and ON events below the edge of each bin
            for at in range(bins):
                below[at + 1, 0] += below[at, 0]
                below[at + 1, 1] += below[at, 1]
                both[at + 1] = below[at + 1, 0] + below[at + 1, 1]
            off, on = below[bins]
            few, enough = 1 + int(0.004 * (off + on)), max(12.0, 0.06 * (off + on))
            if off + on < 2 * enough:
                break
            start, wanted = np.uint64(0), int(np.ceil(max(least, found[k, 2] + 1e-9) * per_px[k]))
            for end in range(np.uint64(1), np.uint64(bins + 1)):
                while both[end] - both[start] > few:
                    start += np.uint64(1)
                if (
                    end - start >= wanted
                    and _two_sided(below[start, 0], below[start, 1], enough)
                    and _two_sided(off - below[end, 0], on - below[end, 1], enough)
                ):
                    wanted = int(end - start) + 1
                    found[k, 0], found[k, 1] = a, (int(start + end) / bins - 1) * radius[k]
                    found[k, 2] = int(end - start) / per_px[k]
    return found, owner, place


@brief
def _two_sided(off: int, on: int, enough: float) -> bool:
    """True for enough events, and enough of both polarities."""
    return off + on >= enough and min(off, on) >= 0.2 * (off + on)
