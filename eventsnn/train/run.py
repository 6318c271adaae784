"""Run: a training in progress, everything that changes from step to step; and one step of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from ..containers import SequentialState
from ..containers.delays import DelayLinear
from .activity import Activity
from .network import build
from .parallel import average
from .readout import logits, loss
from .recipe import Recipe
from .replay import Replay
from .schedule import factor


@dataclass(eq=False)
class Run:
    """A training in progress. ``net`` is trained, ``averaged`` is what is evaluated."""

    recipe: Recipe
    facts: dict[str, Any]  # what stays: classes, sensor, shape, dataset, split_hash
    net: SequentialState
    averaged: SequentialState
    optimiser: torch.optim.Optimizer
    device: torch.device
    total: int = 0  # steps of the whole training
    rank: int = 0
    world: int = 1
    epoch: int = 0
    batch: int = 0  # steps done of this epoch
    step: int = 0
    best: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))  # loss, right, samples
    replay: Replay | None = None  # on a GPU

    @classmethod
    def start(cls, recipe: Recipe, facts: dict[str, Any], device: torch.device | str = "cpu") -> Run:
        """A training that has not begun, its weights drawn by the recipe's seed."""
        torch.manual_seed(recipe.seed)
        place = torch.device(device)
        net = network_of(recipe, facts).to(place)
        averaged = copy.deepcopy(net).requires_grad_(False) if recipe.ema else net
        run = cls(recipe, facts, net, averaged, optimiser_of(net, recipe), place)
        run.sums = run.sums.to(place)
        run.replay = Replay(list(net.parameters())) if place.type == "cuda" else None
        return run

    def autocast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.amp and self.device.type == "cuda")


def network_of(recipe: Recipe, facts: dict[str, Any]) -> SequentialState:
    """The network of a recipe for samples as the facts tell."""
    return build(recipe.layers, facts["shape"], len(facts["classes"]), recipe.surrogate, recipe.alpha)


def optimiser_of(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser: weight decay for matrices and kernels only, delays with a rate of their own."""
    delays = {id(module.delay) for module in net.modules() if isinstance(module, DelayLinear)}
    kinds: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in net.parameters():
        lr = recipe.lr * (recipe.delay_lr if id(parameter) in delays else 1)
        decay = recipe.weight_decay if parameter.ndim > 1 and id(parameter) not in delays else 0.0
        kinds.setdefault((lr, decay), []).append(parameter)
    groups = [{"params": those, "lr": lr, "weight_decay": decay} for (lr, decay), those in kinds.items()]
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}[recipe.optimiser]
    optimiser: Any = kind(groups, **({"momentum": 0.9} if recipe.optimiser == "sgd" else {}), fused=True)
    for group in optimiser.param_groups:
        group["base_lr"] = group["lr"]
    return optimiser


def learn(
    run: Run, frames: Tensor, labels: Tensor, activity: Activity, grads: dict[str, Tensor] | None = None
) -> Tensor:
    """One step of the training: ``[loss, norm of the gradient]``. A step that is not finite leaves the weights alone.

    Every batch starts from the initial state; with ``tbptt`` the state goes on through the recording, the gradient does
    not. ``grads`` takes the norms of the gradients of the layers.
    """
    run.net.train()
    if run.replay is None or activity.counted or grads is not None:
        result = gradients(run, activity, grads, frames, labels)
    else:
        result = run.replay(partial(gradients, run, activity, None), frames, labels)
    _advance(run, result.isfinite().all())
    return result


def gradients(run: Run, activity: Activity, grads: dict[str, Tensor] | None, frames: Tensor, labels: Tensor) -> Tensor:
    """The gradients of a batch, clipped, in the parameters: ``[loss, norm]``, before clipping."""
    recipe = run.recipe
    run.optimiser.zero_grad()
    state, total = None, torch.zeros((), device=run.device)
    pieces = frames.split(recipe.tbptt or len(frames))
    for piece in pieces:
        activity.by_sample.clear()
        with run.autocast():
            outputs, state = run.net(piece, state)
        values = logits(outputs, len(run.facts["classes"]), recipe.readout, recipe.gain)
        error = loss(values, labels, recipe.label_smoothing) / len(pieces)
        total = total + error.detach()
        if recipe.rate_weight:
            error = error + recipe.rate_weight * activity.penalty(recipe.rate_low, recipe.rate_high) / len(pieces)
        error.backward()
        state = tree_map(lambda value: value.detach() if isinstance(value, Tensor) else value, state)
    if run.world > 1:
        average(run.net.parameters())
    if grads is not None:
        for name, child in run.net.named_children():
            own = [p.grad for p in child.parameters() if p.grad is not None]
            if own:
                grads[name] = torch.nn.utils.get_total_norm(own)
    norm = torch.nn.utils.clip_grad_norm_(list(run.net.parameters()), recipe.clip or float("inf"))
    right = (values.detach().argmax(1) == labels).sum()
    run.sums += torch.stack(
        [total.double() * len(labels), right.double(), torch.full_like(right, len(labels)).double()]
    )
    return torch.stack([total, norm])


@torch.no_grad()
def _advance(run: Run, finite: Tensor) -> None:
    """Change the weights, the learning rate being that of the step, and their average."""
    recipe, optimiser = run.recipe, run.optimiser
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor(recipe.schedule, run.step, run.total, recipe.warmup)
    optimiser.found_inf = (~finite).float()  # type: ignore[attr-defined]  # 1: the fused kernel does nothing
    optimiser.step()
    run.step += 1
    run.batch += 1
    if recipe.ema:
        decay = min(recipe.ema, (1 + run.step) / (10 + run.step))
        torch._foreach_lerp_(list(run.averaged.parameters()), list(run.net.parameters()), 1 - decay)
        for mean, value in zip(run.averaged.buffers(), run.net.buffers(), strict=True):
            mean.copy_(value)
    for module in (*run.net.modules(), *(run.averaged.modules() if recipe.ema else ())):
        if isinstance(module, DelayLinear):
            module.anneal(run.step / max(run.total, 1))
