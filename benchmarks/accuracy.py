"""Accuracy of the recipes whose data are at hand: five seeds, or five folds.

    python benchmarks/accuracy.py nmnist --root nmnist-small.zip [--device cuda] [--seeds 0 1 2] [--set epochs=9]
    python benchmarks/accuracy.py pokerdvs --root poker-dvs.zip --folds 5
    python benchmarks/accuracy.py shapes

Every run is that of ``eventsnn train`` but for the folds: the last checkpoint is tested; a validation part is held out
of the training split, and nothing is chosen on the test split. Folds hold each class in equal shares, drawn once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from eventsnn.datasets import pack
from eventsnn.devices import device_named
from eventsnn.pipelines.classify import opened, parts_of, recipe_of, split_of
from eventsnn.train import Data, Recipe, Run, accuracy, evaluate, fit
from eventsnn.train.card import device_name


class Both:
    """The samples of several splits as one."""

    split, split_hash = "all", "all"

    def __init__(self, splits: list[Any]) -> None:
        self.name, self.classes, self.sensor = splits[0].name, splits[0].classes, splits[0].sensor
        self.samples = [sample for split in splits for sample in split]
        self.ids = tuple(name for split in splits for name in split.ids)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


def trained(recipe: Recipe, training: Data, validation: Data, test: Data, device: torch.device) -> tuple[float, float]:
    """Test accuracy of the last checkpoint, and seconds."""
    store, start = training.store, time.perf_counter()
    facts = {"classes": list(store.classes), "sensor": list(store.sensor), "shape": list(training.shape)}
    run = Run.start(recipe, facts, device)
    with tempfile.TemporaryDirectory() as folder:
        fit(run, training, validation, Path(folder))
    seconds = time.perf_counter() - start
    return accuracy(*evaluate(run.averaged, test.batches(), recipe, len(store.classes))), seconds


def folds(data: Data, count: int) -> list[tuple[Data, Data]]:
    """Training and test parts, each sample tested once."""
    labels, order = data.store.labels.cpu(), torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    fold = torch.zeros(len(data), dtype=torch.long)
    place = 0
    for label in labels.unique():
        members = order[labels[order] == label]
        fold[members] = (torch.arange(len(members)) + place) % count
        place += len(members)
    parts = [
        [dataclasses.replace(data, indices=m.nonzero()[:, 0]) for m in (fold != k, fold == k)] for k in range(count)
    ]
    return [(training, test) for training, test in parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    recipe, device = recipe_of(a.recipe, tuple(a.set)), device_named(a.device)
    results = []
    with tempfile.TemporaryDirectory() as room:
        splits = [split_of(recipe.dataset, a.root, part) for part in parts_of(recipe.dataset)[:2]]
        splits = [Both(splits)] if a.folds else splits
        stores = [opened(pack(split, Path(room) / split.split), device) for split in splits]
        for k in range(a.folds) if a.folds else a.seeds:
            now = recipe if a.folds else dataclasses.replace(recipe, seed=k)
            data = [Data.of(store, now, device) for store in stores]
            if a.folds:
                training, test = folds(data[0], a.folds)[k]
                validation = dataclasses.replace(training, indices=training.indices[:0])
            else:
                (training, validation), test = data[0].parted(now.validation), data[1]
            results.append(trained(now, training, validation, test, device))
            print(f"{'fold' if a.folds else 'seed'} {k}: {results[-1][0]:.2%} in {results[-1][1]:.1f} s", flush=True)
    mean = statistics.mean(value for value, _ in results)
    line = (
        f"{a.recipe}: mean test accuracy {mean:.2%}, {max(s for _, s in results):.1f} s at most, {device_name(device)}"
    )
    print(line)
    if a.json:
        a.json.write_text(
            json.dumps({"line": line, "arguments": {k: str(v) for k, v in vars(a).items()}, "runs": results})
        )


if __name__ == "__main__":
    main()
