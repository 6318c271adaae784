"""Surfaces of time: when each pixel last had an event, and pictures made of that."""

from __future__ import annotations

from typing import Any, Literal

import torch

from eventsnn.events import Events, microseconds

from .binning import NEVER, binned
from .bins import Bins, bins
from .cells import cells
from .packed import Packed

__all__ = ["to_latest_timestamps", "to_surface_of_active_events", "to_time_surface"]

Decay = Literal["exp", "linear"]


def _stamps(
    events: Events | Packed, dt: int | str | None, n_bins: int | None, settings: dict[str, Any]
) -> tuple[Any, Bins, torch.Tensor]:
    """Events, bins, and the last stamp of each cell in each bin, ``NEVER`` where it had no event."""
    time = {key: settings.pop(key) for key in ("start", "stop", "duration") if key in settings}
    check = settings.pop("check", True)
    if settings.get("channels", 2) not in (1, 2):
        raise ValueError(f"channels must be 2 (OFF, ON) or 1 (both together), got {settings['channels']!r}")
    events, wanted = bins(events, dt, n_bins, **time)
    return events, wanted, binned(events, wanted, cells(events, **settings), "latest", check=check)


def _reference(events: Events | Packed, wanted: Bins, stamps: torch.Tensor, end: int) -> torch.Tensor:
    """Begin (0) or end (1) of each bin in us, shaped to go with the stamps."""
    packed = events if isinstance(events, Packed) else Packed(events, [0], [len(events)])
    times = torch.as_tensor(wanted.times(packed, end), device=stamps.device)
    return times.view(*stamps.shape[:-3], 1, 1, 1)


def to_latest_timestamps(
    events: Events | Packed,
    dt: int | str | None = None,
    n_bins: int | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    **settings: Any,
) -> torch.Tensor:
    """Latest-timestamp image ``[T, C, H, W]``: when in its bin each pixel last had an event, from near 0 to 1.

    ``(t - begin + 1) / (end - begin)`` for a bin from ``begin`` to ``end``, exclusive; 0 where there was no event. Of
    ``Packed`` recordings ``[T, B, C, H, W]``. Settings are ``start``, ``stop``, ``duration``, ``sensor``, ``channels``
    (1 or 2), ``downsample``, ``check`` of ``to_frames``. Zhu et al., EV-FlowNet (2018).

    >>> events = Events([0, 4, 9, 12], x=[0, 1, 1, 0], y=[0, 0, 0, 0], p=[1, 1, 1, 0], sensor=(2, 1))
    >>> [[round(v, 2) for v in image.flatten().tolist()] for image in to_latest_timestamps(events, 10, channels=1)]
    [[0.1, 1.0], [0.3, 0.0]]
    """
    events, wanted, stamps = _stamps(events, dt, n_bins, settings)
    begin, end = (_reference(events, wanted, stamps, side) for side in (0, 1))
    image = (stamps.clamp(min=begin) - begin + 1).double() / (end - begin)
    return torch.where(stamps == NEVER, 0.0, image).to(dtype)


def to_surface_of_active_events(
    events: Events | Packed,
    dt: int | str | None = None,
    n_bins: int | None = None,
    *,
    before: torch.Tensor | None = None,
    **settings: Any,
) -> torch.Tensor:
    """Surface of active events ``[T, C, H, W]``: the time [us, int64] of each pixel's last event by the end of bin k.

    The least int64 where there was none yet. ``before``, ``[C, H, W]`` (``[B, C, H, W]``), is the surface at the start:
    the last one of the recording so far. Settings as in ``to_latest_timestamps``. Benosman et al., Event-based visual
    flow (2014).

    >>> events = Events([0, 4, 9, 12], x=[0, 1, 1, 0], y=[0, 0, 0, 0], p=[1, 1, 1, 1], sensor=(2, 1))
    >>> to_surface_of_active_events(events, 10, channels=1).flatten(1).tolist()
    [[0, 9], [12, 9]]
    """
    return _active(_stamps(events, dt, n_bins, settings)[2], before)


def _active(stamps: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    if before is not None and len(stamps):
        stamps[0] = torch.maximum(stamps[0], before)
    return stamps.cummax(0).values if len(stamps) else stamps


def to_time_surface(
    events: Events | Packed,
    dt: int | str | None = None,
    n_bins: int | None = None,
    *,
    tau: int | str = "50ms",
    decay: Decay = "exp",
    before: torch.Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    **settings: Any,
) -> torch.Tensor:
    """Time surface at the end of each bin, ``[T, C, H, W]``: 1 for an event just now, 0 for never.

    ``S[k] = exp(-(t_k - last) / tau)``, or ``max(0, 1 - (t_k - last) / tau)`` for ``decay="linear"``, with ``t_k`` the
    end of bin k and ``last`` the surface of active events then; ``before`` is that surface at the start. Settings as in
    ``to_latest_timestamps``. Lagorce et al., HOTS: a hierarchy of event-based time-surfaces (2017).

    >>> events = Events([0, 4, 9, 12], x=[0, 1, 1, 0], y=[0, 0, 0, 0], p=[1, 1, 1, 1], sensor=(2, 1))
    >>> to_time_surface(events, 10, tau=20, channels=1).flatten(1).mul(100).round().tolist()
    [[61.0, 95.0], [67.0, 58.0]]
    """
    scale = microseconds(tau)
    if scale <= 0:
        raise ValueError(f"tau must be at least 1 us, got {tau!r}")
    if decay not in ("exp", "linear"):
        raise ValueError(f"decay must be 'exp' or 'linear', got {decay!r}")
    events, wanted, stamps = _stamps(events, dt, n_bins, settings)
    return faded(_active(stamps, before), _reference(events, wanted, stamps, 1), scale, decay, dtype)


def faded(last: torch.Tensor, now: torch.Tensor | int, tau: int, decay: str, dtype: torch.dtype) -> torch.Tensor:
    """The time surface at ``now`` of last stamps."""
    age = (now - last).double() / -tau
    surface = age.exp_() if decay == "exp" else age.add_(1).clamp_(min=0)
    return torch.where(last == NEVER, 0.0, surface).to(dtype)
