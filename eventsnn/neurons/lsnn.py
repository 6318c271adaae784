"""Leaky integrate-and-fire with an adaptive threshold: b rises at each spike and decays slowly, a memory of seconds.

    di/dt = -i / tau_syn + x          dv/dt = (v_leak - v + i) / tau_mem          db/dt = (v_th - b) / tau_adapt
    v > b: spike, v <- v_reset, b <- b + beta

Bellec et al., "Long short-term memory and learning-to-learn in networks of spiking neurons" (2018). Forward Euler;
times in seconds, voltages dimensionless. v sees the old i: input acts one step later than in LIF. b is the threshold
itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from .lif import LIFParameters
from .model import Model, fire, inject, select, store
from .state import state_type


class LSNNParameters(NamedTuple):
    """Inverse time constants (1/s), rest value, resting threshold, reset voltage, rise of the threshold per spike."""

    tau_syn_inv: Any = 200.0
    tau_mem_inv: Any = 100.0
    tau_adapt_inv: Any = 1.25
    v_leak: Any = 0.0
    v_th: Any = 1.0
    v_reset: Any = 0.0
    beta: Any = 1.8
    method: Any = "super"
    alpha: Any = 100.0

    @staticmethod
    def bio_default() -> LSNNParameters:
        """Biological values in 1/ms and mV, for dt = 1 (ms)."""
        return LSNNParameters(tau_adapt_inv=1 / 100, beta=0.5, **LIFParameters.bio_default()._asdict())

    @staticmethod
    def norse_default() -> LSNNParameters:
        """norse's 1/800 per second: the threshold practically never decays."""
        return LSNNParameters(tau_adapt_inv=1 / 800)


@state_type
class LSNNFeedForwardState(NamedTuple):
    """Membrane voltage v, synaptic current i and threshold b."""

    v: Tensor
    i: Tensor
    b: Tensor


@state_type
class LSNNState(NamedTuple):
    """Spike z of the previous step, membrane voltage v, synaptic current i and threshold b."""

    z: Tensor
    v: Tensor
    i: Tensor
    b: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    rest = {"v": p.v_leak, "i": 0.0, "b": p.v_th}
    return LSNNState(z=0.0, **rest) if recurrent else LSNNFeedForwardState(**rest)  # type: ignore[arg-type]


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; with `detach_reset` no gradient flows through the dependence of v and b on the spike."""
    v = state.v + (dt * p.tau_mem_inv) * ((p.v_leak - state.v) + state.i)
    i = state.i - (dt * p.tau_syn_inv) * state.i
    b = state.b + (dt * p.tau_adapt_inv) * (p.v_th - state.b)
    z = fire(v - b, p)
    jump = z.detach() if detach_reset else z
    return z, store(state, z, v=select(jump, p.v_reset, v), i=inject(i, x), b=select(jump, b + p.beta, b))


def ada_step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """A variant whose b is subtracted from the drive and decays to 0; start it with b = 0."""
    v = state.v + (dt * p.tau_mem_inv) * (((p.v_leak - state.v) + state.i) - state.b)
    i = state.i - (dt * p.tau_syn_inv) * state.i
    b = state.b - (dt * p.tau_adapt_inv) * state.b
    z = fire(v - p.v_th, p)
    jump = z.detach() if detach_reset else z
    return z, store(state, z, v=v - jump * (p.v_th - p.v_reset), i=inject(i, x), b=b + jump * p.beta)


MODEL = Model("LSNN", "lsnn", step, LSNNParameters, start, detach_reset=True, adjoint=True)
ADA_MODEL = replace(
    MODEL, prefix="ada_lif", step=ada_step, start=lambda p, recurrent: start(p, recurrent)._replace(b=0.0)
)
