"""Temporal kernels by themselves, for plots and tests."""

import math

import torch
from torch import Tensor

from .integrators import choose_update, coefficients, integrate, require_temporal_orders, responses
from .scales import cascade_levels
from .values import require, require_choice, tensors, work_dtype


def temporal_kernel(
    tau: Tensor | float,
    length: int,
    *,
    c: float = math.sqrt(2),
    n_levels: int = 8,
    update: str = "variance",
    signal: str = "levels",
    order: int = 0,
) -> Tensor:
    """Impulse response (..., length) of the last of `n_levels` filters in cascade, variance tau (...) in steps^2.

    Level k has the variance `c^(2(k - n_levels)) tau` (`k tau / n_levels` for c = 1); many levels approach the
    time-causal limit kernel. `update` is "variance" or "exact", for a single filter also "exp" or "euler"; `signal`
    "levels" has the sum 1, "events" the unit gain of `TemporalReceptiveField`; `order` counts time derivatives, each
    times sqrt(tau).

    Lindeberg 2023, A time-causal and time-recursive scale-covariant scale-space representation, arXiv 2202.09209.

    >>> temporal_kernel(100.0, 4, n_levels=4)
    tensor([0.0014, 0.0046, 0.0092, 0.0147])
    """
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise ValueError(f"length must be a whole number of steps, at least 0, got {length!r}")
    if isinstance(n_levels, bool) or not isinstance(n_levels, int) or n_levels < 1:
        raise ValueError(f"n_levels must be a whole number, at least 1, got {n_levels!r}")
    if not c >= 1:
        raise ValueError(f"c, the ratio of neighbouring scales, must be at least 1, got {c}")
    require_choice("update", update, ("variance", "exact", "exp", "euler"))
    mode = "parallel" if update in ("exp", "euler") else "cascade"
    if mode == "parallel" and n_levels != 1:
        raise ValueError(f"update {update!r} is that of single filters: give n_levels=1, got {n_levels}")
    update = choose_update(mode, update, signal)
    (order,) = require_temporal_orders((order,), mode, update)
    if order > n_levels:
        raise ValueError(f"order must be at most n_levels = {n_levels}, got {order}")
    (tau,) = tensors(tau)
    require("tau", "positive", tau, tau > 0)
    mu = cascade_mu(cascade_levels(tau, n_levels, c), mode)
    x = torch.zeros(length, *tau.shape, dtype=tau.dtype, device=tau.device)
    x[:1] = 1
    rates = coefficients(mu.to(work_dtype(mu.device)), mode, update, signal, -1)
    levels, _ = integrate(x, torch.zeros_like(mu), rates, mode, update, signal, -1)
    return responses(x, levels, lambda: mu, mode, update, signal, (order,), -1)[..., -1].movedim(0, -1)


def cascade_mu(variances: Tensor, mode: str) -> Tensor:
    """The filters' time constants of levels with these variances (..., levels), differentiable."""
    if mode == "parallel":
        return variances.sqrt()
    return variances.diff(dim=-1, prepend=torch.zeros_like(variances[..., :1])).sqrt()
