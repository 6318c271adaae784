"""Devices by their names."""

from __future__ import annotations

import torch


def device_named(name: torch.device | str) -> torch.device:
    """The device of that name; "auto" is a GPU if there is one. Raises ValueError for one that is not there.

    >>> device_named("cpu")
    device(type='cpu')
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        device = torch.device(name if name != "auto" else "cuda" if gpus else "cpu")
    except RuntimeError:
        raise ValueError(f"no device is called {name!r}; there are auto, cpu, cuda, cuda:1, ...") from None
    if device.type == "cuda" and not gpus:
        raise ValueError(f"device {name}: this machine has no CUDA device, or torch was built without CUDA")
    if device.type == "cuda" and (device.index or 0) >= gpus:
        raise ValueError(f"device {name}: this machine has cuda:0 to cuda:{gpus - 1}")
    return device
