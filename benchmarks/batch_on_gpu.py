"""Batches with a network in the chain: processes on the CPU, a worker on the GPU, several workers sharing it.

    python benchmarks/batch_on_gpu.py

Recordings are made first (EVT3, --recordings of --events each, 640x480), and the checkpoint of a spiking network. Then
one recording in this process, stage by stage and with parts left out; then whole batches, their results compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from batch import recordings

import eventsnn
from eventsnn.datasets.shapes import Shape, record
from eventsnn.frames import Representation
from eventsnn.pipelines.batch import batch
from eventsnn.pipelines.chain import Pipeline, running
from eventsnn.train import Recipe, Run, save

LAYERS = (
    "conv 16 5 stride=2", "LIFBox", "conv 32 3 stride=2", "LIFBox", "conv 32 3 stride=2", "LIFBox", "pool 4", "flatten",
    "linear classes", "LIBox",
)  # fmt: skip
stream = Representation.stream


def checkpoint(path: Path) -> Path:
    """A network whose weights are drawn, large enough for its neurons to fire."""
    run = Run.start(
        Recipe(dataset="shapes", dt="5ms", layers=LAYERS), {"classes": [*"abcdefghij"], "shape": [2, 480, 640]}
    )
    with torch.no_grad():
        for weights in {id(p): p for net in (run.net, run.averaged) for p in net.parameters() if p.ndim > 1}.values():
            weights *= 60
    return save(path, run)


def copied(self: Representation, chunks: Any, *, device: Any = "cpu", **time: Any) -> Iterator[Any]:
    """As ``Representation.stream``, but the frames are made on the CPU and then go to the device."""
    return ((begin, frame.to(device, non_blocking=True)) for begin, frame in stream(self, chunks, **time))


def seconds(work: Callable[[], Any]) -> float:
    """Median of five calls, after one."""
    found = []
    for _ in range(6):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        torch.cuda.synchronize()
        found.append(time.perf_counter() - begin)
    return statistics.median(found[1:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recordings", type=int, default=32)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    here = len(os.sched_getaffinity(0))
    print(f"{torch.cuda.get_device_name()}, {here} cores for this process, torch {torch.__version__}")
    root = Path(tempfile.mkdtemp())
    folder = recordings(root / "in", given.recordings, given.events)
    first = folder / "0000.raw"
    steps = [Pipeline().open()]
    steps += [steps[-1].denoise(tau="5ms")]
    steps += [steps[-1].frames(dt="5ms")]
    steps += [steps[-1].network(str(checkpoint(root / "net.safetensors")))]
    chain = steps[-1].to_npy()
    print(f"{given.recordings} recordings of {given.events:,} events, 640x480: {chain}")

    def one(chain: Pipeline, device: str) -> float:
        return seconds(lambda: sum(1 for _ in chain.stream(first, device=device)))

    for step in steps:
        print(f"  one recording on {given.device}, up to {step.stages[-1].name}: {one(step, given.device):.3f} s")
    with mock.patch.object(running, "read_ahead", lambda chunks: chunks):
        print(f"  all stages, without reading ahead: {one(steps[-1], given.device):.3f} s")
    with mock.patch.object(Representation, "stream", copied):
        print(f"  all stages, frames made on the CPU and copied: {one(steps[-1], given.device):.3f} s")
    shapes = [
        Shape("circle", 60.0, (100.0, 240.0), (200.0, 10.0)),
        Shape("square", 50.0, (400.0, 100.0), (-100.0, 60.0)),
    ]
    events = record(shapes, (640, 480), "2s", noise_rate=0.5)[0]
    eventsnn.write(root / "shapes.raw", events)
    for device in ("cpu", given.device):
        begin = time.perf_counter()
        rows = list(Pipeline().open().hot_pixels().track().stream(root / "shapes.raw", device=device))
        told = f"{len(rows)} rows, {len({row[2] for row in rows})} tracks"
        print(f"  two shapes tracked on {device}, {len(events):,} events: {time.perf_counter() - begin:.2f} s, {told}")
    torch.cuda.empty_cache()
    results = {}
    whos = {"one worker on the GPU": (given.device, None), "four workers on the GPU": (given.device, 4)}
    for name, (device, workers) in {**whos, f"{here} processes on the CPU": ("cpu", None)}.items():
        begin = time.perf_counter()
        done = batch(chain, [str(folder)], root / name, device=device, workers=workers)
        whole, each = time.perf_counter() - begin, statistics.median(outcome.seconds for outcome in done.outcomes)
        results[name] = [np.load(root / name / f"{k:04}.npy") for k in range(0, given.recordings, 5)]
        print(
            f"  {name}: exit code {done.exit_code}, {whole:.1f} s in all, median of a recording {each:.2f} s",
            flush=True,
        )
    base, *others = results.values()
    for name, found in zip(list(results)[1:], others, strict=True):
        most = max(float(abs(a - b).max()) for a, b in zip(base, found, strict=True))
        print(f"  {name} to one worker on the GPU: largest difference {most:.2g} of {abs(base[0]).max():.2g}")


if __name__ == "__main__":
    main()
