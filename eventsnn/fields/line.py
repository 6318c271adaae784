"""The discrete Gaussian and its differences along a line of pixels, as matrices.

An isotropic receptive field over a whole image H x W is then two small matrix products, ``A_y @ image @ A_x.T``, which
for wide fields is far cheaper than a convolution. The kernel is T(n; s) = (1/N) sum_t exp(-s (1 - cos t)) cos(t n), the
solution of the diffusion equation on the grid: sum 1, variance exactly s.

Lindeberg, Scale-space for discrete signals (1990), doi 10.1109/34.49051.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def line_operators(
    n: int, scales: Sequence[float], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices ``[S, n, n]`` that smooth a line of n cells at each scale [px^2], and take differences of the result.

    The first difference is ``(f(k + 1) - f(k - 1)) / 2``, the second ``f(k + 1) - 2 f(k) + f(k - 1)``. Cells outside
    count as 0.

    >>> smooth, first, second = line_operators(41, [4.0])
    >>> ramp = torch.arange(41.0)
    >>> round(float((first[0] @ ramp)[20]), 4), round(float((second[0] @ ramp**2)[20]), 4)
    (1.0, 2.0)
    """
    frequencies = 4 * n + 1
    t = 2 * torch.pi / frequencies * torch.arange(frequencies, dtype=torch.float64)
    scale = torch.tensor(scales, dtype=torch.float64)
    spectrum = torch.exp(-scale[:, None] * (1 - t.cos())) / frequencies
    kernel = spectrum @ torch.cos(t[:, None] * torch.arange(-n, n + 1))
    offset = torch.arange(n)[:, None] - torch.arange(n) + n
    here, before, after = kernel[:, offset], kernel[:, offset - 1], kernel[:, offset + 1]
    first, second = (after - before) / 2, after - 2 * here + before
    return here.float().to(device), first.float().to(device), second.float().to(device)
