"""Text: one event a line, ``t x y p`` in any order, separated by blanks, commas or semicolons; ``#`` begins a comment.

The order is read from a line of names ("x,y,timestamp,polarity") or else from the numbers: the column with decimals, or
the largest one that never falls, is the time, the column of 0 and 1 (or -1 and 1) the polarity. A time with decimals is
in seconds, a whole one in us, unless the names say otherwise ("t[ms]", "t_us"). Numbers are read exactly, without
rounding through a float; times are rounded to whole us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from .aliases import ALIASES
from .drive import drive
from .errors import EventFormatError
from .header import Header
from .reading import Pass
from .source import HEAD, Source

_UNITS = {"ns": -3, "us": 0, "µs": 0, "ms": 3, "s": 6, "sec": 6}
_SENSOR = re.compile(r"# sensor (\d{1,4})x(\d{1,4})")
_SPLIT = re.compile(r"[\s,;]+")


def looks_like(head: bytes, size: int | None) -> bool:
    """True for printable text in which some line has at least four numbers, or the names of the columns."""
    if re.search(rb"[^\t\n\r -~\x80-\xff]", head[:4096]):
        return False
    lines = _lines(head, 4096)
    return any(_numbers(line) for line in lines) or any(_named(line)[0] for line in lines)


def _lines(head: bytes, count: int) -> list[str]:
    """The lines in the first bytes, without one that may go on behind them."""
    lines = head[:count].decode("latin-1").split("\n")
    return lines[:-1] if len(lines) > 1 and len(head) >= count else lines


def _fields(line: str) -> list[str]:
    return _SPLIT.split(line.strip(" \t\r\n,;"))


def _numbers(line: str) -> list[float]:
    try:
        values = [float(field) for field in _fields(line)]
    except ValueError:
        return []
    return values if len(values) >= 4 and np.isfinite(values).all() else []


def start(source: Source) -> Header:
    texts = _lines(source.head, HEAD)
    first = next((i for i, line in enumerate(texts) if _numbers(line)), len(texts))
    good = [line for line in texts[first : first + 256] if _numbers(line)]
    sample = np.array([_numbers(line)[:4] for line in good])
    fields = [_fields(line) for line in good]
    names, unit = next((found for line in texts[:first] if (found := _named(line))[0]), ({}, None))
    if not (len(sample) or names):
        raise EventFormatError("no line holds four numbers", offset=0)
    order = names or _guessed(sample, fields)
    if unit is None:
        unit = 6 if any("." in row[order["t"]] for row in fields) else 0
    offset = min(sum(len(line) + 1 for line in texts[:first]), len(source.head))
    columns = "".join(sorted(order, key=order.__getitem__))
    metadata = {"columns": columns, "unit": _unit_name(unit), "origin": "top-left"}
    size = next((match for line in texts[:first] if (match := _SENSOR.fullmatch(line.strip()))), None)
    sensor = (int(size[1]), int(size[2])) if size and min(int(size[1]), int(size[2])) > 0 else None
    return Header(sensor, metadata, offset, {**{f"{name}_at": order[name] for name in "txyp"}, "unit": unit})


def _unit_name(unit: int) -> str:
    return next(name for name, power in _UNITS.items() if power == unit)


def _named(line: str) -> tuple[dict[str, int], int | None]:
    """Column numbers from a line of names, and the power of ten of the time unit if it is said."""
    words = [re.split(r"[\[\](_]", word.lower().strip('" )]')) for word in _SPLIT.split(line.strip("#% \t\r,;"))]
    order = {name: i for i, word in enumerate(words) for name, known in ALIASES.items() if word[0] in known}
    if set(order) != set("txyp"):
        return {}, None
    return order, next((_UNITS[part] for part in words[order["t"]][1:] if part in _UNITS), None)


def _guessed(sample: np.ndarray[Any, Any], fields: list[list[str]]) -> dict[str, int]:
    """Column numbers from the numbers themselves; ``t x y p`` and ``x y p t`` are told apart by them."""
    decimal = [i for i in range(4) if any("." in row[i] and float(row[i]) % 1 for row in fields)]
    rising = [i for i in range(4) if (np.diff(sample[:, i]) >= 0).all()]
    binary = [i for i in range(4) if np.isin(sample[:, i], (-1, 0, 1)).all()]
    candidates = (decimal if len(decimal) == 1 else []) or rising or [0]
    time = max(candidates, key=lambda i: (sample[:, i].max(), -i))
    sign = next((i for i in (3, 2, 1, 0) if i in binary and i != time), 3 if time != 3 else 2)
    x, y = (i for i in range(4) if i not in (time, sign))
    return {"t": time, "x": x, "y": y, "p": sign}


def decode(run: Pass) -> Iterator[None]:
    from .textlines import REASONS, parse

    return drive(run, parse, (32768, 32768), run.header.layout, record=8, end=b"\n", reasons=REASONS)


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Lines ``t x y p`` with t in seconds to the us, under a comment with the sensor's size and one with the names."""
    from .textlines import spell

    size = f"# sensor {sensor[0]}x{sensor[1]}\n" if sensor else ""
    file.write(f"{size}# t[s] x y p\n".encode())
    for events in parts:
        for begin in range(0, len(events), 1 << 16):
            t, x, y, p = (np.ascontiguousarray(column) for column in events[begin : begin + (1 << 16)].columns)
            out = np.empty(40 << 16, np.uint8)
            file.write(out[: spell(t, x, y, p, out)].tobytes())
