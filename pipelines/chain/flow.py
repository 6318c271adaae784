"""What goes from one stage of a chain to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eventsnn.events import Events

SYMBOLS = {"events": "events", "frames": "frames [C, H, W]", "tracks": "rows of tracks", "": "nothing"}
UNITS = {"events": "t us, x y px", "frames": "", "tracks": "t us, x y w h px, vx vy px/s", "": ""}


@dataclass(frozen=True)
class Flow:
    """A kind of items, as far as they are known: events of a sensor, frames of a shape, rows of tracks.

    ``kind`` is "events" (items are Events), "frames" (pairs of a time in us and a tensor), "tracks" (rows of
    ``Tracks``) or "" before the first stage. ``sensor`` is (width, height) or None. ``labels`` are the names of the
    numbers of a frame ``[n]``, where they have names.

    >>> print(Flow("events", (346, 260))), print(Flow("frames", shape=(2, 260, 346), dtype="float32"))
    events 346x260
    frames [2, 260, 346] float32
    (None, None)
    """

    kind: str
    sensor: tuple[int, int] | None = None
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    unit: str = ""
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "events" and self.sensor is not None:
            return f"events {self.sensor[0]}x{self.sensor[1]}"
        if self.kind == "frames" and self.shape is not None:
            return f"frames {list(self.shape)} {self.dtype}"
        return SYMBOLS[self.kind]

    @property
    def units(self) -> str:
        """What the numbers are."""
        return self.unit or UNITS[self.kind]

    @property
    def nbytes(self) -> int | None:
        """Memory of one item, where it has a shape."""
        if self.shape is None:
            return None
        return int(np.prod(self.shape)) * torch.empty(0, dtype=getattr(torch, self.dtype)).element_size()

    def example(self) -> Any:
        """The least item of this kind: one event, or a frame of zeros."""
        if self.kind == "events":
            return Events([0], [0], [0], [1], sensor=self.sensor)
        return 0, torch.zeros(self.shape or (1, 1, 1), dtype=getattr(torch, self.dtype or "float32"))

    def after(self, kind: str, item: Any, unit: str) -> Flow:
        """The flow that this item of that kind belongs to."""
        if kind == "events":
            return Flow(kind, item.sensor)
        if kind == "frames":
            return Flow(kind, self.sensor, tuple(item[1].shape), str(item[1].dtype).removeprefix("torch."), unit)
        return Flow(kind, self.sensor)


def size(n: int | None) -> str:
    """Bytes for people.

    >>> size(900), size(1_439_360), size(None)
    ('900 B', '1.44 MB', '-')
    """
    if n is None:
        return "-"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= scale:
            return f"{n / scale:.3g} {unit}"
    return f"{n} B"
