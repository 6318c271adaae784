"""Spatial receptive fields as kernels: one batched, differentiable expression builds a whole bank.

A field is a Gaussian with standard deviations s1 = sqrt(scale) ratio along `angle` and s2 = sqrt(scale) / ratio across,
differentiated `dx` times along and `dy` times across the angle, scale-normalised by s1^(gamma dx) s2^(gamma dy).
The discrete kernel is cut to the window, renormalised, then differentiated, so that for any window order 0 sums to 1,
every other order sums to 0, and the moment of the field's own order is exact.

Lindeberg 2013, A computational theory of visual receptive fields, Biol. Cybern. 107:589. Lindeberg 2024, Discrete
approximations of Gaussian smoothing and Gaussian derivatives, arXiv 2311.11317.
"""

import torch
from torch import Tensor

from ..constant import constant
from .derivatives import NORMALIZATIONS, derive_alternating, known_orders, require_orders
from .differences import differentiate, hermite, normalize
from .kernels import KERNELS, covariance, discrete_gaussian, require_window, sampled_exponent, take
from .values import readable, require_choice, require_fields, tensors, work_dtype

COLUMNS = ("scale", "angle", "ratio", "x", "y", "dx", "dy")


def spatial_receptive_field(
    scale: Tensor | float,
    angle: Tensor | float,
    ratio: Tensor | float,
    x: Tensor | float,
    y: Tensor | float,
    size: int,
    dx: Tensor | int = 0,
    dy: Tensor | int = 0,
    domain: float | None = None,
    *,
    kernel: str = "discrete",
    normalization: str = "gamma",
    gamma: float = 1.0,
    renormalize: bool = True,
) -> Tensor:
    """Receptive fields (..., size, size), [row, column]; every tensor argument may carry batch dimensions.

    `scale` is a variance [px^2], `angle` in radians from +x towards +y, `ratio` > 0 the square root of the aspect
    ratio, (x, y) the centre [px], `dx` and `dy` the derivative orders along and across the angle.

    - kernel "discrete" (exact, in pixels, or in units of 2 domain/(size-1) pixels if `domain` is given; odd sizes) or
      "sampled" (the density at `linspace(-domain, domain, size)`, domain 10 if not given).
    - normalization "gamma", "l1" (L1 norm of the continuous field), "none" or, sampled only, "norse".

    Where orders cannot be checked without waiting (on an accelerator, under torch.compile) bad ones give NaN kernels.

    >>> spatial_receptive_field(1.0, 0.0, 1.0, 0.0, 0.0, 5, 1, 0)[2, [0, 1, 3, 4]]
    tensor([ 0.0623,  0.1396, -0.1396, -0.0623])
    """
    require_keywords(size, domain, kernel, normalization)
    fields = torch.stack(torch.broadcast_tensors(*tensors(scale, angle, ratio, x, y)), -1)
    require_fields(fields)
    orders, top = require_orders(dx, dy, size, fields.device, window=kernel == "discrete")
    if kernel == "sampled" and domain is None:
        domain = 10
    kernels = build(fields, orders, size, top, domain, kernel, normalization, gamma, renormalize)
    if readable(orders):
        return kernels
    return torch.where(known_orders(orders, top)[..., None, None], kernels, torch.nan)


def spatial_receptive_fields_with_derivatives(
    combinations: Tensor,
    size: int,
    domain: float | None = None,
    *,
    kernel: str = "discrete",
    normalization: str = "gamma",
    gamma: float = 1.0,
    renormalize: bool = True,
) -> Tensor:
    """The bank (n, size, size) of the rows (scale, angle, ratio, x, y, dx, dy) of `combinations` (n, 7).

    The keywords are those of `spatial_receptive_field`; the sampled kernel's domain is 1 if not given.

    >>> rows = torch.tensor([[2.0, 0.5, 1.5, 0.0, 0.0, 0.0, 0.0], [2.0, 0.5, 1.5, 0.0, 0.0, 1.0, 0.0]])
    >>> spatial_receptive_fields_with_derivatives(rows, 9).sum((1, 2)).round(decimals=4).abs()
    tensor([1., 0.])
    """
    rows = require_rows(combinations)
    if kernel == "sampled" and domain is None:
        domain = 1
    scale, angle, ratio, x, y = rows[..., :5].unbind(-1)
    dx, dy = rows[..., 5:].detach().unbind(-1)
    return spatial_receptive_field(
        scale,
        angle,
        ratio,
        x,
        y,
        size,
        dx,
        dy,
        domain,
        kernel=kernel,
        normalization=normalization,
        gamma=gamma,
        renormalize=renormalize,
    )


def build(
    fields: Tensor,
    orders: Tensor,
    size: int,
    top: int,
    domain: float | None,
    kernel: str,
    normalization: str,
    gamma: float,
    renormalize: bool = True,
    shared: Tensor | None = None,
) -> Tensor:
    """The bank (..., size, size) of checked `fields` (..., 5): scale, angle, ratio, x, y, and `orders` (..., 2).

    `top` is the largest total order. With `shared` (n,) there are fewer fields (k, 5) than orders (n, 2): it says which
    field each kernel derives, so that every field is smoothed once. Built in float64, returned in the fields' dtype.
    """
    work = work_dtype(fields.device)
    if shared is not None and kernel == "sampled":
        fields, shared = fields[shared], None
    scale, angle, ratio, x, y = fields.to(work).unbind(-1)
    m, n = orders.to(work).unbind(-1)
    pitch = 1.0 if domain is None else 2 * domain / (size - 1)
    s1, s2 = scale.sqrt() * ratio, scale.sqrt() / ratio
    if kernel == "discrete":
        s1, s2, x, y = s1 / pitch, s2 / pitch, x / pitch, y / pitch
        field = discrete_gaussian(*covariance(s1, s2, angle), x, y, size)
        if shared is not None:
            field, s1, s2, angle = (take(value, shared) for value in (field, s1, s2, angle))
        field = _window(field, m, n, size, top, renormalize)
        kernels = normalize(differentiate(field, angle, m, n, top), s1, s2, m, n, normalization, gamma)
        return kernels.to(fields.dtype)
    assert domain is not None  # the sampled kernel's callers fill in their default
    exponent = sampled_exponent(*covariance(s1, s2, angle), x, y, size, domain)
    if renormalize:
        field = exponent.flatten(-2).softmax(-1).unflatten(-1, (size, size))
    else:
        field = exponent.exp() / (2 * torch.pi * scale)[..., None, None]
    if normalization == "norse":
        return derive_alternating(field, scale, angle, m, n, top).to(fields.dtype)
    field = field * _hermite_factor(s1, s2, angle, x, y, m, n, size, top, domain)
    if normalization != "l1":  # He_m(u / s1) is already the derivative times s1^m
        normalization, gamma = "gamma", (gamma if normalization == "gamma" else 0.0) - 1
    return normalize(field, s1, s2, m, n, normalization, gamma).to(fields.dtype)


def _window(field: Tensor, m: Tensor, n: Tensor, size: int, top: int, renormalize: bool) -> Tensor:
    """Zero the outer ceil((m + n) / 2) rings, so that no difference mask leaves the window; divide by the sum."""
    if top:
        ring = rings(size, dtype=field.dtype, device=field.device)
        field = field * (ring >= torch.ceil((m + n) / 2)[..., None, None])
    return field / field.sum((-2, -1), keepdim=True) if renormalize else field


@constant
def rings(size: int, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """How far every pixel of the window is from its edge."""
    edge = torch.arange(size, dtype=dtype, device=device)
    edge = torch.minimum(edge, edge.flip(0))
    return torch.minimum(edge[:, None], edge)


def _hermite_factor(
    s1: Tensor,
    s2: Tensor,
    angle: Tensor,
    x: Tensor,
    y: Tensor,
    m: Tensor,
    n: Tensor,
    size: int,
    top: int,
    domain: float,
) -> Tensor:
    """(-1)^(m+n) He_m(u/s1) He_n(v/s2), u along and v across the angle."""
    axis = torch.linspace(-domain, domain, size, dtype=s1.dtype, device=s1.device)
    s1, s2, angle, x, y = (value[..., None, None] for value in (s1, s2, angle, x, y))
    right, down, cs, sn = axis[None, :] - x, axis[:, None] - y, angle.cos(), angle.sin()
    along, across = hermite((cs * right + sn * down) / s1, m, top), hermite((cs * down - sn * right) / s2, n, top)
    return along * across * (1 - 2 * ((m + n) % 2))[..., None, None]


def require_keywords(size: int, domain: float | None, kernel: str, normalization: str) -> None:
    """Refuse an unknown kernel or normalisation, a bad window, and norse's normalisation of the discrete kernel."""
    require_choice("kernel", kernel, KERNELS)
    require_choice("normalization", normalization, NORMALIZATIONS)
    if normalization == "norse" and kernel != "sampled":
        raise ValueError("normalization='norse' needs kernel='sampled', got kernel='discrete'")
    require_window(size, kernel, domain)


def require_rows(rows: Tensor) -> Tensor:
    """Refuse anything but a tensor of rows of seven columns."""
    if not isinstance(rows, Tensor):
        raise TypeError(f"the field parameters must be a tensor of rows {COLUMNS}, got {type(rows).__name__}")
    if rows.ndim < 1 or rows.shape[-1] != len(COLUMNS):
        raise ValueError(
            f"the field parameters need the seven columns {', '.join(COLUMNS)}, got shape {tuple(rows.shape)}; "
            "five columns (scale, angle, ratio, dx, dy) lack the centre x, y"
        )
    return rows
