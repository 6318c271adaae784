"""Leaky integrate-and-fire with an absolute refractory period: silent and clamped for some steps after each spike.

    while rho > 0: no spike, v held, rho <- rho - 1          at a spike: rho <- rho_reset          else as LIF

The current goes on integrating. Mask and counter carry no gradient. Exactly `ceil(rho_reset)` steps are blocked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import lif
from .lif import LIFFeedForwardState, LIFParameters, LIFState
from .model import Model, store
from .state import state_type


class LIFRefracParameters(NamedTuple):
    """Parameters of the LIF inside and the refractory period (steps, whatever dt is)."""

    lif: LIFParameters = LIFParameters()
    rho_reset: Any = 5.0


@state_type
class LIFRefracFeedForwardState(NamedTuple):
    """State of the LIF inside and the steps still to be silent, rho."""

    lif: LIFFeedForwardState
    rho: Tensor


@state_type
class LIFRefracState(NamedTuple):
    """State of the LIF inside and the steps still to be silent, rho."""

    lif: LIFState
    rho: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    state = LIFRefracState if recurrent else LIFRefracFeedForwardState
    return state(lif.start(p.lif, recurrent), 0.0)  # type: ignore[arg-type]


def count_down(rho: Tensor, z: Tensor, rho_reset: Tensor) -> Tensor:
    """rho_reset at a spike, else one step less, down to 0; without gradient."""
    return torch.where(z.detach() > 0, rho_reset.detach(), torch.clamp(rho.detach() - 1, min=0))


def refract(rho: Tensor, z: Tensor, v_old: Tensor, v: Tensor, rho_reset: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`(v, z, rho)`: no spike and the old v where rho > 0; rho counts down and starts again at a spike."""
    rho = rho.detach()
    z = torch.where(rho > 0, 0.0, z)
    return torch.where(rho > 0, v_old, v), z, count_down(rho, z, rho_reset)


def compute_refractory_update(state: Any, z_new: Tensor, v_new: Tensor, p: Any) -> tuple[Tensor, Tensor, Tensor]:
    """`(v, z, rho)` after the refractory mask, for a LIF step that gave z_new and v_new.

    >>> state = LIFRefracFeedForwardState(LIFFeedForwardState(torch.zeros(2), torch.zeros(2)), torch.tensor([2.0, 0.0]))
    >>> v, z, rho = compute_refractory_update(state, torch.ones(2), torch.ones(2), LIFRefracParameters())
    >>> v.tolist(), z.tolist(), rho.tolist()
    ([0.0, 1.0], [0.0, 1.0], [1.0, 5.0])
    """
    rho_reset = torch.as_tensor(p.rho_reset, dtype=v_new.dtype, device=v_new.device)
    return refract(state.rho, z_new, state.lif.v, v_new, rho_reset)


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; the spike that is stored and fed back is the masked one."""
    z, inner = lif.step(x, state.lif, p.lif, dt, detach_reset=detach_reset)
    v, z, rho = refract(state.rho, z, state.lif.v, inner.v, p.rho_reset)
    return z, type(state)(store(inner, z, v=v), rho)


MODEL = Model(
    "LIFRefrac", "lif_refrac", step, LIFRefracParameters, start, feedback="lif.z", detach_reset=True, sparse=True
)
