"""A second thread that decodes every other block of a file from the state it foresees for the block's beginning.

What it has decoded counts only if the state that the blocks before it lead to is the foreseen one.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from .columns import Columns
from .reading import Pass

_TAIL = 1 << 13  # bytes before a block from which the state is foreseen


class Ahead:
    """Blocks of ``size`` bytes of a file, decoded in another thread."""

    def __init__(self, pool: ThreadPoolExecutor, file: Any, end: int, size: int, decoder: Any) -> None:
        self._pool, self._file, self._end, self._size = pool, file, end, size
        self._kernel, self._foresee, self._dtype, self._places, self._counts = decoder
        self._buffer: Any = np.empty(_TAIL + size, np.uint8)
        self._tasks: dict[int, Future[Any]] = {}

    def take(self, base: int, state: Any, columns: Columns) -> tuple[int, int] | None:
        """Words used and events made of the block at ``base``, if it was decoded from this state, which moves on.

        The events go into the columns. In any case two of the blocks that follow are set to work.
        """
        task, done = self._tasks.pop(base, None), None
        if task and (result := task.result()):
            foreseen, reached, arrays, used, made = result
            if all(state[name] == foreseen[name] for name in self._places):
                for name in self._counts:
                    reached[name] += state[name]
                state[:] = reached
                columns.adopt(arrays, made)
                done = used, made
                base += used * self._dtype.itemsize
        for offset in (base + self._size, base + 3 * self._size):
            if offset not in self._tasks and _TAIL <= offset <= self._end - self._size:
                arrays = columns.room(self._size // self._dtype.itemsize)
                self._tasks[offset] = self._pool.submit(self._decode, offset, state.copy(), arrays)
        return done

    def _decode(self, offset: int, state: Any, arrays: list[Any]) -> Any:
        self._file.seek(offset - _TAIL)
        if self._file.readinto(memoryview(self._buffer)) < len(self._buffer):
            return None
        words, tail = self._buffer.view(self._dtype), _TAIL // self._dtype.itemsize
        if not self._foresee(words[:tail], state):
            return None
        foreseen = state.copy()
        for name in self._counts:
            state[name] = 0
        return foreseen, state, arrays, *self._kernel(words[tail:], state, *arrays)


@contextmanager
def second_thread(
    run: Pass, size: int, kernel: Any, foresee: Callable[[Any, Any], bool] | None, dtype: Any, places: Any, counts: Any
) -> Iterator[Ahead | None]:
    """The second thread, or None: for formats that cannot be foreseen, sources that are no files on disk, small and
    growing files, on one core, and where torch has one thread, as in the workers of a ``DataLoader``."""
    path, end = run.source.path, run.source.size or 0
    if foresee is None or path is None or run.growing or end < 4 * size or min(torch.get_num_threads(), _cores()) < 2:
        yield None
        return
    with builtins.open(path, "rb", buffering=0) as file, ThreadPoolExecutor(1, "eventsnn-io") as pool:
        yield Ahead(pool, file, end, size, (kernel, foresee, dtype, places, counts))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
