"""Convolution that takes images of few channels, such as the two polarities, at the speed of a GPU's memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..scan.engine import installed

DEEPEST = 64  # inputs of a pixel, and one for the bias, up to which patches on the fly are faster


class Conv2d(nn.Conv2d):
    """torch's Conv2d; on a GPU with half the precision, images of few channels that want no gradient have kernels of
    their own.

    >>> Conv2d(2, 8, 3, padding=1)(torch.zeros(1, 2, 9, 9)).shape
    torch.Size([1, 8, 9, 9])
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.is_for_few(input):
            return super().forward(input)
        x = input.to(_dtype(input)).contiguous()
        return _Few.apply(x, self.weight, self.bias, self.stride[0], self.padding[0])

    def without_bias(self, input: Tensor) -> Tensor:
        """The convolution of ``[T, B, C, H, W]``, to which the bias is yet to be added."""
        return self._conv_forward(input.flatten(0, 1), self.weight, None).unflatten(0, input.shape[:2])

    def is_for_few(self, x: Tensor) -> bool:
        """Whether such images go through these kernels."""
        square = all(
            isinstance(sides, tuple) and len({*sides}) == 1 for sides in (self.kernel_size, self.stride, self.padding)
        )
        return (
            x.is_cuda
            and not x.requires_grad
            and _dtype(x) in (torch.bfloat16, torch.float16)
            and square
            and (self.groups, self.dilation, self.padding_mode) == (1, (1, 1), "zeros")
            and self.weight[0].numel() < DEEPEST
            and installed("triton")
        )


def _dtype(x: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype


class _Few(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
        from . import convolve_gpu

        ctx.save_for_backward(x, weight)
        ctx.places = stride, padding
        return convolve_gpu.forward(x, weight, bias, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from . import convolve_gpu

        x, weight = ctx.saved_tensors
        last = grad.contiguous(memory_format=torch.channels_last)
        found = convolve_gpu.weight_gradient(x, last, weight, *ctx.places)
        given = [value if want else None for value, want in zip(found, ctx.needs_input_grad[1:3], strict=True)]
        return None, *given, None, None
