"""Files made of packets: walks from one to the next, and over damage to the next that is whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from .errors import CutShort, EventFormatError
from .reading import Mark, Pass
from .source import Reader

T = TypeVar("T")
_BLOCK = 1 << 16
_OVERLAP = 256  # bytes that a sign may be long


def walk(
    run: Pass, reader: Reader, parse: Callable[[Reader], T | None], sign: re.Pattern[bytes]
) -> Iterator[tuple[int, T]]:
    """Offset and content of every packet; ``parse`` reads one, or gives None at the end of the input.

    What cannot be parsed is an error. When skipping it is counted and passed over, up to the next place where ``sign``
    matches and a packet can be parsed; from a pipe, which cannot go back, all of the rest.
    """
    report = run.report
    while True:
        report.last_good = offset = reader.offset
        try:
            packet = parse(reader)
        except EventFormatError as error:
            if run.growing and isinstance(error, CutShort):
                return
            if not run.skip:
                error.offset, error.event = offset, report.events
                raise
            place = _next(reader, offset + 1, parse, sign) if run.source.seekable else None
            end = place if place is not None else run.source.size or reader.offset
            report.skipped_bytes += end - offset
            if place is None:
                return
            reader.seek(place)
            continue
        if packet is None:
            return
        run.mark = Mark(reader.offset)
        run.columns.share = offset / (run.source.size or np.inf)  # without the packet in hand
        yield offset, packet


def _next(reader: Reader, begin: int, parse: Callable[[Reader], object], sign: re.Pattern[bytes]) -> int | None:
    """The first place from ``begin`` on where a packet begins."""
    while True:
        reader.seek(begin)
        block = reader.read(_BLOCK + _OVERLAP)
        for match in sign.finditer(block):
            place = begin + match.start()
            reader.seek(place)
            try:
                if parse(reader) is not None:
                    return place
            except EventFormatError:
                continue
        if len(block) < _BLOCK + _OVERLAP:
            return None
        begin += _BLOCK


def exactly(reader: Reader, count: int, size: int | None, what: str = "record") -> bytes:
    """The next so many bytes of an input of that size."""
    if size is not None and count > size - reader.offset:
        raise CutShort(f"a {what} of {count} bytes does not fit into the file: it was cut short or is damaged")
    data = reader.read(count)
    if len(data) < count:
        raise CutShort(f"the file ends inside a {what}: it was cut short")
    return data
