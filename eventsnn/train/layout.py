"""Images with their channels last in memory, in which GPUs convolve and pool several times as fast."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..containers import SequentialState
from ..containers.stateful import call
from ..forms.modules import Form
from ..forms.operands import Matrices
from ..forms.run import run
from ..scan.pooled import SIZE, scan_pooled
from .convolve import Conv2d

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def is_channels_last(x: Tensor) -> bool:
    """Whether ``[T, B, C, H, W]`` lies in memory as ``[T, B, H, W, C]``."""
    return x.ndim == 5 and not x.is_contiguous() and x.permute(0, 1, 3, 4, 2).is_contiguous()


class Network(SequentialState):
    """A SequentialState that holds images on a GPU with their channels last.

    Shapes and values are those of a SequentialState. A neuron looks at every pixel alone, so it gets the axes in the
    order of the memory and its state has this order: ``[B, H, W, C]``.
    """

    def forward(self, x: Any, state: Any = None, *, reset: Tensor | None = None) -> tuple[Any, list[Any]]:  # type: ignore[override]
        """`(output, states)`."""
        if x.is_cuda and x.ndim == 5 and not (isinstance(self[0], Conv2d) and self[0].is_for_few(x)):
            x = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])
        states: list[Any] = [None] * len(self) if state is None else list(state)
        children: list[Any] = list(self)
        i = 0
        while i < len(children):
            bias, pool = None, ""
            if reset is None:
                if leaves_bias(children[i], x) and pool_of(*children[i + 1 : i + 3]):
                    x, bias, i = children[i].without_bias(x), children[i].bias, i + 1
                pool = pool_of(*children[i : i + 2])
            child = children[i]
            if pool and (bias is not None or is_channels_last(x)):
                p, way = child._tuple(), partial(scan_pooled, pool=pool, bias=bias)
                rule, images = child._rule(p), x.permute(0, 1, 3, 4, 2)
                y, states[i] = run(rule, images, states[i], p, Matrices(), over_time=True, scan=way)
                x, i = y.permute(0, 1, 4, 2, 3), i + 1  # the pool is done
            elif isinstance(child, Form) and is_channels_last(x):
                y, states[i] = call(child, x.permute(0, 1, 3, 4, 2), states[i], reset)
                x = y.permute(0, 1, 4, 2, 3)
            else:
                x, states[i] = call(child, x, states[i], reset)
            i += 1
        return x, states


def leaves_bias(layer: nn.Module, x: Tensor) -> bool:
    """Whether a convolution of these images leaves its bias to the neurons behind it: to add it takes one more pass."""
    if not isinstance(layer, Conv2d) or layer.bias is None or any(getattr(layer, name) for name in HOOKS):
        return False
    return is_channels_last(x) and not layer.is_for_few(x)


def pool_of(neuron: nn.Module | None = None, after: nn.Module | None = None) -> str:
    """The pool after a neuron, "mean" or "max", where one kernel can do both and nobody looks between; else ""."""
    if not isinstance(neuron, Form) or after is None:
        return ""
    kinds: dict[type[nn.Module], str] = {MeanPool2d: "mean", nn.MaxPool2d: "max"}
    kind = kinds.get(type(after), "")
    plain = neuron.over_time and not (neuron.recurrent or neuron.record_states or "hidden_size" in neuron.__dict__)
    seen = any(getattr(module, name) for module in (neuron, after) for name in HOOKS)
    options = ("padding", 0), ("dilation", 1), ("ceil_mode", False), ("return_indices", False)
    sides = {after.kernel_size, after.stride} if kind else set()
    if not kind or not plain or seen or sides - {SIZE, (SIZE, SIZE)}:
        return ""
    return kind if all(getattr(after, name, value) == value for name, value in options) else ""


class MeanPool2d(nn.AvgPool2d):
    """The mean of ``size`` by ``size`` pixels, as torch's AvgPool2d; its backward is one copy and keeps no input.

    >>> MeanPool2d(2)(torch.arange(8.0).reshape(1, 1, 2, 4)).tolist()
    [[[[2.5, 4.5]]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        return _Mean.apply(x, self.kernel_size)


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int) -> Tensor:
        last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        ctx.shape, ctx.size = x.shape, size
        ctx.format = torch.channels_last if last else torch.contiguous_format
        return nn.functional.avg_pool2d(x, size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        size, (high, wide) = ctx.size, grad.shape[2:]
        result = torch.empty(ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=ctx.format)
        result[:, :, high * size :] = 0
        result[..., wide * size :] = 0
        blocks = result[:, :, : high * size, : wide * size].unflatten(3, (wide, size)).unflatten(2, (high, size))
        blocks.copy_((grad / size**2)[:, :, :, None, :, None].expand_as(blocks))
        return result, None
