"""Puts decoded pieces behind the events already there: checks the sensor and counts steps back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import EventFormatError
from .reading import Pass


def store(run: Pass, pieces: tuple[Any, Any, Any, Any], offset: int) -> None:
    """Appends ``t, x, y, p``. An event outside the sensor is an error, or is dropped and counted if skipping."""
    columns, report, count = run.columns, run.report, len(pieces[0])
    if not count:
        return
    width, height = run.header.sensor or (1 << 15, 1 << 15)
    x, y = pieces[1:3]
    if x.min() < 0 or y.min() < 0 or x.max() >= width or y.max() >= height:
        good = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if not run.skip:
            at = int(np.argmin(good))
            raise EventFormatError(
                f"pixel ({x[at]}, {y[at]}) lies outside the {width}x{height} sensor; on_error='skip' drops such events",
                offset=offset,
                event=report.events + at,
            )
        report.outside += int(count - good.sum())
        t, x, y, p = (column[good] for column in pieces)
        return store(run, (t, x, y, p), offset)
    t = columns.append(pieces)[0]
    before = columns.last if columns.last is not None else t[0]
    report.steps_back += int(np.count_nonzero(t[1:] < t[:-1])) + int(t[0] < before)
    columns.last = int(t[-1])
    report.events += count
    return None


def whole(columns: Mapping[str, Any], at: int, unit: int | None = None) -> tuple[Any, Any, Any, Any]:
    """``t, x, y, p`` as whole numbers; p > 0 is ON; ``at`` is where they stand.

    ``unit`` is the power of ten that takes the times to us; without it those with decimals are in seconds.
    """
    for name, column in columns.items():
        if column.ndim != 1 or column.dtype.kind not in "iufb":
            raise EventFormatError(f"column {name} is of type {column.dtype}; numbers were expected", offset=at)
        if column.dtype.kind == "f" and not np.isfinite(column).all():
            raise EventFormatError(f"column {name} holds values that are no numbers", offset=at)
    t, x, y, p = (columns[name] for name in "txyp")
    power = unit if unit is not None else 6 if t.dtype.kind == "f" else 0
    scaled = t.astype(np.float64) * 10.0**power
    if len(t) and (scaled.max() >= 2.0**63 or scaled.min() < -(2.0**63)):
        raise EventFormatError("a time stamp beyond 64 bits", offset=at)
    if t.dtype.kind == "f":
        t = np.rint(scaled)
    elif power:
        t = t.astype(np.int64)
        t = t * 10**power if power > 0 else (t + 10**-power // 2) // 10**-power
    for name, column in (("x", x), ("y", y)):
        if column.dtype.kind == "f" and (column % 1).any():
            raise EventFormatError(f"column {name} holds coordinates that are not whole numbers", offset=at)
    return t.astype(np.int64), x, y, p > 0
