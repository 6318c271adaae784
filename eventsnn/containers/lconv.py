"""The same convolution at every time step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


def _pair(name: str, value: Any, least: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= least for v in pair):
        raise ValueError(f"{name} must be an integer >= {least} or a pair (height, width) of them, not {value!r}")
    return pair


class LConv2d(nn.Module):
    """The same 2-D convolution (cross-correlation) of every frame: `[T, N, Cin, H, W]` to `[T, N, Cout, H', W']`.

    One call, time folded into the batch. Never a bias. `weight` is `[Cout, Cin / groups, kh, kw, 1]`, drawn uniformly
    within `1 / sqrt(Cin / groups kh kw)` of 0; state dicts without its last axis load too. Sizes are integers or pairs
    (height, width); padding also "same" (stride 1) or "valid".

    Raises ValueError for an input of another rank and for sizes that do not fit.

    >>> LConv2d(2, 3, (2, 3))(torch.ones(5, 1, 2, 4, 5)).shape
    torch.Size([5, 1, 3, 3, 3])
    """

    is_stateful = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, value in {"groups": groups, "in_channels": in_channels, "out_channels": out_channels}.items():
            if not isinstance(value, int) or value < 1 or value % groups:
                raise ValueError(f"{name} must be an integer >= 1 that groups={groups} divides, not {value!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = _pair("kernel_size", kernel_size, 1)
        self.stride, self.dilation = _pair("stride", stride, 1), _pair("dilation", dilation, 1)
        self.padding = padding if isinstance(padding, str) else _pair("padding", padding, 0)
        if isinstance(padding, str) and padding not in (("same", "valid") if self.stride == (1, 1) else ("valid",)):
            raise ValueError(f'padding must be numbers, "valid", or with stride 1 "same", not {padding!r}')
        shape = (out_channels, in_channels // groups, *self.kernel_size, 1)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype).uniform_(-bound, bound))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        key = f"{prefix}weight"
        if key in state_dict and state_dict[key].ndim == 4:
            state_dict[key] = state_dict[key][..., None]
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of every frame."""
        if x.ndim != 5:
            raise ValueError(f"LConv2d: the input has the shape {tuple(x.shape)}, but its axes must be (T, N, C, H, W)")
        weight = self.weight[..., 0]
        y = conv2d(x.flatten(0, 1), weight, None, self.stride, self.padding, self.dilation, self.groups)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}"
        )
