"""Adaptive exponential leaky integrate-and-fire: LIFEx with an adaptation current driven by voltage and by spikes.

    di/dt = -i / tau_syn + x          da/dt = (adaptation_current (v - v_leak) - a) / tau_ada
    dv/dt = (v_leak - v + delta_T exp((v - v_th) / delta_T) + i - a) / tau_mem
    v > v_th: spike, v <- v_reset, a <- a + adaptation_spike

Brette, Gerstner (2005). Forward Euler; times in seconds, voltages dimensionless. Exponent and delta_T as in LIFEx.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from .lif import LIFParameters
from .lif_ex import upstroke
from .model import Model, fire, inject, select, store
from .state import state_type


class LIFAdExParameters(NamedTuple):
    """Coupling of a to v, jump of a per spike, sharpness (voltage), then rates (1/s) and voltages as in LIFEx."""

    adaptation_current: Any = 4.0
    adaptation_spike: Any = 0.02
    delta_T: Any = 0.5
    tau_ada_inv: Any = 2.0
    tau_syn_inv: Any = 200.0
    tau_mem_inv: Any = 100.0
    v_leak: Any = 0.0
    v_th: Any = 1.0
    v_reset: Any = 0.0
    method: Any = "super"
    alpha: Any = 100.0

    @staticmethod
    def bio_default() -> LIFAdExParameters:
        """Biological values in 1/ms and mV, for dt = 1 (ms)."""
        return LIFAdExParameters(0.0, 0.01, 2.0, 1 / 100, *LIFParameters.bio_default())


@state_type
class LIFAdExFeedForwardState(NamedTuple):
    """Membrane voltage v, synaptic current i and adaptation current a."""

    v: Tensor
    i: Tensor
    a: Tensor


@state_type
class LIFAdExState(NamedTuple):
    """Spike z of the previous step, membrane voltage v, synaptic current i and adaptation current a."""

    z: Tensor
    v: Tensor
    i: Tensor
    a: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    rest = {"v": p.v_leak, "i": 0.0, "a": 0.0}
    return LIFAdExState(z=0.0, **rest) if recurrent else LIFAdExFeedForwardState(**rest)  # type: ignore[arg-type]


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; a sees the old v. With `detach_reset` no gradient flows through the jumps' dependence on the spike."""
    i = inject(state.i, x)
    v = state.v + (dt * p.tau_mem_inv) * ((((p.v_leak - state.v) + upstroke(state.v, p)) + i) - state.a)
    a = state.a + (dt * p.tau_ada_inv) * (p.adaptation_current * (state.v - p.v_leak) - state.a)
    z = fire(v - p.v_th, p)
    jump = z.detach() if detach_reset else z
    v, a = select(jump, p.v_reset, v), select(jump, a + p.adaptation_spike, a)
    return z, store(state, z, v=v, i=i - (dt * p.tau_syn_inv) * i, a=a)


MODEL = Model("LIFAdEx", "lif_adex", step, LIFAdExParameters, start)
