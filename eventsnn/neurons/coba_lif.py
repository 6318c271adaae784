"""Conductance based leaky integrate-and-fire: separate excitatory and inhibitory conductances with reversal potentials.

    dg/dt = -g / tau_syn + inputs of its sign          v > v_thresh: spike, v <- v_reset
    dv/dt = c_m_inv (g_l (v_rest - v) + g_e (e_rev_E - v) + g_i (e_rev_I - v))

Destexhe, Mainen, Sejnowski (1994). Forward Euler; times in seconds, voltages in mV, conductances relative. The
conductances decay before they act. In recurrent forms the sign of each weight selects the conductance and inputs are
taken as >= 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .model import Model, fire, inject, select, store
from .state import state_type


class CobaLIFParameters(NamedTuple):
    """Decay rates of g_e and g_i and inverse capacitance (1/s), leak, reversal potentials, rest, reset, threshold
    (mV)."""

    tau_syn_exc_inv: Any = 200.0
    tau_syn_inh_inv: Any = 200.0
    c_m_inv: Any = 200.0
    g_l: Any = 0.25
    e_rev_I: Any = -100.0
    e_rev_E: Any = 60.0
    v_rest: Any = -20.0
    v_reset: Any = -70.0
    v_thresh: Any = -10.0
    method: Any = "super"
    alpha: Any = 100.0

    @staticmethod
    def bio_default() -> CobaLIFParameters:
        """Biological values in 1/ms and mV, for dt <= 0.3 (ms)."""
        return CobaLIFParameters(
            tau_syn_exc_inv=1 / 0.3, tau_syn_inh_inv=1 / 0.5, c_m_inv=5.0, e_rev_I=-70.0, e_rev_E=0.0,
            v_rest=-65.0, v_reset=-65.0, v_thresh=-50.0,
        )  # fmt: skip

    @staticmethod
    def norse_default() -> CobaLIFParameters:
        """The rates of norse, which are per ms but used with dt in seconds."""
        return CobaLIFParameters(tau_syn_exc_inv=0.2, tau_syn_inh_inv=0.2, c_m_inv=5.0)


@state_type
class CobaLIFFeedForwardState(NamedTuple):
    """Membrane voltage v, excitatory and inhibitory conductance."""

    v: Tensor
    g_e: Tensor
    g_i: Tensor


@state_type
class CobaLIFState(NamedTuple):
    """Spike z of the previous step, membrane voltage v, excitatory and inhibitory conductance."""

    z: Tensor
    v: Tensor
    g_e: Tensor
    g_i: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    rest = {"v": p.v_rest, "g_e": 0.0, "g_i": 0.0}
    return CobaLIFState(z=0.0, **rest) if recurrent else CobaLIFFeedForwardState(**rest)  # type: ignore[arg-type]


def signed_parts(y: Tensor) -> tuple[Tensor, Tensor]:
    """`(max(y, 0), max(-y, 0))`: what excites and what inhibits."""
    return torch.relu(y), torch.relu(-y)


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; in recurrent forms x holds two pairs, the signed parts of `W x` and those of `R z`."""
    exc, inh = zip(*x, strict=True) if isinstance(x, tuple) else signed_parts(x)
    g_e, g_i = inject(state.g_e, exc), inject(state.g_i, inh)
    g_e = g_e - (dt * p.tau_syn_exc_inv) * g_e
    g_i = g_i - (dt * p.tau_syn_inh_inv) * g_i
    leak, excitation = p.g_l * (p.v_rest - state.v), g_e * (p.e_rev_E - state.v)
    v = state.v + (dt * p.c_m_inv) * ((leak + excitation) + g_i * (p.e_rev_I - state.v))
    z = fire(v - p.v_thresh, p)
    return z, store(state, z, v=select(z.detach() if detach_reset else z, p.v_reset, v), g_e=g_e, g_i=g_i)


MODEL = Model(
    "CobaLIF", "coba_lif", step, CobaLIFParameters, start, autapses=True, dt_positional=True, split=signed_parts,
    weight_scale=lambda inputs, hidden: (inputs**-0.5, hidden**-0.5),
    cells=("CobaLIFFeedForwardCell", "CobaLIFRecurrentCell"),
)  # fmt: skip
