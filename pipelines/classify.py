"""Train a classifier: packed recordings -> frames -> network -> read-out; checkpoints, log, pictures, model card.

Several processes: ``torchrun --nproc-per-node 2 -m eventsnn.pipelines.classify nmnist --root DIR``.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

RECIPES = Path(__file__).parent


@dataclass(frozen=True)
class Config:
    """Train a classifier of recordings: checkpoints, a log, curves, a confusion matrix and a model card."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Dataset or recipe, such as nmnist, shapes or shd-delays; or a TOML file of your own."""
    root: Path = Path("data")
    """Folder or archive of the dataset; what is missing is downloaded there."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder for the results. Default: the recipe's name in runs/."""
    set: tuple[str, ...] = ()
    """Other values for keys of the recipe, such as epochs=3 lr=0.01."""
    resume: bool = False
    """Go on with the training in the folder."""
    device: str = "auto"
    """Where to compute: cpu, cuda, ...; auto takes a GPU if there is one."""
    generated: bool = False
    """Noise in the layout of the dataset instead of the dataset, four batches of it: shows that everything runs, and
    how long a step takes."""
    tensorboard: bool = False
    """Write a log for TensorBoard too."""


def recipe_of(name: str, settings: tuple[str, ...] = ()) -> Any:
    """A recipe by its name or file, with other settings. Raises ValueError for one that does not exist."""
    from eventsnn.datasets import cards
    from eventsnn.train import Recipe
    from eventsnn.train.words import unknown

    if name.endswith(".toml"):
        return Recipe.read(Path(name)).replaced(settings)
    known = {path.stem: path for path in sorted(RECIPES.glob("*.toml"))}
    plain = name.lower().replace("_", "-")
    plain = plain if plain in known else plain.replace("-", "")
    if plain not in known and plain in cards:
        raise ValueError(
            f"there is no recipe for {cards[plain].title}; write a TOML file as those in {RECIPES}, or take one with "
            f"--set dataset={plain}. There are recipes {', '.join(known)}"
        )
    if plain not in known:
        raise unknown("dataset or recipe", name, known)
    return Recipe.read(known[plain]).replaced(settings)


def cached(dataset: Any) -> Path:
    """The packed file of a split: made at the first use, in ``$XDG_CACHE_HOME/eventsnn``."""
    from eventsnn.datasets import pack

    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventsnn"
    folder.mkdir(parents=True, exist_ok=True)
    return pack(dataset, folder / f"{dataset.name}-{dataset.split}-{dataset.split_hash}.packed")


def split_of(name: str, root: Path, split: str, *, generated: int = 0) -> Any:
    """A split of a dataset, ``shapes`` included; or generated ones, so many a class for training and two for each other
    split. Raises ValueError for a dataset without classes."""
    from eventsnn.datasets import card_of, load
    from eventsnn.datasets.moving import Moving
    from eventsnn.datasets.standin import StandIn

    if name == "shapes":
        return Moving(split)
    card = card_of(name)
    if not card.classes:
        raise ValueError(f"{card.title} has no classes; its targets are {card.target}")
    return StandIn(card, split, generated if split == "train" else 2) if generated else load(name, root, split)


def generated_for(recipe: Any) -> int:
    """Recordings to generate for each class, so that there are four batches; none for shapes, which are so anyway."""
    from eventsnn.datasets import card_of

    if recipe.dataset == "shapes":
        return 0
    return max(2, -(-4 * recipe.batch_size // max(len(card_of(recipe.dataset).classes), 1)))


def parts_of(name: str) -> tuple[str, ...]:
    """The splits for training, test and, where there is one, validation."""
    from eventsnn.datasets import card_of

    splits = ("train", "test") if name == "shapes" else tuple(card_of(name).splits)
    if not {"train", "test"} <= {*splits}:
        raise ValueError(f"{name} has no splits train and test, but {', '.join(splits)}")
    return ("train", "test", *(split for split in splits if split in ("valid", "validation")))


def opened(path: Path, device: Any) -> Any:
    """A packed split, in words on the GPU if its file is smaller than a quarter of what is free there."""
    import torch

    from eventsnn.datasets import Packed

    fits = device.type == "cuda" and path.stat().st_size < torch.cuda.mem_get_info(device)[0] / 4
    return Packed.open(path, device, words=True) if fits else Packed.open(path)


def run(config: Config) -> Path:
    """Train, test and describe; returns the folder. What is interrupted goes on with ``resume``."""
    from eventsnn.devices import device_named
    from eventsnn.train.parallel import together

    recipe, device = recipe_of(config.recipe, config.set), device_named(config.device)
    out = config.out or Path("runs") / Path(config.recipe).stem
    last = out / "last.safetensors"
    if last.exists() and not config.resume:
        raise ValueError(f"{out} holds a training: go on with it with --resume, or choose another --out")
    if config.resume and not last.exists():
        raise ValueError(f"{out} holds no training to go on with: there is no {last.name}")
    try:
        with together(device) as device:
            _run(config, recipe, device, out)
    except KeyboardInterrupt:
        hint = f"go on with --resume --out {out}" if last.exists() else "nothing was saved yet"
        raise SystemExit(f"stopped; {hint}") from None
    return out


def _run(config: Config, recipe: Any, device: Any, out: Path) -> None:
    from torch import distributed

    from eventsnn.train import Data, Run, fit, load, restore
    from eventsnn.train.parallel import rank_and_world, spread

    rank, world = rank_and_world()
    if recipe.batch_size % world:
        raise ValueError(f"batch_size={recipe.batch_size} cannot be shared by {world} processes")
    parts, paths = parts_of(recipe.dataset), []
    generated = generated_for(recipe) if config.generated else 0
    for part in parts:
        if rank:
            distributed.barrier()  # the first process packs
        paths.append(cached(split_of(recipe.dataset, config.root, part, generated=generated)))
        if world > 1 and not rank:
            distributed.barrier()
    data = [Data.of(opened(path, device), recipe, device) for path in paths]
    training, validation = (data[0], data[2]) if len(data) > 2 else data[0].parted(recipe.validation)
    if not len(training):
        raise ValueError(f"no training samples are left beside a validation of {recipe.validation:.0%}")
    store = data[0].store
    facts = {
        "dataset": recipe.dataset,
        "classes": list(store.classes),
        "sensor": list(store.sensor),
        "shape": list(data[0].shape),
        "split_hash": store.split_hash,
        "test_hash": data[1].store.split_hash,
        "generated": generated,
    }
    training_run = Run.start(recipe, facts, device)
    if config.resume:
        restore(training_run, load(out / "last.safetensors"))
    spread(training_run)
    fit(training_run, training, validation, out, tensorboard=config.tensorboard)
    if not rank:
        _report(training_run, data[1], {"training": len(training), "validation": len(validation)}, out)
    if world > 1:
        distributed.barrier()  # all leave together


def _report(run: Any, test: Any, samples: dict[str, int], out: Path) -> None:
    """Test the last checkpoint and the one chosen on validation; write card and pictures."""
    from eventsnn.io.atomic import whole
    from eventsnn.train import accuracy, confusion, cost, evaluate, load, network
    from eventsnn.train.card import card
    from eventsnn.train.charts import confusion_matrix, curves

    classes, tested = run.facts["classes"], {}
    nets = {"last": run.averaged}
    if samples["validation"]:
        nets["best"] = network(load(out / "best.safetensors"), run.device)
    for name, net in nets.items():
        values, labels = evaluate(net, test.batches(), run.recipe, len(classes))
        tested[name] = accuracy(values, labels)
        if name == "last":
            counts = confusion(values, labels).cpu()
    single = dataclasses.replace(test, dtype=next(run.net.parameters()).dtype)
    text = card(run, tested, {**samples, "test": len(test)}, cost(run.averaged, single.batches()))
    try:
        with whole(out / "curves.png") as path:
            curves(run.history, run.best_epoch, path)
        with whole(out / "confusion.png") as path:
            confusion_matrix(counts, classes, f"{run.facts['dataset']}, test: {tested['last']:.2%}", path)
    except ImportError as error:
        print(f"no pictures were drawn: {error}")
    with whole(out / "card.md") as path:
        path.write_text(text)
    print(f"test accuracy {tested['last']:.2%} after {run.epoch} epochs in {run.seconds:.1f} s; results in {out}")


if __name__ == "__main__":
    try:
        run(tyro.cli(Config))
    except (ValueError, OSError, MemoryError) as error:
        raise SystemExit(f"eventsnn: {error}") from None
