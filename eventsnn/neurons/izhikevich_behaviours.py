"""The twenty behaviours of Izhikevich's neuron, with the input of the published figure.

E. M. Izhikevich, "Which model to use for cortical spiking neurons?" (2004), figure 1. The values are constants:
modules copy them. To draw a panel, run its preset with `tau_inv = 1000`, `dt = tau / 1000` and `recovery="new_v"`
(accomodation: "accommodation") over `n = 0 ... T / tau` with the input `current(n tau)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .izhikevich import IzhikevichParameters, IzhikevichSpikingBehavior, IzhikevichState


def create_izhikevich_spiking_behavior(
    a: float, b: float, c: float, d: float, v_rest: float, u_rest: float, tau_inv: float = 250
) -> IzhikevichSpikingBehavior:
    """Parameters with the start `v = v_rest`, `u = u_rest b`.

    >>> create_izhikevich_spiking_behavior(0.02, 0.2, -65, 6, -70, -70).s
    IzhikevichState(v=-70, u=-14.0)
    """
    return _behavior(IzhikevichParameters(a, b, c, d, tau_inv=tau_inv), v_rest, u_rest * b)


def _behavior(p: IzhikevichParameters, v: float, u: float) -> IzhikevichSpikingBehavior:
    return IzhikevichSpikingBehavior(p, IzhikevichState(v, u))  # type: ignore[arg-type]


class Panel(NamedTuple):
    """One panel of the figure: the preset's values, the step tau and the end T (ms), the input current at time t
    (ms)."""

    name: str
    a: float
    b: float
    c: float
    d: float
    v: float
    tau: float
    end: float
    current: Callable[[float], float]

    @property
    def recovery(self) -> str:
        return "accommodation" if self.name == "accomodation" else "new_v"

    def preset(self) -> IzhikevichSpikingBehavior:
        """The public constant of that name, with norse's time scale."""
        old = self.name in ("class_1_exc", "integrator")
        slow = self.name in ("spike_latency", "inhibition_induced_spiking", "inhibition_induced_bursting")
        p = IzhikevichParameters(
            self.a, self.b, self.c, self.d,
            mn=4.1 if old else 5.0, bias=108.0 if old else 140.0, tau_inv=250.0 if slow else 1000 * self.tau,
        )  # fmt: skip
        return _behavior(p, self.v, -16.0 if self.name == "accomodation" else self.b * self.v)


def _pulses(t: float, height: float, width: float, *starts: float) -> float:
    return height * any(s < t < s + width for s in starts)


def _accomodation(t: float) -> float:
    return t / 25 if t < 200 else 0.32 * (t - 300) * (300 <= t < 312.5)


PANELS = (
    Panel("tonic_spiking", 0.02, 0.2, -65, 6, -70, 0.25, 100, lambda t: 14 * (t > 10)),
    Panel("phasic_spiking", 0.02, 0.25, -65, 6, -64, 0.25, 200, lambda t: 0.5 * (t > 20)),
    Panel("tonic_bursting", 0.02, 0.2, -50, 2, -70, 0.25, 220, lambda t: 15 * (t > 22)),
    Panel("phasic_bursting", 0.02, 0.25, -55, 0.05, -64, 0.2, 200, lambda t: 0.6 * (t > 20)),
    Panel("mixed_mode", 0.02, 0.2, -55, 4, -70, 0.25, 160, lambda t: 10 * (t > 16)),
    Panel("spike_frequency_adaptation", 0.01, 0.2, -65, 8, -70, 0.25, 85, lambda t: 30 * (t > 8.5)),
    Panel("class_1_exc", 0.02, -0.1, -55, 6, -60, 0.25, 300, lambda t: 0.075 * (t - 30) * (t > 30)),
    Panel("class_2_exc", 0.2, 0.26, -65, 0, -64, 0.25, 300, lambda t: -0.5 + 0.015 * (t - 30) * (t > 30)),
    Panel("spike_latency", 0.02, 0.2, -65, 6, -70, 0.2, 100, lambda t: 7.04 * (10 < t < 13)),
    Panel("subthreshold_oscillation", 0.05, 0.26, -60, 0, -62, 0.25, 200, lambda t: 2 * (20 < t < 25)),
    Panel("resonator", 0.1, 0.26, -60, -1, -62, 0.25, 400, lambda t: _pulses(t, 0.65, 4, 40, 60, 280, 320)),
    Panel("integrator", 0.02, -0.1, -55, 6, -60, 0.25, 100, lambda t: _pulses(t, 9, 2, 100 / 11, 100 / 11 + 5, 70, 80)),
    Panel("rebound_spike", 0.03, 0.25, -60, 4, -64, 0.2, 200, lambda t: -15 * (20 < t < 25)),
    Panel("rebound_burst", 0.03, 0.25, -52, 0, -64, 0.2, 200, lambda t: -15 * (20 < t < 25)),
    Panel(
        "threshold_variability", 0.03, 0.25, -60, 4, -64, 0.25, 100,
        lambda t: _pulses(t, 1, 5, 10, 80) + _pulses(t, -6, 5, 70),
    ),
    Panel("bistability", 0.1, 0.26, -60, 0, -61, 0.25, 300, lambda t: 0.24 + _pulses(t, 1, 5, 37.5, 216)),
    Panel("dap", 1, 0.2, -60, -21, -70, 0.1, 50, lambda t: 20 * (9 < t < 11)),
    Panel("accomodation", 0.02, 1, -55, 4, -65, 0.5, 400, _accomodation),
    Panel("inhibition_induced_spiking", -0.02, -1, -60, 8, -63.8, 0.5, 350, lambda t: 75 if 50 <= t <= 250 else 80),
    Panel("inhibition_induced_bursting", -0.026, -1, -45, -2, -63.8, 0.5, 350, lambda t: 75 if 50 <= t <= 250 else 80),
)  # fmt: skip

(
    tonic_spiking, phasic_spiking, tonic_bursting, phasic_bursting, mixed_mode, spike_frequency_adaptation, class_1_exc,
    class_2_exc, spike_latency, subthreshold_oscillation, resonator, integrator, rebound_spike, rebound_burst,
    threshold_variability, bistability, dap, accomodation, inhibition_induced_spiking, inhibition_induced_bursting,
) = (panel.preset() for panel in PANELS)  # fmt: skip
