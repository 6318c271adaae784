"""Many recordings through one chain: in processes, on GPUs or on a cluster; restartable; with a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

import eventsnn.io

from .chain import Flow, Pipeline, read_chain
from .chain.explaining import check
from .many import manifest, report, summary
from .many.cluster import connected
from .many.crew import Crew, devices, done
from .many.inputs import Input, find, left_out, part
from .many.progress import Progress
from .many.work import Outcome, Plan

_RESERVED = ("summary", "report")


@dataclass(frozen=True)
class Config:
    """Run a chain over many recordings: results, summary.csv, summary.json and report.html."""

    chain: Annotated[str, tyro.conf.Positional]
    """TOML file, or a ready chain: convert-to-hdf5, denoise, frames-for-training, track-and-report, video-preview."""
    inputs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Files, folders and patterns such as 'day1/*.raw'."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the results; what is done there and has not changed is not done again."""
    workers: int | None = None
    """Processes. Default: one a core; with --device cuda one a GPU."""
    device: str = "cpu"
    """Where frames, encoders, networks and trackers compute: cpu or cuda."""
    cluster: str | None = None
    """Dask distributed instead of processes: the address of a scheduler, such as tcp://host:8786, or local."""
    shard: str = "1/1"
    """i/n: do the i-th of n parts, as in an array of jobs."""
    retry: int = 0
    """How often a recording that failed is tried again."""
    timeout: float | None = None
    """Most seconds for a recording."""
    explain: bool = False
    """Print what the stages give for the sensors of the recordings, and stop."""


@dataclass(frozen=True)
class Batch:
    """What a run did: an outcome for each recording; ``exit_code`` is 1 if one failed, 130 if it was interrupted.

    ``unwritten`` says why there is no summary and report; then, too, it is 1.
    """

    out: Path
    outcomes: tuple[Outcome, ...]
    interrupted: bool = False
    unwritten: str = ""

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    @property
    def exit_code(self) -> int:
        return 130 if self.interrupted else int(bool(self.failed or self.unwritten))


def run(config: Config) -> Batch | None:
    """Run the chain, and say what became of the recordings."""
    chain = read_chain(config.chain)
    options = {name: getattr(config, name) for name in _OPTIONS}
    if config.explain:
        for sensor in sensors(chain, part(find(config.inputs, config.out), config.shard)):
            chain.explain(sensor)
        return None
    return batch(chain, config.inputs, config.out, **options)


_OPTIONS = ("workers", "device", "cluster", "shard", "retry", "timeout")


def batch(
    chain: Pipeline,
    inputs: Sequence[str],
    out: Path,
    *,
    workers: int | None = None,
    device: str = "cpu",
    cluster: str | None = None,
    shard: str = "1/1",
    retry: int = 0,
    timeout: float | None = None,
) -> Batch:
    """The chain over all recordings; see ``Config``. Raises ValueError for what cannot be, before work starts."""
    if retry < 0 or (timeout is not None and timeout <= 0) or (workers is not None and workers < 1):
        raise ValueError(f"workers and timeout must be positive, retry not negative; got {workers}, {timeout}, {retry}")
    found = find(inputs, out)
    jobs = part(found, shard)
    if note := left_out(inputs, found):
        print(note)
    for job in jobs:
        if job.name in _RESERVED or job.name.startswith(("manifest/", "logs/")):
            raise ValueError(f"the results of {job.path} would be called {job.name}, as the run's own; rename it")
    crew = devices(device, workers, len(jobs))
    sensors(chain, jobs)
    client = connected(cluster, len(crew)) if cluster else None
    out.mkdir(parents=True, exist_ok=True)
    plan = Plan(chain, chain.digest, out.resolve(), device, timeout)
    outcomes, interrupted = [], False
    with Progress(jobs) as progress:
        try:
            for outcome in done(jobs, plan, Crew(crew, cluster or "", client), retry, progress.read):
                outcomes.append(outcome)
                progress.show(outcome)
        except KeyboardInterrupt:
            interrupted = True
    unwritten = ""
    try:
        with manifest.locked(out, "summary"):  # of runs that end at once, the last one has seen all
            entries = manifest.entries(out)
            summary.write(out, entries)
            report.write(out, entries, str(chain))
    except OSError as error:  # the disk is full, say: what was done is told all the same
        unwritten = str(error)
    progress.sum_up(out, outcomes, interrupted, unwritten)
    return Batch(out, tuple(outcomes), interrupted, unwritten)


def sensors(chain: Pipeline, jobs: Sequence[Input]) -> list[tuple[int, int] | None]:
    """The sensors of the recordings. Raises ValueError where a stage cannot do with one, or must have all of one size.

    A recording that cannot be opened, or alone does not name its sensor, is left to fail when its turn comes.
    """
    found: dict[tuple[int, int] | None, Path] = {}
    for job in jobs:
        try:
            with eventsnn.io.open(job.path, **chain.opening) as recording:
                found.setdefault(recording.sensor, job.path)
        except (ValueError, OSError):
            continue
    if len(found) > 1:
        found.pop(None, None)
    coming: dict[int, tuple[Flow, Path]] = {}
    for sensor, path in found.items():
        for number, (stage, flow) in enumerate(zip(chain.stages, check(chain, sensor, str(path)), strict=True), 1):
            one, first = coming.setdefault(number, (flow, path))
            if stage.row.way in ("network", "object") and stage.row.takes == "frames" and str(one) != str(flow):
                raise ValueError(
                    f"stage {number}, {stage}, needs recordings of one sensor: from {first} come {one}, from {path} "
                    f"{flow}; crop or choose the recordings"
                )
    return list(found)
