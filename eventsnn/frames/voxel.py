"""Voxel grid: each event is shared between the two nearest of n points in time."""

from __future__ import annotations

import torch

from eventsnn.events import Events

from .binning import binned
from .bins import bins
from .cells import SIGNED, cells
from .packed import Packed

__all__ = ["to_voxel_grid"]


def to_voxel_grid(
    events: Events | Packed,
    n_bins: int,
    *,
    start: int | None = None,
    stop: int | None = None,
    duration: int | str | None = None,
    sensor: tuple[int, int] | None = None,
    channels: int | str = SIGNED,
    downsample: int = 1,
    dtype: torch.dtype = torch.float32,
    check: bool = True,
) -> torch.Tensor:
    """Voxel grid ``[T, C, H, W]``, or ``[T, B, C, H, W]`` for ``Packed`` recordings, with T = ``n_bins``.

    ``V[k] = sum_i p_i max(0, 1 - |k - t*_i|)`` with ``t* = (T - 1) (t - start) / (stop - 1 - start)``: the first event
    is all in the first bin, the last in the last, and the two weights of an event sum to one. ``p`` is -1 or 1 in the
    one channel of "signed", else 1. ``start``, ``stop`` and the other settings are those of ``to_frames``; if all
    events are simultaneous they go to the first bin. Zhu et al., Unsupervised event-based learning of optical flow,
    depth, and egomotion (2019).

    Raises ValueError as ``to_frames`` does, and for a dtype that is not floating-point.

    >>> events = Events([0, 25, 100], x=[0, 1, 1], y=[0, 0, 0], p=[1, 1, 0], sensor=(2, 1))
    >>> to_voxel_grid(events, 3).flatten(1).tolist()
    [[1.0, 0.5], [0.0, 0.5], [0.0, -1.0]]
    """
    events, wanted = bins(events, n_bins=n_bins, start=start, stop=stop, duration=duration)
    return binned(events, wanted, cells(events, sensor, channels, downsample), "bilinear", dtype, check)
