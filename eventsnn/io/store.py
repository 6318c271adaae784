"""Puts decoded pieces behind the events already there: checks the sensor and counts steps back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import EventFormatError
from .reading import Pass


def store(run: Pass, pieces: tuple[Any, Any, Any, Any], offset: int) -> None:
    """Appends ``t, x, y, p``. An event outside the sensor is an error, or is dropped and counted if skipping."""
    columns, report = run.columns, run.report
    t, x, y, p = pieces
    width, height = run.header.sensor or (1 << 15, 1 << 15)
    good = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not good.all():
        if not run.skip:
            at = int(np.argmin(good))
            raise EventFormatError(
                f"pixel ({x[at]}, {y[at]}) lies outside the {width}x{height} sensor",
                offset=offset,
                event=report.events + at,
            )
        report.outside += int(len(good) - good.sum())
        t, x, y, p = (column[good] for column in (t, x, y, p))
    if not len(t):
        return
    before = columns.last if columns.last is not None else t[0]
    report.steps_back += int((t[1:] < t[:-1]).sum()) + int(t[0] < before)
    columns.last = int(t[-1])
    columns.append((t, x, y, p))
    report.events += len(t)
