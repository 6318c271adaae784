"""Runs a decoding kernel over the blocks of a file: carries unfinished records over, counts, and stops at faults.

A kernel is ``kernel(words, state, t, x, y, p) -> (words used, events made)``: it decodes words until they end, the
columns are full, the next record is incomplete, or ``state.fault`` is set. ``state`` is one structured record that
lives from block to block: the fields below and the format's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .ahead import second_thread
from .errors import CutShort, EventFormatError
from .header import Header
from .reading import Mark, Pass, Report

BLOCK = 1 << 20
_SPACE = 1 << 18
_COUNTS = {"back": "steps_back", "wraps": "wraps", "outside": "outside", "early": "early", "other": "other"}
_STATE = ("skip", "width", "height", "last", "fault", "fault_x", "fault_y", *_COUNTS)
OUTSIDE = 1  # the fault every kernel may report


def drive(
    run: Pass,
    kernel: Callable[..., tuple[int, int]],
    limit: tuple[int, int],
    own: Mapping[str, int],
    *,
    word: str = "u1",
    record: int = 1,
    most: int = 1,
    end: bytes = b"",
    reasons: Mapping[int, str] | None = None,
    foresee: Callable[[Any, Any], bool] | None = None,
) -> Iterator[None]:
    """Decodes all of the source into the columns, yielding after every stretch.

    ``limit`` bounds the coordinates where the sensor is not known, ``own`` are the format's fields of the state,
    ``word`` is the unit of the kernel's input (big-endian ones are swapped first), ``record`` the smallest record in
    words, ``most`` the most events of one word, ``end`` the last record's last byte, which may be missing.

    ``foresee(words, state) -> bool`` sets the state as it will most likely be after these words; False where nothing
    can be said. With it two threads decode.
    """
    columns, report, state = run.columns, run.report, _state(run, limit, own)
    dtype = np.dtype(word)
    buffer: Any = np.empty(BLOCK, np.uint8)
    kept = 0
    report.last_good = base = run.mark.offset if run.mark else run.header.offset

    def book(used: int, made: int) -> None:
        report.events += made
        report.last_good = base + used * dtype.itemsize
        columns.share = report.last_good / (run.source.size or np.inf)
        _count(report, state)
        if state["fault"][0]:
            raise _error(state, run.header, report, reasons or {})
        run.mark = Mark(report.last_good, state.tobytes())

    decoder = (kernel, foresee, dtype, ("last", *own), _COUNTS)
    with run.source.reader(base) as reader, second_thread(run, BLOCK, *decoder) as ahead:
        while True:
            while ahead and not kept and (done := ahead.take(base, state, columns)):
                book(*done)
                yield
                base = report.last_good
                reader.seek(base)
            got = reader.readinto(memoryview(buffer)[kept:])
            filled = kept + got
            at_end = filled < len(buffer)
            if at_end and end and filled and not run.growing and buffer[filled - 1] != end[0]:
                buffer[filled] = end[0]
                filled += 1
            words = buffer[: filled - filled % dtype.itemsize].view(dtype.newbyteorder("="))
            if dtype.byteorder == ">":
                words.byteswap(inplace=True)
            used = 0
            while used < len(words):
                room = min(_SPACE, (len(words) - used) * most // record + 1) + most
                moved, made = kernel(words[used:], state, *columns.space(room))
                columns.count += made
                used += moved
                book(used, made)
                yield
                if not moved and not made:
                    break
            left = filled - used * dtype.itemsize
            if at_end:
                _finish(left, run)
                return
            if left == len(buffer):
                raise EventFormatError("one record fills a whole block", offset=base, event=report.events)
            if dtype.byteorder == ">":
                words[used:].byteswap(inplace=True)
            buffer[:left] = buffer[filled - left : filled].copy()
            kept, base = left, base + used * dtype.itemsize


def _state(run: Pass, limit: tuple[int, int], own: Mapping[str, int]) -> Any:
    state = np.zeros(1, [(name, np.int64) for name in (*_STATE, *own)])
    if run.mark and run.mark.state:
        state[:] = np.frombuffer(run.mark.state, state.dtype)
        return state
    width, height = run.header.sensor or limit
    for name, value in {"skip": run.skip, "width": width, "height": height, "last": -(2**63), **own}.items():
        state[name] = value
    return state


def _finish(left: int, run: Pass) -> None:
    if not left or run.growing:
        return
    if not run.skip:
        raise CutShort(
            f"the file ends {left} bytes into a record: it was cut short; on_error='skip' reads what is whole",
            offset=run.report.last_good,
            event=run.report.events,
        )
    run.report.skipped_bytes += left


def _count(report: Report, state: Any) -> None:
    for name, shown in _COUNTS.items():
        setattr(report, shown, int(state[name][0]))


def _error(state: Any, header: Header, report: Report, reasons: Mapping[int, str]) -> EventFormatError:
    fault, x, y, width, height = (int(state[k][0]) for k in ("fault", "fault_x", "fault_y", "width", "height"))
    if fault == OUTSIDE:
        bounds = "sensor" if header.sensor else "pixels this format can hold"
        reason = f"pixel ({x}, {y}) lies outside the {width}x{height} {bounds}; on_error='skip' drops such events"
    else:
        reason = reasons[fault]
    return EventFormatError(reason, offset=report.last_good, event=report.events)
