"""Before the first step: all kernels of a training compiled at once."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable

import torch

from ..scan.rehearsal import rehearsal
from .activity import Activity
from .norm import share
from .run import Run, gradients

STEPS = 2  # of time; the kernels are the same for any number of them


def rehearse(run: Run, sizes: Iterable[int]) -> None:
    """Compile what steps, the last step of an epoch and an evaluation ask of a GPU, for batches of these sizes."""
    net, recipe, device = copy.deepcopy(run.net), run.recipe, run.device
    share(net, False)  # the other processes do not take part
    optimiser = torch.optim.SGD(net.parameters())
    once = dataclasses.replace(run, net=net, optimiser=optimiser, sums=torch.zeros_like(run.sums), world=1)
    dtype = torch.bfloat16 if recipe.amp else torch.float32
    with rehearsal():
        for size in sizes:
            frames = torch.zeros(STEPS, size, *run.facts["shape"], dtype=dtype, device=device)
            labels = torch.zeros(size, dtype=torch.long, device=device)
            net.train()
            for last in (False, True):
                with Activity(net, counted=last, penalised=recipe.rate_weight > 0) as activity:
                    gradients(once, activity, {} if last else None, frames, labels)
            net.eval()
            with torch.no_grad(), run.autocast():
                net(frames)
