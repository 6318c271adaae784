"""
Clean noise
===========

Background activity and hot pixels, removed while the recording streams by; and what is lost
of the signal.
"""

import numpy as np
from matplotlib import pyplot

import eventsnn
from eventsnn import draw
from eventsnn.datasets.shapes import Shape, record
from eventsnn.filters import (
    BackgroundActivityFilter,
    HotPixelFilter,
    RefractoryFilter,
    SpatioTemporalCorrelationFilter,
    event_counts,
)

# %%
# A disc and a hexagon, once as they are, and once with 8 noise events per pixel and second
# and 40 hot pixels.

shapes = [
    Shape("circle", 34.0, (40.0, 50.0), (160.0, 40.0)),
    Shape("hexagon", 40.0, (120.0, 75.0), (-120.0, -30.0), spin=2.0),
]
clean, _ = record(shapes, (160, 120), "400ms", noise_rate=0.0)
noisy, _ = record(shapes, (160, 120), "400ms", noise_rate=8.0, hot_pixels=40)
print("signal", clean)
print("with noise", noisy)


def keys(events):
    """A number for each event, to tell which events two recordings have in common."""
    t, x, y, p = (np.asarray(column, np.int64) for column in events.columns)
    return ((t * 256 + x) * 256 + y) * 2 + p


# %%
# A filter takes Events and gives those that stay. It carries its state from one chunk to the
# next, so that a stream gives what the whole recording would: here, chunks of 10,000 events,
# through one filter after the other. Which pixels are hot is learnt in each window, and holds
# for the next one.

hot = HotPixelFilter(noisy.sensor, window="100ms")
correlation = SpatioTemporalCorrelationFilter(noisy.sensor, tau="5ms", support=2)
chunks = [noisy[k : k + 10_000] for k in range(0, len(noisy), 10_000)]
cooler = [hot(chunk) for chunk in chunks]
denoised = eventsnn.Events.concatenate(correlation(chunk) for chunk in cooler)
cooler = eventsnn.Events.concatenate(cooler)

removed = noisy[~np.isin(keys(noisy), keys(denoised))]
stages = {
    "recorded": noisy,
    "without hot pixels": cooler,
    "and with support nearby": denoised,
    "all that was removed": removed,
}
figure, axes = pyplot.subplots(2, 2, figsize=(9, 7))
for axis, (title, events) in zip(axes.flat, stages.items(), strict=True):
    axis.imshow(draw.picture(events.between(190_000, 210_000), zoom=3))
    axis.set(title=f"{title}: {len(events):,} events", xticks=[], yticks=[])

# %%
# How much noise goes, and how much signal with it
# ------------------------------------------------
# The clean recording tells where the signal is: an event that is in both is signal.

signal = np.isin(keys(noisy), keys(clean))
filters = {
    "refractory, 1 ms": RefractoryFilter(noisy.sensor, "1ms"),
    "background activity, 5 ms": BackgroundActivityFilter(noisy.sensor, "5ms"),
    "background activity, 2 ms": BackgroundActivityFilter(noisy.sensor, "2ms"),
    "correlation, 5 ms, 2 neighbours": SpatioTemporalCorrelationFilter(
        noisy.sensor, "5ms", support=2
    ),
    "correlation, 5 ms, 3 neighbours": SpatioTemporalCorrelationFilter(
        noisy.sensor, "5ms", support=3
    ),
}
print(f"{'filter':34} {'noise left':>10} {'signal left':>12}")
for name, method in filters.items():
    stays = np.isin(keys(noisy), keys(method(noisy)))
    print(f"{name:34} {stays[~signal].mean():10.1%} {stays[signal].mean():12.1%}")

# %%
# The rates of the pixels show what the hot pixel filter acts on: a few far beyond all others.

figure, axis = pyplot.subplots(figsize=(7, 2.6))
seconds = noisy.duration / 1e6
edges = np.geomspace(1, 1000, 30)
for events, label, colour in (
    (noisy, "recorded", "#d64a2e"),
    (cooler, "without hot pixels", "#1f6ec8"),
):
    axis.hist(event_counts(events).ravel() / seconds, edges, label=label, color=colour)
axis.set(xscale="log", yscale="log", xlabel="events per second and pixel", ylabel="pixels")
axis.legend()
