"""The same recordings on Dask distributed: a scheduler by its address, or one started here."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .inputs import Input
from .pool import worked
from .work import Outcome, Plan
from .worker import Worker, launched

_ANSWER_S, _LOST = 10, ("CancelledError", "CommClosedError", "FutureCancelledError", "TimeoutError", "KilledWorker")

_QUIET = {  # of a cluster on this machine, whose looking after itself would take a part of each core
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "2s",
    "distributed.admin.tick.interval": "2s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.scheduler.work-stealing": False,
}
_mine = threading.local()  # of a thread of a cluster's worker: the process that it has, and for which plan


def connected(address: str, workers: int, answer: float = _ANSWER_S) -> Any:
    """A client of the scheduler at ``address``; of ``workers`` processes started here for "local".

    Raises ValueError if nothing answers there within ``answer`` seconds, or Dask is not installed.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise ValueError("clusters need Dask distributed: pip install 'eventsnn[cluster]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if address == "local":
        dask.config.set(_QUIET)
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50)
        return Client(cluster, set_as_default=False)
    match = re.fullmatch(r"(?:tcp|tls)://\[?([^/]+?)\]?:(\d+)", address)
    try:
        if match is None:
            raise ValueError("not an address")
        socket.create_connection((match[1], int(match[2])), answer).close()
        return Client(address, timeout=answer, set_as_default=False)
    except (OSError, ValueError, OverflowError) as error:
        raise ValueError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with 'dask scheduler' and give its "
            "address, such as tcp://host:8786, or local for one of this machine"
        ) from None


def clustered(jobs: Sequence[Input], plan: Plan, client: Any, tell: Callable[[int], Any]) -> Iterator[Outcome]:
    """Outcomes as they come; recordings whose worker or scheduler went away are "lost"."""
    from distributed import as_completed

    topic, here = f"eventsnn-{uuid.uuid4().hex}", os.getcwd()
    client.subscribe_topic(topic, lambda event: tell(event[1]))
    futures = {client.submit(_alone, plan, job, here, topic, pure=False, retries=0): job for job in jobs}
    pending = dict(futures)
    try:
        for future in as_completed(list(futures), loop=client.loop):
            outcome = _outcome(future, futures[future])
            del pending[future]
            yield outcome
            if outcome.status == "lost" and client.status != "running":
                break
    except Exception as error:
        if type(error).__name__ not in _LOST:
            raise
    for job in pending.values():
        yield Outcome(job, "lost", "the scheduler went away")


def _alone(plan: Plan, job: Input, folder: str, topic: str) -> Outcome:
    """A recording, in a process that the thread of the cluster's worker keeps for it, and can end.

    Paths are seen from the folder of the one who asks, who hears at the topic of events that were read.
    """
    from distributed import get_worker

    told, key = get_worker(), (plan.digest, plan.out, plan.device, plan.timeout, folder)
    crew: list[Worker]
    before, crew = getattr(_mine, "crew", (key, []))
    if before != key or (crew and crew[0].pipe.poll()):  # another plan; or it had nothing to do, and ended
        for worker in crew:
            worker.stopped()
        crew = []
    _mine.crew = key, crew

    def start(device: str) -> Worker:
        return launched(plan, device, folder)

    if not crew:
        crew.append(start(plan.device))
    try:
        [outcome] = worked([job], plan, crew, start, lambda events: told.log_event(topic, events))
    except ValueError:
        crew.pop().stopped()
        raise
    return outcome


def _outcome(future: Any, job: Input) -> Outcome:
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    if future.status == "error":
        error = future.exception()
        status = "lost" if type(error).__name__ in _LOST else "failed"
        return Outcome(job, status, f"{type(error).__name__}: {error}")
    return Outcome(job, "lost", "the scheduler went away")


def again(client: Any, address: str, workers: int, patience: float) -> Any:
    """The client, or another one where the scheduler went away and is back within ``patience`` seconds."""
    if address == "local" or client.status == "running":
        return client
    client.close(timeout=1)
    end = time.monotonic() + patience
    while True:
        try:
            return connected(address, workers, min(_ANSWER_S, max(1.0, end - time.monotonic())))
        except ValueError:
            if time.monotonic() > end:
                raise
