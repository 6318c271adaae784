"""Integrate-and-fire: a perfect integrator that sums its input until it crosses the threshold.

    dv/dt = x          v > v_th: spike, v <- v_reset

Lapicque (1907) without the leak. Voltages dimensionless; the step does not depend on dt. Any constant positive input
fires in the end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from .model import Model, fire, inject, select, store
from .state import state_type


class IAFParameters(NamedTuple):
    """Threshold and reset voltage, surrogate gradient."""

    v_th: Any = 1.0
    v_reset: Any = 0.0
    method: Any = "super"
    alpha: Any = 100.0

    @staticmethod
    def bio_default() -> IAFParameters:
        """Biological values in mV."""
        return IAFParameters(v_th=-55.0, v_reset=-70.0)


@state_type
class IAFFeedForwardState(NamedTuple):
    """Membrane voltage v."""

    v: Tensor


@state_type
class IAFState(NamedTuple):
    """Spike z of the previous step and membrane voltage v."""

    z: Tensor
    v: Tensor


def start(p: Any, recurrent: bool = False) -> Any:
    """The initial state, in numbers or parameters."""
    return IAFState(z=0.0, v=p.v_reset) if recurrent else IAFFeedForwardState(v=p.v_reset)  # type: ignore[arg-type]


def step(x: Any, state: Any, p: Any, dt: float = 0.001, *, detach_reset: bool = False) -> tuple[Tensor, Any]:
    """One step; `dt` is accepted and unused."""
    v = inject(state.v, x)
    z = fire(v - p.v_th, p)
    return z, store(state, z, v=select(z.detach() if detach_reset else z, p.v_reset, v))


MODEL = Model("IAF", "iaf", step, IAFParameters, start)
