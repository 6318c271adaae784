"""Signals as signed spikes wherever they change: delta modulation, step-forward, moving window.

Petro, Kasabov, Kiss, "Selection and optimization of temporal spike encoding methods for spiking neural networks"
(2020). All take a signal `[T, *S]` and give spikes `[T, *S]` without gradient; the first sample gives none, it is the
reference that the decoder is given as `initial`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..scan import scan
from .arguments import count, finite, number, over_time, wide
from .module import module_of


def _signal(signal: Any, threshold: float, owner: str) -> tuple[Tensor, torch.dtype]:
    number("threshold", threshold)
    x = over_time(signal, owner).detach()
    return finite(wide(x), owner), x.dtype


def _follow(step: Any, x: Tensor, threshold: float, backend: str | None = None) -> Tensor:
    """The spikes of a step whose state is the reference, which starts at the first sample."""
    return scan(step, x, x[0].clone(), threshold, backend=backend)[0] if len(x) else x.clone()


def _delta_step(x: Tensor, reference: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    crossed = torch.trunc((x - reference) / threshold)
    return crossed, reference + crossed * threshold


def _forward_step(x: Tensor, reference: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    up = torch.where(x - reference > threshold, 1.0, 0.0)
    z = torch.where(reference - x > threshold, -1.0, up)
    return z, reference + z * threshold


def delta_encode(signal: Tensor, threshold: float) -> Tensor:
    """Delta modulation (send-on-delta): as many spikes, signed, as thresholds were crossed since the last one.

    `n = trunc((x - r) / threshold)`, `r <- r + n threshold`: an event camera's pixel, which may send several events in
    one step. `contrast_decode` gives the signal back to within one threshold. Miskowicz (2006). Raises ValueError for
    a threshold <= 0, a 0-d signal and, on the CPU, NaN or infinity in it.

    >>> delta_encode(torch.tensor([0.0, 0.5, 2.5, 2.0, 0.4]), 1.0).tolist()
    [0.0, 0.0, 2.0, 0.0, -1.0]
    """
    x, dtype = _signal(signal, threshold, "delta_encode")
    return _follow(_delta_step, x, threshold, "loop").to(dtype)


def step_forward_encode(signal: Tensor, threshold: float) -> Tensor:
    """Step-forward: a spike +1 or -1 where the signal is more than a threshold off its reference, which follows by one.

    `contrast_decode` gives the signal back to within one threshold wherever it changes by no more than that a step.
    Kasabov et al. (2016). Errors as in `delta_encode`.

    >>> step_forward_encode(torch.tensor([0.0, 1.5, 1.5, 0.5, -1.0]), 1.0).tolist()
    [0.0, 1.0, 0.0, 0.0, -1.0]
    """
    x, dtype = _signal(signal, threshold, "step_forward_encode")
    return _follow(_forward_step, x, threshold).to(dtype)


def contrast_decode(spikes: Tensor, threshold: float, initial: float | Tensor = 0.0) -> Tensor:
    """The signal `[T, *S]` behind the spikes of `delta_encode` or `step_forward_encode`: `initial + threshold sum z`.

    `initial` is the signal's first sample, a number or a tensor that broadcasts to S.

    >>> contrast_decode(torch.tensor([0.0, 2.0, 0.0, -1.0]), 0.5, initial=1.0).tolist()
    [1.0, 2.0, 2.0, 1.5]
    """
    z = over_time(spikes, "contrast_decode")
    return (initial + number("threshold", threshold) * wide(z).cumsum(0)).to(z.dtype)


def moving_window_encode(signal: Tensor, threshold: float, window: int = 5) -> Tensor:
    """Moving window: a spike +1 or -1 where the signal is more than a threshold off the mean of its last samples.

    The mean is over `window` samples before this one; before its start the signal had its first value. Errors as in
    `delta_encode`, and a ValueError for a window < 1. `moving_window_decode` is the way back.

    >>> moving_window_encode(torch.tensor([0.0, 0.0, 3.0, 3.0, 3.0, 3.0]), 1.0, window=2).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    """
    x, dtype = _signal(signal, threshold, "moving_window_encode")
    count("window", window, 1)
    if not len(x):
        return x.to(dtype)
    before = torch.cat([x[:1].expand(window, *x.shape[1:]), x[:-1]])
    away = x - before.unfold(0, window, 1).mean(-1)
    return torch.where(away.abs() > threshold, away.sign(), 0.0).to(dtype)


def moving_window_decode(spikes: Tensor, threshold: float, window: int = 5, initial: float | Tensor = 0.0) -> Tensor:
    """The signal `[T, *S]` that lies a threshold off its own moving mean where there is a spike, on it elsewhere.

    Encoded again, with any smaller threshold, it gives the same spikes. `initial` as in `contrast_decode`.

    >>> moving_window_decode(torch.tensor([0.0, 1.0, 0.0]), 1.0, window=2).tolist()
    [0.0, 1.0, 0.5]
    """
    given = over_time(spikes, "moving_window_decode")
    number("threshold", threshold)
    z = wide(given)
    start = torch.as_tensor(initial, dtype=z.dtype, device=z.device).broadcast_to(z.shape[1:])
    values = [start] * count("window", window, 1)
    for z_t in z.unbind(0):
        values.append(torch.stack(values[-window:]).mean(0) + threshold * z_t)
    return torch.stack(values[window:]).to(given.dtype) if len(z) else given.clone()


DeltaEncoder = module_of("DeltaEncoder", delta_encode)
StepForwardEncoder = module_of("StepForwardEncoder", step_forward_encode)
MovingWindowEncoder = module_of("MovingWindowEncoder", moving_window_encode)
ContrastDecoder = module_of("ContrastDecoder", contrast_decode)
MovingWindowDecoder = module_of("MovingWindowDecoder", moving_window_decode)
