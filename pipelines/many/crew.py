"""Who does the work, and what is tried again: processes of this machine or the workers of a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from eventsnn.devices import device_named

from . import manifest
from .cluster import again, clustered
from .inputs import Input
from .pool import pooled
from .work import Outcome, Plan, fail

_PATIENCE_S = 60.0


@dataclass
class Crew:
    """Devices of the processes, or a cluster: its address and the client that is connected to it."""

    devices: Sequence[str]
    address: str = ""
    client: Any = None

    def outcomes(self, jobs: Sequence[Input], plan: Plan, tell: Callable[[int], Any]) -> Iterator[Outcome]:
        """One outcome for each of the recordings, as they come."""
        if not self.address:
            yield from pooled(jobs, plan, self.devices, tell)
            return
        self.client = again(self.client, self.address, len(self.devices), _PATIENCE_S)
        yield from clustered(jobs, plan, self.client, tell)

    def close(self) -> None:
        """Let go of the cluster."""
        if self.client is not None:
            cluster = self.client.cluster
            self.client.close(timeout=2)
            if cluster is not None:
                cluster.close()


def devices(device: str, workers: int | None, jobs: int) -> list[str]:
    """The device of each process. Raises ValueError for a device that is not there."""
    wanted = device_named(device)
    names = [device]
    if wanted.type == "cuda":
        names = [device] if wanted.index is not None else [f"cuda:{k}" for k in range(torch.cuda.device_count())]
    count = workers or (len(names) if wanted.type == "cuda" else len(os.sched_getaffinity(0)))
    return [names[k % len(names)] for k in range(min(count, max(jobs, 1)))]


def done(jobs: Sequence[Input], plan: Plan, crew: Crew, retry: int, tell: Callable[[int], Any]) -> Iterator[Outcome]:
    """The final outcome of each recording: done, skipped or failed.

    One that fails is tried again up to ``retry`` times; one whose worker was lost at least once more.
    """
    todo: list[Input] = []
    tries = 0
    for job in jobs:
        if _holds(job, plan):
            yield Outcome(job, "skipped")
        else:
            todo.append(job)
    try:
        while todo:
            tries, again = tries + 1, []
            for outcome in crew.outcomes(todo, plan, tell):
                bad = outcome.status not in ("done", "skipped")
                if bad and tries <= max(retry, int(outcome.status == "lost")):
                    again.append(outcome.job)
                else:
                    yield _settled(outcome, plan) if bad else outcome
            todo = again
    finally:
        crew.close()


def _holds(job: Input, plan: Plan) -> bool:
    """True if the recording is done and unchanged; a worker need not look."""
    try:
        return not manifest.reason_to_do(manifest.read(plan.out, job.name), job.path, plan.out, plan.digest)
    except (OSError, ValueError):
        return False


def _settled(outcome: Outcome, plan: Plan) -> Outcome:
    """A failure, with an entry that tells of it where that can be written."""
    entry = manifest.read(plan.out, outcome.job.name)
    if outcome.status == "failed" and entry and entry["status"] == "failed" and entry["reason"] == outcome.reason:
        return outcome
    try:
        return fail(plan, outcome.job, outcome.reason)
    except OSError:
        return replace(outcome, status="failed")
