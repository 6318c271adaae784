"""Several processes that train together: torchrun starts them, and they share every batch."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn

from .norm import share
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
        run.model = nn.parallel.DistributedDataParallel(run.net)
