"""Which events belong to which target, on a GPU: one launch and one wait for each window."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from eventsnn.jit import brief

from . import gpu_kernels as kernels
from .attribution import FIELDS, HEAD, Array
from .gpu import Part

_BLOCK = 256
_PROGRAMS = 132


class Attribution:
    """``attribution(part, end_us, ...)`` as ``attribute``, for events on the device: one launch, one wait.

    The counts stand in memory that the next call writes anew.
    """

    def __init__(self, dt_us: int, device: torch.device) -> None:
        self._dt = torch.tensor(float(dt_us), dtype=torch.float64, device=device)
        self._stream = torch.cuda.Stream(device, priority=-1)  # before what is done for windows to come
        here = self._stream.device.index == torch.cuda.current_device()
        self._at: AbstractContextManager[None] = nullcontext() if here else torch.cuda.device(device)
        with torch.cuda.stream(self._stream):
            self._prepare(16)

    def __call__(
        self, part: Part, end_us: int, state: Array, half: Array, reach: Array, gate: Array, crowd: Array
    ) -> Array:
        n = len(state)
        if n > self._room:
            with torch.cuda.stream(self._stream):
                self._prepare(2 * n)
        events = *part.pointers, part.first, part.last, end_us
        tell(self._staged, self._room, events, state, half, reach, gate, crowd)
        with self._at:
            self._graph.replay()
            torch.cuda.current_stream().synchronize()
        found: Array = self._found[:n]
        return found

    def _prepare(self, room: int) -> None:
        """Record what is done for up to so many targets: they go up, a launch, what it found comes back."""
        device, self._room = self._stream.device, room
        staged = torch.zeros(10 + room * (10 + room), dtype=torch.float64, pin_memory=True)
        there = staged.to(device)
        result = torch.zeros(room, FIELDS, dtype=torch.int64, device=device)
        found = torch.zeros(room, FIELDS, dtype=torch.int64, pin_memory=True)

        def work() -> None:
            there.copy_(staged, non_blocking=True)
            sizes = 10 + room, FIELDS, HEAD, _BLOCK
            kernels.assign[(_PROGRAMS,)](there, self._dt, result, *sizes, num_warps=8, enable_fp_fusion=False)
            found.copy_(result, non_blocking=True)
            result.zero_()

        work()
        self._stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        self._graph.capture_begin(capture_error_mode="thread_local")  # others may work on the device
        work()
        self._graph.capture_end()
        self._kept = there, result, staged, found
        self._staged, self._found = staged.numpy(), found.numpy()


@brief
def tell(into: Any, room: int, events: Any, state: Any, half: Any, reach: Any, gate: Any, crowd: Any) -> None:
    """Write for ``gpu_kernels.assign`` where the events are and what the targets are like."""
    n, crowded = len(state), False
    for k in range(n):
        one = into[10 + k * (10 + room) :]
        one[:4], one[4:6], one[6:8], one[8:10] = state[k], 1 / half[k], reach[k], gate[k]
        for j in range(n):
            one[10 + j] = crowd[k, j]
            crowded |= crowd[k, j]
    header = into[:10].view(np.int64)
    for k in range(8):
        header[k] = events[k]
    header[8], header[9] = n, crowded
