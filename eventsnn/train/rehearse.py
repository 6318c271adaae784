"""Before the first step: all kernels of a training compiled at once."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable

import torch

from ..scan.rehearsal import rehearsal
from .activity import Activity
from .data import Data
from .norm import share
from .run import Run, gradients

STEPS = 2  # of time; kernels are the same for any number of them


def rehearse(run: Run, training: Data, size: int, others: Iterable[int]) -> None:
    """Compile what steps, the last step of an epoch and an evaluation ask of a GPU, for batches of that size and of
    others; meanwhile a whole step tries convolutions."""
    net, recipe = copy.deepcopy(run.net), run.recipe
    share(net, False)  # the other processes do not take part
    optimiser = torch.optim.SGD(net.parameters())
    once = dataclasses.replace(run, net=net, optimiser=optimiser, sums=torch.zeros_like(run.sums), world=1)
    with rehearsal():
        frames, labels = next(iter(training.batches(training.order(0)[:size], size, augmented=True)))
        short = frames[:STEPS]
        for x in (short, *(short[:, :1].repeat(1, other, *[1] * (short.ndim - 2)) for other in {*others} - {size})):
            net.train()
            for last in (False, True):
                with Activity(net, counted=last, penalised=recipe.rate_weight > 0) as activity:
                    gradients(once, activity, {} if last else None, x, labels.new_zeros(x.shape[1]))
            net.eval()
            with torch.no_grad(), run.autocast():
                net(x)
        net.train()
        torch.backends.cudnn.benchmark = True
        try:
            with Activity(net, counted=False, penalised=recipe.rate_weight > 0) as activity:
                gradients(once, activity, None, frames, labels)
        except torch.OutOfMemoryError:
            pass  # the first step says it
