"""Event counts per bin, polarity and pixel: ``[T, C, H, W]``; stacking by time and by number."""

from __future__ import annotations

from typing import Any

import torch

from eventsnn.events import Events

from .binning import binned
from .bins import bins
from .cells import SIGNED, cells
from .packed import Packed

__all__ = ["stack_by_number", "stack_by_time", "to_frames"]


def to_frames(
    events: Events | Packed,
    dt: int | str | None = None,
    n_bins: int | None = None,
    *,
    count: int | None = None,
    n_event_bins: int | None = None,
    overlap: int | str = 0,
    start: int | None = None,
    stop: int | None = None,
    duration: int | str | None = None,
    incomplete: bool = True,
    sensor: tuple[int, int] | None = None,
    channels: int | str = 2,
    binary: bool = False,
    downsample: int = 1,
    dtype: torch.dtype = torch.float32,
    check: bool = True,
) -> torch.Tensor:
    """Counts of events in bins of time or number: ``[T, C, H, W]``, or ``[T, B, C, H, W]`` for ``Packed`` recordings.

    Give one of ``dt`` (us, or a text such as "10ms": bin k holds ``start + k dt <= t < start + (k + 1) dt``),
    ``n_bins`` (the span from ``start`` to ``stop`` in so many equal parts), ``count`` (events a bin) or
    ``n_event_bins`` (so many bins of equal numbers of events). With ``overlap`` (us, text, or events) bins begin
    ``dt - overlap`` apart; there are as many as it takes to reach the last event, or without ``incomplete`` those that
    end by then.

    ``start`` defaults to the first event (of each recording) and ``stop``, exclusive, to just after the last: then
    every event is in exactly one bin. ``duration`` after the start may be given in place of ``stop``. Events outside
    are left out. ``channels``: 2 (OFF, ON), 1 (both together) or "signed" (ON less OFF). ``binary`` gives 0 or 1
    (signed: the sign). ``downsample`` takes so many pixels each way as one. The result lies on the device of the
    events; NumPy events give a CPU tensor. One recording need not be in order, unless bins go by number.

    Raises ValueError for a window that is not positive, more bins than microseconds, an unknown sensor size, events
    outside the sensor, or counts that ``dtype`` cannot hold exactly, and MemoryError where the frames would not fit.
    Faults of events on a GPU are found by the kernel and read once; with ``check`` false they are not, nothing waits,
    and faulty events are left out.

    >>> events = Events([0, 400, 1_200, 2_900], x=[0, 1, 1, 2], y=[0, 0, 1, 1], p=[0, 1, 1, 1], sensor=(3, 2))
    >>> frames = to_frames(events, dt="1ms")
    >>> frames.shape, frames.sum(dim=(1, 2, 3)).tolist()
    (torch.Size([3, 2, 2, 3]), [2.0, 1.0, 1.0])
    >>> to_frames(events, n_bins=2).sum().item()
    4.0
    >>> to_frames(events, count=2, channels="signed", downsample=2, dtype=torch.int16).tolist()
    [[[[0, 0]]], [[[1, 1]]]]
    >>> to_frames(Packed.join([events, events[1:]]), dt="1ms").sum(dim=(2, 3, 4)).tolist()
    [[2.0, 2.0], [1.0, 0.0], [1.0, 1.0]]
    """
    events, wanted = bins(events, dt, n_bins, count, n_event_bins, overlap, start, stop, duration, incomplete)
    grid = cells(events, sensor, channels, downsample)
    return binned(events, wanted, grid, "binary" if binary or dtype is torch.bool else "add", dtype, check)


def stack_by_time(events: Events | Packed, n_bins: int, **settings: Any) -> torch.Tensor:
    """Stacking by time (SBT): the signed sum of polarities in ``n_bins`` equal parts of the duration, ``[T, 1, H, W]``.

    Wang et al., Event-based high dynamic range image and very high frame rate video generation (2019). Settings are
    those of ``to_frames``.

    >>> events = Events([0, 1, 2, 9], x=[0, 0, 1, 1], y=[0, 0, 0, 0], p=[1, 1, 0, 1], sensor=(2, 1))
    >>> stack_by_time(events, 2).flatten(1).tolist()
    [[2.0, -1.0], [0.0, 1.0]]
    """
    return to_frames(events, n_bins=n_bins, **{"channels": SIGNED, **settings})


def stack_by_number(events: Events | Packed, n_bins: int, **settings: Any) -> torch.Tensor:
    """Stacking by number (SBN): the signed sum of polarities in ``n_bins`` parts of equal numbers, ``[T, 1, H, W]``.

    Wang et al. (2019), as above: adapts to the rate of events. Settings are those of ``to_frames``.

    >>> events = Events([0, 1, 2, 9], x=[0, 0, 1, 1], y=[0, 0, 0, 0], p=[1, 1, 0, 1], sensor=(2, 1))
    >>> stack_by_number(events, 2).flatten(1).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    return to_frames(events, n_event_bins=n_bins, **{"channels": SIGNED, **settings})
