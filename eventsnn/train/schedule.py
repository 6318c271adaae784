"""Schedules of the learning rate: pure functions of how far the training is, so there is nothing to save."""

from __future__ import annotations

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda part: 1.0,
    "cosine": lambda part: (1 + math.cos(math.pi * part)) / 2,
    "onecycle": lambda part: (
        1 - 0.96 * (1 + math.cos(math.pi * part / 0.3)) / 2
        if part < 0.3
        else (1 + math.cos(math.pi * (part - 0.3) / 0.7)) / 2
    ),
    "step": lambda part: 0.1 ** int(3 * min(part, 1 - 1e-9)),
}


def factor(name: str, step: int, total: int, warmup: float = 0.0) -> float:
    """What the learning rate is multiplied by at a step of so many; over the share ``warmup`` it rises from 0.

    "cosine" falls to 0, Loshchilov and Hutter (2017); "onecycle" rises from 1/25 for 30 % and falls to 0, Smith and
    Topin (2019); "step" is divided by 10 after each third.

    >>> [round(factor("cosine", step, 4), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    part = step / max(total, 1)
    if part < warmup:
        return (step + 1) / (warmup * total + 1)
    return SCHEDULES[name]((part - warmup) / (1 - warmup))
