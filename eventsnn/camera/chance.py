"""Random numbers as a function of what they are for: the same on every device, in every batch and order.

u(seed, stream, clip, frame, pixel) is a hash of five 32-bit words by integer arithmetic; each number is had alone.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .equations import mix, stir

POSES, PHASES, JITTER_ON, JITTER_OFF, THINNING, NOISE_ON, NOISE_OFF, TIMES, HOT, HOT_EVENTS, BROWNIAN = range(1, 12)


def hashed(seed: Any, *words: Any) -> Any:
    """The hash of whole numbers or tensors of them (int64, broadcast).

    >>> mix(1), mix(2**32 - 1)
    (1753845952, 1734902346)
    """
    h = mix(seed & 0xFFFFFFFF)
    for w in words:
        h = stir(h, w)
    return h


def uniform(seed: Any, *words: Any) -> Any:
    """In [0, 1), with 24 bits.

    >>> round(uniform(7, 1, 0, 0, 0), 10)
    0.6291980743
    """
    return (hashed(seed, *words) >> 8) / 2**24


def gaussian(seed: Any, stream: int, clip: Tensor, frame: Any, index: Tensor) -> Tensor:
    """Standard normal numbers, by Box and Muller from the uniform ones of the words 2 index and 2 index + 1."""
    first = uniform(seed, stream, clip, frame, 2 * index).double()
    second = uniform(seed, stream, clip, frame, 2 * index + 1).double()
    return torch.sqrt(-2 * torch.log1p(-first)) * torch.cos(2 * math.pi * second)


def below(probability: float) -> int:
    """The limit that ``hash >> 8`` is below with this probability: u < probability, in whole numbers.

    >>> below(0.5), below(1.0)
    (8388608, 16777216)
    """
    return math.ceil(min(max(probability, 0.0), 1.0) * 2**24)
