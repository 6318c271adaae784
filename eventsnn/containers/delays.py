"""Linear connections whose delays are learned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv1d, conv2d


class DelayLinear(nn.Module):
    """Every weight with a delay of its own, learned, of at most ``max_delay`` steps.

        y_i(t) = b_i + sum_j w_ij sum_k g(k - d_ij) x_j(t - k),    k = 0..max_delay
        g(u) = exp(-u^2 / (2 sigma^2)), normalised over k

    x ``[T, B, in_features] -> ([T, B, out_features], state)``; the state is the last ``max_delay`` inputs. Delays ``d``
    are in steps; ``anneal(progress)`` narrows sigma from max_delay / 2 at progress 0 to 0.5 at 1/4 and after.
    Hammouamri, Khalfaoui-Hassani, Masquelier, "Learning delays in spiking neural networks using dilated convolutions
    with learnable spacings" (2024).

    >>> layer = DelayLinear(1, 1, max_delay=4)
    >>> with torch.no_grad():
    ...     _ = layer.delay.fill_(3), layer.weight.fill_(1), layer.bias.fill_(0)
    >>> layer.anneal(1.0)
    >>> layer(torch.eye(6)[0].reshape(6, 1, 1))[0].argmax().item()
    3
    """

    is_stateful = True
    sigma: Tensor

    def __init__(self, in_features: int, out_features: int, max_delay: int = 25, bias: bool = True) -> None:
        if max_delay < 1:
            raise ValueError(f"max_delay must be at least 1 step, got {max_delay}")
        super().__init__()
        self.max_delay = max_delay
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-1, 1) * in_features**-0.5)
        self.delay = nn.Parameter(torch.rand(out_features, in_features) * max_delay)
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self.register_buffer("sigma", torch.zeros(()), persistent=False)
        self.anneal(0.0)

    def anneal(self, progress: float) -> None:
        """Set sigma for a training that has come so far, 0 to 1."""
        start, end = max(self.max_delay / 2, 0.5), 0.5
        self.sigma.fill_(start * (end / start) ** min(4 * progress, 1.0))

    def kernel(self) -> Tensor:
        """Weights ``[out_features, in_features, max_delay + 1]``, the longest delay first."""
        k = torch.arange(self.max_delay, -1, -1, device=self.delay.device)
        delay = self.delay.clamp(0, self.max_delay)[..., None]
        return self.weight[..., None] * (-((k - delay) ** 2) / (2 * self.sigma**2)).softmax(-1)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        past = x.new_zeros(self.max_delay, *x.shape[1:]) if state is None else state
        whole = torch.cat([past, x])
        if not whole.is_cuda:
            y = conv1d(whole.permute(1, 2, 0), self.kernel(), self.bias)
            return y.permute(2, 0, 1), whole[len(x) :]
        dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else whole.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        return _OverTime.apply(whole.to(dtype), self.kernel().to(dtype), bias), whole[len(x) :]

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, max_delay={self.max_delay}"


def _over_time(x: Tensor, kernel: Tensor, bias: Tensor | None = None, padding: int = 0) -> Tensor:
    """The convolution of `[T, B, in]` over time: with its channels last this is one image, `[T, B]` its pixels."""
    last = kernel[..., None].contiguous(memory_format=torch.channels_last)
    return conv2d(x.permute(2, 0, 1)[None], last, bias, padding=(padding, 0))[0].permute(1, 2, 0)


class _OverTime(torch.autograd.Function):
    """The same with gradients of its own, as libraries for GPUs take ten times as long for those of so long kernels:
    that of the input is a convolution too, that of the kernel a matrix product for each delay."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, kernel)
        return _over_time(x, kernel, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, kernel), wanted, grad = ctx.saved_tensors, ctx.needs_input_grad, grad.contiguous()
        (steps, batch, outputs), (inputs, taps) = grad.shape, kernel.shape[1:]
        dx = dk = None
        if wanted[0]:
            dx = _over_time(grad, kernel.transpose(0, 1).flip(2), padding=taps - 1)
        if wanted[1]:
            shifted = x.contiguous().as_strided((taps, steps * batch, inputs), (batch * inputs, inputs, 1))
            dk = torch.bmm(grad.view(1, -1, outputs).mT.expand(taps, -1, -1), shifted).permute(1, 2, 0)
        return dx, dk, grad.sum((0, 1)) if wanted[2] else None
