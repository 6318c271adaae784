"""Convolution of images of few channels as one matrix product, the patches gathered on the way; its weights' gradient.

Libraries are slow where few channels come in and the images are many: they pad the channels, and the gradient of the
weights is a sum over all pixels of all images. Here a patch is a row, with a one at its end that the bias multiplies;
patches are never written to memory. Images lie channel by channel, results with their channels last.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..scan.rehearsal import launch

ROWS = 128  # patches a block


@triton.jit
def patches(
    x, m, M, C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, PAD: tl.constexpr, DEEP: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    k = tl.arange(0, DEEP)
    c, r = k // (SIZE * SIZE), k % (SIZE * SIZE)
    n, at = m // (OH * OW), (m % (OH * OW)).to(tl.int32)
    y = ((at // OW) * STRIDE - PAD)[:, None] + (r // SIZE)[None, :]
    u = ((at % OW) * STRIDE - PAD)[:, None] + (r % SIZE)[None, :]
    there = (m < M)[:, None] & (k < C * SIZE * SIZE)[None, :] & (y >= 0) & (y < H) & (u >= 0) & (u < W)
    values = tl.load(x + (n * (C * H * W))[:, None] + ((c * H)[None, :] + y) * W + u, there, other=0)
    return tl.where((k == C * SIZE * SIZE)[None, :], tl.full([], 1, values.dtype), values)


@triton.jit(do_not_specialize=["M"])
def convolve(
    x, weight, bias, out, M, C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, PAD: tl.constexpr, DEEP: tl.constexpr, N: tl.constexpr,
    WIDE: tl.constexpr, BIAS: tl.constexpr, ROWS: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    m = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    o, k = tl.program_id(1) * WIDE + tl.arange(0, WIDE), tl.arange(0, DEEP)
    here = (o < N)[None, :]
    w = tl.load(weight + (o * (C * SIZE * SIZE))[None, :] + k[:, None], here & (k < C * SIZE * SIZE)[:, None], other=0)
    if BIAS:
        w += tl.load(bias + o[None, :] + 0 * k[:, None], here & (k == C * SIZE * SIZE)[:, None], other=0)
    rows = patches(x, m, M, C, H, W, OH, OW, SIZE, STRIDE, PAD, DEEP)
    y = tl.dot(rows, w.to(rows.dtype))
    tl.store(out + (m * N)[:, None] + o[None, :], y.to(out.dtype.element_ty), (m < M)[:, None] & here)


@triton.jit(do_not_specialize=["M"])
def correlate(
    x, grad, out, M, C: tl.constexpr, H: tl.constexpr, W: tl.constexpr, OH: tl.constexpr, OW: tl.constexpr,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, PAD: tl.constexpr, DEEP: tl.constexpr, N: tl.constexpr,
    WIDE: tl.constexpr, ROWS: tl.constexpr,
):  # type: ignore[no-untyped-def]  # fmt: skip
    o, k = tl.program_id(1) * WIDE + tl.arange(0, WIDE), tl.arange(0, DEEP)
    total = tl.zeros([DEEP, WIDE], tl.float32)
    for first in range(tl.program_id(0) * ROWS, M, tl.num_programs(0) * ROWS):
        m = tl.cast(first, tl.int64) + tl.arange(0, ROWS)
        rows = patches(x, m, M, C, H, W, OH, OW, SIZE, STRIDE, PAD, DEEP)
        g = tl.load(grad + (m * N)[:, None] + o[None, :], (m < M)[:, None] & (o < N)[None, :], other=0)
        total = tl.dot(tl.trans(rows), g, total)
    place = (tl.program_id(0) * DEEP + k)[:, None] * N + o[None, :]
    tl.store(out + place, total, (o < N)[None, :])


@cache
def programs(device: torch.device) -> int:
    return 4 * torch.cuda.get_device_properties(device).multi_processor_count


def _sizes(x: Tensor, weight: Tensor, stride: int, padding: int) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Constants of the kernels, number of patches, shape of the result."""
    n, c, h, w = x.shape
    channels, size = weight.shape[0], weight.shape[2]
    high, wide = ((side + 2 * padding - size) // stride + 1 for side in (h, w))
    deep = max(16, triton.next_power_of_2(c * size * size + 1))
    across = min(max(16, triton.next_power_of_2(channels)), 128)
    constants = (c, h, w, high, wide, size, stride, padding, deep, channels, across)
    return constants, n * high * wide, (n, channels, high, wide)


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """``[N, C, H, W]`` to images with their channels last."""
    constants, count, shape = _sizes(x, weight, stride, padding)
    out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    grid = (triton.cdiv(count, ROWS), triton.cdiv(shape[1], constants[-1]), 1)
    launch(convolve, grid, x, weight, weight if bias is None else bias, out, count, *constants, bias is not None, ROWS)
    return out


def weight_gradient(x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int) -> tuple[Tensor, Tensor]:
    """Gradients of the weights and of a bias, from that of images with their channels last."""
    constants, count, shape = _sizes(x, weight, stride, padding)
    parts = min(programs(x.device), triton.cdiv(count, ROWS))
    sums = torch.empty((parts, constants[8], shape[1]), dtype=torch.float32, device=x.device)
    grid = (parts, triton.cdiv(shape[1], constants[-1]), 1)
    launch(correlate, grid, x, grad, sums, count, *constants, ROWS)
    whole = sums.sum(0)
    return whole[: weight[0].numel()].t().reshape(weight.shape), whole[weight[0].numel()]
