"""Tracks at other times than those of their windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .records import Tracks


def resample(tracks: Tracks, t_us: Sequence[int] | NDArray[Any]) -> Tracks:
    """Tracks at the times ``t_us`` ``[n]`` [us]; frame k + 1 is the time k.

    Places, sizes and velocities are interpolated between two rows of an id, everything else is the nearer row's. An id
    that pauses for over one and a half windows has no row meanwhile; before its first and after its last row it stays
    for half a window.

    Raises ValueError for times that do not increase.

    >>> tracks = Tracks.of([(k, 2000 * k, 1, 10.0 * k, 0.0, 8.0, 8.0, 0.0, 0.0, 1.0, 0, 9) for k in (1, 2, 3, 4)])
    >>> resample(tracks, [5000, 10_000]).x.tolist()
    [25.0]
    """
    times = np.asarray(t_us, np.int64)
    if (np.diff(times) <= 0).any():
        raise ValueError("t_us must increase")
    present = np.unique(tracks.t_us)
    window = float(np.median(np.diff(present))) if len(present) > 1 else 0.0
    parts = [_one(tracks[tracks.id == number], times, window) for number in tracks.ids]
    return Tracks.of(row for part in parts for row in part.rows())


def _one(track: Tracks, times: NDArray[np.int64], window: float) -> Tracks:
    after = np.searchsorted(track.t_us, times).clip(0, len(track) - 1)
    before = np.where(track.t_us[after] < times, after, np.maximum(after - 1, 0))
    gap = track.t_us[after] - track.t_us[before]
    share = np.divide(times - track.t_us[before], gap, out=np.zeros(len(times)), where=gap > 0)
    nearer = np.where(share > 0.5, after, before)
    near = np.abs(times - track.t_us[nearer]) <= window / 2
    here = near | ((share > 0) & (share < 1) & (gap <= 1.5 * window))
    number = np.flatnonzero(here)
    between = {
        name: (column[before] + (column[after] - column[before]) * share.clip(0, 1))[number]
        for name in ("x", "y", "w", "h", "vx", "vy")
        for column in (getattr(track, name),)
    }
    return replace(track[nearer[number]], frame=number + 1, t_us=times[number], **between)
