"""Text: one event a line, ``t x y p`` in any order, separated by blanks, commas or semicolons; ``#`` begins a comment.

The order is read from a line of names ("x,y,timestamp,polarity") or else from the numbers: the column with decimals, or
the largest one that never falls, is the time, the column of 0 and 1 (-1 and 1, False and True) the polarity. A time
with decimals is in seconds, a whole one in us, unless the names say otherwise ("t[ms]", "t_us"). Numbers are read
exactly, without rounding through a float; times are rounded to whole us. A decimal comma is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from ..events import Events
from . import order
from .drive import drive
from .errors import EventFormatError
from .header import Header
from .reading import Pass
from .source import HEAD, Source

_MARK = b"\xef\xbb\xbf"  # of UTF-8, which some programs write first
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WORDS = {"true": "1", "false": "0"}  # polarity, as tables of booleans are written
_COMMA = re.compile(r"\d,\d.*\d\s*[;\t ]\s*[-\d]|\d\s*[;\t ]\s*-?\d+,\d")  # beside what parts the numbers
_SENSOR = re.compile(r"# sensor (\d{1,4})x(\d{1,4})")


def looks_like(head: bytes, size: int | None) -> bool:
    """True for printable text in which some line has at least four numbers, or the names of the columns."""
    if re.search(rb"[^\t\n\r -~\x80-\xff]", head[:4096]):
        return False
    lines = _lines(head, 4096)
    return any(_numbers(line) for line in lines) or any(order.named(line)[0] for line in lines)


def _lines(head: bytes, count: int) -> list[str]:
    """The lines in the first bytes, without one that may go on behind them."""
    lines = head[:count].removeprefix(_MARK).decode("latin-1").split("\n")
    return lines[:-1] if len(lines) > 1 and len(head) >= count else lines


def _fields(line: str) -> list[str]:
    return order.SPLIT.split(line.strip(" \t\r\n,;"))


def _field(line: str, place: int) -> str:
    """The text in that column, empty where the line is shorter."""
    return "".join(_fields(line)[place : place + 1])


def _numbers(line: str) -> list[float]:
    try:
        values = [float(_WORDS.get(field.lower(), field)) for field in _fields(line)]
    except ValueError:
        return []
    return values if len(values) >= 4 and np.isfinite(values).all() else []


def start(source: Source, columns: str | None = None, unit: str | None = None) -> Header:
    texts = _lines(source.head, HEAD)
    first = next((i for i, line in enumerate(texts) if _numbers(line)), len(texts))
    good = [line for line in texts[first : first + 256] if _numbers(line)]
    known = ((i + 1, *found) for i, line in enumerate(texts[:first]) if (found := order.named(line))[0])
    first, names, power = next(known, (first, {}, None))  # what follows the names is events, or damage
    if columns is not None:
        names = order.given(columns)
    if not (good or names):
        raise EventFormatError("no line holds four numbers", offset=0)
    fields = [_fields(line) for line in good]
    places = names or order.guessed(
        np.array([_numbers(line)[:4] for line in good]),
        [i for i in range(4) if any("." in row[i] and float(row[i]) % 1 for row in fields)],
    )
    if unit is not None:
        power = order.power(unit)
    rows = texts[first : first + 256]
    if comma := next((line.strip() for line in rows if _COMMA.search(line) and not line.startswith(("#", "%"))), None):
        raise EventFormatError(f"numbers with a decimal comma, as in {comma!r}; write them with a point", offset=0)
    if power is None:
        times = [match[0] for line in rows if (match := _NUMBER.fullmatch(_field(line, places["t"])))]
        power = order.scale(np.array(times, np.float64)) if any("." in time for time in times) else 0
    mark = len(_MARK) if source.head.startswith(_MARK) else 0
    offset = min(mark + sum(len(line) + 1 for line in texts[:first]), len(source.head))
    shown = "".join(sorted(places, key=places.__getitem__))
    metadata = {"columns": shown, "unit": order.unit_name(power), "origin": "top-left"}
    size = next((match for line in texts[:first] if (match := _SENSOR.fullmatch(line.strip()))), None)
    sensor = (int(size[1]), int(size[2])) if size and min(int(size[1]), int(size[2])) > 0 else None
    return Header(sensor, metadata, offset, {**{f"{name}_at": places[name] for name in "txyp"}, "unit": power})


def decode(run: Pass) -> Iterator[None]:
    from .textlines import REASONS, parse

    return drive(run, parse, (32768, 32768), run.header.layout, record=8, end=b"\n", reasons=REASONS)


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Lines ``t x y p`` with t in seconds to the us, under a comment with the sensor's size and one with the names."""
    size = f"# sensor {sensor[0]}x{sensor[1]}\n" if sensor else ""
    file.write(f"{size}# t[s] x y p\n".encode())
    lines(file, parts, " ", seconds=True)


def lines(file: BinaryIO, parts: Iterable[Events], separator: str, *, seconds: bool) -> None:
    """One event a line, the time in seconds with six decimals or in whole us."""
    from .textlines import spell

    out = np.empty(48 << 16, np.uint8)
    for events in parts:
        for begin in range(0, len(events), 1 << 16):
            t, x, y, p = (np.ascontiguousarray(column) for column in events[begin : begin + (1 << 16)].columns)
            file.write(out[: spell(t, x, y, p, ord(separator), seconds, out)].tobytes())
