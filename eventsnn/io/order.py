"""Which column of a table of numbers is which, and in what unit its time is: said, named, or seen from the numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .aliases import ALIASES

UNITS = {"ns": -3, "us": 0, "µs": 0, "ms": 3, "s": 6, "sec": 6}
_WIDEST = 4096  # px, of any sensor
SPLIT = re.compile(r"[\s,;]+")


def given(columns: str) -> dict[str, int]:
    """Column numbers from a text such as "txyp" or "x y _ t p", where "_" is a column that is not read."""
    letters = re.sub(r"[\s,;]", "", columns)
    order = {letter: i for i, letter in enumerate(letters) if letter != "_"}
    if sorted(order) != sorted("txyp") or len(letters) - letters.count("_") != 4 or len(letters) > 64:
        raise ValueError(f'columns names each of t, x, y and p once, as "txyp" or "xy_tp" do; got {columns!r}')
    return order


def power(unit: str) -> int:
    """The power of ten that takes that unit of time to us."""
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}; got {unit!r}")
    return UNITS[unit]


def unit_name(power: int) -> str:
    return next(name for name, known in UNITS.items() if known == power)


def scale(times: np.ndarray[Any, Any]) -> int:
    """The power of ten that takes times to us, as the first of them tell: those with decimals are in seconds.

    Whole ones are in us, though written as 5.0, unless they are all the same, as at the start of a simulation.
    """
    return 6 if len(times) and ((times % 1).any() or not np.ptp(times)) else 0


def named(line: str) -> tuple[dict[str, int], int | None]:
    """Column numbers from a line of names, and the power of ten of the time unit if it is said."""
    line = re.sub(r"\s+(?=[\[(/])|(?<=/)\s+", "", line.strip("#% \t\r").rstrip(",;"))  # "t [us]", "t / us" are one
    words = [re.split(r"[\[\](_/]", word.lower().strip('" )]')) for word in SPLIT.split(line)]
    order = {name: i for i, word in enumerate(words) for name, known in ALIASES.items() if word[0] in known}
    if set(order) != set("txyp"):
        return {}, None
    return order, next((UNITS[part] for part in words[order["t"]][1:] if part in UNITS), None)


def guessed(sample: np.ndarray[Any, Any], decimal: list[int]) -> dict[str, int]:
    """Column numbers from the first rows ``[n, 4]``; ``decimal`` are the columns that show decimals.

    ``t x y p`` and ``x y p t`` are told apart by them: a lone column with decimals, or the largest one that never
    falls, is the time, and the last one of 0 and 1 (or -1 and 1) the polarity. Of columns that could be coordinates one
    that stays as it is comes after one that rises.
    """
    rising = [i for i in range(4) if (np.diff(sample[:, i]) >= 0).all()]
    binary = [i for i in range(4) if np.isin(sample[:, i], (-1, 0, 1)).all()]
    candidates = (decimal if len(decimal) == 1 else []) or rising or [0]
    most, change = sample.max(0), np.ptp(sample, 0) > 0
    time = max(candidates, key=lambda i: (most[i] >= _WIDEST, change[i], most[i], -i))
    sign = next((i for i in (3, 2, 1, 0) if i in binary and i != time), 3 if time != 3 else 2)
    x, y = (i for i in range(4) if i not in (time, sign))
    return {"t": time, "x": x, "y": y, "p": sign}
