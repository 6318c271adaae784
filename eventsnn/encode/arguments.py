"""What encoders and decoders take, checked: an error names the argument, the rule and the value."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..fields.values import readable
from ..forms.operands import dense


def floating(x: Any, owner: str) -> Tensor:
    """The input as a dense floating tensor: integers and booleans in torch's default dtype."""
    if isinstance(x, Tensor) and x.layout != torch.strided:
        raise TypeError(f"{owner} does not take sparse input: pass input.to_dense()")
    return dense(x, owner)


def wide(x: Tensor) -> Tensor:
    """The dtype of the arithmetic: half types in float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def over_time(x: Any, owner: str) -> Tensor:
    """A floating tensor with a first axis that is time."""
    x = floating(x, owner)
    if x.ndim == 0:
        raise ValueError(f"{owner}: the input is 0-d, but its first axis must be time, (T, ...)")
    return x


def count(name: str, value: Any, least: int = 0) -> int:
    """A whole number that is not below `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, not {value!r}")
    return value


def number(name: str, value: Any, low: float = 0.0, high: float = math.inf, closed: bool = False) -> float:
    """A number in (low, high), with `closed` in [low, high); a ValueError says which."""
    fine = isinstance(value, (int, float)) and (low < value < high or (closed and value == low))
    if not fine:
        rule = f"{'>=' if closed else '>'} {low:g}" + ("" if high == math.inf else f" and < {high:g}")
        raise ValueError(f"{name} must be a finite number {rule}, not {value!r}")
    return value


def in_range(x: Tensor, low: float, high: float, owner: str) -> Tensor:
    """x clamped to [low, high]. A value beyond it, or NaN, is a ValueError where looking at the values is free: on the
    CPU, outside compilation.
    """
    detached = x.detach()
    if readable(detached):
        wrong = detached[~((detached >= low) & (detached <= high) & detached.isfinite())]
        if wrong.numel():
            rule = "finite" if low == -math.inf else f"in [{low:g}, {high:g}]"
            raise ValueError(f"{owner}: the input must be {rule}, but it holds {wrong[0].item():g}: rescale it first")
    return x if low == -math.inf else x.clamp(low, high)


def finite(x: Tensor, owner: str) -> Tensor:
    """x; on the CPU, outside compilation, an infinity or NaN in it is a ValueError."""
    return in_range(x, -math.inf, math.inf, owner)
