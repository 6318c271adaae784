"""A stage at work: the step it makes for one stream, and where it makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Step = Callable[[Iterable[Any]], Iterator[Any]]


class Made(NamedTuple):
    """A step, and the object that holds its state, if any."""

    step: Step
    holder: Any = None


class Where(NamedTuple):
    """Where a stage computes and, for a sink, the file it writes and whether no stage comes after it."""

    device: str = "cpu"
    path: Path | None = None
    last: bool = False
