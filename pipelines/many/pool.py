"""Processes of this machine, each with one recording at a time; one that dies is replaced, one that hangs is ended."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from typing import Any

from .inputs import Input
from .work import Outcome, Plan, overdue
from .worker import Worker, started

_UNREADY = (
    "a process could not begin its work; what it said stands above. A script that runs a batch must do so under "
    "if __name__ == '__main__', and what its chain uses must be in a file that can be imported"
)


def pooled(jobs: Sequence[Input], plan: Plan, devices: Sequence[str], tell: Callable[[int], Any]) -> Iterator[Outcome]:
    """Outcomes as they come, of one process for each of the devices; ``tell`` hears of events that were read."""
    crew: list[Worker] = []
    try:
        for device in devices[: len(jobs)]:
            crew.append(started(plan, device))
        yield from worked(jobs, plan, crew, lambda device: started(plan, device), tell)
    finally:
        for worker in crew:
            worker.stopped()


def worked(
    jobs: Sequence[Input],
    plan: Plan,
    crew: list[Worker],
    start: Callable[[str], Worker],
    tell: Callable[[int], Any],
) -> Iterator[Outcome]:
    """Outcomes as they come, of a crew that is there; ``start`` gives one in place of one that is lost.

    Those that are lost with no more to do are missing from the crew in the end.
    """
    todo, timeout = deque(jobs), plan.timeout or float("inf")
    while True:
        for worker in crew:
            if worker.job is None and todo:
                worker.job = todo.popleft()
                _give(worker)
        busy = [worker for worker in crew if worker.job is not None]
        if not busy:
            return
        first = min(worker.until for worker in busy)
        patience = None if first == float("inf") else max(first - time.monotonic(), 0.0)
        ready = connection.wait([worker.pipe for worker in busy], patience)
        for worker in busy:
            job = worker.job
            if job is None:
                continue
            if worker.pipe in ready:
                try:
                    heard = worker.pipe.recv()
                except (EOFError, OSError):
                    if not worker.ready:
                        raise ValueError(_UNREADY) from None
                    yield Outcome(job, "lost", _death(_replaced(crew, worker, start, bool(todo))))
                    continue
                if isinstance(heard, Outcome):
                    worker.job, worker.until = None, float("inf")
                    yield heard
                elif heard == "ready":
                    worker.ready = True
                else:
                    if worker.until == float("inf"):
                        worker.until = time.monotonic() + timeout
                    tell(heard)
            elif time.monotonic() > worker.until:
                _replaced(crew, worker, start, bool(todo))
                yield Outcome(job, "hung", overdue(plan.timeout))


def _give(worker: Worker) -> None:
    try:
        worker.pipe.send(worker.job)
    except OSError:  # it died while it had nothing to do; reading from it will tell
        return


def _replaced(crew: list[Worker], worker: Worker, start: Callable[[str], Worker], needed: bool) -> int | None:
    code = worker.stopped()
    crew.remove(worker)
    if needed:
        crew.append(start(worker.device))
    return code


def _death(code: int | None) -> str:
    """How a process ended.

    >>> _death(-9), _death(1)
    ('its worker was ended by SIGKILL (out of memory?)', 'its worker ended with exit code 1')
    """
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its worker was ended by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"
    return f"its worker ended with exit code {code}"
