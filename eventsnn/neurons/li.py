"""Leaky integrator with an exponential synapse: a low-pass read-out without spikes.

    di/dt = -i / tau_syn + x          dv/dt = (v_leak - v + i) / tau_mem          output v

Gerstner et al., Neuronal Dynamics (2014), ch. 1.3. Forward Euler; times in seconds, voltages dimensionless. The
recurrent form feeds the stored voltage back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from .model import Model, inject
from .state import state_type


class LIParameters(NamedTuple):
    """Inverse time constants of synapse and membrane (1/s) and the rest value of v."""

    tau_syn_inv: Any = 200.0
    tau_mem_inv: Any = 100.0
    v_leak: Any = 0.0

    @staticmethod
    def bio_default() -> LIParameters:
        """Biological values in 1/ms and mV, for dt = 1 (ms)."""
        return LIParameters(tau_syn_inv=1 / 2, tau_mem_inv=1 / 10, v_leak=-70.0)


@state_type
class LIState(NamedTuple):
    """Membrane voltage v and synaptic current i."""

    v: Tensor
    i: Tensor


def start(p: LIParameters, recurrent: bool = False) -> LIState:
    """The initial state, in numbers or parameters."""
    return LIState(v=p.v_leak, i=0.0)  # type: ignore[arg-type]


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; there is no reset to detach."""
    i = inject(state.i, x)
    v = state.v + (dt * p.tau_mem_inv) * ((p.v_leak - state.v) + i)
    return v, LIState(v=v, i=i - (dt * p.tau_syn_inv) * i)


MODEL = Model("LI", "li", step, LIParameters, start, feedback="v")
