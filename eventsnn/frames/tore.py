"""TORE volumes: how long ago the last K events of each pixel were, on a logarithmic scale."""

from __future__ import annotations

from typing import Any

import torch

from eventsnn.events import Events, microseconds

from .binning import NEVER, device_of
from .bins import bins
from .cells import cells, fits
from .packed import Packed
from .sparse import places, stamps_of

__all__ = ["to_tore"]


def to_tore(
    events: Events | Packed,
    dt: int | str | None = None,
    n_bins: int | None = None,
    *,
    k: int = 3,
    shortest: int | str = "150us",
    longest: int | str = "5s",
    fifo: torch.Tensor | None = None,
    sensor: tuple[int, int] | None = None,
    channels: int | str = 2,
    downsample: int = 1,
    dtype: torch.dtype = torch.float32,
    **time: Any,
) -> torch.Tensor:
    """Time-ordered recent events ``[T, C k, H, W]`` at the end of each bin (``[T, B, C k, H, W]`` of ``Packed``).

    Channel ``c k + j`` is ``log(1 + min(max(t_k - t_j, shortest), longest))`` with ``t_j`` the j-th last event of
    polarity c, in us; where there was none, ``log(1 + longest)``. ``fifo``, ``[C, H, W, k]`` (``[B, C, H, W, k]``),
    int64, holds the last stamps at the start, latest first, and is brought up to date in place. ``start``, ``stop`` and
    ``duration`` are those of ``to_frames``. Baldwin et al., Time-ordered recent event (TORE) volumes for event cameras
    (2022).

    >>> events = Events([0, 400, 900], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 1], sensor=(2, 1))
    >>> to_tore(events, "1ms", k=2, channels=1).exp().round().flatten(2).tolist()
    [[[601.0, 151.0], [1001.0, 5000001.0]]]
    """
    low, high = microseconds(shortest), microseconds(longest)
    if k < 1 or not 0 <= low < high:
        raise ValueError(f"k must be at least 1 and shortest < longest, got k={k}, {shortest!r}, {longest!r}")
    if channels not in (1, 2):
        raise ValueError(f"channels must be 2 (OFF, ON) or 1 (both together), got {channels!r}")
    events, wanted = bins(events, dt, n_bins, **time)
    grid = cells(events, sensor, channels, downsample)
    batch = events if isinstance(events, Packed) else Packed(events, [0], [len(events)])
    device, shape = device_of(batch), (len(batch), *grid.shape)
    fits((wanted.n, *shape[:1], k * grid.shape[0], *grid.shape[1:]), dtype, device)
    if fifo is None:
        fifo = torch.full((*shape, k), NEVER, device=device)
    columns = places(batch, wanted, grid)
    order = columns[0].argsort(stable=True)
    frame, recording, cell, _, where = (column[order] for column in columns)
    stamps = stamps_of(batch)[where]
    ends = torch.as_tensor(wanted.times(batch, 1), device=device)
    size = shape[1] * shape[2] * shape[3]
    edges = torch.searchsorted(frame, torch.arange(wanted.n + 1, device=device)).tolist()
    rows = fifo.view(-1, k)
    volumes = []
    for i in range(wanted.n):
        part = slice(edges[i], edges[i + 1])
        update_fifo(rows, recording[part] * size + cell[part], stamps[part])
        volumes.append(tore_values(rows.view(*shape, k), ends[i].view(-1, 1, 1, 1, 1), low, high).to(dtype))
    none = (0, shape[0], shape[1] * k, *shape[2:])
    out = torch.stack(volumes) if volumes else torch.empty(none, dtype=dtype, device=device)
    return out if isinstance(events, Packed) else out[:, 0]


def update_fifo(rows: torch.Tensor, row: torch.Tensor, stamps: torch.Tensor) -> None:
    """Push stamps, in order of time, into their rows of ``[rows, k]``, latest first, in place.

    >>> rows = torch.tensor([[5, 3], [4, 2]])
    >>> update_fifo(rows, torch.tensor([1, 1, 0, 1]), torch.tensor([6, 7, 8, 9]))
    >>> rows.tolist()
    [[8, 5], [9, 7]]
    """
    k = rows.shape[1]
    touched, inverse, counts = row.unique(return_inverse=True, return_counts=True)
    order = inverse.argsort(stable=True)
    back = counts.cumsum(0)[inverse[order]] - 1 - torch.arange(len(row), device=row.device)  # 0: the row's latest
    new = rows.new_full((len(touched), 2 * k), NEVER)
    new[:, k:] = rows[touched]
    recent = back < k
    new[inverse[order][recent], back[recent]] = stamps[order][recent]
    number, place = counts[:, None].clamp(max=k), torch.arange(k, device=row.device)
    rows[touched] = new.gather(1, torch.where(place < number, place, k + place - number))


def tore_values(fifo: torch.Tensor, now: torch.Tensor | int, shortest: int, longest: int) -> torch.Tensor:
    """The volume ``[..., C k, H, W]`` of stamps ``[..., C, H, W, k]`` at the time ``now``."""
    age = torch.where(fifo == NEVER, longest, (now - fifo).clamp(shortest, longest))
    return (age + 1).double().log().movedim(-1, -3).flatten(-4, -3)
