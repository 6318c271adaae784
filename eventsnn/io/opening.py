"""open and read: the one door to event files."""

from __future__ import annotations

from collections.abc import Sequence

from ..events import Events
from .locating import Origin
from .recording import Recording


def open(
    path: Origin,
    *,
    format: str | None = None,
    sensor: Sequence[int] | None = None,
    on_error: str = "raise",
    columns: str | None = None,
    unit: str | None = None,
) -> Recording:
    """Opens an event file: a path, a URL that fsspec knows, bytes, a binary file object, or "-" for standard input.

    Its content tells the format. ``format`` names one of ``eventsnn.io.formats`` and is needed only for RAW files
    without a header; ``sensor`` ``(width, height)`` goes before what the file says, as do, for text and NumPy files,
    ``columns``, the order of the first columns such as "txyp" ("_" is one that is not read), and ``unit``, that of
    time: s, ms, us or ns. With ``on_error="raise"`` damage is an EventFormatError that names file, format, byte and
    event; with "skip" what is damaged or lies outside the sensor is left out and counted in ``recording.report``.
    Raises EventFormatError, or the operating system's FileNotFoundError and the like.

    >>> recording = open(b"0.000100 3 4 1\\n0.002500 5 6 0\\n", sensor=(8, 8))
    >>> recording
    Recording('<bytes>', text, 8x8)
    >>> for events in recording:
    ...     print(events)
    Events(2 events, 2.4 ms, 833 events/s, 8x8)
    >>> open(b"3 4 100 1\\n5 6 2500 0\\n", columns="xytp", unit="ns").read().t
    array([0, 3])
    """
    given = {name: value for name, value in (("columns", columns), ("unit", unit)) if value is not None}
    return Recording(path, format, sensor, on_error, given)


def read(
    path: Origin,
    *,
    format: str | None = None,
    sensor: Sequence[int] | None = None,
    on_error: str = "raise",
    columns: str | None = None,
    unit: str | None = None,
) -> Events:
    """All events of a file; the arguments are those of ``open``.

    >>> read(b"0.000100 3 4 1\\n0.002500 5 6 0\\n").t
    array([ 100, 2500])
    """
    with open(path, format=format, sensor=sensor, on_error=on_error, columns=columns, unit=unit) as recording:
        return recording.read()
