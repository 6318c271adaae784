"""Batches of recordings: 1 and 2 processes, Dask on this machine, overhead and memory.

    python benchmarks/batch.py                      # all parts
    python benchmarks/batch.py --parts scaling      # one of scaling, overhead, count, memory

Recordings are made first (EVT3, --recordings of --events each, 640x480). Times are the whole call of ``batch`` less the
start of the processes, which is given by itself; every process has one thread.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
import torch

import eventsnn
from eventsnn.pipelines.batch import batch
from eventsnn.pipelines.chain import Pipeline
from eventsnn.pipelines.many import crew
from eventsnn.pipelines.many.inputs import find
from eventsnn.pipelines.many.work import Plan

SENSOR = (640, 480)
CHAIN = Pipeline().open().denoise().frames(dt="10ms", downsample=4).to_hdf5(dtype="uint16")
EMPTY = Pipeline().open()
SMALL = Pipeline().open().denoise().to_npz()


def recordings(folder: Path, number: int, events: int) -> Path:
    """That many files of so many events; one is made, the others hold the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "0000.raw"
    if not first.exists():
        rng = np.random.default_rng(0)

        def parts():
            for begin in range(0, events, 500_000):
                n = min(500_000, events - begin)
                t = np.sort(rng.integers(begin, begin + n, n)) // 2  # 2 M events/s
                where = (rng.integers(0, side, n) // 8 * 8 + rng.integers(0, 8, n) for side in SENSOR)
                x, y = (np.minimum(c, side - 1) for c, side in zip(where, SENSOR, strict=True))
                yield eventsnn.Events(t, x, y, rng.integers(0, 2, n), sensor=SENSOR)

        eventsnn.write(first, parts())
    for k in range(1, number):
        if not (target := folder / f"{k:04}.raw").exists():
            os.link(first, target)
    return folder


def timed(chain: Pipeline, folder: Path, workers: int, cluster: str | None = None) -> tuple[float, float, float]:
    """Seconds a recording; seconds before the first one; and how many times the first hundred the last one takes.

    The first recordings of each process warm it up, and do not count.
    """
    with tempfile.TemporaryDirectory() as out:
        jobs = find([str(folder)], Path(out) / "out")
        plan = Plan(chain, chain.digest, Path(out) / "out")
        plan.out.mkdir()
        from eventsnn.pipelines.many.cluster import connected

        begin = time.perf_counter()
        client = connected(cluster, workers) if cluster else None
        team = crew.Crew(["cpu"] * workers, cluster or "", client)
        stamps = [time.perf_counter() for _ in crew.done(jobs, plan, team, 0, lambda events: None)]
        ends = stamps[2 * workers - 1 :]  # from when every process has done some
        growth = (ends[-1] - ends[-97]) / (ends[96] - ends[0]) if len(ends) > 96 else 1.0
        return (ends[-1] - ends[0]) / (len(ends) - 1), stamps[0] - begin, growth


def peak(folder: Path, workers: int) -> float:
    """Largest resident memory of a process of the pool [MB], while a batch runs."""
    with tempfile.TemporaryDirectory() as out:
        code = (
            f"from benchmarks.batch import *; batch(CHAIN, [{str(folder)!r}], Path({out!r}) / 'out', workers={workers})"
        )
        run = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.getcwd()})
        most = 0
        while run.poll() is None:
            for child in psutil.Process(run.pid).children(recursive=True):
                try:
                    if child.ppid() != run.pid:  # the processes that work, not the one that starts them
                        most = max(most, child.memory_info().rss)
                except psutil.Error:
                    continue
            time.sleep(0.02)
        return most / 1e6


def _spin(barrier: Any, results: Any) -> None:
    barrier.wait()
    begin = time.perf_counter()
    sum(range(100_000_000))
    results.put(time.perf_counter() - begin)


def floor() -> float:
    """How many times the work of one process of plain arithmetic two of them do on this machine, now."""
    found = []
    for number in (1, 2):
        context = multiprocessing.get_context("fork")
        barrier, results = context.Barrier(number), context.Queue()
        crew = [context.Process(target=_spin, args=(barrier, results)) for _ in range(number)]
        for process in crew:
            process.start()
        found.append(max(results.get() for _ in crew))
        for process in crew:
            process.join()
    return 2 * found[0] / found[1]


def told(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recordings", type=int, default=64)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--parts", nargs="*", default=["scaling", "overhead", "count", "memory"])
    parser.add_argument("--repeats", type=int, default=5, help="of which the median is told, with the range")
    parser.add_argument("--rounds", type=int, default=1, help="the same for the parts scaling and overhead")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "eventsnn-batch")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, torch {torch.__version__}")
    if "scaling" in given.parts:
        large = recordings(given.folder / f"large{given.recordings}", given.recordings, given.events)
        print(f"{given.recordings} recordings of {given.events:,} events: {CHAIN}")
        print(f"  two processes of plain arithmetic do {floor():.2f} x the work of one")
        whos = (("1 process", 1, None), ("2 processes", 2, None), ("Dask on this machine, 2 workers", 2, "local"))
        taken = {name: [timed(CHAIN, large, workers, cluster) for _ in range(given.rounds)]
                 for name, workers, cluster in whos}  # fmt: skip
        base = statistics.median(each for each, *_ in taken["1 process"])
        for name, those in taken.items():
            each, start, _ = (statistics.median(column) for column in zip(*those, strict=True))
            rate = given.events / each / 1e6
            print(
                f"  {name}: {told([one * 1e3 for one, *_ in those])} ms a recording, {rate:.1f} M events/s, "
                f"{base / each:.2f} x, start {start:.1f} s"
            )
    if "overhead" in given.parts:
        small = recordings(given.folder / "small300", 300, 1_000)
        for name, workers, cluster in (("pool", 1, None), ("Dask", 1, "local")):
            found = [timed(EMPTY, small, workers, cluster)[0] * 1e3 for _ in range(given.rounds)]
            print(f"  empty chain, 1,000 events, {name}: {told(found)} ms a recording", flush=True)
    if "count" in given.parts:
        folders = {number: recordings(given.folder / f"small{number}", number, 1_000) for number in (100, 1_000)}
        for name, chain in (("empty chain", EMPTY), ("open, denoise, to_npz", SMALL)):
            times: dict[int, list[float]] = {number: [] for number in folders}
            growth: list[float] = []
            for _ in range(given.repeats):  # in turn, so that what else the machine does meets both
                for number, folder in folders.items():
                    each, _, last = timed(chain, folder, 2)
                    times[number].append(each * 1e3)
                growth.append(last)
            ratio = statistics.median(times[1_000]) / statistics.median(times[100])
            for number, each_run in times.items():
                print(f"  {name}, {number} recordings: {told(each_run)} ms each", flush=True)
            print(f"  {name}, time a recording, 1,000 to 100, of the medians: {ratio:.2f} x", flush=True)
            print(f"  {name}, the last hundred of 1,000 to the first: {told(growth)} x", flush=True)
        with tempfile.TemporaryDirectory() as out:
            for which in ("first", "again, all unchanged"):
                begin = time.perf_counter()
                batch(EMPTY, [str(folders[1_000])], Path(out) / "out", workers=2)
                print(f"  whole call of 1,000, {which}: {time.perf_counter() - begin:.2f} s", flush=True)
    if "memory" in given.parts:
        for events in (1_000_000, 5_000_000, 20_000_000):
            folder = recordings(given.folder / f"memory{events}", 2, events)
            print(f"  {events:,} events: at most {peak(folder, 1):.0f} MB in a process")


if __name__ == "__main__":
    main()
