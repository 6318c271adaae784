"""Accuracy of the untrained tracker on twenty clips of crossing shapes, and how long its stages take.

python benchmarks/tracking.py --accuracy [--clips 20] [--out benchmarks/results/tracking-accuracy.md]
python benchmarks/tracking.py --speed [--device cuda] [--sensor 1280 720] [--rate 10e6] [--dt 5000]
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eventsnn import Events
from eventsnn.datasets.shapes import Shape, record, tracking_benchmark
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.frames import windows
from eventsnn.pipelines.track import choose_dt, track
from eventsnn.track import Tracker, TrackerConfig, Tracks
from eventsnn.track.metrics import evaluate

_WARM_UP_US = 100_000


def against_truth(seed: int) -> tuple[list[float], int]:
    """Point and box scores of one clip, with defaults, from 100 ms on; and the window chosen [us]."""
    events, truth = tracking_benchmark(seed)
    tracks = track(events)
    dt = int(np.diff(np.unique(tracks.t_us)).min())
    label = max(dt, 1000)
    true = Tracks.of(truth.every(label).rows())
    found = tracks[tracks.t_us % label == 0]
    found = replace(found, frame=found.t_us // label)
    true, found = (part[part.frame * label > _WARM_UP_US] for part in (true, found))
    point, box = evaluate(true, found, "point"), evaluate(true, found, "iou")
    return [point.hota, point.idf1, point.mota, box.hota, box.idf1, box.mota, point.switches, point.error_median], dt


def accuracy(clips: int) -> str:
    """A table of the scores, a row for each clip."""
    names = ("HOTA", "IDF1", "MOTA", "HOTA box", "IDF1 box", "MOTA box", "switches", "median error [px]")
    rows = [against_truth(seed) for seed in range(clips)]
    table = np.array([scores for scores, _ in rows])
    lines = ["| clip | window [ms] | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 2)]
    for seed, (scores, dt) in enumerate(rows):
        lines.append(f"| {seed} | {dt / 1000:g} | " + " | ".join(f"{value:.3f}" for value in scores) + " |")
    for name, values in (("mean", table.mean(0)), ("median", np.median(table, 0)), ("worst", table.min(0))):
        lines.append(f"| **{name}** | | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return "\n".join(lines)


def busy(sensor: tuple[int, int], rate: float, duration_us: int, objects: int) -> Events:
    """Objects that move before a camera as sensitive as the wanted rate takes, and noise at 1 Hz."""
    random = np.random.default_rng(0)
    size = np.array(sensor)
    shapes = []
    for k in range(objects):
        angle, speed = random.uniform(0, 2 * np.pi), random.uniform(100, 300)
        middle = random.uniform(0.2 * size, 0.8 * size)
        velocity = speed * np.array([np.cos(angle), np.sin(angle)])
        start = middle - velocity * duration_us / 2e6
        shapes.append(
            Shape(("circle", "square", "hexagon")[k % 3], random.uniform(0.06, 0.12) * size[1], (*start,), (*velocity,))
        )
    threshold = 0.25
    for _ in range(3):
        events, _ = record(shapes, sensor, duration_us, noise_rate=1.0, threshold=threshold)
        if len(events) > 0.9 * rate * duration_us / 1e6:
            break
        noise = sensor[0] * sensor[1] * duration_us / 1e6
        threshold *= max(0.02, (len(events) - noise) / (rate * duration_us / 1e6 - noise))
    return events


def timed(function: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    """The function, which adds the seconds it takes to ``spent[name]``."""

    def run(*arguments: Any) -> Any:
        since = time.perf_counter()
        result = function(*arguments)
        spent[name] += time.perf_counter() - since
        return result

    return run


def speed(events: Events, device: str, dt: int) -> str:
    """Real-time factor, and ms of each stage per window."""
    sensor = events.sensor or (1, 1)
    tracker = Tracker(sensor, dt, TrackerConfig(max_size=float(max(sensor))), device)
    clean = BackgroundActivityFilter(sensor, tau=2 * dt, late="hold")
    spent = {"windows": 0.0, "filter": 0.0, "tracker": 0.0}
    inside = dict.fromkeys(("_measure", "_look", "_report"), 0.0)
    for name in inside:
        setattr(tracker, name, timed(getattr(tracker, name), inside, name))
    latency: list[float] = []
    stream = windows([events], dt, start=0)
    seen = 0
    for number in itertools.count():
        t0 = time.perf_counter()
        window = next(stream, None)
        if window is None:
            break
        t1 = time.perf_counter()
        cleaned = clean(window[1])
        t2 = time.perf_counter()
        tracker.update(cleaned, window[0] + dt)
        t3 = time.perf_counter()
        if number == 20:  # kernels are compiled before that
            inside.update(dict.fromkeys(inside, 0.0))
        if number >= 20:
            seen += 1
            latency.append(t3 - t1)
            for name, part in zip(spent, (t1 - t0, t2 - t1, t3 - t2), strict=True):
                spent[name] += part
    total = sum(spent.values())
    parts = {**spent, **{f"of it {name[1:]}": value for name, value in inside.items()}}
    stages = ", ".join(f"{name} {value / seen * 1e3:.3f}" for name, value in parts.items())
    worst = np.quantile(latency, 0.99) * 1e3
    return (
        f"{sensor[0]}x{sensor[1]} at {events.rate / 1e6:.2f} M events/s, {device}, windows of {dt / 1000:g} ms: "
        f"{seen * dt / 1e6 / total:.2f} x real time; ms per window: {stages}; latency 99 %: {worst:.2f} ms; "
        f"{int((tracker.fleet.id > 0).sum())} tracks"
    )


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sensor", type=int, nargs=2, default=(346, 260))
    parser.add_argument("--rate", type=float, default=1e6)
    parser.add_argument("--dt", type=int, help="length of a window [us]; by default 5000, and the automatic one")
    chosen = parser.parse_args()
    lines = []
    if chosen.accuracy:
        lines.append(accuracy(chosen.clips))
    if chosen.speed:
        width, height = chosen.sensor
        objects = 10 if width < 1000 else 20
        events = busy((width, height), chosen.rate, 500_000, objects)
        for dt in [chosen.dt] if chosen.dt else [5000, choose_dt(events.rate, events.duration)]:
            lines += [speed(events, chosen.device, dt), ""]
    text = "\n".join(lines)
    print(text)
    if chosen.out:
        where = torch.cuda.get_device_name() if chosen.device != "cpu" else "CPU"
        chosen.out.write_text(
            f"# Tracking\n\n{where}, torch {torch.__version__}; `python {' '.join(sys.argv)}`\n\n{text}\n"
        )


if __name__ == "__main__":
    main()
