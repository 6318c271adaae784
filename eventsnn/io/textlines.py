"""Lines of numbers to events and back, digit by digit: exact, and many times faster than through Python's floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import compiled
from .drive import OUTSIDE

_FEW, _NUMBER, _WHOLE = 2, 3, 4
REASONS = {
    _FEW: "a line with too few numbers",
    _NUMBER: "not a number, or a time beyond 10^18 us",
    _WHOLE: "a coordinate that is not a whole number",
}
_HUGE = -(2**63)


@compiled
def _word(data: Any, i: int) -> tuple[int, int, int]:
    """True or False in letters of any size, as 1 or 0; else as ``_number`` says that there is none."""
    if data[i] | 32 == 116 and data[i + 1] | 32 == 114 and data[i + 2] | 32 == 117 and data[i + 3] | 32 == 101:
        return 1, 0, i + 4
    if data[i] | 32 == 102 and data[i + 1] | 32 == 97 and data[i + 2] | 32 == 108 and data[i + 3] | 32 == 115:
        return 0, 0, i + (5 if data[i + 4] | 32 == 101 else 0)
    return 0, 0, i


@compiled
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
        return _word(data, begin)
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


@compiled
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


@compiled
def parse(data: Any, state: Any, t: Any, x: Any, y: Any, p: Any) -> tuple[int, int]:
    """The kernel: whole lines to events; blank lines and those that begin with # or % are passed over."""
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


@compiled
def spell(t: Any, x: Any, y: Any, p: Any, separator: int, seconds: bool, out: Any) -> int:
    """Writes a line for each event, t in seconds with six decimals or in whole us; the number of bytes."""
    n = 0
    for i in range(len(t)):
        rest = abs(t[i])
        if t[i] < 0:
            out[n] = 45
            n += 1
        if seconds:
            n = _digits(rest // 1000000, 1, out, n)
            out[n] = 46
            n = _digits(rest % 1000000, 6, out, n + 1)
        else:
            n = _digits(rest, 1, out, n)
        for value in (np.int64(x[i]), np.int64(y[i]), np.int64(p[i])):
            out[n] = separator
            n = _digits(value, 1, out, n + 1)
        out[n] = 10
        n += 1
    return n


@compiled
def _digits(value: Any, least: int, out: Any, n: int) -> int:
    """Writes a number of at least that many digits; the place behind it."""
    size, rest = 1, value // 10
    while rest > 0 or size < least:
        size += 1
        rest //= 10
    for j in range(n + size - 1, n - 1, -1):
        out[j] = 48 + value % 10
        value //= 10
    return n + size
