"""Recordings of spikes as spike counts per bin and channel: ``[T, channels]``."""

from __future__ import annotations

from typing import Any

import torch

from eventsnn.events import Events
from eventsnn.frames import Packed, to_frames

__all__ = ["trains"]


def trains(
    events: Events | Packed, dt: int | str | None = None, n_bins: int | None = None, **options: Any
) -> torch.Tensor:
    """Spikes per bin and channel, ``[T, C]``; of packed recordings ``[T, B, C]``.

    ``dt``, ``n_bins`` and the options are those of ``eventsnn.to_frames``; ``pool=k`` adds up k neighbouring channels,
    C = channels / k rounded up. Published baselines on SHD and SSC: ``dt="10ms", pool=5``, so 700 channels become 140
    (Hammouamri et al., "Learning delays in spiking neural networks using dilated convolutions with learnable spacings",
    2023), or all 700 (Cramer et al. 2020); on N-TIDIGITS all 64.

    Raises ValueError for recordings of pixels and for what ``to_frames`` does not take.

    >>> spikes = Events([0, 400, 1_200, 2_900], x=[0, 1, 6, 699], y=[0] * 4, p=[1] * 4, sensor=(700, 1))
    >>> counts = trains(spikes, dt="1ms", pool=5)
    >>> counts.shape, counts[:, :2].tolist()
    (torch.Size([3, 140]), [[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    """
    pool = options.pop("pool", 1)
    if events.sensor is None or events.sensor[1] != 1:
        raise ValueError(f"spike recordings have a sensor (channels, 1), got {events.sensor}; use to_frames for pixels")
    return to_frames(events, dt, n_bins, channels=1, downsample=pool, **options)[..., 0, 0, :]
