"""Receptive fields: a bank of spatial kernels, the temporal kernels, and what both make of a recording.

    python docs/gallery/receptive_fields.py receptive_fields.png [RECORDING]

Without a recording a bar is drawn that moves over noise. Lindeberg 2021, Normative theory of visual receptive fields,
Heliyon 7:e05897.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import matplotlib
import torch
from torch import Tensor

import eventsnn

STEP_MS = 2
STEPS = 100
ORDERS = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]


def frames_of(path: str | None) -> Tensor:
    """Event counts [T, 2, H, W] in bins of STEP_MS."""
    if path is not None:
        with eventsnn.open(path) as recording:
            return eventsnn.to_frames(recording.between("0ms", f"{STEP_MS * STEPS}ms"), dt=f"{STEP_MS}ms")
    torch.manual_seed(0)
    frames = (torch.rand(STEPS, 2, 96, 128) < 0.002).float()
    for t in range(STEPS):  # ON at the front edge, OFF at the back
        frames[t, 1, 20:76, 12 + t] += 1
        frames[t, 0, 20:76, 4 + t] += 1
    return frames


def draw_bank(axes: Any) -> None:
    """Rows: derivative orders along and across 30 degrees; columns: scale and ratio."""
    shapes = [(4.0, 1.0), (16.0, 1.0), (16.0, math.sqrt(1.5)), (16.0, 1.5), (36.0, 1.5)]
    rows = torch.tensor([[s, math.pi / 6, r, 0, 0, *order] for order in ORDERS for s, r in shapes])
    kernels = eventsnn.spatial_receptive_fields_with_derivatives(rows, 57)
    for axis, kernel, row in zip(axes.flat, kernels, rows.tolist(), strict=True):
        limit = kernel.abs().max()
        axis.imshow(kernel, cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set(xticks=[], yticks=[])
        if row[5:] == [0, 0]:
            axis.set_title(f"s = {row[0]:g}, r = {row[2]:.2g}", fontsize=8)
    for axis, (m, n) in zip(axes[:, 0], ORDERS, strict=True):
        axis.set_ylabel(f"({m}, {n})", fontsize=8)


def draw_time(axes: Any) -> None:
    """Impulse responses: filters side by side, cascades, and their derivatives."""
    steps = torch.arange(60)
    for mu in eventsnn.temporal_scale_distribution(4, 4, 100):
        kernel = eventsnn.temporal_kernel(mu**2, 60, n_levels=1, update="exp")
        axes[0].plot(steps, kernel, label=f"mu = {mu:.3g}")
    axes[0].set_title("parallel, exact poles", fontsize=8)
    for tau in (12.5, 25.0, 50.0, 100.0):
        axes[1].plot(steps, eventsnn.temporal_kernel(tau, 60), label=f"tau = {tau:g}")
    axes[1].set_title("cascade of 8, c = sqrt 2", fontsize=8)
    for order in range(3):
        axes[2].plot(steps, eventsnn.temporal_kernel(50.0, 60, order=order), label=f"order {order}")
    axes[2].set_title("tau = 50, time derivatives", fontsize=8)
    for axis in axes:
        axis.legend(fontsize=7)
        axis.tick_params(labelsize=7)
        axis.set_xlabel("step", fontsize=7)


def draw_responses(axes: Any, frames: Tensor) -> None:
    """One bin of events and the fields' responses at the last step."""
    vertical, horizontal = 0.0, math.pi / 2
    rows = torch.tensor(
        [
            [4.0, vertical, 1.0, 0, 0, 0, 0],
            [9.0, vertical, 1.5, 0, 0, 1, 0],
            [9.0, horizontal, 1.5, 0, 0, 1, 0],
            [9.0, vertical, 1.0, 0, 0, 2, 0],
            [9.0, vertical, 1.0, 0, 0, 0, 2],
        ]
    )
    field = eventsnn.SpatioTemporalReceptiveField2d(2, 29, rows, [2.0, 16.0], padding=14, flip=True)
    signed = torch.stack([-frames[:, 0], frames[:, 1]], 1)
    with torch.no_grad():
        counts, _ = field(frames[:, None])
        contrast, _ = field(signed[:, None])
    counts, contrast = (y[-1, 0].unflatten(0, (5, 2)) for y in (counts, contrast))
    pictures = [
        ("events of the last bin, ON - OFF", frames[-1, 1] - frames[-1, 0]),
        ("counts, order 0, 4 ms", counts[0, 0]),
        ("counts, order 0, 32 ms", counts[0, 1]),
        ("ON - OFF, d/dx, 32 ms", contrast[1, 1]),
        ("ON - OFF, d/dy, 32 ms", contrast[2, 1]),
        ("counts, Laplacian, 32 ms", counts[3, 1] + counts[4, 1]),
    ]
    for axis, (title, picture) in zip(axes.flat, pictures, strict=True):
        limit = max(float(picture.abs().quantile(0.999)), 1e-6)
        axis.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(title, fontsize=8)
        axis.set(xticks=[], yticks=[])


def draw(path: str | Path, recording: str | None = None) -> None:
    """Draw the three panels and write the picture."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(13, 11), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    left, right = top.subfigures(1, 2, width_ratios=[1.1, 1])
    left.suptitle("spatial fields, orders (along, across) 30 degrees", fontsize=10)
    draw_bank(left.subplots(len(ORDERS), 5))
    right.suptitle("temporal fields, impulse responses", fontsize=10)
    draw_time(right.subplots(3, 1))
    bottom.suptitle(
        "space and time: responses to " + (Path(recording).name if recording else "a moving bar"), fontsize=10
    )
    draw_responses(bottom.subplots(2, 3), frames_of(recording))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python docs/gallery/receptive_fields.py OUT.png [RECORDING]")
    draw(*sys.argv[1:])
