"""Memory for large results on the CPU, kept and given out again, as PyTorch itself does only on GPUs.

The first write to a fresh page costs more than all arithmetic on it: a copy of 125 MiB took 58 ms into fresh pages of
4 KiB, 15 ms into fresh pages of 2 MiB and 5 ms into memory written before. So a buffer whose tensor is gone waits for
the next result of its size, and new ones are taken in large pages where Linux grants them.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

PAGE, LINE = 2**21, 64
KEPT: deque[np.ndarray[Any, Any]] = deque()  # buffers that nobody uses, the oldest first


def fresh(shape: Sequence[int], dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:
    """As `torch.empty`.

    >>> fresh((3, 2), torch.float32).shape
    torch.Size([3, 2])
    """
    size = prod(shape) * dtype.itemsize
    if size < 4 * PAGE or torch.device(device).type != "cpu":
        return torch.empty(shape, dtype=dtype, device=device)
    whole = _kept(size)
    part = whole[:size]  # a new object, whose end tells that the tensor and all its views are gone
    weakref.finalize(part, _keep, whole).atexit = False
    return torch.from_numpy(part).view(dtype).view(shape)


def release() -> None:
    """Give the memory that waits for the next results back to the system."""
    KEPT.clear()


def _kept(size: int) -> np.ndarray[Any, Any]:
    """A buffer of exactly this size, an old one if there is one."""
    for _ in range(len(KEPT)):
        try:
            found = KEPT.pop()
        except IndexError:  # another thread took it
            break
        if found.nbytes == size:
            return found
        KEPT.appendleft(found)
    room = np.empty(size + LINE, np.uint8)
    buffer = room[-room.ctypes.data % LINE :][:size]
    start, end = -(-buffer.ctypes.data // PAGE) * PAGE, (buffer.ctypes.data + size) // PAGE * PAGE
    advise = _advice()
    if advise is not None:
        advise(start, end - start, mmap.MADV_HUGEPAGE)  # only advice: a refusal changes nothing
    return buffer


def _keep(buffer: np.ndarray[Any, Any]) -> None:
    KEPT.append(buffer)
    while sum(kept.nbytes for kept in tuple(KEPT)) > _limit():
        KEPT.popleft()


@cache
def _limit() -> int:
    """An eighth of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8 if hasattr(os, "sysconf") else 2**30


@cache
def _advice() -> Callable[..., Any] | None:
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function
