"""Checkpoints: a training in one safetensors file, its header telling everything that is no tensor, in JSON.

Tensors are ``net/NAME``, ``averaged/NAME`` (with ema) and ``optimiser/NUMBER/NAME``. There is no state of random
generators and of the schedule to save: what is drawn, and the learning rate, are functions of seed, step and rank. No
Python object is in the file, so reading one from a stranger runs none of his code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..containers import SequentialState
from ..containers.delays import DelayLinear
from ..io.atomic import whole
from .recipe import Recipe
from .run import Run, network_of

KEY, VERSION = "eventsnn.train", 1
POSITION = ("epoch", "batch", "step", "total", "best", "best_epoch", "seconds", "history")


class Checkpoint(NamedTuple):
    """What a file holds: the tensors, the recipe, the facts, and how far the training was."""

    path: Path
    tensors: dict[str, Tensor]
    recipe: Recipe
    facts: dict[str, Any]
    position: dict[str, Any]


def save(path: str | os.PathLike[str], run: Run) -> Path:
    """Write a checkpoint; it appears under its name when it is complete, and replaces the one before."""
    tensors = {f"net/{name}": value for name, value in run.net.state_dict().items()}
    if run.recipe.ema:
        tensors |= {f"averaged/{name}": value for name, value in run.averaged.state_dict().items()}
    for number, state in run.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in state.items() if value is not None}
    about = {
        "version": VERSION,
        "recipe": dataclasses.asdict(run.recipe),
        "facts": run.facts,
        "position": {name: getattr(run, name) for name in POSITION} | {"sums": run.sums.tolist()},
    }
    with whole(path) as part:
        copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        save_file(copies, part, {KEY: json.dumps(about)})
    return Path(path)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint. Raises ValueError for a file that is damaged or was not written by ``save``."""
    place = Path(path)
    if place.is_dir():
        raise IsADirectoryError(21, f"a folder; name a checkpoint, such as {place / 'last.safetensors'}", str(place))
    if not place.is_file():
        raise FileNotFoundError(2, "there is no such checkpoint; eventsnn train writes last.safetensors", str(place))
    try:
        with safe_open(place, "pt") as file:
            text = (file.metadata() or {}).get(KEY)
            if text is None:
                raise ValueError(f"{place}: a safetensors file, but no checkpoint of eventsnn train")
            about = json.loads(text)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{place}: damaged, or no checkpoint ({error})") from None
    if about.get("version") != VERSION:
        raise ValueError(f"{place}: a checkpoint of version {about.get('version')}; this eventsnn reads {VERSION}")
    return Checkpoint(place, tensors, Recipe.of(about["recipe"]), about["facts"], about["position"])


def restore(run: Run, checkpoint: Checkpoint) -> None:
    """Go on from a checkpoint. Raises ValueError where recipe or data are not those it was written with."""
    now, then = ({**dataclasses.asdict(r), **f} for r, f in ((run.recipe, run.facts), checkpoint[2:4]))
    changed = [f"{name} ({_plain(then.get(name))} then, {_plain(now[name])} now)" for name in now
               if _plain(then.get(name)) != _plain(now[name])]  # fmt: skip
    if changed:
        settings = {name: value for name, value in dataclasses.asdict(checkpoint.recipe).items() if value is not None}
        again = [f"{k}={_plain_text(v)}" for k, v in settings.items() if _plain(v) != _plain(now[k])]
        advice = f"with --set {' '.join(again)}" if len(again) == len(changed) else "with what it was begun with"
        raise ValueError(
            f"{checkpoint.path} was written with another recipe or other data: {'; '.join(changed)}. "
            f"Go on {advice}, or begin anew in another folder"
        )
    _fill(run.net, checkpoint, "net/")
    if run.recipe.ema:
        _fill(run.averaged, checkpoint, "averaged/")
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in checkpoint.tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "optimiser":
            number, _, key = rest.partition("/")
            states.setdefault(int(number), {})[key] = value
    groups = run.optimiser.state_dict()["param_groups"]
    run.optimiser.load_state_dict({"state": states, "param_groups": groups})
    for name in POSITION:
        setattr(run, name, checkpoint.position[name])
    run.sums.copy_(torch.tensor(checkpoint.position["sums"], dtype=torch.float64))


def network(checkpoint: Checkpoint, device: torch.device | str = "cpu") -> SequentialState:
    """The network that is evaluated, its weights those of the checkpoint, in evaluation mode."""
    net = network_of(checkpoint.recipe, checkpoint.facts)
    _fill(net, checkpoint, "averaged/" if checkpoint.recipe.ema else "net/")
    return net.to(device).eval()


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _plain_text(value: Any) -> str:
    """A value as the command line takes it."""
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))


def _fill(net: SequentialState, checkpoint: Checkpoint, prefix: str) -> None:
    values = {name.removeprefix(prefix): value for name, value in checkpoint.tensors.items() if name.startswith(prefix)}
    try:
        net.load_state_dict(values)
    except RuntimeError as error:
        raise ValueError(f"{checkpoint.path}: its weights do not fit its network: {error}") from None
    position = checkpoint.position
    for module in net.modules():
        if isinstance(module, DelayLinear):
            module.anneal(position["step"] / max(position["total"], 1))
