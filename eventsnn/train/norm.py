"""Batch norms whose statistics are those of the whole batch, also where several processes share it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable


class Norm2d(nn.BatchNorm2d):
    """Batch norm of ``[N, C, H, W]``; in training, once ``share`` was called, over the samples of all processes."""

    shared = False

    def forward(self, x: Tensor) -> Tensor:
        return _over_all(self, x) if self.shared and self.training else super().forward(x)


class Norm1d(nn.BatchNorm1d):
    """Batch norm of ``[T, B, C]`` over T and B, shared as Norm2d.

    >>> Norm1d(3)(torch.rand(5, 2, 3)).mean((0, 1)).abs().max().item() < 1e-6
    True
    """

    shared = False

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 1)
        y = _over_all(self, rows) if self.shared and self.training else super().forward(rows)
        return y.unflatten(0, x.shape[:2])


def share(net: nn.Module, shared: bool = True) -> None:
    """Let the batch norms of a network take the statistics of all processes, or each those of its own."""
    for module in net.modules():
        if isinstance(module, Norm1d | Norm2d):
            module.shared = shared


def _over_all(norm: Any, x: Tensor) -> Tensor:
    y, mean, variance, count = _Normalised.apply(x, norm.weight, norm.bias, norm.eps)
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
        norm.running_var.lerp_((variance * (count / (count - 1))).to(norm.running_var), norm.momentum)
    return y


class _Normalised(torch.autograd.Function):
    """The values, and what they were normalised by: mean, variance and number of values a channel of all processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, int]:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        count = x.numel() // x.shape[1] * distributed.get_world_size()
        mean = _of_all(_sums(wide)) / count
        centred = wide - _column(mean, x)
        variance = _of_all(_sums(centred.square())) / count
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(x, mean, scale, weight)
        ctx.count = count
        ctx.mark_non_differentiable(mean, variance)
        return (centred * _column(scale * weight, x) + _column(bias, x)).to(x.dtype), mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, mean, scale, weight = ctx.saved_tensors
        normal = (x - _column(mean, x)) * _column(scale, x)
        grad = grad.to(normal.dtype)
        own = torch.stack([_sums(grad), _sums(grad * normal)])
        mine, along = _of_all(own.clone()) / ctx.count
        back = (grad - _column(mine, x) - normal * _column(along, x)) * _column(scale * weight, x)
        return back.to(x.dtype), own[1].to(weight.dtype), own[0].to(weight.dtype), None


def _sums(x: Tensor) -> Tensor:
    """The sum of each channel."""
    return x.sum([axis for axis in range(x.ndim) if axis != 1])


def _of_all(sums: Tensor) -> Tensor:
    distributed.all_reduce(sums)
    return sums


def _column(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 2))
