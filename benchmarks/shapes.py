"""Moving shapes: frames per second of the generator, on CPU threads and on a GPU.

    python benchmarks/shapes.py [--device cuda] [--save FILE.md] [--variants]

Three objects before a 64x64 sensor, the defaults otherwise (two steps a frame, noise of 1 Hz a pixel): poses, pixels,
frames and labels of whole batches, from nothing to tensors on the device. A GPU's clips are compared with the
CPU's. Times are medians. On a GPU the rate is put beside that of writing zeros of the size of the frames.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from eventsnn.datasets.shapes import PRESETS, ShapesConfig, generate
from eventsnn.datasets.shapes.job import job
from eventsnn.datasets.shapes.motion import scene

SMALL = ShapesConfig(width=64, height=64)


def median_s(case: Callable[[], object], device: str, repeats: int) -> float:
    """Median wall time of a call in s, after one to warm up."""
    times = []
    for k in range(repeats + 1):
        if device == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        case()
        if device == "cuda":
            torch.cuda.synchronize()
        if k:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def equal() -> list[str]:
    """Share of the events and of the frames' pixels that differ between CPU and GPU."""
    lines = []
    configs = {"defaults": SMALL, **{name: PRESETS[name] for name in ("nice2023-small", "covariant2025-spatial-small")}}
    configs["realistic"] = replace(PRESETS["realistic"], frames=200)
    for name, config in configs.items():
        here, there = (generate(config, 4, seed=5, device=device) for device in ("cpu", "cuda"))
        both = zip(here.events or [], there.events or [], strict=True)
        rows = [tuple({tuple(row) for row in zip(*(c.tolist() for c in e.numpy().columns), strict=True)} for e in pair)
                for pair in both]  # fmt: skip
        total, apart = sum(len(a) for a, _ in rows), sum(len(a ^ b) for a, b in rows)
        counts = float((here.frames - there.frames.cpu()).abs().sum()) if here.frames is not None else 0.0
        lines.append(f"| {name} | {total:,} | {apart / total:.1e} | {counts:.0f} |")
    return [
        "| clips | events | share that differs on the GPU | frame counts that differ |",
        "|---|--:|--:|--:|",
        *lines,
    ]


def rates(device: str, repeats: int, clips: int) -> list[str]:
    lines = ["| what | clips at once | frames/s |", "|---|--:|--:|"]
    cases: dict[str, tuple[ShapesConfig, bool, bool]] = {
        "64x64, 3 objects, frames": (SMALL, False, True),
        "64x64, 3 objects, events": (SMALL, True, False),
        "64x64, 3 objects that hide one another, log": (
            replace(SMALL, composition="occlude", signal="log"), False, True),
        "covariant2025-spatial-small, frames": (PRESETS["covariant2025-spatial-small"], False, True),
    }  # fmt: skip
    for name, (config, events, frames) in cases.items():

        def case(config: ShapesConfig = config, events: bool = events, frames: bool = frames) -> object:
            return generate(config, clips, device=device, events=events, frames=frames, chunk=clips)

        seconds = median_s(case, device, repeats)
        lines.append(f"| {name} | {clips} | {clips * config.frames / seconds:,.0f} |")
    return lines


def stages(device: str, clips: int, variants: bool) -> list[str]:
    """Where the time goes, and the rate at which zeros of the frames' size are written."""
    numbers = torch.arange(clips, device=device)
    shape = (SMALL.frames, clips, 2, 64, 64)
    drawn = scene(SMALL, numbers, 0)
    task = job(SMALL, drawn, numbers, 0)
    pictures = torch.zeros(shape, device=device)
    if device == "cuda":
        from eventsnn.datasets.shapes.gpu import render
    else:
        from eventsnn.datasets.shapes.cpu import render
    cases: dict[str, Callable[[], object]] = {
        "poses": lambda: scene(SMALL, numbers, 0),
        "phases and thresholds": lambda: job(SMALL, drawn, numbers, 0),
        "zeros of the frames' size": lambda: torch.zeros(shape, device=device),
        "pixels": lambda: render(task, pictures, False),
    }
    if variants:
        for block in (64, 128, 256):
            for warps in (2, 4):
                if 32 * warps <= block:
                    cases[f"pixels, {block} a program, {warps} warps"] = (
                        lambda block=block, warps=warps: render(task, pictures, False, block, warps)  # type: ignore[misc]
                    )
    lines = ["| stage | ms | frames/s |", "|---|--:|--:|"]
    for name, case in cases.items():
        seconds = median_s(case, device, 5)
        lines.append(f"| {name} | {1e3 * seconds:.2f} | {clips * SMALL.frames / seconds:,.0f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--variants", action="store_true", help="time other sizes of the GPU's tiles too")
    options = parser.parse_args()
    cuda = options.device == "cuda"
    name = torch.cuda.get_device_name() if cuda else f"{platform.processor() or platform.machine()} CPU"
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    command = f"python benchmarks/shapes.py --device {options.device}"
    lines = [f"# Moving shapes on {name}", "", f"`{command}`", ""]
    lines += [f"{name}, {torch.get_num_threads()} threads, {versions}", ""]
    print(*lines, sep="\n", flush=True)
    clips = 1024 if cuda else 64
    parts = [partial(rates, options.device, 7 if cuda else 3, clips)]
    parts += [partial(stages, options.device, clips, options.variants)]
    for part in [*parts, equal] if cuda else parts:
        found = [*part(), ""]
        print(*found, sep="\n", flush=True)
        lines += found
        if options.save:
            options.save.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
