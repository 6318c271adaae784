"""Rates as random spikes: every step is an independent draw, with a probability proportional to the value."""

from __future__ import annotations

import torch
from torch import Tensor

from .arguments import count, floating, number, wide
from .module import module_of


def _fires(x: Tensor, shape: tuple[int, ...], f_max: float, dt: float, generator: torch.Generator | None) -> Tensor:
    """Where `U < clamp((dt f_max) x, 0, 1)`: U in float32, from one draw."""
    probability = torch.clamp((number("dt", dt) * number("f_max", f_max, closed=True)) * x, 0, 1)
    return torch.rand(shape, dtype=torch.float32, device=x.device, generator=generator) < probability


def poisson_encode_step(
    input_values: Tensor, f_max: float = 1000, dt: float = 0.001, generator: torch.Generator | None = None
) -> Tensor:
    """One step of `poisson_encode`, of the input's shape S; here f_max is 1000 Hz by default.

    >>> poisson_encode_step(torch.tensor([0.0, 1.0])).tolist()
    [0.0, 1.0]
    """
    x = floating(input_values, "poisson_encode_step")
    return _fires(wide(x), (*x.shape,), f_max, dt, generator).to(x.dtype)


def poisson_encode(
    input_values: Tensor,
    seq_length: int,
    f_max: float = 100,
    dt: float = 0.001,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Independent spikes at the rate `f_max x` (Hz), shape `[T, *S]` for values x of any shape S, usually in [0, 1].

    `z = 1 where U < clamp((dt f_max) x, 0, 1), else 0`, U uniform on [0, 1). Above `(dt f_max) x = 1` the probability
    stays 1, below 0 and for NaN it is 0. There is no gradient. dt in seconds. Raises ValueError for a negative
    seq_length or f_max and for dt <= 0. `rate_decode` is the way back.

    >>> z = poisson_encode(torch.full((1000,), 0.5), 100, generator=torch.Generator().manual_seed(0))
    >>> z.shape, z.sum().item()
    (torch.Size([100, 1000]), 5058.0)
    """
    x = floating(input_values, "poisson_encode")
    return _fires(wide(x), (count("seq_length", seq_length), *x.shape), f_max, dt, generator).to(x.dtype)


def signed_poisson_encode_step(
    input_values: Tensor, f_max: float = 1000, dt: float = 0.001, generator: torch.Generator | None = None
) -> Tensor:
    """One step of `signed_poisson_encode`, of the input's shape S; here f_max is 1000 Hz by default.

    >>> signed_poisson_encode_step(torch.tensor([-1.0, 0.0, 1.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    x = floating(input_values, "signed_poisson_encode_step")
    return torch.where(_fires(wide(x).abs(), (*x.shape,), f_max, dt, generator), x.detach().sign(), 0.0)


def signed_poisson_encode(
    input_values: Tensor,
    seq_length: int,
    f_max: float = 100,
    dt: float = 0.001,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Spikes of both signs, `[T, *S]`: those of `|x|`, as in `poisson_encode`, times the sign of x, usually in [-1, 1].

    >>> z = signed_poisson_encode(torch.tensor([-1.0, 1.0]), 1000, generator=torch.Generator().manual_seed(0))
    >>> sorted(set(z[:, 0].tolist())), sorted(set(z[:, 1].tolist()))
    ([-1.0, 0.0], [0.0, 1.0])
    """
    x = floating(input_values, "signed_poisson_encode")
    shape = (count("seq_length", seq_length), *x.shape)
    return torch.where(_fires(wide(x).abs(), shape, f_max, dt, generator), x.detach().sign(), 0.0)


PoissonEncoder = module_of("PoissonEncoder", poisson_encode)
PoissonEncoderStep = module_of("PoissonEncoderStep", poisson_encode_step)
SignedPoissonEncoder = module_of("SignedPoissonEncoder", signed_poisson_encode)
SignedPoissonEncoderStep = module_of("SignedPoissonEncoderStep", signed_poisson_encode_step)
