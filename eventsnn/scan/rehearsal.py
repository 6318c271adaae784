"""A rehearsal: what would be launched on a GPU is compiled, many kernels at once, and nothing is computed.

A compiler works at one kernel at a time, and a training asks for its kernels one after the other, each when it is
needed. Let it go through its steps once without effect, and all are compiled by as many threads as there are cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

PLAYING: list[tuple[Executor, dict[Any, Future[Any]]]] = []


@contextmanager
def rehearsal() -> Iterator[None]:
    """While the block lasts, kernels of ``launch`` are compiled and not run: what they would write stays as it is.

    What a compiler says of a kernel is left to its first launch.
    """
    with ThreadPoolExecutor() as pool:
        PLAYING.append((pool, {}))
        try:
            yield
        finally:
            PLAYING.pop()


def launch(kernel: Any, grid: tuple[int, int, int], *values: Any, **options: Any) -> Any:
    """Launch a Triton kernel, whose first argument is a tensor, and give what was compiled; None in a rehearsal."""
    if not PLAYING:
        return kernel[grid](*values, **options)
    pool, known = PLAYING[-1]
    seen = tuple((v.dtype, v.data_ptr() % 16) if isinstance(v, Tensor) else v for v in values)
    key = (kernel, seen, tuple(options.items()))
    if key not in known:
        known[key] = pool.submit(_compile, values[0].device, kernel, grid, seen, options)
    return None


def _compile(device: torch.device, kernel: Any, grid: Any, seen: tuple[Any, ...], options: dict[str, Any]) -> None:
    from triton.runtime.jit import MockTensor

    def stand_in(dtype: torch.dtype, address: int) -> Any:
        tensor = MockTensor(dtype)
        tensor.data_ptr = lambda: address
        return tensor

    values = [stand_in(*value) if isinstance(value, tuple) else value for value in seen]
    with torch.cuda.device(device):
        kernel.warmup(*values, grid=grid, **options)[grid]  # asked for a grid, it is loaded and gets its launcher
