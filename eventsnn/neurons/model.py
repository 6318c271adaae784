"""What a neuron model declares, and the few words its equations are written in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..surrogate import threshold


def _weight_scale(input_size: int, hidden_size: int) -> tuple[float, float]:
    return math.sqrt(2 / hidden_size), math.sqrt(2 / hidden_size)


def whole(weights: Tensor) -> Tensor:
    """The weights as they are, in one part."""
    return weights


@dataclass(frozen=True, eq=False)
class Model:
    """One neuron model: its equations, its tuples and how its public forms differ from the usual ones.

    The step is pure and pointwise: `step(x, state, p, dt, *, detach_reset) -> (output, state)`. Where the model is
    recurrent x is the pair `(W x, R z)`, which `inject` adds to a quantity in the right order.
    """

    name: str  # of the layer class, for example "LIF"
    prefix: str  # of the step functions, for example "lif"
    step: Callable[..., tuple[Tensor, Any]]
    parameters: type
    start: Callable[
        ..., Any
    ]  # (p, recurrent) -> the initial state in numbers; (state, recurrent) where there are presets
    recurrent_step: Callable[..., tuple[Tensor, Any]] | None = None  # where it is not `step`
    feedback: str = "z"  # the state field that R multiplies, dotted if nested
    detach_reset: bool = False  # default of the recurrent forms; the feed-forward forms never detach
    autapses: bool = False  # default
    weight_scale: Callable[[int, int], tuple[float, float]] = _weight_scale  # (I, H) -> standard deviations of W and R
    split: Callable[[Tensor], Any] = whole  # weights -> the parts that the step gets the products of
    coupled: bool = False  # has a coupling matrix: the step gets `(p, g_coupling)` for p and is not pointwise
    presets: bool = False  # modules take `spiking_method`, a pair of parameters and initial state, in the place of p
    sparse: bool = False  # takes sparse COO inputs
    adjoint: bool = False  # modules take `adjoint` after p
    options: dict[str, tuple[Any, ...]] = field(default_factory=dict)  # further keywords: allowed values, default first
    dt_positional: bool = False  # dt may be the fourth positional argument of recurrent forms
    cells: tuple[str, str] | None = None  # names of Cell and RecurrentCell where they are not the usual ones


def total(x: Any) -> Tensor:
    """x, or `W x + R z` where x is that pair."""
    return x[0] + x[1] if isinstance(x, tuple) else x


def inject(y: Tensor, x: Any) -> Tensor:
    """`y + x`, or `(y + W x) + R z` where x is the pair `(W x, R z)` of a recurrent form."""
    return (y + x[0]) + x[1] if isinstance(x, tuple) else y + x


def fire(u: Tensor, p: Any) -> Tensor:
    """Spikes where u > 0, with the surrogate gradient that the parameters name."""
    return threshold(u, p.method, p.alpha)


def store(state: Any, z: Tensor, **fields: Tensor) -> Any:
    """The state with new values; the spike too where the state has the field (recurrent forms)."""
    return state._replace(z=z, **fields) if "z" in state._fields else state._replace(**fields)


class _Select(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, on: Tensor, off: Tensor) -> Tensor:
        return torch.where(z > 0, on, off)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, on, off = ctx.saved_tensors
        jump = on - off
        jump = torch.where(jump.abs() < torch.inf, jump, 0.0)
        return grad * jump, torch.where(z > 0, grad, 0.0), torch.where(z > 0, 0.0, grad)


def select(z: Tensor, on: Tensor, off: Tensor) -> Tensor:
    """`on` where there is a spike, else `off`, by choice and not by arithmetic: inf or NaN never leak from the other.

    The gradient towards z is `on - off` (0 where that is not finite); pass `z.detach()` to have none.
    """
    return _Select.apply(z, on.expand_as(off) if on.shape != off.shape else on, off)
