"""
Neurons under a step of current
===============================

What goes on inside: currents, voltages, thresholds and spikes of several models, and the
surrogate gradients that let them learn.
"""

import torch
from matplotlib import pyplot

import eventsnn

# %%
# Every model comes as a layer over time, time first. ``record_states=True`` gives the state
# of every step. Half a second in steps of 1 ms; the input is on from 50 to 400 ms.

x = torch.zeros(500, 1)
x[50:400] = 0.28

layers = {
    "LI: leaks and sums, no spikes": eventsnn.LI(record_states=True),
    "LIF: leaky integrate-and-fire": eventsnn.LIF(record_states=True),
    "LIFRefrac: silent for 20 steps": eventsnn.LIFRefrac(
        eventsnn.LIFRefracParameters(rho_reset=20.0), record_states=True
    ),
    "LSNN: each spike lifts the threshold": eventsnn.LSNN(
        eventsnn.LSNNParameters(tau_adapt_inv=5.0, beta=0.15), record_states=True
    ),
    "LIFEx: exponential upstroke": eventsnn.LIFEx(record_states=True),
}
figure, axes = pyplot.subplots(len(layers), 1, figsize=(9, 9), sharex=True)
for axis, (title, layer) in zip(axes, layers.items(), strict=True):
    output, states = layer(x)
    state = states.lif if hasattr(states, "lif") else states
    axis.plot(state.v[:, 0], color="#1f6ec8", label="voltage v")
    axis.plot(state.i[:, 0], color="#bbbbbb", label="current i")
    if not isinstance(layer, eventsnn.LI):
        spikes = (output[:, 0] > 0).nonzero()[:, 0]
        axis.plot(
            spikes,
            torch.full_like(spikes, 1.8, dtype=torch.float),
            "|",
            color="#d64a2e",
            label="spikes",
        )
        title += f" ({len(spikes)} spikes)"
    if hasattr(state, "b"):
        axis.plot(state.b[:, 0], color="#d6892e", label="threshold b")
    axis.set(title=title, ylim=(-0.1, 2.5))
    axis.legend(loc="upper right", fontsize=7, ncols=4)
axes[-1].set_xlabel("step of 1 ms")

# %%
# How often they fire
# -------------------
# 200 neurons at once, each with its own constant input: the rate of spikes over the current.

current = torch.linspace(0, 1.0, 200)
rates = {
    "LIF": eventsnn.LIF(),
    "LIFRefrac, 5 steps": eventsnn.LIFRefrac(),
    "LSNN": eventsnn.LSNN(eventsnn.LSNNParameters(tau_adapt_inv=5.0, beta=0.15)),
    "LIFEx": eventsnn.LIFEx(),
    "LIFAdEx": eventsnn.LIFAdEx(),
}
figure, axis = pyplot.subplots(figsize=(7, 3))
for name, layer in rates.items():
    spikes, _ = layer(current.expand(1000, -1))
    axis.plot(current, spikes.sum(0), label=name)
axis.set(xlabel="input", ylabel="spikes per second")
axis.legend()

# %%
# Surrogate gradients
# -------------------
# The forward pass is a step; the backward pass takes one of these curves for its derivative.
# ``method`` and ``alpha`` in a neuron's parameters choose.

u = torch.linspace(-1, 1, 401, requires_grad=True)
figure, axis = pyplot.subplots(figsize=(7, 3))
for method, alpha in {
    "super": 10.0,
    "atan": 2.0,
    "triangle": 1.0,
    "sigmoid": 4.0,
    "tanh": 3.0,
}.items():
    (gradient,) = torch.autograd.grad(eventsnn.threshold(u, method, alpha).sum(), u)
    axis.plot(u.detach(), gradient, label=f"{method}, alpha = {alpha:g}")
axis.set(xlabel="v - threshold", ylabel="derivative")
axis.legend()
