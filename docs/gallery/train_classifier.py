"""
Train a tiny classifier
=======================

A spiking network learns which of three shapes moves in which of four directions: twelve
classes of recordings that are made here, some seconds on a CPU. ``eventsnn train shapes``
does the same at full size, with checkpoints, a log and a model card.
"""

import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot

from eventsnn.datasets import Packed, pack
from eventsnn.datasets.moving import Moving
from eventsnn.train import build

torch.manual_seed(0)

# %%
# Data
# ----
# 1,200 recordings of 40 ms for training and 300 for testing, each split packed into one file.
# Of that, batches of frames come in a few operations: ``[T, batch, polarity, H, W]`` and the
# labels.

folder = Path(tempfile.mkdtemp())
train, test = (
    Packed.open(pack(Moving(split), folder / f"{split}.packed")) for split in ("train", "test")
)
frames, labels = next(iter(test.batches(300, n_bins=8)))
print(tuple(frames.shape), tuple(labels.shape))

figure, axes = pyplot.subplots(3, 8, figsize=(9, 3.6))
for row, k in zip(axes, (12, 137, 262), strict=True):
    for axis, (off, on) in zip(row, frames[:, k], strict=True):
        axis.imshow(on - off, cmap="RdBu", vmin=-2, vmax=2)
        axis.set(xticks=[], yticks=[])
    row[0].set_title(test.classes[labels[k]], loc="left")

# %%
# Network
# -------
# A list of modules; neurons keep their own state over time. ``build`` makes it from a word a
# layer, as recipes have them. The last layer leaks and does not spike: its mean voltage over
# time is the score of each class.

net = build(
    [
        *("conv 16 5 stride=2", "norm", "LIFBox tau_mem_inv=500", "pool 2"),
        *("conv 32 3", "norm", "LIFBox tau_mem_inv=500", "pool 2"),
        *("conv 32 3", "norm", "LIFBox tau_mem_inv=500"),
        *("flatten", "linear classes", "LIBox tau_mem_inv=300"),
    ],
    shape=(2, 32, 32),
    classes=len(train.classes),
)
print(f"{sum(p.numel() for p in net.parameters()):,} parameters")
voltages, state = net(frames)
print(tuple(voltages.shape))

# %%
# Training
# --------
# A plain loop: any optimiser, any loss.

epochs = 6
optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=5e-3, total_steps=24 * epochs)
history = []
for epoch in range(epochs):
    for frames, labels in train.batches(50, n_bins=8, shuffle=True, seed=epoch):
        voltages, _ = net(frames)
        loss = torch.nn.functional.cross_entropy(voltages.mean(0), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        history.append(loss.item())
    print(f"epoch {epoch + 1}: loss {sum(history[-24:]) / 24:.2f}")

# %%
# Test
# ----

net.eval()
frames, labels = next(iter(test.batches(300, n_bins=8)))
with torch.no_grad():
    voltages, _ = net(frames)
guess = voltages.mean(0).argmax(1)
print(f"test accuracy {(guess == labels).float().mean():.1%}")

figure, (curve, matrix) = pyplot.subplots(1, 2, figsize=(9.5, 4.2), width_ratios=(1, 1.2))
curve.plot(history, color="#1f6ec8")
curve.set(xlabel="step", ylabel="loss", ylim=(0, None))
counts = torch.zeros(12, 12).index_put((labels, guess), torch.ones(300), accumulate=True)
matrix.imshow(counts, cmap="Blues")
matrix.set(xticks=range(12), yticks=range(12), yticklabels=test.classes, xlabel="taken for")
matrix.set_xticklabels(test.classes, rotation=90)

# %%
# The voltages of the read-out over time: how the network makes up its mind about four of the
# recordings.

figure, axes = pyplot.subplots(1, 4, figsize=(10, 2.6), sharey=True)
for axis, k in zip(axes, (12, 87, 162, 262), strict=True):
    axis.plot(range(1, 9), voltages[:, k], color="#cccccc", linewidth=1)
    axis.plot(range(1, 9), voltages[:, k, labels[k]], color="#1f6ec8", linewidth=2)
    axis.set(title=test.classes[labels[k]], xlabel="frame of 5 ms")
axes[0].set_ylabel("voltage (true class in blue)")

# sphinx_gallery_thumbnail_number = 2
