"""Which tracks are one object: those that move as one, and those that go on where another ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .config import TrackerConfig
from .target import Array, Target


class Mergers:
    """Tells, window by window, which targets have become parts of another one."""

    def __init__(self, config: TrackerConfig) -> None:
        self.config = config
        self._since: dict[tuple[int, int], tuple[Array, Array, int]] = {}

    def merge(self, targets: Sequence[Target]) -> list[Target]:
        """The targets that are left. Two that touch and keep their distance while they move are one: the older takes in
        the younger."""
        since, self._since = self._since, {}
        gone: set[int] = set()
        present = [target for target in targets if not target.silent]
        for k, old in enumerate(present):
            for young in present[k + 1 :]:
                if old.serial in gone or young.serial in gone:
                    continue
                offset = young.place - old.place
                low, high = np.minimum(old.low, young.low), np.maximum(old.high, young.high)
                size = (high - low).max()
                gap = (np.abs(offset) - old.half - young.half).max()
                if gap > max(self.config.min_size / 2, size / 5) or size > self.config.max_size:
                    continue
                pair = old.serial, young.serial
                first, place, lasted = since.get(pair, (offset, old.place.copy(), 0))
                moved = np.hypot(*(old.place - place))
                steady = np.hypot(*(offset - first)) < max(2.0, 0.2 * moved)
                self._since[pair] = (first, place, lasted + 1) if steady else (offset, old.place.copy(), 0)
                if steady and moved > max(4.0, 0.2 * size) and lasted >= self.config.merge_after:
                    old.state = np.append((low + high) / 2, old.state[2:])
                    old.half = (high - low) / 2
                    gone.add(young.serial)
        return [target for target in targets if target.serial not in gone]


def earlier_self(young: Target, targets: Sequence[Target], frame: int) -> Target | None:
    """The past of a target: one that fell silent before it was born, of its size, that can have come here since.

    Among several the nearest, likest in size and best known is taken.
    """
    best, least = None, np.inf
    for old in targets:
        gap = young.born - (frame - old.silent)
        size = abs(np.log(young.half.max() / old.half.max()))
        if not old.id or not old.silent or gap < 0 or size > 1.6:
            continue
        reach = young.half + old.half + old.pace * gap
        apart = min(float((np.abs(young.birthplace - place) / reach).max()) for place in (old.place, old.seen))
        misfit = apart + size - 0.2 * np.log(old.hits)
        if apart < 1 and misfit < least:
            best, least = old, misfit
    return best
