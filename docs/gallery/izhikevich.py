"""The twenty behaviours of Izhikevich's neuron, drawn as in the published figure.

E. M. Izhikevich, "Which model to use for cortical spiking neurons?" (2004), figure 1: voltage in mV over time, and the
input as a line below it.

    python docs/gallery/izhikevich.py izhikevich.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import torch
from torch import Tensor

from eventsnn.forms import Izhikevich
from eventsnn.neurons import IzhikevichSpikingBehavior
from eventsnn.neurons.izhikevich_behaviours import PANELS, Panel

LETTERS = "ABCDEFGHIJKLMNOPQRST"


def voltage(panel: Panel) -> tuple[Tensor, Tensor]:
    """Times (ms) and voltage after each step, 30 mV in spiking steps; in float64, since rounding moves some spikes."""
    p, start = panel.preset()
    behavior = IzhikevichSpikingBehavior(p._replace(tau_inv=1000), start)
    t = panel.tau * torch.arange(round(panel.end / panel.tau) + 1, dtype=torch.float64)
    current = torch.tensor([panel.current(now) for now in t.tolist()], dtype=torch.float64)
    layer = Izhikevich(behavior, dt=panel.tau / 1000, recovery=panel.recovery, record_states=True)
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


def draw(path: str | Path) -> None:
    """Draw all panels and write the picture."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(5, 4, figsize=(12, 11), layout="constrained")
    for letter, panel, axis in zip(LETTERS, PANELS, axes.flat, strict=True):
        t, v = voltage(panel)
        axis.plot(t, v, color="black", linewidth=0.8, clip_on=False)
        axis.plot(t, input_line(letter, panel, t), color="tab:red", linewidth=0.8, clip_on=False)
        if letter == "J":
            axis.plot(t[219:], -10 + 20 * (v[219:] - v.mean()), color="tab:blue", linewidth=0.8)
        axis.set(xlim=(0, panel.end), ylim=(-90, 30), title=f"({letter}) {panel.name.replace('_', ' ')}")
        axis.title.set_fontsize(9)
        axis.axis("off")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "izhikevich.png")
