"""Reading ahead, writing behind: a thread gets the next items, or has the last ones done, while one is worked on."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

_END = object()


def has_spare_core() -> bool:
    """True if another thread may work; not on one core, and not where torch has one thread, as in worker processes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, torch.get_num_threads()) > 1


def read_ahead(items: Iterable[Any], count: int = 2) -> Iterator[Any]:
    """The items, got in lots of up to ``count`` while the lot before is worked on; an error comes in its place.

    >>> list(read_ahead(iter([1, 2, 3])))
    [1, 2, 3]
    """
    with taking(items, count) as take:
        while (lot := take(True)) is not None:
            yield from lot


@contextmanager
def taking(items: Iterable[Any], count: int) -> Iterator[Callable[[bool], list[Any] | None]]:
    """A function ``take(wait)`` that gives those of the items that are ready, up to ``count``; None after the last.

    Where none is, it waits for one, or gives an empty list. A thread gets them; its error comes to who waits, in its
    place.

    >>> with taking(range(3), 8) as take:
    ...     found = take(True)
    ...     while (more := take(True)) is not None:
    ...         found += more
    >>> found
    [0, 1, 2]
    """
    ready: deque[Any] = deque()
    changed, done = threading.Condition(threading.Lock()), threading.Event()
    failed: list[BaseException] = []

    def put(item: Any) -> bool:
        with changed:
            while len(ready) >= count and not done.is_set():
                changed.wait()
            ready.append(item)
            if len(ready) == 1:
                changed.notify()
        return not done.is_set()

    def read() -> None:
        source = iter(items)
        try:
            for item in source:
                if not put(item):
                    return
        except BaseException as error:
            failed.append(error)
        finally:
            put(_END)
            if isinstance(source, Generator):
                source.close()

    def take(wait: bool) -> list[Any] | None:
        with changed:
            while wait and not ready:
                changed.wait()
            if ready and ready[0] is _END:
                if not failed:
                    return None
                if wait:
                    raise failed[0]
                return []
            batch = list(ready)
            ended = bool(batch) and batch[-1] is _END
            ready.clear()
            if ended:
                ready.append(batch.pop())
            changed.notify()
        return batch

    thread = threading.Thread(target=read, name="eventsnn-ahead", daemon=True)
    thread.start()
    try:
        yield take
    finally:
        done.set()
        with changed:
            changed.notify()
        thread.join()


@contextmanager
def behind(count: int = 4) -> Iterator[Callable[..., None]]:
    """A function that has calls done in a thread, in order, up to ``count`` of them later; all are done at the end.

    An error of one is raised by a later call or at the end.

    >>> done = []
    >>> with behind() as later:
    ...     for k in range(9):
    ...         later(done.append, k)
    >>> done == list(range(9))
    True
    """
    waiting: deque[Future[Any]] = deque()

    def later(function: Callable[..., Any], *arguments: Any) -> None:
        if len(waiting) >= count:
            waiting.popleft().result()
        waiting.append(pool.submit(function, *arguments))

    with ThreadPoolExecutor(1, "eventsnn-behind") as pool:
        yield later
        while waiting:
            waiting.popleft().result()
