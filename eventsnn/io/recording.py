"""Recording: an event file opened for reading, as a stream of Events in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from ..events import Events, microseconds, sensor_size, time_stamp
from .columns import Columns
from .errors import EventFormatError
from .index import SPAN, Index
from .locating import Origin, located
from .reading import Mark, Pass, Report
from .registry import formats, named, recognise
from .source import Source
from .waiting import until_idle

_NATURAL = 1 << 16


class Extent(NamedTuple):
    """How many events a recording has, and the times of the earliest and latest in us (0 where there are none)."""

    events: int
    first: int
    last: int

    @property
    def duration(self) -> int:
        """Time from the first to the last in us."""
        return self.last - self.first


class Recording:
    """An event file: ``path``, ``format``, ``sensor`` (None where the file does not say), ``metadata``, and its events.

    Iterating gives Events of some 10^5 events each and can be done any number of times; nothing but the chunk in hand
    is held in memory. ``report`` tells what the latest pass found (see ``Report``): steps back in time, roll-overs,
    events outside the sensor, bytes skipped. Made by ``eventsnn.io.open``.
    """

    def __init__(
        self,
        path: Origin,
        format: str | None = None,
        sensor: Sequence[int] | None = None,
        on_error: str = "raise",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        origin, self._remote = located(path)
        self._source = Source(origin)
        if self._remote is not None:
            self._source.name = str(path)
        self._on_error = on_error
        self.path, self.format, self.report = self._source.name, format or "", Report()
        with _Naming(self):
            known = recognise(self._source) if format is None else named(format)
            self.format = known.name
            for name in options or ():
                if name not in known.takes:
                    takers = ", ".join(each.name for each in formats.values() if name in each.takes)
                    raise ValueError(f"{name} is for files in the formats {takers}; this one is {known.name}")
            self._module: Any = known.load()
            self._header = self._module.start(self._source, **(options or {}))
        if sensor is not None:
            self._header.sensor = sensor_size(sensor)
        self.sensor: tuple[int, int] | None = self._header.sensor
        self._index: Index | None = None
        self.metadata: dict[str, Any] = self._header.metadata
        self.has: frozenset[str] = known.has

    @property
    def is_pipe(self) -> bool:
        """True for what can be gone through only once, such as standard input."""
        return not self._source.seekable

    def _fill(self, columns: Columns, mark: Mark | None = None, growing: Report | None = None) -> Iterator[Pass]:
        """One pass from that mark on, after every step of its decoder; ``growing`` is the report to go on with."""
        report, live = growing or Report(), growing is not None
        run = Pass(self._source, self._header, columns, self._on_error == "skip", mark, report, live)
        self.report = report
        with _Naming(self):
            for _ in self._module.decode(run):
                yield run
        self.metadata["dropped"] = report.dropped

    def __iter__(self) -> Iterator[Events]:
        columns = Columns(self.sensor)
        for _ in self._fill(columns):
            if columns.count >= _NATURAL:
                yield columns.take()
        if columns.count:
            yield columns.take()

    def chunks(self, count: int = 1_000_000) -> Iterator[Events]:
        """Events in chunks of that many each, the last one shorter. Raises ValueError for less than one."""
        if count < 1:
            raise ValueError(f"a chunk holds at least one event, got count={count}")
        columns = Columns(self.sensor)
        for _ in self._fill(columns):
            if columns.count >= count:
                events = columns.take()
                whole = len(events) - len(events) % count
                for begin in range(0, whole, count):
                    yield events[begin : begin + count]
                columns.append(events[whole:].columns)
        if columns.count:
            yield columns.take()

    def read(self) -> Events:
        """All events."""
        columns = Columns(self.sensor, whole=True)
        for _ in self._fill(columns):
            pass
        return columns.take()

    def extent(self) -> Extent:
        """Number of events, earliest and latest time; read from the file's own tables where it has them.

        For other formats the recording is gone through once, which also builds the index that ``between`` uses.
        """
        with _Naming(self):
            quick = getattr(self._module, "extent", None) if self._on_error == "raise" else None
            known = quick(self._source, self._header) if quick else None
        if known is None:
            index = self._seek()
            known = (
                int(index.count.sum()),
                int(index.earliest.min(initial=2**63 - 1)),
                int(index.latest.max(initial=-(2**63))),
            )
        return Extent(*known) if known[0] else Extent(0, 0, 0)

    def follow(self, patience: int | str = "10s", wait: Callable[[], bool] | None = None) -> Iterator[Events]:
        """The events of a file that is still being written, as they come.

        At the end of what is there ``wait`` is called, and reading goes on for as long as it gives True. Without it
        the file is looked at every 50 ms until it has not grown for so long as ``patience``. A record that is
        unfinished at the end is left out. Raises ValueError for what cannot be followed.
        """
        path = self._source.path
        if path is None or not formats[self.format].streams:
            raise ValueError(
                f"{self.path} ({self.format}) cannot be followed; only a file on disk in a format that streams can"
            )
        wait = wait or until_idle(path, microseconds(patience))
        columns, mark, report = Columns(self.sensor), None, Report()
        while True:
            self._source.size = os.path.getsize(path)
            for run in self._fill(columns, mark, report):
                mark = run.mark or mark
                if columns.count >= _NATURAL:
                    yield columns.take()
            if columns.count:
                yield columns.take()
            if not wait():
                return

    def between(self, start: int | str | None = None, stop: int | str | None = None) -> Events:
        """The events with ``start <= t < stop`` in the file's order, without reading the stretches that have none.

        A whole number is a time stamp in us on the recording's own clock, a text ("10ms") counts from the first event,
        None leaves that side open. The first call goes through the recording once to build a seek index; that of a
        large file is kept in the user's cache folder.
        """
        index = self._seek()
        low, high = (
            default if when is None else time_stamp(when, int(index.first))
            for when, default in ((start, -(2**63)), (stop, 2**63 - 1))
        )
        parts = []
        for stretch in index.within(low, high):
            missing, columns = int(index.count[stretch]), Columns(self.sensor)
            for _ in self._fill(columns, index.mark(stretch)):
                events = columns.take()[:missing]
                missing -= len(events)
                parts.append(events[(events.t >= low) & (events.t < high)])
                if not missing:
                    break
        return Events.concatenate([Events.empty(self.sensor), *parts])

    def _seek(self) -> Index:
        """The seek index: built before, kept in the cache, or built now."""
        path = self._source.path
        key = f"{self.format} {self.sensor} {self._on_error}"
        if self._index is None and path is not None:
            self._index = Index.load(path, key)
        if self._index is None:
            self._index = Index.of(self._stretches())
            if path is not None:
                self._index.save(path, key)
        return self._index

    def _stretches(self) -> Iterator[tuple[Mark, Events]]:
        columns, mark = Columns(self.sensor), Mark(self._header.offset)
        for run in self._fill(columns):
            if columns.count >= SPAN:
                yield mark, columns.take()
                mark = run.mark or mark
        if columns.count:
            yield mark, columns.take()

    def frames(self) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
        """Time in us and image ``[H, W]`` or ``[H, W, C]`` of every frame. Raises ValueError if the format has none."""
        read = self._beside("frames")

        def named() -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
            with _Naming(self):
                yield from read()

        return named()

    def imu(self) -> np.ndarray[Any, Any]:
        """All inertial samples as records. Raises ValueError if the format has none."""
        with _Naming(self):
            return self._beside("imu")()  # type: ignore[no-any-return]

    def triggers(self) -> np.ndarray[Any, Any]:
        """All external triggers as records: t, kind; Prophesee's t, channel, p. Raises ValueError if there are none."""
        with _Naming(self):
            return self._beside("triggers")()  # type: ignore[no-any-return]

    def _beside(self, what: str) -> Callable[[], Any]:
        module = formats[self.format].beside
        if what not in self.has:
            known = ", ".join(each.name for each in formats.values() if what in each.has)
            raise ValueError(f"{what} are read from {known} files, not from {self.format}")
        run = Pass(self._source, self._header, Columns(self.sensor), self._on_error == "skip")
        return partial(getattr(import_module(f".{module}", __package__), what), run)

    def close(self) -> None:
        """Lets go of the file; iterating after it is an error."""
        self._source.close()
        if self._remote is not None:
            self._remote.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        size = "sensor unknown" if self.sensor is None else f"{self.sensor[0]}x{self.sensor[1]}"
        return f"Recording({self.path!r}, {self.format}, {size})"


class _Naming:
    """Adds the file's name, format and number of events so far to an EventFormatError on its way out."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, EventFormatError):
            error.path, error.format = self._recording.path, self._recording.format or None
            error.event = self._recording.report.events if error.event is None else error.event
