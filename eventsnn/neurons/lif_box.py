"""Leaky integrate-and-fire without synaptic current: the cheapest leaky spiking neuron, with a selectable reset.

    dv/dt = (v_leak - v + x) / tau_mem          v > v_th: spike, v <- reset_method

Lapicque (1907). Forward Euler; times in seconds, voltages dimensionless. Constant input fires iff `x > v_th` (v_leak
= 0).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from .model import Model, fire, select, store, total
from .state import state_type


def reset_value(z: Tensor, v: Tensor, reset: Tensor, th: Tensor) -> Tensor:
    """`reset` where there is a spike, else v."""
    return select(z, reset, v)


def reset_subtract(z: Tensor, v: Tensor, reset: Tensor, th: Tensor) -> Tensor:
    """`v - th` where there is a spike, else v: what exceeds the threshold is kept."""
    return select(z, v - th, v)


class LIFBoxParameters(NamedTuple):
    """Inverse membrane time constant (1/s), rest value, threshold and reset voltage, surrogate gradient, kind of
    reset."""

    tau_mem_inv: Any = 100.0
    v_leak: Any = 0.0
    v_th: Any = 1.0
    v_reset: Any = 0.0
    method: Any = "super"
    alpha: Any = 100.0
    reset_method: Any = reset_value


@state_type
class LIFBoxFeedForwardState(NamedTuple):
    """Membrane voltage v."""

    v: Tensor


@state_type
class LIFBoxState(NamedTuple):
    """Spike z of the previous step and membrane voltage v."""

    z: Tensor
    v: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    return LIFBoxState(z=0.0, v=p.v_leak) if recurrent else LIFBoxFeedForwardState(v=p.v_leak)  # type: ignore[arg-type]


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; with `detach_reset` no gradient flows through the reset's dependence on the spike."""
    v = state.v + (dt * p.tau_mem_inv) * ((total(x) + p.v_leak) - state.v)
    z = fire(v - p.v_th, p)
    return z, store(state, z, v=p.reset_method(z.detach() if detach_reset else z, v, p.v_reset, p.v_th))


MODEL = Model("LIFBox", "lif_box", step, LIFBoxParameters, start)
