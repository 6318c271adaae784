"""The same recordings on Dask distributed: a scheduler by its address, or one started here."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..chain import Pipeline
from .inputs import Input
from .work import Outcome, Plan, attempt

_ANSWER_S, _LOST = 10, ("CancelledError", "CommClosedError", "FutureCancelledError", "TimeoutError", "KilledWorker")


_known: dict[str, Pipeline] = {}  # in a worker: a chain that is known already is not checked again


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
        dask.config.set({"distributed.worker.profile.enabled": False})  # its thread would take a part of each core
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


def clustered(jobs: Sequence[Input], plan: Plan, client: Any) -> Iterator[Outcome]:
    """Outcomes as they come; recordings whose worker or scheduler went away are "lost"."""
    from distributed import as_completed

    futures = {client.submit(_alone, plan, job, os.getcwd(), pure=False, retries=0): job for job in jobs}
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


def _alone(plan: Plan, job: Input, folder: str) -> Outcome:
    """A recording in a worker of a cluster, with one thread; paths are seen from the folder of the one who asks."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    os.chdir(folder)
    return attempt(replace(plan, chain=_known.setdefault(plan.digest, plan.chain)), job)


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
