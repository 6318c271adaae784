"""A process that does one recording after the other, and the pipe to it; it ends as soon as the other end is gone."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe
from typing import Any

from .inputs import Input
from .work import Plan, attempt

_TELL_EVERY, _IDLE = 0.2, 30.0


@dataclass
class Worker:
    """A process: the pipe to it, how it is ended, the recording it has, and when that must be done."""

    pipe: Any
    device: str
    end: Callable[[], int | None]
    job: Input | None = None
    until: float = float("inf")
    ready: bool = False

    def stopped(self) -> int | None:
        """End the process; its exit code, that of its death if it was dead."""
        self.pipe.close()
        return self.end()


def started(plan: Plan, device: str) -> Worker:
    """One of this program's own, from a server that has imported what is needed."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["eventsnn.pipelines.many.worker", "eventsnn.pipelines.track"])
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, plan, device), daemon=True)
    process.start()
    theirs.close()

    def end() -> int | None:
        process.kill()
        process.join()
        return process.exitcode

    return Worker(ours, device, end)


def launched(plan: Plan, device: str, folder: str) -> Worker:
    """One that works in a folder, for a process that must not have children by ``multiprocessing``.

    It is sent what can be pickled by value too, and ends when it had nothing to do for half a minute. Memory that it
    frees it keeps for its next arrays: what Dask sets for its own processes costs a page fault for each page of each.
    """
    import cloudpickle

    ours, theirs = Pipe()
    given = {name: value for name, value in os.environ.items() if name != "MALLOC_TRIM_THRESHOLD_"}
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import begin; begin({theirs.fileno()})"],
        pass_fds=[theirs.fileno()],
        cwd=folder,
        env={**given, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    ours.send_bytes(cloudpickle.dumps((plan, device)))

    def end() -> int | None:
        process.kill()
        return process.wait()

    return Worker(ours, device, end)


def begin(descriptor: int) -> None:
    """What a process that was launched does."""
    pipe = Connection(descriptor)
    plan, device = pickle.loads(pipe.recv_bytes())
    serve(pipe, plan, device, _IDLE)


def serve(pipe: Any, plan: Plan, device: str, idle: float | None = None) -> None:
    """What a process does: recordings as they come through the pipe, until there is no more other end."""
    import cv2
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(pipe.fileno(),), daemon=True).start()
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
        while pipe.poll(idle):
            job = pipe.recv()
            told[:] = 0, 0.0
            outcome = attempt(plan, job, tell, device)
            pipe.send(told[0])
            pipe.send(outcome)
    except (EOFError, OSError):  # the run is over
        return


def _end_with(descriptor: int) -> None:
    """End this process, whatever it does, when the other end of a pipe is gone."""
    other = select.poll()
    other.register(descriptor, 0)
    other.poll()
    os.kill(os.getpid(), signal.SIGKILL)
