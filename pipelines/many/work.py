"""One recording through the chain: what a process of the pool, or a worker of a cluster, does."""

from __future__ import annotations

import glob
import re
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..chain import Pipeline, running
from . import manifest
from .inputs import Input
from .watch import Watch


@dataclass(frozen=True)
class Plan:
    """What all recordings have in common."""

    chain: Pipeline
    digest: str
    out: Path
    device: str = "cpu"
    timeout: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: "done", "skipped", "failed", or "lost" with its worker; why; how long it took."""

    job: Input
    status: str
    reason: str = ""
    events: int = 0
    seconds: float = 0.0


def attempt(plan: Plan, job: Input, tell: Callable[[int], None] = lambda events: None, device: str = "") -> Outcome:
    """Do a recording unless it is done; the results appear together, and then the entry. Never raises an Exception."""
    try:
        with manifest.locked(plan.out, job.name) as log:
            tell(0)
            return _attempt(plan, job, tell, device or plan.device, log)
    except Exception as error:
        return Outcome(job, "failed", _told(error).removeprefix(f"{job.path}: "))


def _attempt(plan: Plan, job: Input, tell: Callable[[int], None], device: str, log: TextIO) -> Outcome:
    begin = time.monotonic()
    entry: manifest.Entry = {
        "name": job.name,
        "chain": plan.digest,
        "versions": manifest.versions(),
        "input": {"path": str(job.path.absolute())},
        "results": [],
    }
    watch = Watch(_within(plan.timeout, tell))
    try:
        reason = manifest.reason_to_do(manifest.read(plan.out, job.name), job.path, plan.out, plan.digest)
        if not reason:
            return Outcome(job, "skipped")
        if _cut_short(log):
            _clear(plan, job)
        _note(log, f"{job.path}: {reason}; {plan.chain}")
        entry["input"] = manifest.identity(job.path)
        paths = running.run(plan.chain, job.path, plan.out, job.name, device, watch)
        if manifest.changed(entry["input"]):
            raise ValueError(f"{job.path}: the file changed while it was read")
        results = [{"path": str(path.relative_to(plan.out)), "size": path.stat().st_size} for path in paths]
        entry |= {"status": "done", "reason": "", "results": results}
    except Exception as error:
        log.write(traceback.format_exc())
        reason = _told(error).removeprefix(f"{job.path}: ")
        entry |= {"status": "failed", "reason": reason}
    seconds, facts = time.monotonic() - begin, watch.facts()
    manifest.write(plan.out, entry | {"seconds": round(seconds, 3), "facts": facts})
    told = f"{entry['status']} in {seconds:.2f} s, {facts['events']:,} events"
    _note(log, f"{told}: {entry['reason']}" if entry["reason"] else told)
    return Outcome(job, entry["status"], reason, facts["events"], seconds)


def _within(timeout: float | None, tell: Callable[[int], None]) -> Callable[[int], None]:
    end = None if timeout is None else time.monotonic() + timeout

    def told(events: int) -> None:
        tell(events)
        if end is not None and time.monotonic() > end:
            raise TimeoutError(overdue(timeout))

    return told


def overdue(timeout: float | None) -> str:
    """What is said of a recording that takes too long."""
    return f"it took longer than the timeout of {timeout:g} s"


def _cut_short(log: TextIO) -> bool:
    """True if the last that the log tells is not the end of an attempt."""
    log.seek(0)
    lines = log.read().splitlines()
    return bool(lines) and not re.match(r"\S+ \S+ (done|failed) in ", lines[-1])


def _clear(plan: Plan, job: Input) -> None:
    """Remove what a killed process left behind of this recording's results; its lock is held."""
    for ending in plan.chain.endings:
        target = plan.out / (job.name + ending)
        for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
            shutil.rmtree(left, ignore_errors=True)


def _told(error: Exception) -> str:
    return " ".join(f"{'' if isinstance(error, ValueError) else type(error).__name__ + ': '}{error}".split())


def _note(log: TextIO, text: str) -> None:
    log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
    log.flush()


def fail(plan: Plan, job: Input, reason: str) -> Outcome:
    """The outcome and entry of a recording whose worker could not tell; another run may have done it meanwhile."""
    entry = manifest.read(plan.out, job.name)
    if not manifest.reason_to_do(entry, job.path, plan.out, plan.digest):
        return Outcome(job, "skipped")
    known = {"name": job.name, "chain": plan.digest, "versions": manifest.versions(), "results": [], "seconds": 0.0}
    told = {"input": {"path": str(job.path.absolute())}, "status": "failed", "reason": reason}
    manifest.write(plan.out, known | told | {"facts": Watch(lambda events: None).facts()})
    return Outcome(job, "failed", reason)
