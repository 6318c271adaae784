"""
Receptive fields in space and time
==================================

Scale-space kernels, exact on the pixel grid: Gaussians of many sizes, orientations and
shapes, their derivatives, and leaky integrators in time; and what a bank of them makes of
events.

Lindeberg, Normative theory of visual receptive fields, Heliyon 7:e05897 (2021).
"""

import math

import torch
from matplotlib import pyplot

import eventsnn
from eventsnn.datasets.shapes import Shape, record

# %%
# In space
# --------
# A row of parameters is a kernel: scale s (variance in px^2), angle, ratio of the two axes,
# place x and y, and the orders of its derivatives along and across the angle. Here all at 30
# degrees.

orders = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
forms = [(4.0, 1.0), (16.0, 1.0), (16.0, math.sqrt(1.5)), (16.0, 1.5), (36.0, 1.5)]
rows = torch.tensor(
    [[s, math.pi / 6, ratio, 0, 0, *order] for order in orders for s, ratio in forms]
)
kernels = eventsnn.spatial_receptive_fields_with_derivatives(rows, 57)
print(kernels.shape)

figure, axes = pyplot.subplots(len(orders), len(forms), figsize=(8, 9))
for axis, kernel in zip(axes.flat, kernels, strict=True):
    limit = kernel.abs().max()
    axis.imshow(kernel, cmap="RdBu", vmin=-limit, vmax=limit)
    axis.set(xticks=[], yticks=[])
for axis, (s, ratio) in zip(axes[0], forms, strict=True):
    axis.set_title(f"s = {s:g} px², ratio {ratio:.3g}")
for axis, (along, across) in zip(axes[:, 0], orders, strict=True):
    axis.set_ylabel(f"order {along}, {across}")

# %%
# In time
# -------
# Leaky integrators side by side, cascades of them (the time-causal limit kernel), and
# derivatives over time.

figure, axes = pyplot.subplots(1, 3, figsize=(10, 3))
steps = torch.arange(60)
for mu in eventsnn.temporal_scale_distribution(4, 4, 100):
    kernel = eventsnn.temporal_kernel(mu**2, 60, n_levels=1, update="exp")
    axes[0].plot(steps, kernel, label=f"mu = {mu:.3g}")
axes[0].set_title("single integrators")
for tau in (12.5, 25.0, 50.0, 100.0):
    axes[1].plot(steps, eventsnn.temporal_kernel(tau, 60), label=f"tau = {tau:g}")
axes[1].set_title("cascades of 8")
for order in range(3):
    axes[2].plot(steps, eventsnn.temporal_kernel(50.0, 60, order=order), label=f"order {order}")
axes[2].set_title("tau = 50, derivatives")
for axis in axes:
    axis.legend()
    axis.set_xlabel("step")

# %%
# In both, on events
# ------------------
# A bank of fields as a layer: frames ``[T, batch, channels, H, W]`` in, one map for each
# spatial kernel and time constant out. The shapes move to the right and downwards; with ON
# minus OFF as the input, derivatives across their edges stand out.

shapes = [
    Shape("square", 40.0, (50.0, 62.0), (150.0, 0.0)),
    Shape("circle", 36.0, (120.0, 40.0), (0.0, 120.0), brightness=0.05),
]
events, _ = record(shapes, (160, 120), "200ms")
frames = eventsnn.to_frames(events, dt="2ms")  # [T, 2, H, W]
signed = torch.stack([-frames[:, 0], frames[:, 1]], 1)

vertical, horizontal = 0.0, math.pi / 2
bank = torch.tensor(
    [
        [4.0, vertical, 1.0, 0, 0, 0, 0],
        [9.0, vertical, 1.5, 0, 0, 1, 0],
        [9.0, horizontal, 1.5, 0, 0, 1, 0],
        [9.0, vertical, 1.0, 0, 0, 2, 0],
        [9.0, vertical, 1.0, 0, 0, 0, 2],
    ]
)
field = eventsnn.SpatioTemporalReceptiveField2d(2, 29, bank, [2.0, 16.0], padding=14, flip=True)
with torch.no_grad():
    counts, _ = field(frames[:, None])
    contrast, _ = field(signed[:, None])
print(tuple(frames[:, None].shape), "to", tuple(counts.shape))

counts, contrast = (y[-1, 0].unflatten(0, (len(bank), 2)) for y in (counts, contrast))
pictures = {
    "the last bin, ON - OFF": frames[-1, 1] - frames[-1, 0],
    "counts, order 0, 4 ms": counts[0, 0],
    "counts, order 0, 32 ms": counts[0, 1],
    "ON - OFF, d/dx, 32 ms": contrast[1, 1],
    "ON - OFF, d/dy, 32 ms": contrast[2, 1],
    "counts, Laplacian, 32 ms": counts[3, 1] + counts[4, 1],
}
figure, axes = pyplot.subplots(2, 3, figsize=(10, 5.4))
for axis, (title, picture) in zip(axes.flat, pictures.items(), strict=True):
    limit = float(picture.abs().quantile(0.999))
    axis.imshow(picture, cmap="RdBu", vmin=-limit, vmax=limit)
    axis.set(title=title, xticks=[], yticks=[])
