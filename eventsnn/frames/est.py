"""Event spike tensor: events spread over time by a kernel, which may be learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from eventsnn.events import Events

from .bins import UNSORTED, bins, device_of
from .cells import cells, fits
from .packed import Packed
from .sparse import located, stamps_of

__all__ = ["TimeKernel", "to_event_spike_tensor"]


def to_event_spike_tensor(
    events: Events | Packed,
    n_bins: int,
    kernel: Callable[[torch.Tensor], torch.Tensor] | None = None,
    *,
    measure: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    sensor: tuple[int, int] | None = None,
    channels: int | str = 2,
    downsample: int = 1,
    dtype: torch.dtype = torch.float32,
    **time: Any,
) -> torch.Tensor:
    """Event spike tensor ``[T, C, H, W]`` (``[T, B, C, H, W]`` of ``Packed``); gradients flow to the kernel.

    ``V[k] = sum_i f(t*_i, p_i) kernel(t*_i - k / (T - 1))`` with ``t*`` from 0, the first event, to 1, the last.
    ``kernel`` is any function of times ``[n]`` to values ``[n]``, such as ``TimeKernel``; without one, the triangle
    ``max(0, 1 - (T - 1) |t|)``, which makes the voxel grid. ``measure`` is f, of times and signs; without one it is 1
    (the sign where channels are "signed"). ``start``, ``stop`` and ``duration`` are those of ``to_frames``. Gehrig et
    al., End-to-end learning of representations for asynchronous event-based data (2019).

    >>> events = Events([0, 25, 100], x=[0, 1, 1], y=[0, 0, 0], p=[1, 1, 1], sensor=(2, 1))
    >>> to_event_spike_tensor(events, 3, channels=1).flatten(1).tolist()
    [[1.0, 0.5], [0.0, 0.5], [0.0, 1.0]]
    >>> width = torch.tensor(0.5, requires_grad=True)
    >>> to_event_spike_tensor(events, 3, lambda t: torch.exp(-((t / width) ** 2))).sum().backward()
    >>> bool(width.grad > 0)
    True
    """
    if kernel is None:

        def kernel(t: torch.Tensor) -> torch.Tensor:
            return (1 - max(n_bins - 1, 1) * t.abs()).clamp(min=0)

    events, wanted = bins(events, n_bins=n_bins, **time)
    grid = cells(events, sensor, channels, downsample)
    batch = events if isinstance(events, Packed) else Packed(events, [0], [len(events)])
    fits((wanted.n, len(batch), *grid.shape), dtype, device_of(batch))
    if not batch.is_sorted:
        raise ValueError(UNSORTED)
    at, recording, cell, sign = located(batch, grid)
    first, after = (torch.as_tensor(wanted.times(batch, side), device=at.device) for side in (0, 1))
    begin, span = first[0][recording], (after[-1] - first[0])[recording]
    since = stamps_of(batch)[at] - begin
    inside = (since >= 0) & (since < span)
    when = (since.double() / (span - 1).clamp(min=1)).to(dtype)[inside]
    place = (recording * int(torch.Size(grid.shape).numel()) + cell)[inside]
    signs = sign[inside].to(dtype)
    weight = signs if measure is None else measure(when, signs)
    empty = torch.zeros(len(batch) * torch.Size(grid.shape).numel(), dtype=dtype, device=at.device)
    points = [k / max(n_bins - 1, 1) for k in range(n_bins)]
    frames = torch.stack([empty.index_add(0, place, weight * kernel(when - point)) for point in points])
    shape = (len(batch), *grid.shape) if isinstance(events, Packed) else grid.shape
    return frames.view(n_bins, *shape)


class TimeKernel(torch.nn.Module):
    """A learned kernel over time: a small perceptron from a time difference in -1..1 to a weight, ``[n] -> [n]``.

    Gehrig et al. (2019), as above, with ``hidden`` units in each of two layers.

    >>> TimeKernel()(torch.linspace(-1, 1, 5)).shape
    torch.Size([5])
    """

    def __init__(self, hidden: int = 30) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(1, hidden),
            torch.nn.LeakyReLU(0.1),
            torch.nn.Linear(hidden, hidden),
            torch.nn.LeakyReLU(0.1),
            torch.nn.Linear(hidden, 1),
        )

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        """Weights ``[n]`` of time differences ``[n]``."""
        weights: torch.Tensor = self.layers(t[:, None])
        return weights[:, 0]
