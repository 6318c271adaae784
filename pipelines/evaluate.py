"""Test a checkpoint: accuracy, confusion matrix, cost of an inference; and the network as a NIR graph."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Config:
    """Test a checkpoint on a split of its dataset: accuracy, confusion.png, operations and spikes per inference."""

    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Checkpoint of eventsnn train."""
    root: Path = Path("data")
    """Folder or archive of the dataset."""
    split: str = "test"
    """The split to test on."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder for the picture. Default: the checkpoint's."""
    device: str = "auto"
    """Where to compute: cpu, cuda, ..., or auto."""
    nir: Path | None = None
    """Also write the network as a NIR graph, batch norms taken into the layers before them."""


def run(config: Config) -> float:
    """Print the figures, draw the matrix; gives the accuracy."""
    import torch

    from eventsnn.devices import device_named
    from eventsnn.io.atomic import whole
    from eventsnn.train import Data, accuracy, confusion, cost, evaluate, load, network
    from eventsnn.train.charts import confusion_matrix

    from .classify import cached, opened, split_of

    device, saved = device_named(config.device), load(config.checkpoint)
    recipe, facts = saved.recipe, saved.facts
    net = network(saved, device)
    if config.nir is not None:
        _export(net, facts["shape"], config.nir)
    dataset = split_of(recipe.dataset, config.root, config.split, generated=facts["generated"])
    if list(dataset.classes) != facts["classes"]:
        raise ValueError(
            f"{config.checkpoint} knows {len(facts['classes'])} classes ({', '.join(facts['classes'][:4])}, ...), but "
            f"{recipe.dataset} {config.split} has {len(dataset.classes)} ({', '.join(dataset.classes[:4])}, ...)"
        )
    path = cached(dataset)
    data = replace(Data.of(opened(path, device), recipe, device), dtype=torch.float32)
    values, labels = evaluate(net, data.batches(), recipe, len(facts["classes"]))
    right, found = accuracy(values, labels), cost(net, data.batches())
    print(
        f"{recipe.dataset} {config.split}: accuracy {right:.2%} of {len(labels):,} samples, split {dataset.split_hash}"
    )
    print(
        f"per inference: {found.effective_acs:,.0f} ACs, {found.effective_macs:,.0f} MACs, {found.spikes:,.0f} spikes"
    )
    print(f"{found.parameters:,} parameters, activation sparsity {found.activation_sparsity:.2%}")
    try:
        with whole((config.out or config.checkpoint.parent) / "confusion.png") as path:
            counts = confusion(values, labels).cpu()
            confusion_matrix(counts, facts["classes"], f"{recipe.dataset}, {config.split}: {right:.2%}", path)
    except ImportError as error:
        print(f"no picture was drawn: {error}")
    return right


def _export(net, shape, path: Path) -> None:  # type: ignore[no-untyped-def]
    from eventsnn.io.atomic import whole
    from eventsnn.nir import to_nir
    from eventsnn.train.fold import without_norms

    try:
        with whole(path) as part:
            to_nir(without_norms(copy.deepcopy(net)).cpu(), shape, part)
    except ImportError as error:
        raise ValueError(str(error)) from None
    print(f"NIR graph in {path}")
