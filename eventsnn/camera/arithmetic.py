"""The operations that equations are written in, on tensors; ``numbers`` and ``blocks`` have the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["absolute", "any_of", "equation", "floor", "log", "maximum", "minimum", "read", "sqrt", "where", "word"]

absolute, floor, log, sqrt, where = torch.abs, torch.floor, torch.log, torch.sqrt, torch.where


def equation(function: F) -> F:
    """Marks a function that numba and Triton compile too."""
    return function


def maximum(a: Tensor, b: Any) -> Tensor:
    return torch.clamp(a, min=b)


def minimum(a: Tensor, b: Any) -> Tensor:
    return torch.clamp(a, max=b)


def any_of(condition: Tensor) -> bool:
    """Whether it holds anywhere: what follows may be left out where it does not."""
    return bool(condition.any())


def read(table: Tensor, place: Any) -> Tensor:
    return table[place]


def word(x: Any) -> Any:
    """The lower 32 bits."""
    return x & 0xFFFFFFFF
