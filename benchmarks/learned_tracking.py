"""Learned tracking of one object, 64 x 64 px: what receptive fields at the start, neurons and memory are worth.

Each network learns from the same clips, made on the device while it trains, and is tested on clips of other seeds:

    python benchmarks/learned_tracking.py --device cuda --part K 12 --json results.json     (K = 0 ... 11, some at once)
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
FULL = Config(scenes="speeds-and-sizes", size_weight=0.0, iterations=600, batch_size=16, clips=512)
SMALL = replace(
    FULL, scenes="speeds-and-sizes-32", iterations=240, batch_size=8, warmup=16, map_weight=0.0, activity_weight=0.0
)


def experiments(config: Config, wanted: list[tuple[int, str]], seconds: float) -> Iterator[dict[str, Any]]:
    """The result of each network, a pair of seed and name; none is begun after so many seconds."""
    start, given, last = time.perf_counter(), [], None
    for seed, name in wanted:
        begun = time.perf_counter()
        if begun - start > seconds:
            return
        if seed != last:
            given.clear()  # gigabytes
            given, last = list(batches(replace(config, seed=seed))), seed
        network, calibrated = MODELS[name]
        if config.scenes == SMALL.scenes:
            network = replace(network, scales=(1.0, 3.0), taus=(5.5, 22.0))
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
    results = [json.loads(line) for line in source.read_text().splitlines()]
    by_model = {name: [r for r in results if r["model"] == name] for name in MODELS}
    by_model = {name: sorted(rows, key=lambda r: r["seed"]) for name, rows in by_model.items() if rows}
    stem.with_name(stem.name + "-tables.md").write_text("\n".join(tables(by_model)) + "\n")
    draw(by_model, stem.with_suffix(".png"))


def column(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([row[key] for row in rows])


def tables(by_model: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """What there is to say of the results, in lines of Markdown."""
    first = next(iter(by_model.values()))[0]
    yield f"{first['device']}, {first['iterations']} iterations of {first['batch_size']} clips; px, mean over seeds;"
    yield f"always saying the centre: {first['centre_guess']:.2f} px"
    yield "\n| network | RF | uniform | RF / uniform |\n|---|--:|--:|--:|"
    for name in by_model:
        other = name.replace(", RF", ", uniform")
        if other != name and other in by_model:
            pair = [column(by_model[one], "mean") for one in (name, other)]
            seeds = [f"{mean.mean():.2f} ({', '.join(f'{v:.2f}' for v in mean)})" for mean in pair]
            yield f"| {name.replace(', RF', '')} | {' | '.join(seeds)} | {pair[0].mean() / pair[1].mean():.2f} |"
    yield "\n| network | weights | median | mean output before training | after | s |\n|---|--:|--:|---|---|--:|"
    for name, rows in by_model.items():
        rates = [
            ", ".join(f"{rate:.2%}" for layer in column(rows, key).mean(0).tolist() for rate in layer)
            for key in ("before", "activity")
        ]
        median, seconds = (column(rows, key).mean() for key in ("median", "seconds"))
        yield f"| {name} | {rows[0]['weights']:,} | {median:.2f} | {rates[0]} | {rates[1]} | {seconds:.1f} |"
    curves = {
        name: {k: np.mean([r["curve"][k] for r in rows]) for k in rows[0]["curve"]} for name, rows in by_model.items()
    }
    yield from _classes("error after so many iterations (64 clips)", curves)
    for title, key, values in _axes():
        means = {name: dict(zip(values, column(rows, key).mean(0), strict=True)) for name, rows in by_model.items()}
        yield from _classes(f"error by {title}", means)


def _axes() -> Iterator[tuple[str, str, Any]]:
    scenes = SCENES["speeds-and-sizes"][0]
    yield "speed along each axis [px/frame]", "by_speed", scenes.speed
    yield "diameter [px]", "by_size", scenes.size


def _classes(title: str, means: dict[str, dict[Any, float]]) -> Iterator[str]:
    names = list(next(iter(means.values())))
    yield f"\n| {title} | {' | '.join(map(str, names))} |\n|---{'|--:' * len(names)}|"
    for name, values in means.items():
        yield f"| {name} | {' | '.join(f'{value:.2f}' for value in values.values())} |"


def draw(by_model: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Error by speed and by size, of the networks with weights of their own; above with gain 1, below calibrated."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    colours = {"LIF": "tab:red", "LI": "tab:blue", "ReLU, 8 frames": "tab:green", "ReLU, 1 frame": "tab:gray"}
    figure, panels = pyplot.subplots(2, 2, figsize=(10, 8), sharey=True, sharex="col", layout="constrained")
    for row, (after, title) in zip(panels, (("", "gain 1"), (", calibrated", "calibrated")), strict=True):
        for panel, (label, key, values) in zip(row, _axes(), strict=True):
            for kind, colour in colours.items():
                for init, style in (("RF", "-"), ("uniform", "--")):
                    rows = by_model.get(f"{kind}, {init}{after}")
                    if rows:
                        errors = column(rows, key)
                        mean, spread = errors.mean(0), errors.std(0)
                        name = f"{kind}, {init}"
                        panel.errorbar(values, mean, spread, label=name, color=colour, linestyle=style, capsize=2)
            panel.set(title=title, xlabel=label, ylabel="mean error [px of 64]", xscale="log", yscale="log")
            panel.set(xticks=values, xticklabels=[f"{v:g}" for v in values])
            panel.set(yticks=(0.3, 0.5, 1, 2), yticklabels=("0.3", "0.5", "1", "2"))
            panel.minorticks_off()
            panel.grid(alpha=0.3)
            panel.label_outer()
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=90)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parse.add_argument("--small", action="store_true", help="32 x 32 px, 14 kernels, 240 iterations of 8 clips")
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
    config = replace(SMALL if arguments.small else FULL, device=arguments.device)
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
