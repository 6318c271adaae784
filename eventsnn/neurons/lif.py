"""Leaky integrate-and-fire with an exponential synapse.

    di/dt = -i / tau_syn + x          dv/dt = (v_leak - v + i) / tau_mem          v > v_th: spike, v <- v_reset

Gerstner et al., Neuronal Dynamics (2014), ch. 1.3. Forward Euler; times in seconds, voltages dimensionless. The input
jumps onto i first, v sees the jumped current, then i decays; i is never reset. Constant input fires iff
`x > v_th dt / tau_syn` (v_leak = 0).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from .model import Model, fire, inject, select, store
from .state import state_type


class LIFParameters(NamedTuple):
    """Inverse time constants (1/s), rest value, threshold and reset voltage, surrogate gradient."""

    tau_syn_inv: Any = 200.0
    tau_mem_inv: Any = 100.0
    v_leak: Any = 0.0
    v_th: Any = 1.0
    v_reset: Any = 0.0
    method: Any = "super"
    alpha: Any = 100.0

    @staticmethod
    def bio_default() -> LIFParameters:
        """Biological values in 1/ms and mV, for dt = 1 (ms)."""
        return LIFParameters(tau_syn_inv=1 / 2, tau_mem_inv=1 / 10, v_leak=-70.0, v_th=-55.0, v_reset=-70.0)


@state_type
class LIFFeedForwardState(NamedTuple):
    """Membrane voltage v and synaptic current i."""

    v: Tensor
    i: Tensor


@state_type
class LIFState(NamedTuple):
    """Spike z of the previous step, membrane voltage v and synaptic current i."""

    z: Tensor
    v: Tensor
    i: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    return LIFState(z=0.0, v=p.v_leak, i=0.0) if recurrent else LIFFeedForwardState(v=p.v_leak, i=0.0)  # type: ignore[arg-type]


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; with `detach_reset` no gradient flows through the reset's dependence on the spike."""
    i = inject(state.i, x)
    v = state.v + (dt * p.tau_mem_inv) * ((p.v_leak - state.v) + i)
    z = fire(v - p.v_th, p)
    v = select(z.detach() if detach_reset else z, p.v_reset, v)
    return z, store(state, z, v=v, i=i - (dt * p.tau_syn_inv) * i)


MODEL = Model("LIF", "lif", step, LIFParameters, start, detach_reset=True, sparse=True)
