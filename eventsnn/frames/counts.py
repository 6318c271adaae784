"""Event counts per bin, polarity and pixel: ``[T, 2, H, W]``."""

from __future__ import annotations

import os

import torch

from eventsnn.events import Events, microseconds


def _check_size(n_bins: int, height: int, width: int, device: torch.device) -> None:
    """Refuse counts that the memory cannot hold, before trying to."""
    need = n_bins * 2 * height * width * torch.int32.itemsize
    if device.type == "cuda":
        limit = torch.cuda.mem_get_info(device)[0]
    elif hasattr(os, "sysconf"):
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    else:
        return
    if need > limit:
        raise MemoryError(
            f"{n_bins:,} frames of 2x{height}x{width} need {need / 2**30:,.1f} GiB and there are {limit / 2**30:,.1f}; "
            "use longer bins, or go through the recording window by window with eventsnn.windows"
        )


def to_frames(
    events: Events,
    dt: int | str | None = None,
    n_bins: int | None = None,
    *,
    start: int | None = None,
    stop: int | None = None,
    sensor: tuple[int, int] | None = None,
    binary: bool = False,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Counts of OFF (channel 0) and ON (channel 1) events in bins of equal length, ``[T, 2, H, W]``.

    Give ``dt`` (us, or a text such as "10ms": bin k holds ``start + k dt <= t < start + (k + 1) dt``; the last bin may
    reach past the last event) or ``n_bins`` (the span from ``start`` to ``stop`` in so many equal parts). ``start``
    defaults to the first event and ``stop``, exclusive, to just after the last: then every event is in exactly one bin.
    Events outside ``start..stop`` are left out. ``binary`` gives 0 or 1 instead of counts. The result lies on the
    device of the events; NumPy events give a CPU tensor. Events need not be in order.

    Raises ValueError for a window that is not positive, an unknown sensor size, events outside the sensor, or counts
    that ``dtype`` cannot hold, and MemoryError where the frames would not fit.

    >>> events = Events([0, 400, 1_200, 2_900], x=[0, 1, 1, 2], y=[0, 0, 1, 1], p=[0, 1, 1, 1], sensor=(3, 2))
    >>> frames = to_frames(events, dt="1ms")
    >>> frames.shape, frames.sum(dim=(1, 2, 3)).tolist()
    (torch.Size([3, 2, 2, 3]), [2.0, 1.0, 1.0])
    >>> to_frames(events, n_bins=2).sum().item()
    4.0
    """
    if (dt is None) == (n_bins is None):
        raise ValueError("give either dt, the length of a bin, or n_bins, their number")
    size = sensor or events.sensor
    if size is None:
        raise ValueError("the sensor size of these events is not known; pass sensor=(width, height)")
    width, height = size
    device = events.t.device if isinstance(events.t, torch.Tensor) else torch.device("cpu")
    whole = Events(*events.columns, sensor=size).to(device)
    if len(whole) and bool(whole.outside().any()):
        x, y = int(whole.x.max()), int(whole.y.max())
        raise ValueError(f"events lie outside the {width}x{height} sensor (largest x {x}, y {y}); crop them first")

    first = int(whole.t.min()) if len(whole) else 0
    start = first if start is None else int(start)
    stop = (int(whole.t.max()) + 1 if len(whole) else start) if stop is None else int(stop)
    span = stop - start
    if span < 0:
        raise ValueError(f"stop ({stop} us) lies before start ({start} us)")
    if dt is not None:
        length = microseconds(dt)
        if length <= 0:
            raise ValueError(f"dt must be at least 1 us, got {dt!r}")
        n_bins = -(-span // length)
    elif n_bins is None or n_bins <= 0 or (span and n_bins > span):
        raise ValueError(f"n_bins must lie between 1 and the {span} us of the span, got {n_bins}")
    _check_size(n_bins, height, width, device)

    t = whole.t - start
    inside = (t >= 0) & (t < span)
    bins = t // length if dt is not None else t * n_bins // max(span, 1)
    index = ((bins * 2 + whole.p) * height + whole.y) * width + whole.x
    counts = torch.zeros(n_bins * 2 * height * width, dtype=torch.int32, device=device)
    index = index[inside]
    counts.scatter_add_(0, index, torch.ones_like(index, dtype=torch.int32))
    if binary:
        counts.clamp_(max=1)
    most = int(counts.max()) if len(index) else 0
    limit = torch.iinfo(dtype).max if not (dtype.is_floating_point or dtype is torch.bool) else most
    if most > limit:
        raise ValueError(
            f"a pixel counts {most} events, more than {dtype} holds ({limit}); use a wider dtype or binary"
        )
    return counts.to(dtype).view(n_bins, 2, height, width)
