"""Binning on whichever device the events are: a GPU kernel, or the CPU's; and what is said when it cannot be."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

import numpy as np
import torch

from eventsnn.events import Events

from .bins import UNSORTED, Bins, device_of, uses_gpu
from .cells import Cells, largest, unset, zeros
from .packed import Packed

Op = Literal["add", "binary", "bilinear", "latest"]
NEVER = torch.iinfo(torch.int64).min


def binned(
    events: Events | Packed, bins: Bins, grid: Cells, op: Op, dtype: torch.dtype = torch.float32, check: bool = True
) -> torch.Tensor:
    """Frames ``[T, B, C, H, W]`` of a batch, ``[T, C, H, W]`` of one recording.

    Raises ValueError for events outside the sensor, counts that ``dtype`` cannot hold, or stamps out of order; on a GPU
    the kernel finds these, and with ``check`` false nothing waits for it: such events are left out.
    """
    largest(dtype)
    if not dtype.is_floating_point and op == "bilinear":
        raise ValueError(f"weights between 0 and 1 need a floating-point dtype, got {dtype}")
    if not dtype.is_signed and grid.channels == "signed":
        raise ValueError(f"signed frames need a dtype with a sign, got {dtype}")
    if uses_gpu(events):
        from . import gpu

        out, flags = gpu.frames(events, bins, grid, dtype, op)
        fault = int(flags) if check else 0
        if fault & gpu.TOO_MANY:
            raise ValueError(f"n_bins must lie between 1 and the us of the span, got {bins.n}; a recording is shorter")
        _refuse(fault & gpu.OUTSIDE, fault & gpu.OVERFLOW, fault & gpu.UNSORTED, events, grid, dtype)
    else:
        out = _on_cpu(events, bins, grid, op, dtype).to(device_of(events))
    return out[:, 0] if isinstance(events, Events) else out


def _on_cpu(events: Events | Packed, bins: Bins, grid: Cells, op: Op, dtype: torch.dtype) -> torch.Tensor:
    from . import cpu
    from .kernels import SPARSE

    host = events.numpy()
    packed = host if isinstance(host, Packed) else Packed.from_offsets(host, np.array([0, len(host)]))
    shape = (bins.n, len(packed), *grid.shape)
    here = torch.device("cpu")
    if op == "latest":
        out = zeros(shape, torch.int64, here).fill_(NEVER)
        outside = cpu.latest(out, packed, grid, *bins.ranges(packed))
    elif op == "bilinear":
        out = zeros(shape, torch.float32, here)
        outside = cpu.bilinear(out, packed, grid, *bins.limits(packed))
        out = out.to(dtype)
    else:
        clear = SPARSE * len(packed.events) <= prod(shape)  # else frames are written as a whole
        out = zeros(shape, dtype, here) if clear else unset(shape, dtype)
        fault, most = cpu.counts(out, packed, grid, *bins.ranges(packed), op == "binary", clear)
        outside = fault == cpu.OUTSIDE
        _refuse(False, fault == cpu.OVERFLOW, False, events, grid, dtype, most)
    _refuse(outside, False, False, events, grid, dtype)
    return out


def _refuse(
    outside: Any, overflow: Any, unsorted: Any, events: Events | Packed, grid: Cells, dtype: torch.dtype, most: int = 0
) -> None:
    if unsorted:
        raise ValueError(UNSORTED)
    if outside:
        store = events if isinstance(events, Events) else events.events
        columns = store.x, store.y, store.p
        x, y, p = (c.int() if isinstance(c, torch.Tensor) else c for c in columns)  # torch compares no uint16
        if p.max() > 1:
            raise ValueError("polarity must be 0 (OFF) or 1 (ON); pass p > 0")
        size = f"{grid.sensor[0]}x{grid.sensor[1]}"
        least, most_x, most_y = min(int(x.min()), int(y.min())), int(x.max()), int(y.max())
        raise ValueError(
            f"events lie outside the {size} sensor (largest x {most_x}, y {most_y}; least {least}); crop them first"
        )
    if overflow:
        most_held = largest(dtype)
        counted = f"{most:,}" if most else f"more than {most_held:,}"
        raise ValueError(
            f"a pixel counts {counted} events, more than {dtype} holds ({most_held:,}); use a wider dtype or binary"
        )
