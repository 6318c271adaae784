"""How fast the untrained tracker is, stage by stage, on streams of two sensors and two rates; the memory it takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

import eventsnn.io
from eventsnn import Events
from eventsnn.datasets.shapes import Shape, record
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.frames import windows
from eventsnn.pipelines.info import survey
from eventsnn.pipelines.track import Config, run
from eventsnn.pipelines.track_plan import choose_dt, plan
from eventsnn.pipelines.track_stream import stream
from eventsnn.track import Tracker, TrackerConfig

CASES = [((346, 260), 1e6), ((346, 260), 10e6), ((1280, 720), 1e6), ((1280, 720), 10e6)]
HEAD = (
    "| sensor | M events/s | window [ms] | device | x real time | latency 50 % [ms] | 99 % [ms] "
    "| cut | filter | map and regions | events to targets | rest | tracks |\n" + "|---" * 13 + "|"
)
_CHUNK, _BATCH, _WARM = 131_072, 16, 20
_SCENE = 500_000  # [us]


def busy(sensor: tuple[int, int], rate: float, duration_us: int) -> Events:
    """Objects that move before a camera as sensitive as the wanted rate takes; a tenth of the events is noise.

    After half a second the same begins anew, before they have left the picture.
    """
    random = np.random.default_rng(0)
    size = np.array(sensor)
    noise = min(1.0, 0.1 * rate / size.prod())
    shapes = []
    for k in range(10 if sensor[0] < 1000 else 20):
        angle, speed = random.uniform(0, 2 * np.pi), random.uniform(100, 300)
        middle = random.uniform(0.2 * size, 0.8 * size)
        velocity = speed * np.array([np.cos(angle), np.sin(angle)])
        start, large = middle - velocity * 0.25, random.uniform(0.06, 0.12) * size[1]
        shapes.append(Shape(("circle", "square", "hexagon")[k % 3], large, (*start,), (*velocity,)))
    threshold, piece = 0.25, 50_000
    for _ in range(4):
        events, _ = record(shapes, sensor, piece, noise_rate=noise, threshold=threshold)
        spontaneous = noise * size.prod() * piece / 1e6
        threshold *= max(0.02, (len(events) - spontaneous) / (rate * piece / 1e6 - spontaneous))
    events, _ = record(shapes, sensor, min(duration_us, _SCENE), noise_rate=noise, threshold=threshold)
    times = range(0, duration_us, _SCENE)
    return Events.concatenate(Events(events.t + t, *events.columns[1:], sensor=sensor) for t in times)


def whole(events: Events, device: str, dt: int) -> tuple[float, float, float, int]:
    """Real-time factor of the stream from events in memory to tracks, latency (median and 99 %) [ms], tracks.

    The first run compiles and fills caches; the better one of two more is told.
    """
    chunks = [events[k : k + _CHUNK] for k in range(0, len(events), _CHUNK)]
    facts = replace(survey([events], events.sensor), first=0)
    results = []
    for _ in range(3):
        settled = plan(facts, Config(Path(), dt=f"{dt}us", device=device))
        ids, latency = set[int](), []
        since = time.perf_counter()
        for frame in stream(iter(chunks), settled.tracker, 0):
            latency.append(frame.spent * 1e3)
            ids.update(row[2] for row in frame.rows)
        factor = events.duration / 1e6 / (time.perf_counter() - since)
        results.append((factor, *np.quantile(latency, (0.5, 0.99)).tolist(), len(ids)))
    return max(results[1:])


def stages(events: Events, device: str, dt: int) -> list[float]:
    """ms per window of each stage, one after the other in one thread; on a GPU filter and map go together."""
    sensor = events.sensor or (1, 1)
    tracker = Tracker(sensor, dt, TrackerConfig(max_size=float(max(sensor))), device)
    clean = BackgroundActivityFilter(sensor, tau=2 * dt, late="hold")
    watch = tracker.watch(tau=2 * dt) if device != "cpu" else None
    spent = np.zeros(5)
    chunks = [events[k : k + _CHUNK] for k in range(0, len(events), _CHUNK)]
    since = time.perf_counter()
    cut = list(windows(iter(chunks), dt, start=0))
    spent[0] = time.perf_counter() - since
    seen: list[Any] = []
    for at in range(0, len(cut), _BATCH):
        t0 = time.perf_counter()
        if watch is not None:
            seen += watch([window for _, window in cut[at : at + _BATCH]])
            spent[2] += time.perf_counter() - t0
            continue
        cleaned = [clean(window) for _, window in cut[at : at + _BATCH]]
        t1 = time.perf_counter()
        seen += [(window, tracker.see(window)) for window in cleaned]
        spent[1:3] += t1 - t0, time.perf_counter() - t1
    measure = tracker._measure

    def measured(*arguments: object) -> None:
        begun = time.perf_counter()
        measure(*arguments)  # type: ignore[arg-type]
        spent[3] += time.perf_counter() - begun

    tracker._measure = measured  # type: ignore[method-assign, assignment]
    for k, (part, sight) in enumerate(seen):
        if k == _WARM:
            spent[3:] = 0
        since = time.perf_counter()
        tracker.follow(part, (k + 1) * dt, sight)
        spent[4] += time.perf_counter() - since
    spent[4] -= spent[3]
    return [*(spent[:3] / len(cut) * 1e3).tolist(), *(spent[3:] / (len(cut) - _WARM) * 1e3).tolist()]


def table(devices: list[str], duration_us: int, lengths: list[int]) -> Iterator[str]:
    """Rows for each case, device and length of a window [us], also the automatic one."""
    yield HEAD
    for sensor, rate in CASES:
        events = busy(sensor, rate, duration_us)
        auto = choose_dt(events.rate, events.duration)
        for dt in sorted({auto, *lengths}):
            for device in devices:
                stages(events[: len(events) // 4], device, dt)  # compiles
                factor, median, worst, tracks = whole(events, device, dt)
                parts = " | ".join(f"{value:.3f}" if value else "" for value in stages(events, device, dt))
                window = f"{dt / 1000:g}" + (" (automatic)" if dt == auto else "")
                yield (
                    f"| {sensor[0]}x{sensor[1]} | {events.rate / 1e6:.2f} | {window} | {device} | **{factor:.2f}** "
                    f"| {median:.2f} | {worst:.2f} | {parts} | {tracks} |"
                )


def command(seconds: int = 4) -> Iterator[str]:
    """``eventsnn track FILE``, from reading to tables and picture, with video and without: the best of three runs."""
    events = busy((346, 260), 1e6, seconds * 1_000_000)
    yield "| recording | video | x real time | CPU time [s] | latency 50 % [ms] | 99 % [ms] |\n" + "|---" * 6 + "|"
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "events.raw", Path(folder) / "out"
        eventsnn.io.write(path, events, format="EVT2")
        for video in (False, True):
            results = []
            for _ in range(4):
                shutil.rmtree(out, ignore_errors=True)
                since, cpu = time.perf_counter(), time.process_time()
                with redirect_stdout(StringIO()):
                    run(Config(path, out=out, video=video))
                took, worked = time.perf_counter() - since, time.process_time() - cpu
                latency = json.loads((out / "report.json").read_text())["latency_ms"]
                results.append((took, worked, latency["median"], latency["99 %"]))
            took, worked, median, worst = min(results[1:])
            yield (
                f"| 346x260, {events.rate / 1e6:.2f} M events/s, {seconds} s, EVT2 | {'yes' if video else 'no'} "
                f"| **{events.duration / 1e6 / took:.2f}** | {worked:.2f} | {median} | {worst} |"
            )


def memory(seconds: int = 2) -> Iterator[str]:
    """Peak memory of ``eventsnn track`` on a recording and on ten times as much of it, with video and without."""
    events = busy((346, 260), 1e6, seconds * 1_000_000)
    yield "| recording | events | peak memory without video [MB] | with video [MB] |\n|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, 10):
            path = Path(folder) / f"{times}.raw"
            length = events.duration + 1
            parts = (Events(events.t + k * length, *events.columns[1:], sensor=events.sensor) for k in range(times))
            eventsnn.io.write(path, parts, format="EVT2")
            peaks = [_peak(path, Path(folder) / f"{times}{flag}", flag) for flag in ("--no-video", "--video")]
            yield f"| {times * seconds} s | {times * len(events):,} | " + " | ".join(f"{mb:.0f}" for mb in peaks) + " |"


def _peak(path: Path, out: Path, flag: str) -> float:
    code = (  # VmHWM: ru_maxrss would count what the parent had when it was forked
        "import sys; from eventsnn.cli import main; main(sys.argv[1:])\n"
        "print([line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line][0], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "track", str(path), "--out", str(out), flag]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stderr.split()[-1]) / 1024
