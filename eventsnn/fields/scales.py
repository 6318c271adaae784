"""Temporal scales: how they are distributed, and how they are stored so that learning keeps every filter stable."""

import math

import torch
from torch import Tensor

from .values import on_host, require, work_dtype


def temporal_scale_distribution(
    n_scales: int, min_scale: float = 1, max_scale: float | None = None, c: float = math.sqrt(2)
) -> Tensor:
    """Standard deviations sqrt(tau_k) of `n_scales` temporal scales (variances), ascending and geometric.

    `c^(k-1) sqrt(min_scale)`, or from sqrt(min_scale) to sqrt(max_scale) if that is given, then c is ignored.
    Lindeberg 2016, Time-causal and time-recursive spatio-temporal receptive fields, doi 10.1007/s10851-015-0613-9.

    >>> temporal_scale_distribution(4)
    tensor([1.0000, 1.4142, 2.0000, 2.8284])
    >>> temporal_scale_distribution(4, 1, 100)
    tensor([ 1.0000,  2.1544,  4.6416, 10.0000])
    """
    if isinstance(n_scales, bool) or not isinstance(n_scales, int) or n_scales < 1:
        raise ValueError(f"n_scales must be a whole number, at least 1, got {n_scales!r}")
    if not 0 < min_scale < math.inf:
        raise ValueError(f"min_scale must be positive, got {min_scale}")
    if max_scale is not None and n_scales > 1:
        if not min_scale < max_scale < math.inf:
            raise ValueError(f"max_scale must be larger than min_scale {min_scale}, got {max_scale}")
        c = (max_scale / min_scale) ** (1 / (2 * (n_scales - 1)))
    if not 1 < c < math.inf:
        raise ValueError(f"c, the ratio of neighbouring scales, must be larger than 1, got {c}")
    return torch.tensor([c**k * math.sqrt(min_scale) for k in range(n_scales)])


def cascade_levels(tau: Tensor, n_levels: int, c: float) -> Tensor:
    """Variances tau_k (..., n_levels) of a cascade that ends at tau: `c^(2(k - n)) tau`, or `k tau / n` for c = 1."""
    k = torch.arange(1, n_levels + 1, dtype=tau.dtype, device=tau.device)
    return tau[..., None] * (k / n_levels if c == 1 else c ** (2 * (k - n_levels)))


def stored_scales(mu: Tensor, mode: str, axis: int) -> Tensor:
    """Logs of the time constants mu in steps; in a cascade of the first variance mu_1^2 and the increments of mu^2."""
    dtype = mu.dtype
    mu = mu.detach().to(work_dtype(mu.device))
    _require("the time constants", "positive and finite", mu, (mu > 0) & mu.isfinite())
    if mode == "parallel":
        return mu.log().to(dtype)
    variances = mu.square()
    increments = variances.diff(dim=axis, prepend=torch.zeros_like(variances.narrow(axis, 0, 1)))
    _require("each increment of a cascade's variances", "positive: scales ascending", increments, increments > 0)
    return increments.log().to(dtype)


def _require(name: str, rule: str, value: Tensor, holds: Tensor) -> None:
    here, true = on_host(value), on_host(holds)
    if here is not None and true is not None:
        require(name, rule, here, true)


def time_constants_of(log_tau: Tensor, mode: str) -> Tensor:
    """The filters' time constants mu in steps."""
    return torch.exp(log_tau.to(work_dtype(log_tau.device)) / (1 if mode == "parallel" else 2))
