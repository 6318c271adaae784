"""
Twenty behaviours of one neuron
===============================

Izhikevich's neuron has two variables and four parameters, and fires in as many ways as cells
of the cortex do. Drawn as in E. M. Izhikevich, "Which model to use for cortical spiking
neurons?" (2004), figure 1: the voltage in mV over time, and below it the shape of the input.
"""

import torch
from matplotlib import pyplot
from torch import Tensor

import eventsnn
from eventsnn.neurons.izhikevich_behaviours import PANELS, Panel

# %%
# A preset, such as ``eventsnn.tonic_bursting``, is a pair of parameters ``p`` and initial
# state ``s``. The layer takes it in the place of parameters.

print(eventsnn.tonic_bursting.p)
print(eventsnn.tonic_bursting.s)
layer = eventsnn.Izhikevich(eventsnn.tonic_bursting, dt=0.001, record_states=True)
spikes, states = layer(torch.full((300, 1), 15.0))  # [T, neurons]
print(int(spikes.sum()), "spikes; the voltage at each step:", tuple(states.v.shape))

# %%
# The twenty panels. Each has its own input current, time step and time scale; in float64,
# since rounding moves some spikes.

LETTERS = "ABCDEFGHIJKLMNOPQRST"


def voltage(panel: Panel) -> tuple[Tensor, Tensor]:
    """Times [ms] and voltage [mV] after each step, 30 mV in steps with a spike."""
    p, start = panel.preset()
    behavior = eventsnn.IzhikevichSpikingBehavior(p._replace(tau_inv=1000), start)
    t = panel.tau * torch.arange(round(panel.end / panel.tau) + 1, dtype=torch.float64)
    current = torch.tensor([panel.current(now) for now in t.tolist()], dtype=torch.float64)
    layer = eventsnn.Izhikevich(
        behavior, dt=panel.tau / 1000, recovery=panel.recovery, record_states=True
    )
    spikes, states = layer(current)
    return t, torch.where(spikes > 0, 30.0, states.v)


def input_line(letter: str, panel: Panel, t: Tensor) -> Tensor:
    """The input as it is drawn: its shape, not its values."""
    current = torch.tensor([panel.current(now) for now in t.tolist()])
    match letter:
        case "G" | "H":
            return -90 + 20 * torch.clamp((t - 30) / (panel.end - 30), min=0)
        case "M" | "N":
            return -85 - 5.0 * (current < 0)
        case "O":
            return -85 + 5.0 * current.sign()
        case "R":
            return 1.5 * current - 90
        case "S" | "T":
            return -80 - 10.0 * (current < 80)
        case "K":
            starts = torch.tensor([40, 60, 280, 320])[:, None]
            return -90 + 10.0 * ((t > starts) & (t < starts + 8)).any(0)
    return -90 + 10.0 * (current > current.min())


figure, axes = pyplot.subplots(5, 4, figsize=(10, 9.5))
for letter, panel, axis in zip(LETTERS, PANELS, axes.flat, strict=True):
    t, v = voltage(panel)
    axis.plot(t, v, color="black", linewidth=0.8, clip_on=False)
    axis.plot(t, input_line(letter, panel, t), color="tab:red", linewidth=0.8, clip_on=False)
    if letter == "J":
        axis.plot(t[219:], -10 + 20 * (v[219:] - v.mean()), color="tab:blue", linewidth=0.8)
    axis.set(
        xlim=(0, panel.end), ylim=(-90, 30), title=f"({letter}) {panel.name.replace('_', ' ')}"
    )
    axis.title.set_fontsize(8)
    axis.axis("off")

# %%
# In panel J, blue, the subthreshold oscillation twenty times larger.
