"""Processes of this machine, each with one recording at a time; one that dies is replaced, one that hangs is ended."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import ForkServerProcess
from typing import Any

from .inputs import Input
from .work import Outcome, Plan, attempt, overdue

_TELL_EVERY = 0.2
_UNREADY = (
    "a process could not begin its work; what it said stands above. A script that runs a batch must do so under "
    "if __name__ == '__main__', and what its chain uses must be in a file that can be imported"
)


def serve(pipe: Any, plan: Plan, device: str) -> None:
    """What a process does: recordings as they come through the pipe, until there is no more other end."""
    import cv2
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    told = [0, 0.0]

    def tell(events: int) -> None:
        told[0] += events
        now = time.monotonic()
        if not events or now - told[1] > _TELL_EVERY:
            pipe.send(told[0])
            told[:] = 0, now

    try:
        pipe.send("ready")
        while True:
            job = pipe.recv()
            told[:] = 0, 0.0
            pipe.send(attempt(plan, job, tell, device))
    except (EOFError, OSError):  # the run is over
        return


@dataclass
class Worker:
    """A process, the pipe to it, the recording it has, and when that must be done."""

    process: ForkServerProcess
    pipe: Any
    device: str
    job: Input | None = None
    end: float = float("inf")
    ready: bool = False

    @classmethod
    def started(cls, plan: Plan, device: str) -> Worker:
        context = get_context("forkserver")
        context.set_forkserver_preload(["eventsnn.pipelines.many.pool", "eventsnn.pipelines.track"])
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, plan, device), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours, device)

    def stopped(self) -> int | None:
        """End the process; its exit code, that of its death if it was dead."""
        self.pipe.close()
        self.process.kill()
        self.process.join()
        return self.process.exitcode


def pooled(jobs: Sequence[Input], plan: Plan, devices: Sequence[str], tell: Callable[[int], Any]) -> Iterator[Outcome]:
    """Outcomes as they come, of one process for each of the devices; ``tell`` hears of events that were read."""
    todo, timeout = deque(jobs), plan.timeout or float("inf")
    crew: list[Worker] = []
    try:
        crew += [Worker.started(plan, device) for device in devices[: len(todo)]]
        while True:
            for worker in crew:
                if worker.job is None and todo:
                    worker.job = todo.popleft()
                    _give(worker)
            busy = [worker for worker in crew if worker.job is not None]
            if not busy:
                return
            first = min(worker.end for worker in busy)
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
                        yield Outcome(job, "lost", _death(_replaced(crew, worker, plan, bool(todo))))
                        continue
                    if isinstance(heard, Outcome):
                        worker.job, worker.end = None, float("inf")
                        yield heard
                    elif heard == "ready":
                        worker.ready = True
                    else:
                        if worker.end == float("inf"):
                            worker.end = time.monotonic() + timeout
                        tell(heard)
                elif time.monotonic() > worker.end:
                    _replaced(crew, worker, plan, bool(todo))
                    yield Outcome(job, "hung", overdue(plan.timeout))
    finally:
        for worker in crew:
            worker.stopped()


def _give(worker: Worker) -> None:
    try:
        worker.pipe.send(worker.job)
    except OSError:  # it died while it had nothing to do; reading from it will tell
        return


def _replaced(crew: list[Worker], worker: Worker, plan: Plan, needed: bool) -> int | None:
    code = worker.stopped()
    crew.remove(worker)
    if needed:
        crew.append(Worker.started(plan, worker.device))
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
