"""What stops a training: numbers that are not finite, and memory that is not there; which layer, which batch fits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .network import describe
from .norm import share
from .readout import logits, loss
from .run import Run


class Diverged(ValueError):
    """The loss or a gradient is not finite."""


def diverged(run: Run, step: int, value: float, frames: Tensor, labels: Tensor, kept: str) -> Diverged:
    """The error for a step that was not finite; the layer is found with the batch of that step."""
    where, clip = first_not_finite(run, frames, labels), run.recipe.clip
    return Diverged(
        f"the loss is {value} at step {step} (epoch {run.epoch + 1}): {where}. {kept}; train with an lr below "
        f"{run.recipe.lr:g} or {f'a clip below {clip:g}' if clip else 'with clip=1'}"
    )


def first_not_finite(run: Run, frames: Tensor, labels: Tensor) -> str:
    """The first layer that gives what is not finite, or the last whose gradient is not."""
    names = describe(run.net, run.recipe.layers)
    found: list[str] = []

    def watch(name: str) -> Any:
        def see(module: nn.Module, inputs: Any, output: Any) -> None:
            y = output[0] if isinstance(output, tuple) else output
            if not found and not bool(y.isfinite().all()):
                found.append(name)

        return see

    share(run.net, False)  # the other processes do not take part
    hooks = [child.register_forward_hook(watch(names[name])) for name, child in run.net.named_children()]
    run.net.zero_grad()
    outputs, _ = run.net(frames)
    for hook in hooks:
        hook.remove()
    if found:
        return f"layer '{found[0]}' gives numbers that are not finite"
    loss(logits(outputs, len(run.facts["classes"]), run.recipe.readout, run.recipe.gain), labels).backward()
    wrong = [
        names[name]
        for name, child in run.net.named_children()
        if any(p.grad is not None and not bool(p.grad.isfinite().all()) for p in child.parameters())
    ]
    return f"the gradient of layer '{wrong[-1]}' is not finite" if wrong else "it was finite when the batch ran again"


def too_large(run: Run, frames: Tensor, labels: Tensor, kept: str) -> MemoryError:
    """The error for a batch that the memory does not hold; it tells one that it does, found by trying."""
    share(run.net, False)  # the other processes do not take part
    size = frames.shape[1] // 2
    while size:
        try:
            run.net.zero_grad()
            with run.autocast():
                outputs, _ = run.net(frames[:, :size])
            outputs.float().sum().backward()
            break
        except torch.OutOfMemoryError:
            size //= 2
    run.net.zero_grad()
    batch = run.recipe.batch_size
    advice = f"batch_size={size * run.world} fits" if size else "not even one sample fits: use tbptt, or larger bins"
    return MemoryError(f"batch_size={batch} does not fit into the memory of {run.device}; {advice}. {kept}")
