"""Multi-compartment leaky integrate-and-fire with an absolute refractory period.

    dv/dt = (v_leak - v + i) / tau_mem + G v where rho = 0, else v held          spikes, rho and G as LIFRefrac, LIFMC

v sees the old i: input acts one step later than in LIF. G v uses all voltages, also those of refractory neighbours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from . import lif_refrac
from .lif_refrac import LIFRefracParameters, count_down, refract
from .model import Model, fire, inject, select, store


def step(
    x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False, norse_compat: bool = False
) -> tuple[Tensor, Any]:
    """One step; p comes with the coupling matrix. `norse_compat`: spikes unmasked, G v unmasked and not times dt."""
    (p, rho_reset), g_coupling = p
    old, rho = state.lif, state.rho.detach()
    drive = (dt * p.tau_mem_inv) * ((p.v_leak - old.v) + old.i)
    coupling = linear(old.v, g_coupling)
    v = old.v + (torch.where(rho > 0, 0.0, drive) + coupling if norse_compat else drive + dt * coupling)
    z = fire(v - p.v_th, p)
    v = select(z.detach() if detach_reset else z, p.v_reset, v)
    if norse_compat:
        rho = count_down(rho, z, rho_reset)
    else:
        v, z, rho = refract(rho, z, old.v, v, rho_reset)
    i = inject(old.i - (dt * p.tau_syn_inv) * old.i, x)
    return z, type(state)(store(old, z, v=v, i=i), rho)


MODEL = Model(
    "LIFMCRefrac", "lif_mc_refrac", step, LIFRefracParameters, lif_refrac.start, feedback="lif.z", coupled=True,
    options={"norse_compat": (False, True)},
)  # fmt: skip
