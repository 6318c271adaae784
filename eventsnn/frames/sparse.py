"""Sparse counts for bins so fine that dense frames would be nearly empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from eventsnn.events import Events

from .bins import UNSORTED, Bins, bins
from .cells import SIGNED, Cells, cells
from .packed import Packed

__all__ = ["to_sparse"]


def to_sparse(
    events: Events | Packed,
    dt: int | str | None = None,
    n_bins: int | None = None,
    *,
    channels: int | str = 2,
    sensor: tuple[int, int] | None = None,
    downsample: int = 1,
    dtype: torch.dtype = torch.float32,
    **time: Any,
) -> torch.Tensor:
    """What ``to_frames`` gives, as a coalesced sparse COO tensor ``[T, C, H, W]`` (``Packed``: ``[T, B, C, H, W]``).

    Memory goes with the number of events, not of bins. The bins are those of ``to_frames``: ``count``,
    ``n_event_bins``, ``overlap``, ``start``, ``stop``, ``duration``, ``incomplete``. With "signed" channels a cell may
    hold a sum of 0. Stamps of one recording on a GPU must be in order.

    >>> events = Events([0, 400, 400, 9_000_000], x=[0, 1, 1, 2], y=[0, 0, 0, 1], p=[0, 1, 1, 1], sensor=(3, 2))
    >>> frames = to_sparse(events, dt=1)
    >>> frames.shape, frames.values().tolist()
    (torch.Size([9000001, 2, 2, 3]), [1.0, 2.0, 1.0])
    """
    events, wanted = bins(events, dt, n_bins, **time)
    grid = cells(events, sensor, channels, downsample)
    batch = events if isinstance(events, Packed) else Packed(events, [0], [len(events)])
    shape = (wanted.n, len(batch), *grid.shape)
    if int(np.prod(shape, dtype=object)) >= 2**63:
        raise ValueError(f"frames {list(shape)} have more cells than int64 counts; use longer bins")
    frame, recording, cell, sign, _ = places(batch, wanted, grid)
    key = (frame * shape[1] + recording) * int(np.prod(grid.shape)) + cell
    unique, inverse = key.unique(return_inverse=True)
    values = torch.zeros(len(unique), dtype=dtype, device=key.device)
    values.index_add_(0, inverse, sign.to(dtype))
    kept = shape if isinstance(events, Packed) else (shape[0], *shape[2:])
    index = torch.stack(torch.unravel_index(unique, kept)) if len(unique) else key.new_zeros((len(kept), 0))
    with torch.sparse.check_sparse_tensor_invariants(enable=False):  # they hold by construction
        return torch.sparse_coo_tensor(index, values, kept, is_coalesced=True)


def located(packed: Packed, grid: Cells) -> tuple[torch.Tensor, ...]:
    """Of each event of the recordings: its position in the columns, its recording, its cell in ``[C, H, W]``, 1 or -1.

    Raises ValueError for events outside the sensor.
    """
    begin, lengths = (torch.as_tensor(v) for v in (packed.begin, packed.lengths))
    recording = torch.repeat_interleave(lengths)
    local = torch.arange(len(recording), device=begin.device) - (lengths.cumsum(0) - lengths)[recording]
    at = begin[recording] + local
    x, y, p = (torch.as_tensor(c)[at].long() for c in (packed.events.x, packed.events.y, packed.events.p))
    width, height = grid.sensor
    if bool(((x < 0) | (x >= width) | (y < 0) | (y >= height) | (p > 1)).any()):
        raise ValueError(f"events lie outside the {width}x{height} sensor, or polarity is not 0 or 1; crop them first")
    channel = p if grid.channels == 2 else p * 0
    _, rows, columns = grid.shape
    cell = (channel * rows + y // grid.factor) * columns + x // grid.factor
    return at, recording, cell, 2 * p - 1 if grid.channels == SIGNED else torch.ones_like(p)


def stamps_of(packed: Packed) -> torch.Tensor:
    """The column t as a tensor."""
    return torch.as_tensor(packed.events.t)


def places(packed: Packed, wanted: Bins, grid: Cells) -> tuple[torch.Tensor, ...]:
    """Frame, recording, cell, sign and position of each event in each bin that it falls in, in order within a bin."""
    if not packed.is_sorted:
        raise ValueError(UNSORTED)
    at, recording, cell, sign = located(packed, grid)
    origin, reach = (torch.as_tensor(v, device=at.device)[recording] for v in wanted.checked(packed.numpy()))
    place = at - torch.as_tensor(packed.begin)[recording] if wanted.ordered else stamps_of(packed)[at]
    since = place - origin
    if wanted.parts:
        latest, reached = _part(since, reach, wanted.n), 1
    else:
        latest = since.div(wanted.stride, rounding_mode="floor")
        reached = -(-wanted.window // wanted.stride)
    found = []
    for back in range(reached):
        frame = latest - back
        held = (since >= 0) & (since < reach) & (frame >= 0) & (frame < wanted.n)
        if not wanted.parts:
            held &= since - frame * wanted.stride < wanted.window
        which = held.nonzero()[:, 0]
        found.append((frame[which], recording[which], cell[which], sign[which], at[which]))
    return tuple(torch.cat(column) for column in zip(*found, strict=True))


def _part(since: torch.Tensor, span: torch.Tensor, n: int) -> torch.Tensor:
    """``since n / span`` rounded down: an estimate in float64, set right by whole numbers."""
    span = span.clamp(min=1)
    part = (since.double() * n / span).long()
    rest = since * n - part * span  # small, also where the products wrap around
    return part + (rest >= span).long() - (rest < 0).long()
