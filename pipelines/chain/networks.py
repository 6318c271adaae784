"""Networks as stages: over a stream of frames, their state carried on; one of a checkpoint, or any module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import torch

from .flow import Flow
from .made import Made, Where

_TOGETHER = 32


def checkpoint(checkpoint: str) -> Any:
    """The network of a checkpoint of ``eventsnn train``, the shape of its frames, its classes and the recipe.

    A process reads a file once, until it changes.
    """
    path = Path(checkpoint)
    return _restored(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(4)
def _restored(path: Path, changed: int) -> Any:
    from eventsnn.train import load, network

    saved = load(path)
    return network(saved), tuple(saved.facts["shape"]), tuple(saved.facts["classes"]), saved.recipe


def of_checkpoint(settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    """The network of a checkpoint. Raises ValueError for frames of another shape than those it was trained on."""
    net, shape, classes, recipe = checkpoint(**settings)
    if flow.shape is not None and (prod(flow.shape) != prod(shape) or flow.shape[-len(shape) :] != shape):
        time = f"dt={recipe.dt!r}" if recipe.dt else f"n_bins={recipe.n_bins}"
        raise ValueError(
            f"{settings['checkpoint']} was trained on frames {list(shape)} ({time}, downsample={recipe.downsample}, "
            f"binary={recipe.binary})"
        )
    return over_time(net, where, shape)._replace(labels=classes)


def over_time(net: Any, where: Where, shape: tuple[int, ...] | None = None) -> Made:
    """A module over a stream of frames ``[C, H, W]``, as ``[T, 1, C, H, W]`` with its state carried if it has one.

    It sees the frames in the ``shape``, where that is given.
    """
    from eventsnn.containers.stateful import is_stateful

    net = net.to(where.device)

    def step(frames: Iterable[Any]) -> Iterator[Any]:
        source, state = iter(frames), None
        while block := list(islice(source, _TOGETHER)):
            with torch.no_grad():
                x = torch.stack([frame for _, frame in block]).to(where.device, torch.get_default_dtype())
                x = x if shape is None else x.reshape(-1, *shape)
                if is_stateful(net):
                    output, state = net(x[:, None], state)
                    output = output[:, 0]
                else:
                    output = net(x)
            yield from zip((begin for begin, _ in block), output, strict=True)

    return Made(step, net)
