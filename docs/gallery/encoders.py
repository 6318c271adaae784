"""
Values into spikes, and back
============================

Every encoder takes values of any shape and gives spikes over time, ``[T, ...]``, time first.
"""

import math
from functools import partial

import torch
from matplotlib import pyplot

import eventsnn

# %%
# Forty values from 0.02 to 1, through eight encoders. A dot is a spike.

torch.manual_seed(0)
values = torch.linspace(0.02, 1, 40)
T = 100
encoders = {
    "Poisson, up to 300 Hz": eventsnn.PoissonEncoder(T, f_max=300),
    "constant current into LIF": eventsnn.ConstantCurrentLIFEncoder(T),
    "latency of LIF's first spike": eventsnn.SpikeLatencyLIFEncoder(T),
    "time to first spike": eventsnn.TTFSEncoder(T),
    "time to first spike, logarithmic": eventsnn.TTFSEncoder(T, mode="logarithmic"),
    "phase, 8 phases": eventsnn.PhaseEncoder(T, phases=8),
    "rank order": eventsnn.RankOrderEncoder(T),
    "signed Poisson of value - 0.5": lambda x: eventsnn.SignedPoissonEncoder(T, f_max=300)(
        x - 0.5
    ),
}
figure, axes = pyplot.subplots(2, 4, figsize=(10, 5), sharex=True, sharey=True)
for axis, (title, encode) in zip(axes.flat, encoders.items(), strict=True):
    gain = 3 if "current" in title or "LIF's" in title else 1
    spikes = encode(gain * values)
    when, which = spikes.nonzero(as_tuple=True)
    ink = ["#1f6ec8" if s > 0 else "#d64a2e" for s in spikes[when, which].tolist()]
    axis.scatter(when, values[which], s=4, c=ink, linewidths=0)
    axis.set(title=title, xlim=(0, T))
for axis in axes[-1]:
    axis.set_xlabel("step")
for axis in axes[:, 0]:
    axis.set_ylabel("value")

# %%
# Decoders go the other way
# -------------------------
# Where a code keeps the value, the decoder gives it back.

for name, encoder, decoder in (
    ("time to first spike", eventsnn.TTFSEncoder(T), eventsnn.TTFSDecoder()),
    ("phase, 8 phases", eventsnn.PhaseEncoder(T, phases=8), eventsnn.PhaseDecoder(phases=8)),
    (
        "rate of Poisson spikes",
        eventsnn.PoissonEncoder(1000, f_max=500),
        eventsnn.RateDecoder(f_max=500),
    ),
):
    error = (decoder(encoder(values)) - values).abs()
    print(f"{name:24} largest error {error.max():.3f}, mean {error.mean():.3f}")

# %%
# Signals that change
# -------------------
# What an event camera's pixel does to light, these do to any signal: a spike for each change
# by a threshold. The spikes of a moving window tell when the signal rises and falls rather
# than how far.

time = torch.linspace(0, 1, 400)
signal = torch.sin(2 * math.pi * 2 * time) * torch.exp(-1.5 * time) + 0.3 * time
figure, axes = pyplot.subplots(3, 1, figsize=(8, 5.6), sharex=True)
for axis, (title, encode, decode) in zip(
    axes,
    (
        ("delta", eventsnn.DeltaEncoder(0.08), eventsnn.ContrastDecoder(0.08)),
        ("step forward", eventsnn.StepForwardEncoder(0.08), eventsnn.ContrastDecoder(0.08)),
        (
            "moving window",
            eventsnn.MovingWindowEncoder(0.08, 20),
            eventsnn.MovingWindowDecoder(0.08, 20),
        ),
    ),
    strict=True,
):
    spikes = encode(signal)
    axis.plot(time, signal, color="#bbbbbb", linewidth=3, label="signal")
    axis.plot(time, decode(spikes), color="black", label="decoded")
    for sign, ink in ((1, "#1f6ec8"), (-1, "#d64a2e")):
        at = time[spikes == sign]
        axis.plot(at, torch.full_like(at, -1.0), "|", color=ink, markersize=8)
    axis.set(title=f"{title}: {int((spikes != 0).sum())} spikes", ylim=(-1.2, 1.2))
axes[0].legend(loc="upper right", ncols=2)
axes[-1].set_xlabel("time [s]")

# %%
# Populations
# -----------
# One value as the activity of many neurons, each with a place of its own.

population = eventsnn.PopulationEncoder(20, kernel=partial(eventsnn.gaussian_rbf, sigma=0.07))
activity = population(torch.linspace(0, 1, 100))
print("100 values:", tuple(activity.shape))
figure, axis = pyplot.subplots(figsize=(7, 2.4))
axis.imshow(activity.T, aspect="auto", extent=(0, 1, 20, 0))
axis.set(xlabel="value", ylabel="neuron")
