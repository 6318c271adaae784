"""Cells: the pixels of a frame, its channels, and what a tensor of such frames may hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from eventsnn.events import Events, sensor_size
from eventsnn.memory import fresh

from .packed import Packed

SIGNED = "signed"
EXACT = {torch.float16: 2**11, torch.bfloat16: 2**8, torch.float32: 2**24, torch.float64: 2**53, torch.bool: 1}


@dataclass(frozen=True)
class Cells:
    """Frames ``[C, H, W]`` of a sensor ``(width, height)``: ``factor`` x ``factor`` pixels are one cell.

    ``channels``: 2 (OFF, ON), 1 (both together) or "signed" (one channel, ON less OFF). Raises ValueError for others.
    """

    sensor: tuple[int, int]
    channels: int | str = 2
    factor: int = 1

    def __post_init__(self) -> None:
        if self.channels not in (1, 2, SIGNED):
            raise ValueError(f"channels must be 2 (OFF, ON), 1 (both together) or 'signed', got {self.channels!r}")
        if not isinstance(self.factor, int | np.integer) or isinstance(self.factor, bool) or self.factor < 1:
            raise ValueError(f"downsample must be a whole number of pixels, 1 or more, got {self.factor!r}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(C, H, W)``; pixels left over at the right and lower borders make cells of their own."""
        width, height = self.sensor
        return 2 if self.channels == 2 else 1, -(-height // self.factor), -(-width // self.factor)


def cells(
    events: Events | Packed, sensor: tuple[int, ...] | None = None, channels: int | str = 2, downsample: int = 1
) -> Cells:
    """The cells for events; ``sensor`` is ``(width, height)``. Raises ValueError if it is not known or not positive."""
    size = sensor or events.sensor
    if size is None:
        raise ValueError("the sensor size of these events is not known; pass sensor=(width, height)")
    return Cells(sensor_size(size[:2]), channels, downsample)


def largest(dtype: torch.dtype) -> int:
    """The largest n so that all whole numbers up to n can be held. Raises ValueError for what is no type of numbers.

    >>> largest(torch.uint8), largest(torch.float16)
    (255, 2048)
    """
    if not isinstance(dtype, torch.dtype) or dtype.is_complex:
        raise ValueError(f"dtype must be one of torch's real types, such as torch.uint8 or torch.float32, got {dtype}")
    return EXACT[dtype] if dtype in EXACT else torch.iinfo(dtype).max


def fits(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> int:
    """How many bytes a tensor needs. Raises MemoryError, before trying, for more than the whole memory."""
    need = prod(shape) * dtype.itemsize
    limit = None
    if need < 2**28:
        pass
    elif device.type == "cuda":
        limit = torch.cuda.get_device_properties(device).total_memory
    elif hasattr(os, "sysconf"):
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if limit is not None and need > limit:
        raise _too_large(shape, need, limit)
    return need


def zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Zeros, on the CPU in memory that is not touched before it is written to. Raises MemoryError as ``fits`` does."""
    need = fits(shape, dtype, device)
    if device.type == "cpu" and need:
        return torch.from_numpy(np.zeros(need, np.uint8)).view(dtype).view(shape)
    try:
        return torch.zeros(shape, dtype=dtype, device=device)
    except torch.OutOfMemoryError:
        raise _too_large(shape, need, torch.cuda.mem_get_info(device)[0]) from None


def unset(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Memory on the CPU with anything in it, if it can be of a result that is gone. Raises MemoryError as ``fits``."""
    fits(shape, dtype, torch.device("cpu"))
    return fresh(shape, dtype)


def _too_large(shape: tuple[int, ...], need: int, limit: int) -> MemoryError:
    return MemoryError(
        f"{shape[0]:,} frames of {'x'.join(str(n) for n in shape[1:])} need {need / 2**30:,.1f} GiB and there are "
        f"{limit / 2**30:,.1f}; use longer bins, or go through the recording in bounded memory: eventsnn.windows, or "
        "the stream method of a representation"
    )
