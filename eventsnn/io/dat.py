"""Prophesee DAT: 8-byte little-endian records, u32 time in us and u32 address.

    version 2: x 13..0, y 27..14, p 28          version 1 (ATIS 304x240): x 8..0, y 16..9, p 17

After the text header stand an event type byte (0 or 12: pixel events) and the record size, 8; files without a header
have neither; type 14 is a file of external triggers. Time rolls over every 2^32 us. Source: Prophesee, "DAT file
format" (2020); OpenEB's dat_tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from ..jit import compiled
from . import prophesee
from .drive import OUTSIDE, drive
from .errors import EventFormatError
from .header import Header
from .reading import Pass
from .source import Source
from .stamps import based, bounded, rolling

_RANGE, _BLOCK = 1 << 32, 1 << 10
_EDGES = 14  # the type of files of external triggers
_VERSIONS = {1: (9, 8), 2: (14, 14)}  # bits of x and of y; p is the bit above them


def start(source: Source) -> Header:
    found = prophesee.header(source.head)
    version = found.layout["keys"].get("version", "2")
    if found.offset:
        kind = source.head[found.offset : found.offset + 2]
        if len(kind) < 2 or kind[0] not in (0, 12, _EDGES) or kind[1] != 8:
            raise EventFormatError(
                f"event type {kind.hex(' ') or 'missing'}; pixel events are of type 00 or 0c in 8 bytes",
                offset=found.offset,
            )
        found.offset += 2
        found.layout["edges"] = kind[0] == _EDGES
        number = 1 if version.startswith(("0", "1")) else 2
    else:
        number = 1 if _fits(source.head, 18) else 2
        found.metadata["header"] = "none"
        found.layout["edges"] = False
    found.metadata["version"] = number
    found.layout["bits"] = _VERSIONS[number]
    if source.size is not None:
        found.most = (source.size - found.offset) // 8
    return found


def looks_like(head: bytes, size: int | None) -> bool:
    """True if the bytes look like DAT records without a header: rising times, no address bit beyond the polarity."""
    same = len(head) > 512 and head == head[:8] * (len(head) // 8)
    return not (size or 0) % 8 and len(head) >= 8 and not same and _fits(head, 29)


def _fits(head: bytes, bits: int) -> bool:
    records = np.frombuffer(head[: len(head) - len(head) % 8], "<u4").reshape(-1, 2).astype(np.int64)
    falls = np.diff(records[:, 0]) < 0
    return bool((records[:, 1] >> bits == 0).all() and falls.sum() <= len(records) // 100)


def decode(run: Pass) -> Iterator[None]:
    if run.header.layout["edges"]:
        run.report.other, run.report.last_good = run.header.most or 0, run.source.size or 0
        return iter(())
    x_bits, y_bits = run.header.layout["bits"]
    own = {"epoch": run.header.layout["base"], "stamp": 0, "x_bits": x_bits, "y_bits": y_bits}
    return drive(run, _decode, (1 << x_bits, 1 << y_bits), own, word="<u8", foresee=_foresee)


@compiled
def _foresee(words: Any, state: Any) -> bool:
    s = state[0]
    s.stamp = np.int64(words[-1] & np.uint64(0xFFFFFFFF))
    s.last = s.epoch + s.stamp
    return True


@compiled
def _decode(words: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    """In blocks: a sweep where all is as it should be, else one record after the other."""
    s = state[0]
    n = i = 0
    stop = min(len(words), len(t))
    while i < stop and not s.fault:
        end = min(i + _BLOCK, stop)
        if _sweep(state, words, i, end, n, t, x, y, p):
            n += end - i
            i = end
        else:
            i, n = _step(state, words, i, end, n, t, x, y, p)
    return i, n


@compiled
def _sweep(state: Any, words: Any, i: int, end: int, n: int, t: Any, x: Any, y: Any, p: Any) -> bool:
    """Decodes a block without a branch, for wide registers; False if a pixel lies outside or the time rolls over."""
    s = state[0]
    block, stop = words[i:end], n + end - i
    t, x, y, p = t[n:stop], x[n:stop], y[n:stop], p[n:stop]
    epoch, x_mask, y_mask = s.epoch, (1 << s.x_bits) - 1, (1 << s.y_bits) - 1
    y_shift, p_shift = 32 + s.x_bits, 32 + s.x_bits + s.y_bits
    right: Any = 0
    bottom: Any = 0
    for k in range(len(block)):
        word = np.int64(block[k])
        column, row = word >> 32 & x_mask, word >> y_shift & y_mask
        t[k], x[k], y[k], p[k] = epoch + (word & 0xFFFFFFFF), column, row, word >> p_shift & 1
        right, bottom = max(right, column), max(bottom, row)
    back, fall = np.int64(t[0] < s.last), epoch + s.stamp - t[0]
    for k in range(1, len(t)):
        back += t[k] < t[k - 1]
        fall = max(fall, t[k - 1] - t[k])
    if right >= s.width or bottom >= s.height or fall >= _RANGE // 2:
        return False
    s.back += back
    s.last, s.stamp = t[-1], t[-1] - epoch
    return True


@compiled
def _step(state: Any, words: Any, i: int, end: int, n: int, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    while i < end:
        word = np.int64(words[i])
        new, address = word & 0xFFFFFFFF, word >> 32
        column, row = address & ((1 << s.x_bits) - 1), address >> s.x_bits & ((1 << s.y_bits) - 1)
        if column >= s.width or row >= s.height:
            if not s.skip:
                s.fault, s.fault_x, s.fault_y = OUTSIDE, column, row
                break
            s.outside += 1
        else:
            if s.stamp - new >= _RANGE // 2:
                s.epoch += _RANGE
                s.wraps += 1
            s.stamp = new
            now = s.epoch + new
            s.back += now < s.last
            s.last = now
            t[n], x[n], y[n], p[n] = now, column, row, address >> (s.x_bits + s.y_bits) & 1
            n += 1
        i += 1
    return i, n


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Version 2. Times that begin outside 0..2^32 us count from a header key of ours, ``% time_base``."""
    base, parts = based(parts, _RANGE)
    file.write(prophesee.dat_lines(sensor, base) + b"\x0c\x08")
    before = -1
    for events in parts:
        bounded(events, 1 << 14, 1 << 14, "DAT")
        since = rolling(events.t, base, before, 32, "DAT")
        address = events.p.astype(np.int64) << 28 | events.y.astype(np.int64) << 14 | events.x
        file.write((address << 32 | (since & 0xFFFFFFFF)).astype("<i8").tobytes())
        before = int(since[-1])
