"""Directional derivatives of kernels: smooth once, then take compact differences.

    d_x f(n) = (f(n+1) - f(n-1)) / 2      d_xx f(n) = f(n+1) - 2 f(n) + f(n-1)      X^i = d_xx^(i div 2) d_x^(i mod 2)
    D_phi^m D_perp^n = (cos X + sin Y)^m (cos Y - sin X)^n, multiplied out

Differences commute with the discrete Gaussian, so its properties carry over. d_xx is the three-point mask and never d_x
twice, which cannot see the finest frequency. Orders may be tensors, one pair a kernel: all is table look-up and matrix
products, so no value is ever read. Lindeberg 1993, Discrete derivative approximations with scale-space properties.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ..constant import constant
from .kernels import take

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


def select(order: Tensor, rows: Tensor) -> Tensor:
    """Row `order` of a table for every order; zeros where the table has no such row."""
    which = order[..., None] == counted(len(rows), dtype=order.dtype, device=order.device)
    return torch.tensordot(which.to(order.dtype), rows, 1)


@constant
def counted(n: int, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.arange(n, dtype=dtype, device=device)


@constant
def norms(*, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(GAUSSIAN_L1, dtype=dtype, device=device)


@constant
def binomials(top: int, *, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """(order, k): order over k; and (i, p, q): 1 where the powers p and q of two factors make i."""
    table = [[float(math.comb(order, k)) for k in range(top + 1)] for order in range(top + 1)]
    k = torch.arange(top + 1, device=device)
    return torch.tensor(table, dtype=dtype, device=device), (k[:, None] + k == k[:, None, None]).to(dtype)


@constant
def axis_differences(size: int, top: int, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(top + 1, size, size): the matrices of X^0 ... X^top on a line of `size` pixels with zeros outside."""
    reach = (top + 1) // 2
    n = torch.arange(size + 2 * reach, device=device)
    offset = n[None, :] - n[:, None]
    one = ((offset == 1).to(dtype) - (offset == -1).to(dtype)) / 2
    two = (offset.abs() == 1).to(dtype) - 2 * (offset == 0).to(dtype)
    powers = [(offset == 0).to(dtype), one]
    for _ in range(2, top + 1):
        powers.append(powers[-2] @ two)
    inner = slice(reach, reach + size)
    return torch.stack([power[inner, inner] for power in powers[: top + 1]])


def direction_weights(angle: Tensor, m: Tensor, n: Tensor, top: int) -> Tensor:
    """(..., top + 1): the weights of X^i Y^(m+n-i) in D_phi^m D_perp^n."""
    facts: dict[str, Any] = {"dtype": angle.dtype, "device": angle.device}
    k, (rows, same) = counted(top + 1, **facts), binomials(top, **facts)
    cs, sn, m, n = (value[..., None] for value in (angle.cos(), angle.sin(), m, n))
    along = select(m[..., 0], rows) * cs**k * sn ** (m - k).clamp(min=0)
    across = select(n[..., 0], rows) * (-sn) ** k * cs ** (n - k).clamp(min=0)
    product = along[..., :, None] * across[..., None, :]  # (..., p, q), the powers of X of the two factors
    return torch.tensordot(product, same, ([-2, -1], [1, 2]))


def differentiate(field: Tensor, angle: Tensor, m: Tensor, n: Tensor, top: int) -> Tensor:
    """D_phi^m D_perp^n of fields (..., size, size) with zeros outside, m + n <= top."""
    if top == 0:
        return field
    powers = axis_differences(field.shape[-1], top, dtype=field.dtype, device=field.device)
    weights = direction_weights(angle, m, n, top)
    along_x = torch.einsum("...yx,iux->...yiu", field, powers) * weights[..., None, :, None]
    rest = (m + n)[..., None] - counted(top + 1, dtype=m.dtype, device=m.device)
    along_y = take(powers, rest.long().clamp(0, top)).movedim(
        -3, -1
    )  # (..., v, y, i); weights of negative powers are zero
    return along_y.flatten(-2) @ along_x.flatten(-3, -2)


def hermite(z: Tensor, order: Tensor, top: int) -> Tensor:
    """He_order(z), the probabilists' Hermite polynomial, for z (..., size, size) and order (...) up to `top`."""
    values = [torch.ones_like(z), z]
    for k in range(2, top + 1):
        values.append(z * values[-1] - (k - 1) * values[-2])
    steps = counted(top + 1, dtype=order.dtype, device=order.device)
    return torch.einsum(
        "...k,...kyx->...yx", (order[..., None] == steps).to(z.dtype), torch.stack(values[: top + 1], -3)
    )


def normalize(
    kernels: Tensor, s1: Tensor, s2: Tensor, m: Tensor, n: Tensor, normalization: str, gamma: float
) -> Tensor:
    """Scale-normalise difference kernels (..., size, size): by s1^(gamma m) s2^(gamma n), or to the L1 norm."""
    if normalization == "none":
        return kernels
    if normalization == "gamma":
        return kernels * (s1 ** (gamma * m) * s2 ** (gamma * n))[..., None, None]
    rows = norms(dtype=m.dtype, device=m.device)
    wanted = select(m, rows) * select(n, rows)
    return kernels * (wanted / kernels.abs().sum((-2, -1)))[..., None, None]
