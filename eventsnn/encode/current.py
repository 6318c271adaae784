"""One step of a membrane that an input current drives directly, without a synapse."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from ..forms.build import check_parameters
from ..forms.operands import Matrices, positive_time
from ..forms.run import Rule, run
from ..neurons import lif, lif_adex, lif_ex
from ..neurons.lif import LIFParameters
from ..neurons.lif_adex import LIFAdExParameters
from ..neurons.lif_box import LIFBoxFeedForwardState as Membrane
from ..neurons.lif_ex import LIFExParameters, upstroke
from ..neurons.model import Model, fire, select

LIF, LIF_EX, LIF_ADEX = LIFParameters(), LIFExParameters(), LIFAdExParameters()  # the defaults


class AdaptiveMembrane(NamedTuple):
    """Membrane voltage v and adaptation current a."""

    v: Tensor
    a: Tensor


def membrane_step(x: Tensor, state: Any, p: Any, dt: float) -> tuple[Tensor, Any]:
    """The leaky membrane; the reset is not detached."""
    v = state.v + (dt * p.tau_mem_inv) * ((p.v_leak - state.v) + x)
    z = fire(v - p.v_th, p)
    return z, Membrane(v=select(z, p.v_reset, v))


def _ex_step(x: Tensor, state: Any, p: Any, dt: float) -> tuple[Tensor, Any]:
    v = state.v + (dt * p.tau_mem_inv) * (((p.v_leak - state.v) + upstroke(state.v, p)) + x)
    z = fire(v - p.v_th, p)
    return z, Membrane(v=select(z, p.v_reset, v))


def _adex_step(x: Tensor, state: Any, p: Any, dt: float) -> tuple[Tensor, Any]:
    v = state.v + (dt * p.tau_mem_inv) * ((((p.v_leak - state.v) + upstroke(state.v, p)) + x) - state.a)
    a = state.a + (dt * p.tau_ada_inv) * (p.adaptation_current * (state.v - p.v_leak) - state.a)
    z = fire(v - p.v_th, p)
    return z, AdaptiveMembrane(v=select(z, p.v_reset, v), a=select(z, a + p.adaptation_spike, a))


def _one(step: Callable[..., Any], model: Model, name: str, x: Tensor, state: Any, p: Any, dt: float) -> Any:
    rule = Rule(name, functools.partial(step, dt=positive_time(dt)), lambda _: state)
    return run(rule, x, state, check_parameters(model, p), Matrices())


def lif_current_encoder(
    input_current: Tensor, voltage: float | Tensor, p: LIFParameters = LIF, dt: float = 0.001
) -> tuple[Tensor, Tensor]:
    """One step `(z, v)` of a LIF membrane: `v' = v + (dt / tau_mem) ((v_leak - v) + I)`.

    >>> import torch
    >>> z, v = lif_current_encoder(torch.tensor(1.5), 0.0)
    >>> z.item(), round(v.item(), 4)
    (0.0, 0.15)
    """
    z, state = _one(membrane_step, lif.MODEL, "lif_current_encoder", input_current, Membrane(v=voltage), p, dt)  # type: ignore[arg-type]
    return z, state.v


def lif_ex_current_encoder(
    input_current: Tensor, voltage: float | Tensor, p: LIFExParameters = LIF_EX, dt: float = 0.001
) -> tuple[Tensor, Tensor]:
    """One step `(z, v)` of an exponential LIF membrane: `v' = v + (dt / tau_mem) (((v_leak - v) + e) + I)`,
    `e = delta_T exp(min((v - v_th) / delta_T, 10))`.

    >>> import torch
    >>> round(lif_ex_current_encoder(torch.tensor(1.5), 0.0)[1].item(), 4)
    0.1568
    """
    z, state = _one(_ex_step, lif_ex.MODEL, "lif_ex_current_encoder", input_current, Membrane(v=voltage), p, dt)  # type: ignore[arg-type]
    return z, state.v


def lif_adex_current_encoder(
    input_current: Tensor,
    voltage: float | Tensor,
    adaptation: float | Tensor,
    p: LIFAdExParameters = LIF_ADEX,
    dt: float = 0.001,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step `(z, v, a)` of an adaptive exponential LIF membrane; a is integrated with the old v, then jumps.

    `v' = v + (dt / tau_mem) ((((v_leak - v) + e) + I) - a)`, e as in `lif_ex_current_encoder`;
    `a' = a + (dt / tau_ada) (adaptation_current (v - v_leak) - a)`.

    >>> import torch
    >>> z, v, a = lif_adex_current_encoder(torch.tensor(1.5), 0.0, 0.1)
    >>> z.item(), round(v.item(), 4), round(a.item(), 4)
    (0.0, 0.1468, 0.0998)
    """
    before = AdaptiveMembrane(v=voltage, a=adaptation)  # type: ignore[arg-type]
    z, state = _one(_adex_step, lif_adex.MODEL, "lif_adex_current_encoder", input_current, before, p, dt)
    return z, state.v, state.a
