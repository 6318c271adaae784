"""Izhikevich's two-variable neuron, which reproduces twenty firing patterns of cortical neurons.

    dv/dt = sq v^2 + mn v + bias - u + x          du/dt = a (b v - u)          v > v_th: spike, v <- c, u <- u + d

E. M. Izhikevich, "Which model to use for cortical spiking neurons?" (2004). Forward Euler; voltages in mV, rates per
ms of model time: one step is `tau_inv dt` model milliseconds, 0.25 ms at the defaults (tau_inv = 1000 for dt in true
seconds).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from .model import Model, fire, inject, select, store
from .state import state_type


class IzhikevichParameters(NamedTuple):
    """Recovery rate a (1/ms), sensitivity b, reset c of v (mV), jump d of u; the drive's coefficients; peak; time
    scale."""

    a: Any
    b: Any
    c: Any
    d: Any
    sq: Any = 0.04
    mn: Any = 5.0
    bias: Any = 140.0
    v_th: Any = 30.0
    tau_inv: Any = 250.0
    method: Any = "super"
    alpha: Any = 100.0


@state_type
class IzhikevichState(NamedTuple):
    """Membrane voltage v and recovery u."""

    v: Tensor
    u: Tensor


@state_type
class IzhikevichRecurrentState(NamedTuple):
    """Spike z of the previous step, membrane voltage v and recovery u."""

    z: Tensor
    v: Tensor
    u: Tensor


class IzhikevichSpikingBehavior(NamedTuple):
    """Parameters and the state to start from: what the modules take as `spiking_method`."""

    p: IzhikevichParameters
    s: IzhikevichState


def start(s: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    return IzhikevichRecurrentState(0.0, *s) if recurrent else s  # type: ignore[arg-type]


def step(
    x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False, recovery: str = "old_v"
) -> tuple[Tensor, Any]:
    """One step; `recovery` selects the equation of u: with the old v, the new v (the published script), or v + 65."""
    k = p.tau_inv * dt
    v = state.v + k * inject(((p.sq * (state.v * state.v) + p.mn * state.v) + p.bias) - state.u, x)
    pull = p.b * {"old_v": state.v, "new_v": v, "accommodation": v + 65}[recovery]
    u = state.u + (k * p.a) * (pull if recovery == "accommodation" else pull - state.u)
    z = fire(v - p.v_th, p)
    jump = z.detach() if detach_reset else z
    return z, store(state, z, v=select(jump, p.c, v), u=select(jump, u + p.d, u))


MODEL = Model(
    "Izhikevich", "izhikevich", step, IzhikevichParameters, start, presets=True,
    options={"recovery": ("old_v", "new_v", "accommodation")},
)  # fmt: skip
