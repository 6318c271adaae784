"""Directional derivatives of kernels under norse's names, and the checks of derivative orders."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .differences import differentiate, normalize
from .values import readable, require, require_choice, tensors, work_dtype

MAX_ORDER = 8  # the largest m + n
NORMALIZATIONS = ("gamma", "l1", "none", "norse")


def derive_kernel(kernel: Tensor, angle: Tensor | float) -> Tensor:
    """Central differences (one-sided at the border) of kernels (..., size, size) in the direction `angle` [rad].

    >>> derive_kernel(torch.arange(9.0).reshape(3, 3), 0.0)
    tensor([[1., 1., 1.],
            [1., 1., 1.],
            [1., 1., 1.]])
    """
    kernel, angle = tensors(kernel, angle)
    along_y, along_x = torch.gradient(kernel, dim=(-2, -1))
    return angle.cos()[..., None, None] * along_x + angle.sin()[..., None, None] * along_y


def derive_alternating(field: Tensor, scale: Tensor, angle: Tensor, m: Tensor, n: Tensor, top: int) -> Tensor:
    """norse's derivatives: order by order, x first, x and y in turn, each times the scale."""
    for step in range(top):
        for order, turn in ((m, 0.0), (n, torch.pi / 2)):
            derived = scale[..., None, None] * derive_kernel(field, angle + turn)
            field = torch.where((order > step)[..., None, None], derived, field)
    return field


def calculate_normalization(
    dx: Tensor | int, scale: Tensor | float, gamma: float = 1, *, normalization: str = "gamma"
) -> Tensor | float:
    """Scale normalisation of a derivative of order `dx` at the variance `scale` [px^2]: `scale^(gamma dx / 2)`.

    "norse" gives norse's factor `scale^(dx (1 - gamma)) scale^gamma`, "none" gives 1. Lindeberg 1998, Feature detection
    with automatic scale selection, doi 10.1023/A:1008045108935.

    >>> calculate_normalization(2, 9.0)
    9.0
    """
    require_choice("normalization", normalization, ("gamma", "none", "norse"))
    if normalization == "norse":
        return scale ** (dx * (1 - gamma)) * scale**gamma
    return scale ** (gamma * dx / 2 if normalization == "gamma" else 0 * dx)


def derive_spatial_receptive_field_single(
    field: Tensor,
    scale: Tensor | float,
    angle: Tensor | float,
    dx: Tensor | int,
    dy: Tensor | int,
    *,
    ratio: Tensor | float = 1.0,
    normalization: str = "gamma",
    gamma: float = 1.0,
) -> Tensor:
    """`dx` derivatives along `angle` and `dy` across it of smoothing kernels (..., size, size), scale-normalised.

    Outside the window the field counts as zero. `normalization` is "gamma", "l1", "none" or "norse".

    >>> field = torch.zeros(3, 3); field[1, 1] = 1.0
    >>> derive_spatial_receptive_field_single(field, 1.0, 0.0, 2, 0)[1]
    tensor([ 1., -2.,  1.])
    """
    require_choice("normalization", normalization, NORMALIZATIONS)
    field, scale, angle, ratio = tensors(field, scale, angle, ratio)
    orders, top = require_orders(dx, dy, field.shape[-1], field.device, window=False)
    m, n = orders.unbind(-1)
    require("scale", "positive", scale, scale > 0)
    dtype, work = field.dtype, work_dtype(field.device)
    field, scale, angle, ratio = (value.to(work) for value in (field, scale, angle, ratio))
    if normalization == "norse":
        return derive_alternating(field, scale, angle, m, n, top).to(dtype)
    deviation = scale.sqrt()
    derived = differentiate(field, angle, m, n, top)
    return normalize(derived, deviation * ratio, deviation / ratio, m, n, normalization, gamma).to(dtype)


def derive_spatial_receptive_field(
    field: Tensor,
    scale: Tensor | float,
    angle: Tensor | float,
    derivatives: Sequence[tuple[int, int]] | Tensor,
    *,
    ratio: Tensor | float = 1.0,
    normalization: str = "gamma",
    gamma: float = 1.0,
) -> Tensor:
    """All the listed derivatives (pairs, or a tensor (n, 2)) of one field (size, size): (n, size, size).

    >>> derive_spatial_receptive_field(torch.ones(5, 5), 1.0, 0.0, [(0, 0), (1, 0)]).shape
    torch.Size([2, 5, 5])
    """
    orders = torch.as_tensor(derivatives)
    if orders.ndim != 2 or orders.shape[-1] != 2:
        raise ValueError(f"derivatives must be pairs (along, across), got shape {tuple(orders.shape)}")
    return derive_spatial_receptive_field_single(
        field, scale, angle, orders[:, 0], orders[:, 1], ratio=ratio, normalization=normalization, gamma=gamma
    )


def require_orders(
    dx: Tensor | int, dy: Tensor | int, size: int, device: torch.device, *, window: bool = True
) -> tuple[Tensor, int]:
    """The orders (..., 2), and the largest total there can be. Refuses orders that are negative or broken, larger than
    MAX_ORDER together, or (`window`) too high for the window, as far as they can be read.
    """
    most = min(MAX_ORDER, size - 1) if window else MAX_ORDER
    work = work_dtype(device)
    pair = [
        order.to(device, work) if isinstance(order, Tensor) else torch.full((), float(order), dtype=work, device=device)
        for order in (dx, dy)
    ]
    orders = torch.stack(torch.broadcast_tensors(*pair), -1)
    if isinstance(dx, Tensor) or isinstance(dy, Tensor):
        if not readable(orders):
            return orders, most
        values = orders.numpy()
    else:
        values = np.array([dx, dy], dtype=np.float64)
    broken = values[~((values >= 0) & (values == values.round()))]
    if broken.size:
        raise ValueError(f"dx and dy are derivative orders, whole numbers at least 0, got {broken[0]:g}")
    top = int(values.sum(-1).max(initial=0))
    if top > most:
        where = f" in a window of {size} pixels" if most < MAX_ORDER else ""
        raise ValueError(f"the derivative order dx + dy must be at most {most}{where}, got {top}")
    return orders, top


def known_orders(orders: Tensor, top: int) -> Tensor:
    """Which pairs (..., 2) are orders up to `top` together."""
    return (orders >= 0).all(-1) & (orders == orders.round()).all(-1) & (orders.sum(-1) <= top)
