"""write: Events into a file, whole or not at all."""

from __future__ import annotations

import builtins
import errno
import itertools
import os
from collections.abc import Iterable, Iterator

from ..events import Events
from .atomic import whole
from .registry import Format, formats, named
from .stamps import bounded


def write(
    path: str | os.PathLike[str],
    events: Events | Iterable[Events],
    *,
    format: str | None = None,
    compression: str | None = None,
) -> None:
    """Writes Events, or a stream of them such as a Recording, in the format named or shown by the file's name.

    ``compression`` is one of ``eventsnn.io.formats[...].compressions``, by default the first of them.
    The file appears under its name only when it is complete: it is written beside it under a temporary name, flushed to
    the disk and renamed. Raises ValueError for a format that cannot be written or events it cannot hold.

    >>> import tempfile, eventsnn.io
    >>> events = Events([5, 9], x=[1, 2], y=[3, 4], p=[0, 1], sensor=(8, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     eventsnn.io.write(f"{folder}/two.raw", events)
    ...     eventsnn.io.read(f"{folder}/two.raw") == events
    True
    """
    target = os.fspath(path)
    known = _format(target, format)
    module, packed = known.load(), _packed(known, compression)
    parts = iter([events] if isinstance(events, Events) else events)
    first = next(parts, Events.empty(getattr(events, "sensor", None)))
    if not isinstance(first, Events):
        raise TypeError(
            f"write takes Events or a stream of them, not a {type(events).__name__} of {type(first).__name__}"
        )
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), target)
    with whole(target) as path, builtins.open(path, "w+b") as file:
        module.write(file, _checked(first, parts), first.sensor, **packed)


def _packed(known: Format, compression: str | None) -> dict[str, str]:
    if compression is None:
        return {}
    for name in known.compressions:
        if name.lower() == compression.lower():
            return {"compression": name}
    ways = ", ".join(known.compressions) or "not packed"
    raise ValueError(f"{known.name} is written {ways}; not with {compression!r}")


def _format(target: str, name: str | None) -> Format:
    writable = [known for known in formats.values() if known.suffixes]
    if name is not None:
        known = named(name)
        if known in writable:
            return known
        raise ValueError(f"{known.name} cannot be written; these can: {', '.join(each.name for each in writable)}")
    for known in writable:
        if target.lower().endswith(known.suffixes):
            return known
    endings = ", ".join(f"{suffix} ({each.name})" for each in writable for suffix in each.suffixes)
    raise ValueError(f"{target}: the name does not tell the format; give format=... or end it in one of {endings}")


def _checked(first: Events, rest: Iterator[Events]) -> Iterator[Events]:
    sensor = first.sensor
    for part in itertools.chain([first], rest):
        events = part.numpy()
        if not len(events):
            continue
        if events.sensor != sensor:
            raise ValueError(f"parts of different sensors, {sensor} and {events.sensor}, cannot go into one file")
        if sensor is not None and (out := events.outside()).any():
            raise ValueError(f"{int(out.sum())} events lie outside the {sensor[0]}x{sensor[1]} sensor; drop them first")
        bounded(events, 1 << 15, 1 << 15, "an event file")
        if events.p.max() > 1:
            raise ValueError(f"polarity must be 0 (OFF) or 1 (ON), got {events.p.max()}; pass p > 0")
        yield events
