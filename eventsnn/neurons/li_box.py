"""Leaky integrator without synaptic current: a first-order low-pass filter; input acts on v at once.

    dv/dt = (v_leak - v + x) / tau_mem          output v

Forward Euler; times in seconds, voltages dimensionless. The recurrent form feeds the stored voltage back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from .model import Model, total
from .state import state_type


class LIBoxParameters(NamedTuple):
    """Inverse membrane time constant (1/s) and the rest value of v."""

    tau_mem_inv: Any = 100.0
    v_leak: Any = 0.0


@state_type
class LIBoxState(NamedTuple):
    """Membrane voltage v."""

    v: Tensor


def start(p: LIBoxParameters, recurrent: bool = False) -> LIBoxState:
    """The initial state, in numbers or parameters."""
    return LIBoxState(v=p.v_leak)


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; there is no reset to detach."""
    v = state.v + (dt * p.tau_mem_inv) * ((p.v_leak - state.v) + total(x))
    return v, LIBoxState(v=v)


MODEL = Model("LIBox", "li_box", step, LIBoxParameters, start, feedback="v")
