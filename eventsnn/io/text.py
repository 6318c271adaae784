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
from numba import njit

from ..events import Events
from .aliases import ALIASES
from .drive import OUTSIDE, drive
from .errors import EventFormatError
from .header import Header
from .reading import Pass
from .source import HEAD, Source

_FEW, _NUMBER, _WHOLE = 2, 3, 4
_REASONS = {
    _FEW: "a line with too few numbers",
    _NUMBER: "not a number",
    _WHOLE: "a coordinate that is not a whole number",
}
_UNITS = {"ns": -3, "us": 0, "µs": 0, "ms": 3, "s": 6, "sec": 6}
_HUGE = -(2**63)
_SENSOR = re.compile(r"# sensor (\d{1,4})x(\d{1,4})")
_SPLIT = re.compile(r"[\s,;]+")


def looks_like(head: bytes) -> bool:
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
    return drive(run, _decode, (32768, 32768), run.header.layout, record=8, end=b"\n", reasons=_REASONS)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _number(data: Any, i: int) -> tuple[int, int, int]:
    """The number at ``i``: mantissa, power of ten, and the place behind it (that of its start if it is none)."""
    begin, sign, power, digits, point = i, 1, 0, 0, False
    mantissa: Any = np.int64(0)
    if data[i] == 45 or data[i] == 43:
        sign = -1 if data[i] == 45 else 1
        i += 1
    while 48 <= data[i] <= 57 or (data[i] == 46 and not point):
        if data[i] == 46:
            point = True
        else:
            if mantissa < 10**17:
                mantissa = mantissa * 10 + (np.int64(data[i]) - 48)
                power -= point
            else:
                power += not point
            digits += 1
        i += 1
    if not digits:
        return 0, 0, begin
    if data[i] == 101 or data[i] == 69:
        i += 1
        down = data[i] == 45
        if down or data[i] == 43:
            i += 1
        exponent: Any = np.int64(0)
        while 48 <= data[i] <= 57:
            exponent = min(exponent * 10 + (np.int64(data[i]) - 48), 10000)
            i += 1
        power += -exponent if down else exponent
    return sign * mantissa, power, i


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _scale(mantissa: int, power: int) -> int:
    """mantissa * 10^power, rounded to the nearest whole number, halves away from zero; beyond 10^18 it is _HUGE."""
    if power >= 0:
        for _ in range(power if mantissa else 0):
            if abs(mantissa) >= 10**17:
                return _HUGE
            mantissa *= 10
        return mantissa
    if power < -18:
        return 0
    unit = 1
    for _ in range(-power):
        unit *= 10
    whole = (abs(mantissa) + unit // 2) // unit
    return whole if mantissa >= 0 else -whole


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _decode(data: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    s = state[0]
    values, powers = np.zeros(64, np.int64), np.zeros(64, np.int64)
    needed = max(max(s.t_at, s.x_at), max(s.y_at, s.p_at)) + 1
    n = i = 0
    while i < len(data) and n < len(t):
        stop = i
        while stop < len(data) and data[stop] != 10:
            stop += 1
        if stop == len(data):
            break
        j, count = i, 0
        fault = 0
        while count < needed and not fault:
            while data[j] == 32 or data[j] == 9 or data[j] == 44 or data[j] == 59 or data[j] == 13:
                j += 1
            if j >= stop or (count == 0 and (data[j] == 35 or data[j] == 37)):
                break
            values[count], powers[count], behind = _number(data, j)
            after = data[behind]
            if behind == j or not (after <= 32 or after == 44 or after == 59):
                fault = _NUMBER
            j = behind
            count += 1
        if not fault and 0 < count < needed:
            fault = _FEW
        if count and not fault:
            column, row = values[s.x_at], values[s.y_at]
            if powers[s.x_at] or powers[s.y_at]:
                column, row = _scale(column, powers[s.x_at]), _scale(row, powers[s.y_at])
                if _scale(column, -powers[s.x_at]) != values[s.x_at] or _scale(row, -powers[s.y_at]) != values[s.y_at]:
                    fault = _WHOLE
            if not fault and (column < 0 or row < 0 or column >= s.width or row >= s.height):
                fault = OUTSIDE
                s.fault_x, s.fault_y = column, row
            if not fault:
                now = _scale(values[s.t_at], powers[s.t_at] + s.unit)
                fault = _NUMBER if now == _HUGE else 0
            if not fault:
                s.back += now < s.last
                s.last = now
                t[n], x[n], y[n], p[n] = now, column, row, values[s.p_at] > 0
                n += 1
        if fault:
            if not s.skip:
                s.fault = fault
                break
            if fault == OUTSIDE:
                s.outside += 1
            else:
                s.other += 1
        i = stop + 1
    return i, n


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Lines ``t x y p`` with t in seconds to the us, under a comment with the sensor's size and one with the names."""
    size = f"# sensor {sensor[0]}x{sensor[1]}\n" if sensor else ""
    file.write(f"{size}# t[s] x y p\n".encode())
    for events in parts:
        for begin in range(0, len(events), 1 << 16):
            t, x, y, p = (np.ascontiguousarray(column) for column in events[begin : begin + (1 << 16)].columns)
            out = np.empty(40 << 16, np.uint8)
            file.write(out[: _format(t, x, y, p, out)].tobytes())


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _format(t: Any, x: Any, y: Any, p: Any, out: Any) -> int:
    n = 0
    for i in range(len(t)):
        rest = abs(t[i])
        if t[i] < 0:
            out[n] = 45
            n += 1
        n = _digits(rest // 1000000, 1, out, n)
        out[n] = 46
        n = _digits(rest % 1000000, 6, out, n + 1)
        for value in (np.int64(x[i]), np.int64(y[i]), np.int64(p[i])):
            out[n] = 32
            n = _digits(value, 1, out, n + 1)
        out[n] = 10
        n += 1
    return n


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _digits(value: Any, least: int, out: Any, n: int) -> int:
    """Writes a number of at least that many digits; the place behind it."""
    size, rest = 1, value // 10
    while rest or size < least:
        size += 1
        rest //= 10
    for j in range(n + size - 1, n - 1, -1):
        out[j] = 48 + value % 10
        value //= 10
    return n + size
