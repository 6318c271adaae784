"""Spike functions: a step forward, a smooth surrogate derivative backward.

Forward of every function is `Theta(u) = 1 where u > 0, else 0` (strict: 0 at 0 and at NaN), in u's dtype. Backward
multiplies the incoming gradient by a derivative `g(u, alpha)`. Neftci, Mostafa, Zenke, "Surrogate gradient learning in
spiking neural networks" (2019). One derivative makes a new spike function, usable as `method` of any neuron:

>>> @spike_function
... def gaussian(u, alpha):
...     return torch.exp(-((alpha * u) ** 2))
>>> u = torch.tensor([-0.1, 0.0, 0.1], requires_grad=True)
>>> z = threshold(u, method=gaussian, alpha=10.0)
>>> z.sum().backward()
>>> z.tolist(), [round(g, 4) for g in u.grad.tolist()]
([0.0, 0.0, 1.0], [0.3679, 1.0, 0.3679])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "atan_fn",
    "circ_dist_fn",
    "heavi_circ_fn",
    "heavi_erfc_fn",
    "heavi_tanh_fn",
    "heaviside",
    "logistic_fn",
    "sigmoid_fn",
    "sign",
    "spike_function",
    "super_fn",
    "threshold",
    "triangle_fn",
]

Alpha = Tensor | float
SpikeFunction = Callable[[Tensor, Alpha], Tensor]


def heaviside(x: Tensor, alpha: Alpha = 100.0) -> Tensor:
    """`1 where x > 0, else 0`, in x's dtype, without gradient.

    >>> heaviside(torch.tensor([-1.0, 0.0, 2.0, float("nan")])).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    return (x > 0).to(x.dtype)


def spike_function(derivative: SpikeFunction, forward: SpikeFunction = heaviside) -> SpikeFunction:
    """Make the spike function `f(x, alpha=100)` whose backward multiplies by `derivative(x, alpha)`.

    `forward` is the step itself. The derivative is made of pointwise torch operations; alpha never gets a gradient.
    """

    class Spike(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Tensor, alpha: Alpha) -> Tensor:
            return forward(x, alpha)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Tensor, Alpha], output: Tensor) -> None:
            x, alpha = inputs
            ctx.alpha = None if isinstance(alpha, Tensor) else alpha
            ctx.save_for_backward(*((x, alpha) if isinstance(alpha, Tensor) else (x,)))

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
            x, *alpha = ctx.saved_tensors
            return grad * derivative(x, alpha[0] if alpha else ctx.alpha), None

    @functools.wraps(derivative, updated=())
    def spike(x: Tensor, alpha: Alpha = 100.0) -> Tensor:
        return Spike.apply(x, alpha)

    return spike


def _tanh(x: Tensor, alpha: Alpha) -> Tensor:
    t = torch.tanh(alpha * x)
    return 1 - t * t


def _circ(x: Tensor, alpha: Alpha) -> Tensor:
    s = x * x + alpha * alpha
    return alpha * alpha * alpha / (s * torch.sqrt(s))


@spike_function
def super_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """SuperSpike, `g = 1 / (alpha |x| + 1)^2`. Zenke, Ganguli (2018)."""
    s = alpha * x.abs() + 1
    return 1 / (s * s)


@spike_function
def triangle_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Triangle, `g = alpha max(0, 1 - |x|)`; alpha 0.3 is sensible. Bellec et al. (2018)."""
    return alpha * torch.clamp(1 - x.abs(), min=0)


@spike_function
def heavi_tanh_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Hyperbolic tangent, `g = 1 - tanh(alpha x)^2`."""
    return _tanh(x, alpha)


@spike_function
def heavi_circ_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Circle, `g = alpha^3 / (x^2 + alpha^2)^1.5`; alpha 0.1 is sensible."""
    return _circ(x, alpha)


@spike_function
def heavi_erfc_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Error function, `g = (2 / sqrt(pi)) exp(-(alpha x)^2)`."""
    s = alpha * x
    return 2 / math.sqrt(math.pi) * torch.exp(-(s * s))


@spike_function
def atan_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Arc tangent, `g = (alpha / 2) / (1 + (pi alpha x / 2)^2)`; alpha 2 is usual. Fang et al. (2021)."""
    s = math.pi / 2 * alpha * x
    return alpha / 2 / (1 + s * s)


@spike_function
def sigmoid_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Logistic sigmoid s, `g = alpha s(alpha x) (1 - s(alpha x))`; alpha 4 or 25 is usual."""
    s = torch.sigmoid(alpha * x)
    return alpha * s * (1 - s)


def _bernoulli(probability: SpikeFunction) -> SpikeFunction:
    return lambda x, alpha: (torch.rand_like(x) < probability(x, alpha)).to(x.dtype)


@functools.partial(spike_function, forward=_bernoulli(lambda x, alpha: 0.5 + torch.tanh(alpha * x) / 2))
def logistic_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Random spikes, Bernoulli(`1/2 + tanh(alpha x) / 2`), with the derivative of `heavi_tanh_fn`."""
    return _tanh(x, alpha)


@functools.partial(
    spike_function, forward=_bernoulli(lambda x, alpha: 0.5 + x / 2 * torch.rsqrt(x * x + alpha * alpha))
)
def circ_dist_fn(x: Tensor, alpha: Alpha) -> Tensor:
    """Random spikes, Bernoulli(`1/2 + x / (2 sqrt(x^2 + alpha^2))`), with the derivative of `heavi_circ_fn`."""
    return _circ(x, alpha)


METHODS: dict[str, SpikeFunction] = {
    "super": super_fn,
    "superspike": super_fn,
    "triangle": triangle_fn,
    "tanh": heavi_tanh_fn,
    "circ": heavi_circ_fn,
    "heavi_erfc": heavi_erfc_fn,
    "heaviside": heaviside,
    "atan": atan_fn,
    "sigmoid": sigmoid_fn,
}


def by_name(method: str | SpikeFunction) -> SpikeFunction:
    """The spike function of that name, or the function itself; a ValueError lists the names where there is none."""
    if callable(method):
        return method
    if method not in METHODS:
        raise ValueError(
            f"unknown surrogate method {method!r}: choose one of {', '.join(METHODS)}, "
            "or pass a spike function f(x, alpha), which eventsnn.spike_function makes from a derivative"
        )
    return METHODS[method]


def threshold(x: Tensor, method: str | SpikeFunction = "super", alpha: Alpha = 100.0) -> Tensor:
    """Spikes `1 where x > 0, else 0` with the surrogate derivative named by `method`.

    Raises ValueError for an unknown name, listing the known ones.

    >>> threshold(torch.tensor([-0.5, 0.0, 0.5]), "triangle", 0.3).tolist()
    [0.0, 0.0, 1.0]
    """
    return by_name(method)(x, alpha)


def sign(x: Tensor, method: str | SpikeFunction = "super", alpha: Alpha = 100.0) -> Tensor:
    """`2 threshold(x) - 1`: +1 above 0, else -1, with twice the surrogate derivative.

    >>> sign(torch.tensor([-0.5, 0.5])).tolist()
    [-1.0, 1.0]
    """
    return 2 * threshold(x, method, alpha) - 1
