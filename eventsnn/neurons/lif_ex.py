"""Exponential leaky integrate-and-fire: LIF with an exponential upstroke towards the threshold.

    di/dt = -i / tau_syn + x          v > v_th: spike, v <- v_reset
    dv/dt = (v_leak - v + delta_T exp((v - v_th) / delta_T) + i) / tau_mem

Fourcaud-Trocme et al. (2003). Forward Euler; times in seconds, voltages dimensionless. The exponent is clamped at 10,
which acts only on a starting state far above the threshold; delta_T must be > 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .lif import LIFParameters
from .model import Model, fire, inject, select, store
from .state import state_type


class LIFExParameters(NamedTuple):
    """Sharpness (voltage), inverse time constants (1/s), rest value, threshold and reset voltage, surrogate
    gradient."""

    delta_T: Any = 0.5
    tau_syn_inv: Any = 200.0
    tau_mem_inv: Any = 100.0
    v_leak: Any = 0.0
    v_th: Any = 1.0
    v_reset: Any = 0.0
    method: Any = "super"
    alpha: Any = 100.0

    @staticmethod
    def bio_default() -> LIFExParameters:
        """Biological values in 1/ms and mV, for dt = 1 (ms)."""
        return LIFExParameters(2.0, *LIFParameters.bio_default())


@state_type
class LIFExFeedForwardState(NamedTuple):
    """Membrane voltage v and synaptic current i."""

    v: Tensor
    i: Tensor


@state_type
class LIFExState(NamedTuple):
    """Spike z of the previous step, membrane voltage v and synaptic current i."""

    z: Tensor
    v: Tensor
    i: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    rest = {"v": p.v_leak, "i": 0.0}
    return LIFExState(z=0.0, **rest) if recurrent else LIFExFeedForwardState(**rest)  # type: ignore[arg-type]


def upstroke(v: Tensor, p: Any) -> Tensor:
    """The exponential drive, without overflow and without gradient where it is clamped."""
    return p.delta_T * torch.exp(torch.clamp((v - p.v_th) / p.delta_T, max=10))


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; with `detach_reset` no gradient flows through the reset's dependence on the spike."""
    i = inject(state.i, x)
    v = state.v + (dt * p.tau_mem_inv) * (((p.v_leak - state.v) + upstroke(state.v, p)) + i)
    z = fire(v - p.v_th, p)
    v = select(z.detach() if detach_reset else z, p.v_reset, v)
    return z, store(state, z, v=v, i=i - (dt * p.tau_syn_inv) * i)


MODEL = Model("LIFEx", "lif_ex", step, LIFExParameters, start)
