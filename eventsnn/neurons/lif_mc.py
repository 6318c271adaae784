"""Multi-compartment leaky integrate-and-fire: LIF compartments whose voltages are coupled linearly.

    dv/dt = (v_leak - v + i) / tau_mem + G v          else as LIF

`g_coupling` (H, H), 1/s: entry (j, k) is the rate at which v_k drives v_j. Feed-forward forms couple before the LIF
step, recurrent forms after spike and reset, so that a spike caused by the coupling appears one step later.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import linear

from . import lif
from .model import Model


def couple(state: Any, g_coupling: Tensor, dt: float) -> Any:
    """`v + dt (G v)`."""
    return state._replace(v=state.v + dt * linear(state.v, g_coupling))


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One feed-forward step; p comes with the coupling matrix, `(p, g_coupling)`."""
    p, g_coupling = p
    return lif.step(x, couple(state, g_coupling, dt), p, dt, detach_reset=detach_reset)


def recurrent_step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One recurrent step; p comes with the coupling matrix, `(p, g_coupling)`."""
    p, g_coupling = p
    z, state = lif.step(x, state, p, dt, detach_reset=detach_reset)
    return z, couple(state, g_coupling, dt)


MODEL = Model("LIFMC", "lif_mc", step, lif.LIFParameters, lif.start, recurrent_step, detach_reset=True, coupled=True)
