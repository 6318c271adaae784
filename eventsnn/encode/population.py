"""One value as the activity of many units, each tuned to its own part of the range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .arguments import count, floating, wide
from .module import module_of


def gaussian_rbf(distance: Tensor, sigma: float = 1.0) -> Tensor:
    """`exp(-d / (2 sigma^2))` of a squared distance d.

    >>> round(gaussian_rbf(torch.tensor(2.0)).item(), 4)
    0.3679
    """
    return torch.exp(-distance / (2 * sigma**2))


def euclidean_distance(x: Tensor, y: Tensor) -> Tensor:
    """The squared distance `(x - y)^2`, element by element.

    >>> euclidean_distance(torch.tensor(1.0), torch.tensor(3.0)).item()
    4.0
    """
    return (x - y) ** 2


def _scale(scale: Any, x: Tensor) -> Tensor:
    """The scale in a shape that broadcasts against x: (1, ...) or one per leading index."""
    if scale is None:
        peak = x.detach().max() if x.numel() else x.new_zeros(())
        return torch.clamp(peak, min=0)
    if not isinstance(scale, Tensor):
        if not (isinstance(scale, (int, float)) and 0 < scale < math.inf):
            raise ValueError(f"scale must be a finite number > 0, a tensor or None, not {scale!r}")
        return torch.full((), scale, dtype=x.dtype, device=x.device)
    shape = (*scale.shape,) + (1,) * (x.ndim - scale.ndim)
    if len(shape) > x.ndim or any(a not in (1, b) for a, b in zip(shape, x.shape, strict=True)):
        raise ValueError(
            f"scale has the shape {tuple(scale.shape)}, which is not a leading part of the input's {tuple(x.shape)}"
        )
    return scale.to(x).reshape(shape)


def population_encode(
    input_values: Tensor,
    out_features: int,
    scale: float | Tensor | None = None,
    kernel: Callable[[Tensor], Tensor] = gaussian_rbf,
    distance_function: Callable[[Tensor, Tensor], Tensor] = euclidean_distance,
    *,
    multiply_by_scale: bool = True,
) -> Tensor:
    """Gaussian tuning curves: real values, not spikes, `[*S, n]` for values of shape S and n = out_features units.

    Centres `c_j = S j / (n - 1)` over the range [0, S], where S is `scale`; `y_j = kernel(S distance(x, c_j))`, with
    multiply_by_scale=False `kernel(distance(x, c_j) / S^2)`, whose curves keep their width relative to the range.
    `scale=None` takes the maximum of the whole input (0 if that is negative); a tensor is one scale per leading index.
    Differentiable in x. Raises ValueError for a scale <= 0 or one that does not fit. Bohte, La Poutre, Kok (2002).

    >>> population_encode(torch.tensor([0.0, 0.5, 1.0]), 3)[1].tolist()
    [0.8824968934059143, 1.0, 0.8824968934059143]
    """
    given = floating(input_values, "population_encode")
    n, x = count("out_features", out_features, 1), wide(given)
    size = _scale(scale, x)[..., None]
    centres = size * torch.arange(n, dtype=x.dtype, device=x.device) / max(n - 1, 1)
    distance = distance_function(x[..., None], centres)
    if multiply_by_scale:
        distance = distance * size
    else:
        distance = torch.where(size > 0, distance / torch.where(size > 0, size, 1.0) ** 2, 0.0)
    return kernel(distance).to(given.dtype)


PopulationEncoder = module_of("PopulationEncoder", population_encode)
