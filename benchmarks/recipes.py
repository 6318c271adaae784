"""Every recipe on generated recordings in its dataset's layout: train, stop, go on, evaluate, predict, export.

    python benchmarks/recipes.py [NAME ...] [--device cuda] [--epochs 6] [--set batch_size=4] [--json FILE]

The samples have the sensor, classes, duration and number of events of the dataset's; there are four batches of them.
Every recipe runs as it stands, but for the number of epochs. It is stopped as by Ctrl-C after the first epoch, then
resumed. A step's time is that of the best epoch, data, validation and logging included; the peak that of training and
test.
"""

from __future__ import annotations

import argparse
import csv
import json
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import torch

import eventsnn
from eventsnn.pipelines import classify, evaluate, predict
from eventsnn.train.card import device_name
from eventsnn.train.log import records


@contextmanager
def interrupted_once_there_is(path: Path) -> Iterator[None]:
    """Ctrl-C as soon as the file is there."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            if path.exists():
                return signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with suppress(SystemExit):
            yield
    finally:
        over.set()
        thread.join()


def walked(name: str, settings: tuple[str, ...], device: str, folder: Path) -> dict[str, Any]:
    """The whole way of one recipe; what was measured. Raises AssertionError where something is missing."""
    began, out = time.perf_counter(), folder / name
    config = classify.Config(name, out=out, set=settings, device=device, generated=True)
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with interrupted_once_there_is(out / "last.safetensors"):
        classify.run(config)
    stopped = len(records(out / "log.jsonl"))
    said = StringIO()
    with redirect_stdout(said):
        classify.run(classify.Config(**{**vars(config), "resume": True}))
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0
    lines, recipe = records(out / "log.jsonl"), classify.recipe_of(name, settings)
    assert [line["epoch"] for line in lines] == list(range(1, recipe.epochs + 1)), "epochs are missing"
    assert 1 <= stopped < recipe.epochs, "it was not stopped within the training"
    for picture in ("curves.png", "confusion.png"):
        assert (out / picture).read_bytes()[:4] == b"\x89PNG", f"no {picture}"
    assert "| synaptic operations per inference |" in (out / "card.md").read_text(), "no card"
    with redirect_stdout(said):
        evaluate.run(evaluate.Config(out / "last.safetensors", device=device, out=folder))
        try:
            evaluate.run(evaluate.Config(out / "last.safetensors", device=device, out=folder, nir=folder / "net.nir"))
            exported = f"{(folder / 'net.nir').stat().st_size / 2**20:.1f} MiB"
        except ValueError as error:
            exported = str(error)
        sample = classify.split_of(recipe.dataset, Path(), "test", generated=classify.generated_for(recipe))[0]
        eventsnn.write(folder / "sample.h5", sample.events)
        predict.run(predict.Config(out / "last.safetensors", (folder / "sample.h5",), folder / "p.csv", device))
    rows = list(csv.reader((folder / "p.csv").open()))[1:]
    assert rows, "no prediction"
    assert all(abs(sum(map(float, row[2:])) - 1) < 1e-4 for row in rows), "no probabilities"
    return {
        "recipe": name,
        "batch": recipe.batch_size,
        "frames": len(rows),
        "steps": lines[-1]["step"],
        "ms a step": round(min(recipe.batch_size / line["samples_per_s"] for line in lines[1:]) * 1e3, 1),
        "peak [GiB]": round(peak, 2),
        "loss, first epoch": round(lines[0]["loss"], 3),
        "loss, last epoch": round(lines[-1]["loss"], 3),
        "NIR": exported,
        "all [s]": round(time.perf_counter() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    names = a.recipes or sorted(path.stem for path in classify.RECIPES.glob("*.toml"))
    settings, results = (f"epochs={a.epochs}", *a.set), []
    print(f"{device_name(torch.device(a.device))}, PyTorch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            results.append(walked(name, settings, a.device, Path(folder)))
            if len(results) == 1:
                print(f"| {' | '.join(results[0])} |\n|{'---|' * len(results[0])}")
            print(f"| {' | '.join(map(str, results[-1].values()))} |", flush=True)
    if a.json:
        a.json.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
