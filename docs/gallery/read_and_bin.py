"""
Read a recording, and bin it
============================

From a file to Events, and from Events to every tensor that is usual: counts, voxel grids,
time surfaces and more.
"""

import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot

import eventsnn
from eventsnn import draw
from eventsnn.datasets.shapes import Shape, record

# %%
# A recording to read: three shapes before a synthetic event camera of 160 x 120 pixels, as a
# Prophesee EVT3 file.

shapes = [
    Shape("circle", 34.0, (35.0, 40.0), (130.0, 60.0)),
    Shape("star", 44.0, (115.0, 70.0), (-90.0, -40.0), spin=3.0),
    Shape("square", 26.0, (80.0, 100.0), (30.0, -120.0), brightness=0.05),
]
events, truth = record(shapes, (160, 120), "300ms", noise_rate=2.0)
path = Path(tempfile.mkdtemp()) / "recording.raw"
eventsnn.write(path, events, format="EVT3")

# %%
# Read
# ----
# ``open`` finds out the format by content and streams in bounded memory; ``read`` gives
# everything at once. A text counts from the first event; a whole number is a time stamp in
# microseconds.

with eventsnn.open(path) as recording:
    print(recording.format, recording.sensor)
    for number, chunk in enumerate(recording):
        print("chunk", number, chunk)

events = eventsnn.read(path)
print(events.between("100ms", "110ms"))
print("t [us], x, y [px], p:", events[0])

# %%
# Frames
# ------
# Counts of events, ``[T, 2, H, W]``, OFF in channel 0 and ON in channel 1.

frames = eventsnn.to_frames(events, dt="50ms")
print(frames.shape)

figure, axes = pyplot.subplots(2, 3, figsize=(9, 4.9))
for k, axis in enumerate(axes.flat):
    signed = frames[k, 1] - frames[k, 0]
    axis.imshow(signed, cmap="RdBu", vmin=-3, vmax=3)
    axis.set(title=f"{50 * k} to {50 * (k + 1)} ms", xticks=[], yticks=[])

# %%
# Other representations
# ---------------------
# All take Events, or a ``Packed`` batch of recordings, on a CPU or a GPU, and give ``[T, C,
# H, W]``.

part = events.between("140ms", "200ms")
pictures = {
    "the events, ON blue": draw.picture(part),
    "counts, ON": eventsnn.to_frames(part, n_bins=1)[0, 1].clamp(max=4),
    "by parts of equal number (SBN)": eventsnn.stack_by_number(part, 3)[1, 0],
    "voxel grid, middle of 5": eventsnn.to_voxel_grid(part, 5)[2, 0],
    "latest time stamps, ON": eventsnn.to_latest_timestamps(part, n_bins=1)[0, 1],
    "time surface, ON, tau = 20 ms": eventsnn.to_time_surface(part, n_bins=1, tau="20ms")[0, 1],
    "TORE volume, last ON event: log of its age": eventsnn.to_tore(part, n_bins=1, k=3)[0, 3],
    "event spike tensor, ON": eventsnn.to_event_spike_tensor(part, 5).detach()[2, 1],
    "sparse frames, made dense": eventsnn.to_sparse(part, n_bins=1)
    .to_dense()[0, 1]
    .clamp(max=4),
}
figure, axes = pyplot.subplots(3, 3, figsize=(9, 7.2))
for axis, (title, picture) in zip(axes.flat, pictures.items(), strict=True):
    signed = isinstance(picture, torch.Tensor) and bool((picture < 0).any())
    limit = 3.0 if signed else None
    axis.imshow(
        picture, cmap="RdBu" if signed else "magma", vmin=-limit if signed else None, vmax=limit
    )
    axis.set(title=title, xticks=[], yticks=[])

# sphinx_gallery_thumbnail_number = 2
