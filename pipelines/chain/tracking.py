"""Tracks of a stream of events, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eventsnn.events import Events
from eventsnn.track import Row

from ..track import Config
from ..track_plan import begun, plan
from ..track_stream import stream


def follow(
    chunks: Iterable[Events],
    sensor: tuple[int, int],
    device: str = "cpu",
    dt: str = "auto",
    min_size: float = 12.0,
    max_size: float | None = None,
    max_age: str | None = None,
) -> Iterator[Row]:
    """Rows of ``Tracks`` as they come; the settings are those of ``eventsnn track``.

    With dt "auto" the start of the stream settles the windows' length. Memory is bounded by that and some windows.
    """
    facts, source = begun(chunks, sensor)
    settings: dict[str, Any] = {"dt": dt, "min_size": min_size, "max_size": max_size, "max_age": max_age}
    settled = plan(facts, Config(Path(), device=device, **settings))
    for frame in stream(source, settled.tracker, settled.start_us):
        yield from frame.rows
