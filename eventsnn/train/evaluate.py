"""Evaluation: outputs of a network for every sample, accuracy, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .readout import logits
from .recipe import Recipe


@torch.no_grad()
def evaluate(
    net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], recipe: Recipe, classes: int
) -> tuple[Tensor, Tensor]:
    """Numbers ``[N, classes]`` and labels ``[N]`` of all samples, in order; the network is left in its mode."""
    was = net.training
    net.eval()
    values, labels = [], []
    for frames, truth in batches:
        with torch.autocast(frames.device.type, torch.bfloat16, enabled=recipe.amp and frames.is_cuda):
            outputs, _ = net(frames)
        values.append(logits(outputs, classes, recipe.readout, recipe.gain))
        labels.append(truth)
    net.train(was)
    return torch.cat(values), torch.cat(labels)


def accuracy(values: Tensor, labels: Tensor) -> float:
    """Share of samples whose largest number is that of their class.

    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0]))
    0.5
    """
    return (values.argmax(1) == labels).float().mean().item()


def confusion(values: Tensor, labels: Tensor) -> Tensor:
    """Counts ``[classes, classes]``: row the class, column what it was taken for.

    >>> confusion(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0])).tolist()
    [[1, 1], [0, 0]]
    """
    n = values.shape[1]
    return torch.bincount(labels * n + values.argmax(1), minlength=n * n).reshape(n, n)
