"""How the elements of one time step lie in memory, in as few dimensions as possible."""

from __future__ import annotations

import torch
from torch import Tensor

Layout = tuple[tuple[int, int], ...]  # (size, stride), slowest first; () is one value for all


def collapse(shape: tuple[int, ...], strides: tuple[int, ...]) -> Layout:
    """Dimensions of size 1 dropped, neighbours merged where one stride covers both.

    >>> collapse((2, 3, 4), (12, 4, 1)), collapse((2, 3), (1, 2)), collapse((2, 3), (0, 0))
    (((24, 1),), ((2, 1), (3, 2)), ())
    """
    dims: list[tuple[int, int]] = []
    for size, stride in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if dims and dims[-1][1] == stride * size:
            dims[-1] = (dims[-1][0] * size, stride)
        else:
            dims.append((size, stride))
    return () if len(dims) == 1 and dims[0][1] == 0 else tuple(dims)


def layout_of(tensor: Tensor, timed: bool) -> Layout:
    """The layout of a tensor, of one step of it if its first axis is time."""
    if tensor.numel() == 1:
        return ()
    if tensor.is_contiguous():
        return ((tensor.numel() // (tensor.shape[0] if timed else 1), 1),) if tensor.numel() else ()
    return collapse(tensor.shape[timed:], tensor.stride()[timed:])


def is_row(layout: Layout) -> bool:
    """Whether element n lies at offset n."""
    return len(layout) == 1 and layout[0][1] == 1


def offsets(layout: Layout) -> Tensor:
    """The offset of every element, int64 of shape `[N]`, for layouts that need a table."""
    result = torch.zeros(1, dtype=torch.int64)
    for size, stride in layout:
        result = (result[:, None] + torch.arange(size) * stride).flatten()
    return result
