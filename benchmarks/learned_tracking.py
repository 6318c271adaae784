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

MODELS: dict[str, tuple[NetworkConfig, float | None]] = {
    "LIF RF": (NetworkConfig("lif", "rf"), None),
    "LIF uniform": (NetworkConfig("lif", "uniform"), None),
    "LIF RF, calibrated": (NetworkConfig("lif", "rf"), 0.05),
    "LIF uniform, calibrated": (NetworkConfig("lif", "uniform"), 0.05),
    "LI RF": (NetworkConfig("li", "rf"), None),
    "LI uniform": (NetworkConfig("li", "uniform"), None),
    "ReLU, 8 frames, RF": (NetworkConfig("relu", "rf", stacked=8), None),
    "ReLU, 8 frames, uniform": (NetworkConfig("relu", "uniform", stacked=8), None),
    "ReLU, 1 frame, RF": (NetworkConfig("relu", "rf"), None),
    "ReLU, 1 frame, uniform": (NetworkConfig("relu", "uniform"), None),
    "LIF RF mixed, calibrated": (NetworkConfig("lif", "rf-mixed"), 0.05),
    "LI RF mixed": (NetworkConfig("li", "rf-mixed"), None),
}


def experiments(config: Config, seeds: range, chosen: list[str], seconds: float) -> Iterator[dict[str, Any]]:
    """The results of each network, seed by seed; none is begun after so many seconds."""
    start = time.perf_counter()
    for seed in seeds:
        given = list(batches(replace(config, seed=seed)))
        for name in chosen:
            network, rate = MODELS[name]
            settings = replace(config, network=replace(network, seed=seed), rate=rate, seed=seed)
            begun = time.perf_counter()
            if begun - start > seconds:
                return
            training = Training(settings)
            frames = given[0].frames.float()
            if rate is not None:
                calibrate(training.net, frames, rate)
            before = activity(training.net, frames)
            curve = {}
            for clips in given:
                value = training.step(clips)
                if training.iteration in {config.iterations // k for k in (16, 4, 2)}:
                    curve[training.iteration] = evaluate(training.net, replace(settings, clips=64)).mean
            errors = evaluate(training.net, settings)
            yield {
                "model": name,
                "seed": seed,
                "weights": sum(p.numel() for p in training.net.parameters()),
                "loss": float(value),
                "before": before,
                "curve": curve,
                "seconds": round(time.perf_counter() - begun, 2),
                **errors._asdict(),
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
    parse.add_argument("--batch-size", type=int, default=32)
    parse.add_argument("--seeds", type=int, nargs=2, default=(0, 3), help="first, and one after the last")
    parse.add_argument("--models", nargs="*", default=list(MODELS)[:10], help=f"of {', '.join(MODELS)}")
    parse.add_argument("--seconds", type=float, default=600.0, help="begin no network after this time")
    parse.add_argument("--json", type=Path, help="add each result to this file, a line each")
    parse.add_argument("--report", type=Path, nargs=2, metavar=("JSON", "STEM"), help="write table and figure instead")
    arguments = parse.parse_args()
    if arguments.report:
        report(*arguments.report)
        return
    config = Config(
        iterations=arguments.iterations, batch_size=arguments.batch_size, device=arguments.device, clips=512
    )
    where = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "CPU"
    for result in experiments(config, range(*arguments.seeds), arguments.models, arguments.seconds):
        result |= {"device": where, "iterations": config.iterations, "batch_size": config.batch_size}
        print({k: v for k, v in result.items() if k not in ("device",)}, flush=True)
        if arguments.json:
            with arguments.json.open("a") as file:
                file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
