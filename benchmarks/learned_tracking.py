"""Learned tracking of one object, 64 x 64 px: what receptive fields at the start, neurons and memory are worth.

Each network learns from the same clips, made on the device while it trains, and is tested on clips of other seeds:

    python benchmarks/learned_tracking.py --device cuda --json results.json
    python benchmarks/learned_tracking.py --report results.json benchmarks/results/learned-tracking
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eventsnn.pipelines.learn_to_track import SCENES, Config, Training, batches, evaluate
from eventsnn.track.calibration import activity, calibrate
from eventsnn.track.field_network import NetworkConfig

OWN: dict[str, Any] = {"mixing": "own", "taus": (2.0, 5.5, 22.0)}
KINDS: dict[str, dict[str, Any]] = {
    "LIF": {"neuron": "lif", **OWN},
    "LI": {"neuron": "li", **OWN},
    "ReLU, 8 frames": {"neuron": "relu", "stacked": 8},
    "ReLU, 1 frame": {"neuron": "relu"},
    "LIF, shared": {"neuron": "lif"},
    "LI, shared": {"neuron": "li"},
}
MODELS: dict[str, tuple[NetworkConfig, bool]] = {
    f"{kind}, {'RF' if init == 'rf' else 'uniform'}{', calibrated' if calibrated else ''}": (
        NetworkConfig(init=init, **settings),
        calibrated,
    )
    for kind, settings in KINDS.items()
    for calibrated in (False, True)
    for init in ("rf", "uniform")
}


def experiments(config: Config, wanted: list[tuple[int, str]], seconds: float) -> Iterator[dict[str, Any]]:
    """The result of each network, a pair of seed and name; none is begun after so many seconds."""
    start, given, last = time.perf_counter(), [], None
    for seed, name in wanted:
        begun = time.perf_counter()
        if begun - start > seconds:
            return
        if seed != last:
            given, last = list(batches(replace(config, seed=seed))), seed
        network, calibrated = MODELS[name]
        settings = replace(config, network=replace(network, seed=seed), calibrate=calibrated, seed=seed)
        training, frames, curve = Training(settings), given[0].frames.float(), {}
        if calibrated:
            calibrate(training.net, frames)
        before = activity(training.net, frames)
        for clips in given:
            value = training.step(clips)
            if training.iteration in {config.iterations // k for k in (16, 4, 2)}:
                curve[training.iteration] = evaluate(training.net, replace(settings, clips=64)).mean
        yield {
            "model": name,
            "seed": seed,
            "weights": sum(p.numel() for p in training.net.parameters()),
            "loss": float(value),
            "before": before,
            "curve": curve,
            "seconds": round(time.perf_counter() - begun, 2),
            **evaluate(training.net, settings)._asdict(),
        }


def report(source: Path, stem: Path) -> None:
    """Tables of all results, means over seeds, in STEM-tables.md, and a figure in STEM.png."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    results = [json.loads(line) for line in source.read_text().splitlines()]
    models = [name for name in MODELS if any(r["model"] == name for r in results)]
    scenes = SCENES["speeds-and-sizes"][0]
    axes = {"by_speed": scenes.speed, "by_size": scenes.size}

    def column(name: str, key: str) -> np.ndarray:
        return np.array([r[key] for r in results if r["model"] == name])

    first = results[0]
    lines = [
        f"{first['device']}, {first['iterations']} iterations of {first['batch_size']} clips; px, mean over "
        f"{len(column(models[0], 'mean'))} seeds; always saying the centre: {first['centre_guess']:.2f} px",
        "",
        "| network | weights | each seed | mean | median | spikes a neuron and frame before / after training | s |",
        "|---|--:|---|--:|--:|---|--:|",
    ]
    for name in models:
        rates = " / ".join(
            ", ".join(f"{rate:.2%}" for layer in column(name, key).mean(0).tolist() for rate in layer)
            for key in ("before", "activity")
        )
        mean, median, seconds = (column(name, key) for key in ("mean", "median", "seconds"))
        lines.append(
            f"| {name} | {column(name, 'weights')[0]:,} | {', '.join(f'{v:.2f}' for v in mean)} | {mean.mean():.2f} "
            f"| {median.mean():.2f} | {rates if name.startswith('LIF') else ''} | {seconds.mean():.1f} |"
        )
    steps = list(first["curve"])
    lines += ["", "| error after so many iterations (64 clips) | " + " | ".join(steps) + " |"]
    lines.append("|---" + "|--:" * len(steps) + "|")
    for name in models:
        curves = column(name, "curve")
        lines.append(f"| {name} | " + " | ".join(f"{np.mean([c[k] for c in curves]):.2f}" for k in steps) + " |")
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    for key, title, panel in zip(axes, ("speed along each axis [px/frame]", "diameter [px]"), panels, strict=True):
        values: Any = axes[key]
        lines += ["", f"| error by {title} | " + " | ".join(f"{v:g}" for v in values) + " |"]
        lines.append("|---" + "|--:" * len(values) + "|")
        for name in models:
            errors = column(name, key)
            lines.append(f"| {name} | " + " | ".join(f"{v:.2f}" for v in errors.mean(0)) + " |")
            kind = name.split(",")[0].split()[0] + (" 8" if "8 frames" in name else "")
            color = {"LIF": "tab:red", "LI": "tab:blue", "ReLU 8": "tab:green", "ReLU": "tab:gray"}[kind]
            style = ("--" if "uniform" in name else "-"), ("s" if "calibrated" in name else "o")
            panel.errorbar(
                values,
                errors.mean(0),
                errors.std(0),
                label=name,
                color=color,
                linestyle=style[0],
                marker=style[1],
                capsize=2,
            )
        panel.set(xlabel=title, xscale="log", yscale="log", xticks=values, xticklabels=[f"{v:g}" for v in values])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set(ylabel="mean error [px of 64]", yticks=(0.5, 1, 2, 5), yticklabels=("0.5", "1", "2", "5"))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    stem.with_name(stem.name + "-tables.md").write_text("\n".join(lines) + "\n")
    figure.savefig(stem.with_suffix(".png"), dpi=110)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parse.add_argument("--iterations", type=int, default=600)
    parse.add_argument("--batch-size", type=int, default=16)
    parse.add_argument("--seeds", type=int, nargs=2, default=(0, 3), help="first, and one after the last")
    parse.add_argument("--models", nargs="*", default=list(MODELS), help=f"of {', '.join(MODELS)}")
    parse.add_argument("--part", type=int, nargs=2, default=(0, 1), help="each so many-th training, from this one on")
    parse.add_argument("--seconds", type=float, default=600.0, help="begin no network after this time")
    parse.add_argument("--json", type=Path, help="add each result to this file, a line each")
    parse.add_argument("--report", type=Path, nargs=2, metavar=("JSON", "STEM"), help="write table and figure instead")
    arguments = parse.parse_args()
    if arguments.report:
        report(*arguments.report)
        return
    config = Config(
        scenes="speeds-and-sizes",
        size_weight=0.0,
        iterations=arguments.iterations,
        batch_size=arguments.batch_size,
        device=arguments.device,
        clips=512,
    )
    first, step = arguments.part
    wanted = [(seed, name) for seed in range(*arguments.seeds) for name in arguments.models][first::step]
    where = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "CPU"
    for result in experiments(config, wanted, arguments.seconds):
        result |= {"device": where, "iterations": config.iterations, "batch_size": config.batch_size}
        print({k: v for k, v in result.items() if k not in ("device",)}, flush=True)
        if arguments.json:
            with arguments.json.open("a") as file:
                file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
