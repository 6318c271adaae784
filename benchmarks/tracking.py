"""Accuracy of the untrained tracker on twenty clips of crossing shapes, how long its stages take, and its memory.

python benchmarks/tracking.py --accuracy [--first 0] [--clips 20] [--out benchmarks/results/tracking-accuracy.md]
python benchmarks/tracking.py --presets [--clips 20]
python benchmarks/tracking.py --speed [--device cpu cuda] [--dt 1000 2000 5000]
python benchmarks/tracking.py --command --memory
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import torch
import tracking_speed

from eventsnn.datasets.shapes import Truth, generate, preset, tracking_benchmark
from eventsnn.pipelines.evaluate_tracks import alike
from eventsnn.pipelines.track import track
from eventsnn.track import Tracks
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


def accuracy(first: int, clips: int) -> str:
    """A table of the scores, a row for each clip."""
    names = ("HOTA", "IDF1", "MOTA", "HOTA box", "IDF1 box", "MOTA box", "switches", "median error [px]")
    rows = [against_truth(seed) for seed in range(first, first + clips)]
    table = np.array([scores for scores, _ in rows])
    lines = ["| clip | window [ms] | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 2)]
    for seed, (scores, dt) in enumerate(rows, first):
        lines.append(f"| {seed} | {dt / 1000:g} | " + " | ".join(f"{value:.3f}" for value in scores) + " |")
    for name, values in (("mean", table.mean(0)), ("median", np.median(table, 0)), ("worst", table.min(0))):
        lines.append(f"| **{name}** | | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return "\n".join(lines)


def presets(clips: int) -> str:
    """Mean scores by distance of the centres on clips of the generator's presets, every 5 ms from 100 ms on."""
    lines = ["| preset | HOTA | IDF1 | MOTA | median error [px] |", "|---|---|---|---|---|"]
    for name in ("tracking-single", "tracking-lanes", "tracking-crossing"):
        rows = []
        for clip in range(clips):
            batch = generate(preset(name), 1, 0, clip, frames=False)
            truth = Tracks.of(Truth.of(batch).every("5ms").rows())
            with redirect_stderr(StringIO()):
                both = alike(truth, track(batch.events[0]))
            score = evaluate(*(part[part.t_us > _WARM_UP_US] for part in both), "point")
            rows.append((score.hota, score.idf1, score.mota, score.error_median))
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, 0)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--presets", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--command", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first clip")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", nargs="+", default=["cpu"])
    parser.add_argument("--dt", type=int, nargs="+", default=[1000, 2000, 5000], help="lengths of a window [us]")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each stream")
    chosen = parser.parse_args()
    parts: list[Iterable[str]] = []
    if chosen.accuracy:
        parts.append([accuracy(chosen.first, chosen.clips)])
    if chosen.presets:
        parts.append([presets(chosen.clips)])
    if chosen.speed:
        parts.append(tracking_speed.table(chosen.device, round(chosen.seconds * 1e6), chosen.dt))
    if chosen.command:
        parts.append(tracking_speed.command())
    if chosen.memory:
        parts.append(tracking_speed.memory())
    lines = []
    for part in parts:
        for line in part:
            print(line, flush=True)
            lines.append(line)
        lines.append("")
    if chosen.out:
        where = torch.cuda.get_device_name() if "cuda" in chosen.device else "CPU"
        versions = f"torch {torch.__version__}, {torch.get_num_threads()} threads"
        text = "\n".join(lines)
        chosen.out.write_text(f"# Tracking\n\n{where}, {versions}; `python {' '.join(sys.argv)}`\n\n{text}")


if __name__ == "__main__":
    main()
