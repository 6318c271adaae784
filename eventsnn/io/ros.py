"""Recordings of ROS: events out of the messages that its containers hold, whatever the container.

A container gives its records as ``(offset, messages)``, a message as ``(connection, data)``, and fills a table of the
connections it has met. Of several topics with events the first is read; ``metadata["topics"]`` lists those met by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from . import evt2, evt3
from .columns import Columns
from .compression import zstd_frame
from .errors import EventFormatError
from .header import Header
from .reading import Mark, Pass, Report
from .rosmsg import parse
from .source import Source
from .store import store

_PACKAGES = ("dvs_msgs", "event_camera_msgs", "event_array_msgs", "prophesee_event_msgs")
_KINDS = ("EventArray", "EventPacket")
_DECODERS = {"evt2": evt2, "evt3": evt3}
_COUNTS = ("steps_back", "wraps", "outside", "early")


class Connection(NamedTuple):
    """A topic, the kind of its messages, and how they are written: cdr or ros1."""

    topic: str
    kind: str
    dialect: str


Messages = Iterable[tuple[int, bytes]]
Container = Callable[[Pass, dict[int, Connection]], Iterator[tuple[int, Messages]]]


def connection(topic: str, type: str, dialect: str) -> Connection | None:
    """The connection, if messages of that type hold events; event_array_msgs/EventArray is an old name of packets."""
    package, _, kind = type.replace("/msg/", "/").partition("/")
    if package not in _PACKAGES or kind not in _KINDS:
        return None
    return Connection(topic, "EventPacket" if package == "event_array_msgs" else kind, dialect)


def start(source: Source, records: Container, offset: int) -> Header:
    """What the first message with events says."""
    if not source.seekable:
        raise EventFormatError("a recording of ROS cannot be read from a pipe; save it to a file")
    met: dict[int, Connection] = {}
    fault: EventFormatError | None = None
    scout = Pass(source, Header(offset=offset), Columns(None), skip=True)
    for _, messages in records(scout, met):
        for number, data in messages:
            if number in met:
                try:
                    first = parse(met[number].kind, _plain(data), met[number].dialect)
                except EventFormatError as error:
                    fault, error.offset = error, scout.report.last_good
                    continue
                size = first.width, first.height
                sensor = size if all(0 < n < 32768 for n in size) else None
                topics = [each.topic for each in met.values()]
                metadata = {"topics": topics, "encoding": first.encoding or "array", "origin": "top-left"}
                return Header(sensor, metadata, offset, {"connection": number, "met": met})
    if fault is not None:
        raise fault
    damage = "; the file was cut short or is damaged" if scout.report.skipped_bytes else ""
    raise EventFormatError(
        f"there are no messages with events, dvs_msgs/EventArray or event_camera_msgs/EventPacket{damage}"
    )


def _plain(data: bytes) -> bytes:
    """A message without the compression that a recorder may give each."""
    return zstd_frame(data) if data.startswith(b"\x28\xb5\x2f\xfd") else data


def decode(run: Pass, records: Container) -> Iterator[None]:
    """Events of the messages; a record is the least that is read at a time."""
    report, wanted, met = run.report, run.header.layout["connection"], dict(run.header.layout["met"])
    state = run.mark.state if run.mark else b""
    words = Report()
    for offset, messages in records(run, met):
        try:
            for number, data in messages:
                if number != wanted:
                    report.other += 1
                    continue
                try:
                    state = _put(run, data, met[number], state, words, offset)
                except EventFormatError as error:
                    if not run.skip:
                        error.offset = offset
                        raise
                    report.skipped_bytes += len(data)
        except EventFormatError as error:
            if not run.skip:
                error.offset, error.event = offset, report.events
                raise
            report.skipped_bytes += max(run.mark.offset - offset, 1) if run.mark else 1
        run.mark = Mark(run.mark.offset if run.mark else offset, state)
        yield


def _put(run: Pass, data: bytes, source: Connection, state: bytes, words: Report, offset: int) -> bytes:
    """Puts the events of a message behind those there are; the state of the decoder after it."""
    message = parse(source.kind, _plain(data), source.dialect)
    if message.columns is not None:
        store(run, message.columns, offset)
        return state
    header = Header(run.header.sensor, layout={"base": 0, "format": message.encoding.upper()})
    before = [getattr(words, name) for name in (*_COUNTS, "events")]
    part = Pass(Source(message.words), header, run.columns, run.skip, Mark(0, state), words)
    try:
        for _ in _DECODERS[message.encoding].decode(part):
            pass
    finally:
        for name, count in zip((*_COUNTS, "events"), before, strict=True):
            setattr(run.report, name, getattr(run.report, name) + getattr(words, name) - count)
    return part.mark.state if part.mark else state
