"""A stage at work: the step it makes for one stream, and where it makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Step = Callable[[Iterable[Any]], Iterator[Any]]


class Made(NamedTuple):
    """A step, the object that holds its state, if any, and the names of the numbers it gives, if they have names."""

    step: Step
    holder: Any = None
    labels: tuple[str, ...] = ()


class Where(NamedTuple):
    """Where a stage computes and, for a sink, the file it writes and whether no stage comes after it."""

    device: str = "cpu"
    path: Path | None = None
    last: bool = False
