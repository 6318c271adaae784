"""Adaptive exponential leaky integrate-and-fire with an absolute refractory period.

    while rho > 0: no spike, v held, rho <- rho - 1          at a spike: rho <- rho_reset          else as LIFAdEx

i and a go on unmasked, so a also jumps at a spike that the mask suppresses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from . import lif_adex
from .lif_adex import LIFAdExFeedForwardState, LIFAdExParameters, LIFAdExState
from .lif_refrac import refract
from .model import Model, store
from .state import state_type


class LIFAdExRefracParameters(NamedTuple):
    """Parameters of the LIFAdEx inside and the refractory period (steps, whatever dt is)."""

    lif_adex: LIFAdExParameters = LIFAdExParameters()
    rho_reset: Any = 5.0


@state_type
class LIFAdExRefracFeedForwardState(NamedTuple):
    """State of the LIFAdEx inside and the steps still to be silent, rho."""

    lif_adex: LIFAdExFeedForwardState
    rho: Tensor


@state_type
class LIFAdExRefracState(NamedTuple):
    """State of the LIFAdEx inside and the steps still to be silent, rho."""

    lif_adex: LIFAdExState
    rho: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    state = LIFAdExRefracState if recurrent else LIFAdExRefracFeedForwardState
    return state(lif_adex.start(p.lif_adex, recurrent), 0.0)  # type: ignore[arg-type]


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; the spike that is stored and fed back is the masked one."""
    z, inner = lif_adex.step(x, state.lif_adex, p.lif_adex, dt, detach_reset=detach_reset)
    v, z, rho = refract(state.rho, z, state.lif_adex.v, inner.v, p.rho_reset)
    return z, type(state)(store(inner, z, v=v), rho)


MODEL = Model("LIFAdExRefrac", "lif_adex_refrac", step, LIFAdExRefracParameters, start, feedback="lif_adex.z")
