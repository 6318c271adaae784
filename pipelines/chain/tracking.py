"""Tracks of a stream of events, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from eventsnn.events import Events
from eventsnn.track import Row

from ..info import survey
from ..track import Config, plan, stream

_HEAD = 20_000


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

    With dt "auto" the windows' length is settled by the first 20,000 events. Memory is bounded by some windows.
    """
    source = iter(chunks)
    head: list[Events] = []
    while sum(map(len, head)) < _HEAD and (chunk := next(source, None)) is not None:
        head.append(chunk)
    known = Events.concatenate([Events.empty(sensor), *head]).numpy()[:_HEAD]
    settings: dict[str, Any] = {"dt": dt, "min_size": min_size, "max_size": max_size, "max_age": max_age}
    settled = plan(survey([known], sensor), Config(Path(), device=device, **settings))
    for frame in stream(chain(head, source), settled.tracker, settled.start_us):
        yield from frame.rows
