"""The affine Gaussian on the pixel grid: exact (discrete) and sampled.

Diffusion on the pixel grid has a closed Fourier transform (Lindeberg 1990, 2017)

    T^(tx, ty) = exp(-Cxx (1 - cos tx) - Cyy (1 - cos ty) - Cxy sin tx sin ty + Q (1 - cos tx)(1 - cos ty))

Its inverse transform sums to 1, has exactly the covariance C, obeys T(C1) * T(C2) = T(C1 + C2), and is never negative
where |Cxy| <= Q <= min(Cxx, Cyy). Q = |Cxy| unless said otherwise.

Lindeberg 1990, Scale-space for discrete signals, doi 10.1109/34.49051. Lindeberg 2017, Discrete approximations of the
affine Gaussian derivative model for visual receptive fields, arXiv 1701.02127.
"""

import math
import warnings
from contextlib import nullcontext
from statistics import NormalDist

import torch
from torch import Tensor

from ..constant import constant
from .values import readable, require, require_choice, tensors, work_dtype

KERNELS = ("discrete", "sampled")


def covariance_matrix(sigma1: Tensor | float, sigma2: Tensor | float, phi: Tensor | float) -> Tensor:
    """Covariance (..., 2, 2) of an ellipse with standard deviations sigma1 along phi and sigma2 across [px].

    Angles in radians from +x (right) towards +y (down).

    >>> covariance_matrix(2.0, 1.0, torch.pi / 6)
    tensor([[3.2500, 1.2990],
            [1.2990, 1.7500]])
    """
    cxx, cxy, cyy = covariance(*torch.broadcast_tensors(*tensors(sigma1, sigma2, phi)))
    return torch.stack([torch.stack([cxx, cxy], -1), torch.stack([cxy, cyy], -1)], -2)


def covariance(sigma1: Tensor, sigma2: Tensor, phi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(Cxx, Cxy, Cyy) of an ellipse."""
    along, across, cs, sn = sigma1.square(), sigma2.square(), phi.cos(), phi.sin()
    return (
        along * cs.square() + across * sn.square(),
        (along - across) * cs * sn,
        along * sn.square() + across * cs.square(),
    )


def gaussian_kernel(
    size: int,
    c: Tensor,
    x: Tensor | float,
    y: Tensor | float,
    domain: float | None = None,
    *,
    kernel: str = "discrete",
    q: Tensor | float | None = None,
) -> Tensor:
    """A 2-D Gaussian of covariance `c` (..., 2, 2), centred at (x, y), as a (..., size, size) window [row, column].

    "discrete" is the exact kernel above in pixels (in units of `2 domain / (size - 1)` pixels if `domain` is given);
    it is not renormalised, the part of its unit mass outside the window is missing. `q` overrides Q = |Cxy|.
    "sampled" is the density at `linspace(-domain, domain, size)` (domain 8 if not given), not divided by its sum.

    Raises ValueError for an even size ("discrete"), a covariance that is not positive definite, a q that breaks the
    condition for positivity; warns where c itself breaks it.

    >>> gaussian_kernel(3, torch.eye(2), 0.0, 0.0)
    tensor([[0.0432, 0.0968, 0.0432],
            [0.0968, 0.2169, 0.0968],
            [0.0432, 0.0968, 0.0432]])
    """
    require_choice("kernel", kernel, KERNELS)
    require_window(size, kernel, domain)
    if not isinstance(c, Tensor) or c.shape[-2:] != (2, 2):
        raise ValueError(f"c must be a tensor of shape (..., 2, 2), got {getattr(c, 'shape', type(c).__name__)}")
    c, x, y = tensors(c, x, y)
    cxx, cxy, cyy = c[..., 0, 0], c[..., 0, 1], c[..., 1, 1]
    require("c", "symmetric", c[..., 1, 0], torch.isclose(cxy, c[..., 1, 0]))
    require("the determinant of c", "positive", torch.linalg.det(c.detach()), (cxx * cyy > cxy.square()) & (cxx > 0))
    work = work_dtype(c.device)
    cxx, cxy, cyy, x, y = (value.to(work) for value in (cxx, cxy, cyy, x, y))
    if kernel == "sampled":
        exponent = sampled_exponent(cxx, cxy, cyy, x, y, size, 8 if domain is None else domain)
        return (exponent.exp() / (2 * torch.pi * torch.linalg.det(c.to(work)).sqrt()[..., None, None])).to(c.dtype)
    least = torch.minimum(cxx, cyy)
    if q is not None:
        q = tensors(q, c)[0].to(work)
        require("q", "at least |Cxy| and at most the smaller variance", q, (q >= cxy.abs()) & (q <= least))
    elif readable(cxy) and bool((cxy.abs() > least).any()):
        worst = int((cxy.abs() - least).argmax())
        given = f"|Cxy| = {cxy.abs().flatten()[worst]:.3g} and variances down to {least.flatten()[worst]:.3g}"
        warnings.warn(
            f"c has {given}: where |Cxy| is above the smaller variance a narrow kernel has slightly negative values; "
            "its sum and covariance stay exact. Ratios of standard deviations up to 2.41 have none at any angle",
            stacklevel=2,
        )
    pitch = 1.0 if domain is None else 2 * domain / (size - 1)
    cxx, cxy, cyy = cxx / pitch**2, cxy / pitch**2, cyy / pitch**2
    return discrete_gaussian(cxx, cxy, cyy, x / pitch, y / pitch, size, q).to(c.dtype)


def discrete_gaussian(
    cxx: Tensor, cxy: Tensor, cyy: Tensor, x: Tensor, y: Tensor, size: int, q: Tensor | None = None
) -> Tensor:
    """The exact kernel (..., size, size) of covariance (cxx, cxy, cyy) about (x, y) [px]: real matrix products.

    The spectrum T+ at (tx, ty) is that at (-tx, -ty), T- that of the mixed signs, so a quadrant of frequencies does:
    (T+ + T-) cos cos - (T+ - T-) sin sin. A centre off the grid by a fraction f is linear interpolation, whose extra
    variance f (1 - f) is taken out of the covariance: mean and covariance stay exact and nothing rings.
    """
    q = cxy.abs() if q is None else q
    cxx, cxy, cyy, x, y, q = torch.broadcast_tensors(cxx, cxy, cyy, x, y, q)
    centre = torch.stack([x, y])
    whole = centre.detach().floor()
    right, down = (centre - whole).unbind(0)
    cxx, cyy = cxx - right * (1 - right), cyy - down * (1 - down)
    modes, *table = spectrum(size, dtype=cxx.dtype, device=cxx.device)
    first = (-cxx, -cyy, q)
    rates = torch.stack([*first, -cxy, *first, cxy], -1).unflatten(-1, (2, 4))
    exact = nullcontext() if cxx.dtype == torch.float64 else torch.autocast(cxx.device.type, enabled=False)
    with exact:  # autocast leaves float64 alone
        exponents = torch.tensordot(rates, modes, 1)
        plus, minus = exponents.exp().unbind(-3)  # (..., ty, tx)
        spectra = torch.stack([plus + minus, minus - plus])
        wave_x, wave_y = _waves(table, size, whole).unbind(1)
        kernels = (wave_y @ spectra @ wave_x.mT).sum(0)
    right, down = right[..., None, None], down[..., None, None]
    kernels = torch.lerp(kernels[..., 1:, :], kernels[..., :-1, :], down)
    return torch.lerp(kernels[..., 1:], kernels[..., :-1], right)


@constant
def spectrum(size: int, *, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """The four modes (4, ty, tx) of the exponent, tables (n, t) of the waves cos and sin, and the window's pixels.

    The waves are weighted so that frequency zero counts once and all others twice.
    """
    n = 4 * size + 1  # frequencies: odd, and enough that the wrap-around is below 1e-12 for a std of size/2
    t = 2 * torch.pi / n * torch.arange(2 * size + 1, dtype=dtype, device=device)
    low, sin, one = 1 - t.cos(), t.sin(), torch.ones_like(t)
    modes = torch.stack([torch.outer(a, b) for a, b in ((one, low), (low, one), (low, low), (sin, sin))])
    phases = torch.arange(n, dtype=dtype, device=device)[:, None] * t
    weight = math.sqrt(2) / n * (1 + (t > 0).to(t)) / 2
    pixels = torch.arange(size + 1, dtype=dtype, device=device) - (size + 1) // 2
    return modes, phases.cos() * weight, phases.sin() * weight, pixels


def _waves(table: list[Tensor], size: int, whole: Tensor) -> Tensor:
    """(2, ..., size + 1, frequencies): cos(t n), sin(t n) at the window's pixels about `whole` and one before."""
    cos, sin, pixels = table
    n = len(cos)
    row = (pixels - whole[..., None]).remainder(n).long().clamp(0, n - 1)
    return torch.stack([take(cos, row), take(sin, row)])


def take(table: Tensor, index: Tensor) -> Tensor:
    """`table[index]` along the first axis, in whole rows, which is several times faster."""
    return table.index_select(0, index.flatten()).unflatten(0, index.shape)


def sampled_exponent(cxx: Tensor, cxy: Tensor, cyy: Tensor, x: Tensor, y: Tensor, size: int, domain: float) -> Tensor:
    """-(p - centre)^T C^-1 (p - centre) / 2 at the points p of `linspace(-domain, domain, size)` in both axes."""
    cxx, cxy, cyy, x, y = (value[..., None, None] for value in (cxx, cxy, cyy, x, y))
    axis = torch.linspace(-domain, domain, size, dtype=cxx.dtype, device=cxx.device)
    u, v = axis[None, :] - x, axis[:, None] - y
    return (2 * cxy * u * v - cyy * u.square() - cxx * v.square()) / (2 * (cxx * cyy - cxy.square()))


def require_window(size: int, kernel: str, domain: float | None) -> None:
    """Refuse a window that is no whole number of pixels, too small, (discrete) without a middle pixel, or no domain."""
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"size must be a whole number of pixels, at least 1, got {size!r}")
    if kernel == "discrete" and size % 2 == 0:
        raise ValueError(
            f"size must be odd for kernel='discrete', so that there is a middle pixel, got {size}; "
            f"use {size - 1} or {size + 1}, or kernel='sampled'"
        )
    if domain is not None and not (domain > 0 and size > 1):
        raise ValueError(f"domain must be positive and size at least 2 with it, got domain {domain}, size {size}")


def truncation_radius(scale: Tensor | float, epsilon: float = 0.01, ndim: int = 2) -> Tensor | int:
    """Radius [px] of the window that keeps all but `epsilon` of a Gaussian of variance `scale` [px^2] in `ndim` axes.

    `ceil(sqrt(2 scale) erfcinv(1 - (1 - epsilon)^(1/ndim)))`; a whole number for a number, a tensor for a tensor.

    >>> truncation_radius(4.0), truncation_radius(4.0, 1e-4)
    (6, 9)
    """
    deviations = truncation_deviations(epsilon, ndim)
    if isinstance(scale, Tensor):
        require("scale", "positive", scale, scale > 0)
        return torch.ceil(deviations * scale.sqrt())
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}")
    return math.ceil(deviations * math.sqrt(scale))


def truncation_deviations(epsilon: float = 0.01, ndim: int = 2) -> float:
    """Half-width, in standard deviations, of the cube that holds all but `epsilon` of a Gaussian."""
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon must lie between 0 and 1, got {epsilon}")
    return NormalDist().inv_cdf((1 + (1 - epsilon) ** (1 / ndim)) / 2)
