"""Directional derivatives of kernels: smooth once, then take compact differences.

    d_x f(n) = (f(n+1) - f(n-1)) / 2      d_xx f(n) = f(n+1) - 2 f(n) + f(n-1)      X^i = d_xx^(i div 2) d_x^(i mod 2)
    D_phi^m D_perp^n = (cos X + sin Y)^m (cos Y - sin X)^n, multiplied out

Differences commute with the discrete Gaussian, so its properties carry over. d_xx is the three-point mask and never d_x
twice, which cannot see the finest frequency. Orders may be tensors, one pair a kernel: all is table look-up and matrix
products, so no value is ever read. Lindeberg 1993, Discrete derivative approximations with scale-space properties.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .values import readable, require, require_choice, tensors, work_dtype

MAX_ORDER = 8  # the largest m + n
NORMALIZATIONS = ("gamma", "l1", "none", "norse")
# mean of |He_n| over a standard normal variable: the L1 norm of the n-th derivative of a Gaussian of variance 1
GAUSSIAN_L1 = (
    1.0,
    0.7978845608028654,
    0.9678828980765735,
    1.5100130001304775,
    2.800600300829837,
    5.9100858213279786,
    13.81559704715272,
    35.14788722570391,
    96.11236966216717,
)


def select(order: Tensor, table: Sequence[Sequence[float]] | Sequence[float]) -> Tensor:
    """Row `order` of the table for every order; zeros where the table has no such row."""
    rows = torch.tensor(table, dtype=order.dtype).to(order.device, non_blocking=True)
    which = order[..., None] == torch.arange(len(rows), dtype=order.dtype, device=order.device)
    return torch.tensordot(which.to(order.dtype), rows, 1)


def axis_differences(size: int, top: int, like: Tensor) -> Tensor:
    """(top + 1, size, size): the matrices of X^0 ... X^top on a line of `size` pixels with zeros outside."""
    reach = (top + 1) // 2
    n = torch.arange(size + 2 * reach, device=like.device)
    offset = n[None, :] - n[:, None]
    one = ((offset == 1).to(like.dtype) - (offset == -1).to(like.dtype)) / 2
    two = (offset.abs() == 1).to(like.dtype) - 2 * (offset == 0).to(like.dtype)
    powers = [(offset == 0).to(like.dtype), one]
    for _ in range(2, top + 1):
        powers.append(powers[-2] @ two)
    inner = slice(reach, reach + size)
    return torch.stack([power[inner, inner] for power in powers[: top + 1]])


def direction_weights(angle: Tensor, m: Tensor, n: Tensor, top: int) -> Tensor:
    """(..., top + 1, top + 1): the weight of Y^j X^i in D_phi^m D_perp^n, [j, i]."""
    binomials = [[float(math.comb(order, k)) for k in range(top + 1)] for order in range(top + 1)]
    k = torch.arange(top + 1, dtype=angle.dtype, device=angle.device)
    p, q = k[:, None], k[None, :]
    cs, sn, along, across = (value[..., None, None] for value in (angle.cos(), angle.sin(), m, n))
    terms = select(m, binomials)[..., :, None] * (select(n, binomials) * (1 - 2 * (k % 2)))[..., None, :]
    terms = terms * cs ** (p + across - q).clamp(min=0) * sn ** (along - p + q).clamp(min=0)  # (..., p, q)
    by_power = torch.tensordot(terms, (p + q == k[:, None, None]).to(angle.dtype), ([-2, -1], [1, 2]))  # (..., i)
    return by_power[..., None, :] * (k[:, None] + k == (along + across))


def differentiate(field: Tensor, angle: Tensor, m: Tensor, n: Tensor, top: int) -> Tensor:
    """D_phi^m D_perp^n of fields (..., size, size) with zeros outside, m + n <= top; NaN for any other order."""
    if top == 0:
        derived = field
    else:
        powers = axis_differences(field.shape[-1], top, field)
        along_x = torch.einsum("...yx,iux->...iyu", field, powers)
        mixed = torch.einsum("...ji,...iyu->...jyu", direction_weights(angle, m, n, top), along_x)
        derived = torch.einsum("jvy,...jyu->...vu", powers, mixed)
    known = (m >= 0) & (n >= 0) & (m + n <= top) & (m == m.round()) & (n == n.round())
    return torch.where(known[..., None, None], derived, torch.nan)


def hermite(z: Tensor, order: Tensor, top: int) -> Tensor:
    """He_order(z), the probabilists' Hermite polynomial, for z (..., size, size) and order (...) up to `top`."""
    values = [torch.ones_like(z), z]
    for k in range(2, top + 1):
        values.append(z * values[-1] - (k - 1) * values[-2])
    steps = torch.arange(top + 1, dtype=order.dtype, device=order.device)
    return torch.einsum(
        "...k,...kyx->...yx", (order[..., None] == steps).to(z.dtype), torch.stack(values[: top + 1], -3)
    )


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


def normalize(
    kernels: Tensor, s1: Tensor, s2: Tensor, m: Tensor, n: Tensor, normalization: str, gamma: float
) -> Tensor:
    """Scale-normalise difference kernels (..., size, size): by s1^(gamma m) s2^(gamma n), or to the L1 norm."""
    if normalization == "none":
        return kernels
    if normalization == "gamma":
        return kernels * (s1 ** (gamma * m) * s2 ** (gamma * n))[..., None, None]
    wanted = select(m, GAUSSIAN_L1) * select(n, GAUSSIAN_L1)
    return kernels * (wanted / kernels.abs().sum((-2, -1)))[..., None, None]


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
    m, n, top = require_orders(dx, dy, field.shape[-1], field.device, window=False)
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
) -> tuple[Tensor, Tensor, int]:
    """The orders as tensors, and the largest m + n there can be. Refuses orders that are negative or broken, larger
    than MAX_ORDER together, or (`window`) too high for the window; unreadable tensors of such orders give NaN kernels.
    """
    work = work_dtype(device)
    top = MAX_ORDER if not window else min(MAX_ORDER, size - 1)
    orders = []
    for name, order in (("dx", dx), ("dy", dy)):
        if isinstance(order, Tensor):
            order = order.to(device, work)
        else:
            order = torch.full((), float(order), dtype=work, device=device)
        require(name, "a derivative order, a whole number at least 0,", order, (order >= 0) & (order == order.round()))
        orders.append(order)
    total = orders[0] + orders[1]
    rule = f"at most {top}" + (f" in a window of {size} pixels" if top < MAX_ORDER else "")
    require("the derivative order dx + dy", rule, total, total <= top)
    if not isinstance(dx, Tensor) and not isinstance(dy, Tensor):
        top = int(dx) + int(dy)
    elif readable(total):
        top = max((int(t) for t in total.flatten().tolist()), default=0)
    return orders[0], orders[1], top
