"""The training loop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from . import checkpoint
from .activity import Activity, complaints
from .data import Data
from .evaluate import accuracy, evaluate
from .log import Log
from .network import describe
from .readout import loss
from .rehearse import rehearse
from .run import Run, learn
from .trouble import diverged, too_large

_SAY = logging.getLogger("eventsnn").warning


def fit(run: Run, training: Data, validation: Data, folder: Path, *, tensorboard: bool = False) -> None:
    """Train to the end of the recipe, from wherever the run is, and keep what is needed to go on.

    In ``folder``: ``last.safetensors``, written every ``save_every`` steps and after each epoch; ``best.safetensors``,
    of the epoch with the best validation; ``log.jsonl``. In several processes the first one writes.

    Raises ValueError for patience without validation, Diverged (a ValueError) where the loss is not finite, MemoryError
    where a batch does not fit. What was saved stays as it is.
    """
    recipe, size = run.recipe, run.recipe.batch_size // run.world
    if recipe.patience and not len(validation):
        raise ValueError(f"patience={recipe.patience} needs samples for validation: set validation above 0")
    if run.replay is not None:
        run.replay.together = run.world > 1
    share = math.ceil(len(training) / run.world)  # samples of this process
    steps = math.ceil(share / size)
    run.total = steps * recipe.epochs
    done = min((run.epoch * steps + run.batch) * recipe.batch_size, recipe.epochs * len(training))
    if not run.rank:
        folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder, run.step, recipe.epochs * len(training), done, tensorboard=tensorboard) if not run.rank else None
    said: set[tuple[str, str]] = set()
    clock = time.monotonic() - run.seconds
    if run.device.type == "cuda":
        rehearse(run, training, size, (share % size or size, len(validation) % size or size))
    try:
        while run.epoch < recipe.epochs and not _patience_is_over(run):
            begun, before = time.monotonic(), run.batch
            record = _epoch(run, training, size, folder, log, clock)
            span = time.monotonic() - begun
            record |= {"samples_per_s": round((steps - before) * recipe.batch_size / span, 1)}
            record |= _validate(run, validation)
            run.seconds = time.monotonic() - clock
            run.epoch, run.batch = run.epoch + 1, 0
            better = record.get("validation", 0.0) > run.best or not len(validation)
            if better:
                run.best, run.best_epoch = record.get("validation", -1.0), run.epoch
            record = {"epoch": run.epoch, "step": run.step, "seconds": round(run.seconds, 3)} | record
            run.history.append({key: value for key, value in record.items() if isinstance(value, int | float)})
            if log is not None:
                log.write(record)
                _complain(run, record, said)
                if better:
                    checkpoint.save(folder / "best.safetensors", run)
                checkpoint.save(folder / "last.safetensors", run)
    finally:
        if run.replay is not None:
            run.replay.forget()  # a group of processes does not end before the recordings it is in
        if log is not None:
            log.close()


def _epoch(run: Run, training: Data, size: int, folder: Path, log: Log | None, clock: float) -> dict[str, Any]:
    """The rest of an epoch; what is known of it. Activity and gradients are those of its last step."""
    recipe = run.recipe
    order = training.order(run.epoch, run.rank, run.world)[run.batch * size :]
    batches = training.batches(order, size, augmented=True)
    watched: dict[str, Any] = {}
    waiting: tuple[Any, ...] | None = None
    for number, (frames, labels) in enumerate(_drawn(run, batches), 1):
        last, saved = number == len(batches), (run.batch + 1) % recipe.save_every == 0
        torch.backends.cudnn.benchmark = len(labels) == size  # the fastest convolution, found by trying
        gradients: dict[str, Tensor] = {}
        with Activity(run.net, counted=last, penalised=recipe.rate_weight > 0) as activity:
            result = _learned(run, frames, labels, activity, gradients if last else None)
        if result is None:
            waiting = None
            raise too_large(run, frames, labels, _kept(folder))
        if waiting is not None:
            _settle(run, waiting, folder, log)  # of the step before: the GPU need not be waited for
        waiting = (run.step, result, frames, labels)
        if last or saved:
            _settle(run, waiting, folder, log)
            waiting = None
        if last:
            watched["rates"] = {name: rates._asdict() for name, rates in activity.rates().items()}
            watched["gradients"] = {name: round(norm.item(), 9) for name, norm in gradients.items()}
        elif saved and not run.rank:
            run.seconds = time.monotonic() - clock
            checkpoint.save(folder / "last.safetensors", run)
    sums = run.sums.clone()
    if run.world > 1:
        distributed.all_reduce(sums)
    run.sums.zero_()
    total, right, count = sums.tolist()
    lr = run.optimiser.param_groups[0]["lr"]
    return {"loss": total / count, "accuracy": right / count, "lr": lr} | watched


def _patience_is_over(run: Run) -> bool:
    return bool(run.recipe.patience) and run.epoch - run.best_epoch >= run.recipe.patience


def _drawn(run: Run, batches: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches; all that is drawn at random for a step, by augmentation and dropout, is settled by its number."""
    source = iter(batches)
    while True:
        seed = (run.recipe.seed * 1_000_003 + run.step) * 8191 + run.rank
        torch.default_generator.manual_seed(seed)  # torch.manual_seed looks for devices of all kinds, at every step
        if run.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        batch = next(source, None)
        if batch is None:
            return
        yield batch


def _learned(run: Run, *arguments: Any) -> Tensor | None:
    """What ``learn`` gives; None if the memory is too small, and then what it held is free again."""
    try:
        return learn(run, *arguments)
    except torch.OutOfMemoryError:
        if run.world > 1 or run.replay is None or not run.replay.forget():
            return None
    return _learned(run, *arguments)  # a recording holds memory that the usual way can use


def _settle(run: Run, waiting: tuple[Any, ...], folder: Path, log: Log | None) -> None:
    step, result, frames, labels = waiting
    value, norm = result.tolist()
    if not abs(value) + abs(norm) < float("inf"):
        raise diverged(run, step, value, frames, labels, _kept(folder))
    if log is not None:
        log.advance(len(labels) * run.world, epoch=run.epoch + 1, loss=value)


def _validate(run: Run, validation: Data) -> dict[str, float]:
    if not len(validation):
        return {}
    values, labels = evaluate(run.averaged, validation.batches(), run.recipe, len(run.facts["classes"]))
    error = loss(values, labels, run.recipe.label_smoothing).item()
    return {"validation": accuracy(values, labels), "validation_loss": error}


def _complain(run: Run, record: dict[str, Any], said: set[tuple[str, str]]) -> None:
    """Say what is wrong with a layer, each kind of it once."""
    rates = {name: tuple(values.values()) for name, values in record["rates"].items()}
    for layer, message in complaints(rates, record["gradients"], describe(run.net, run.recipe.layers)):  # type: ignore[arg-type]
        kind = (layer, message.split(" of its neurons ")[-1][:12])
        if kind not in said:
            said.add(kind)
            _SAY("layer '%s', epoch %d: %s", layer, run.epoch, message)


def _kept(folder: Path) -> str:
    path = folder / "last.safetensors"
    return f"{path} holds what was learned until then" if path.is_file() else "nothing was saved yet"
