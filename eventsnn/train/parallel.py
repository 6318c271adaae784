"""Several processes that train together: torchrun starts them, and they share every batch."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed

from .norm import share

if TYPE_CHECKING:
    from .run import Run


@contextmanager
def together(device: torch.device) -> Iterator[torch.device]:
    """Meet the other processes, if torchrun started several, and leave them at the end; gives this one's device."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    import torch.distributed.nn  # before there is a group, which its defaults would keep for ever

    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
        distributed.init_process_group("nccl", device_id=device)
    else:
        distributed.init_process_group("gloo")
    try:
        yield device
    finally:
        gc.collect()  # threads of a group that something holds would outlive the interpreter, and end in an abort
        distributed.destroy_process_group()


def rank_and_world() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    there = distributed.is_initialized()
    return (distributed.get_rank(), distributed.get_world_size()) if there else (0, 1)


def spread(run: Run) -> None:
    """Let the processes share the batches of a training: gradients are averaged, batch norms see the whole batch."""
    run.rank, run.world = rank_and_world()
    if run.world > 1:
        share(run.net)
        for value in (*run.net.state_dict().values(), *run.averaged.state_dict().values()):
            distributed.broadcast(value, 0)  # what is drawn may differ from one kind of processor to another


@torch.no_grad()
def average(parameters: Iterable[Tensor]) -> None:
    """Make the gradients those of all processes, their mean, sent as one tensor."""
    own = [parameter for parameter in parameters if parameter.grad is not None]
    sums = torch.cat([parameter.grad.flatten() for parameter in own if parameter.grad is not None])
    sums /= distributed.get_world_size()
    distributed.all_reduce(sums)
    for parameter, mean in zip(own, sums.split([parameter.numel() for parameter in own]), strict=True):
        parameter.grad = mean.view_as(parameter)
