"""From maps to coordinates: the differentiable spatial-to-numerical transform, and the losses that go with it.

    P = softmax(beta map)        c = sum P g        g_i = (2 i + 1) / n - 1        spread = sqrt(sum P |g - c|^2)

Nibali, He, Morgan, Prendergast 2018, arXiv 1801.07372. Coordinates are (x, y) in [-1, 1], where -1 and 1 are the edges
of the image, and g are the centres of the n cells: an image of W px has its left edge at 0, and ``(c + 1) / 2 * W`` px.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def cell_centres(n: int, like: Tensor) -> Tensor:
    """The centres ``[n]`` of n equal cells of [-1, 1].

    >>> cell_centres(4, torch.zeros(1)).tolist()
    [-0.75, -0.25, 0.25, 0.75]
    """
    return (2 * torch.arange(n, device=like.device, dtype=like.dtype) + 1) / n - 1


def dsnt(maps: Tensor, beta: Tensor | float = 10.0) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates ``[..., 2]`` as (x, y), their spread ``[...]`` and the distribution ``[..., H, W]`` of maps.

    >>> maps = torch.zeros(4, 8)
    >>> maps[1, 6] = 9.0
    >>> coordinates, spread, _ = dsnt(maps)
    >>> [round(c, 4) for c in coordinates.tolist()]
    [0.625, -0.25]
    """
    height, width = maps.shape[-2:]
    probability = (beta * maps).flatten(-2).softmax(-1).unflatten(-1, (height, width))
    columns, rows = probability.sum(-2), probability.sum(-1)
    x, y = cell_centres(width, maps), cell_centres(height, maps)
    centre = torch.stack([columns @ x, rows @ y], -1)
    second = columns @ x**2 + rows @ y**2
    return centre, (second - (centre**2).sum(-1)).clamp(min=0).sqrt(), probability


class DSNTLI(nn.Module):
    """Leaky coordinates: ``c <- (1 - k) c + k x`` for coordinates x over time, k in (0, 1) learnable for each axis.

    ``forward(x [T, ..., 2], state=None) -> (c [T, ..., 2], state)``, the state being the last c. With ``published`` x
    is added in full, so that a constant input comes out 1 / k times as large. Raises ValueError for k outside (0, 1).

    >>> c, state = DSNTLI(0.5)(torch.ones(3, 2))
    >>> [round(v, 3) for v in c[:, 0].tolist()]
    [0.5, 0.75, 0.875]
    """

    is_stateful = True

    def __init__(self, k: float = 0.9, *, published: bool = False) -> None:
        super().__init__()
        if not 0 < k < 1:
            raise ValueError(f"k must lie between 0 and 1, got {k}")
        self.published = published
        self.logit = nn.Parameter(torch.full((2,), math.log(k / (1 - k))))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        k = self.logit.sigmoid()
        c = torch.zeros_like(x[0]) if state is None else state
        steps = []
        for now in x:
            c = (1 - k) * c + (now if self.published else k * now)
            steps.append(c)
        return torch.stack(steps) if steps else x, c


def target_maps(centre: Tensor, height: int, width: int, sigma: float = 0.06) -> Tensor:
    """Gaussians ``[..., H, W]`` about coordinates ``[..., 2]``, each of sum 1; ``sigma`` in units of [-1, 1].

    >>> [round(total, 4) for total in target_maps(torch.zeros(3, 2), 16, 16).sum((-2, -1)).tolist()]
    [1.0, 1.0, 1.0]
    """
    x, y = (cell_centres(n, centre) for n in (width, height))
    to_x, to_y = (
        -(((cells - c[..., None]) / sigma) ** 2) / 2 for c, cells in zip(centre.unbind(-1), (x, y), strict=True)
    )
    return to_y.softmax(-1)[..., :, None] * to_x.softmax(-1)[..., None, :]


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence ``[...]`` of distributions ``[..., H, W]``, in nats.

    >>> half = torch.tensor([[1.0, 0.0]])
    >>> round(float(divergence(half, half.flip(1))), 4)
    0.6931
    """
    middle = ((p + q) / 2).clamp(min=1e-12)
    parts = (torch.xlogy(a, a.clamp(min=1e-12) / middle) for a in (p, q))
    return (sum(parts, torch.zeros_like(p)) / 2).sum((-2, -1))
