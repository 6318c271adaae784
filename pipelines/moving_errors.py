"""How far a network that follows an object is off, on clips that no training sees, by speed and by size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from eventsnn.track.field_network import FieldNetwork

from .moving_clips import SCENES, clips


class Errors(NamedTuple):
    """Distances [px] over frames after the warm-up: their mean and median, by speed class and by size class (None: no
    such clip); the mean of one who always says the centre of the image; mean ratio of sizes, as |log|; mean outputs of
    the neurons, for spiking ones spikes per neuron and frame."""

    mean: float
    median: float
    by_speed: list[float | None]
    by_size: list[float | None]
    centre_guess: float
    size: float
    activity: list[list[float]]


@torch.no_grad()
def measure(net: FieldNetwork, name: str, count: int, warmup: int, seed: int, device: torch.device | str) -> Errors:
    """Errors on ``count`` clips of the scenes of that name, over the frames after ``warmup``."""
    scenes = SCENES[name]
    net.eval()
    found: list[tuple[Tensor, ...]] = []
    rates: list[Tensor] = []
    size = min(64, math.ceil(count / len(scenes)))
    for k, first in enumerate(range(0, count, size)):
        given = clips(scenes[k % len(scenes)], min(size, count - first), seed, first, device)
        answer, _ = net(given.frames.float())
        pixels = given.image / 2
        columns = (
            ((answer.centre - given.centre) * pixels).norm(dim=-1),
            (given.centre * pixels).norm(dim=-1),
            (answer.size.log() - given.size.log()).abs().mean(-1),
            given.speed_class.expand(len(given.frames), -1),
            given.size_class.expand(len(given.frames), -1),
        )
        found.append(tuple(column[warmup:] for column in columns))
        rates.append(torch.stack(answer.activity))
    distance, guess, sizes, speeds, widths = (torch.cat(parts, 1) for parts in zip(*found, strict=True))
    by_speed, by_size = (
        [
            round(float(distance[kind == k].mean()), 4) if (kind == k).any() else None
            for k in range(len(_bounds(values)))
        ]
        for kind, values in ((speeds, scenes[0].speed), (widths, scenes[0].size))
    )
    mean, median, floor, ratio = (
        round(float(value), 4) for value in (distance.mean(), distance.median(), guess.mean(), sizes.mean())
    )
    activity = [[round(v, 5) for v in row] for row in torch.stack(rates).mean(0).tolist()]
    return Errors(mean, median, by_speed, by_size, floor, ratio, activity)


def told(errors: Errors, name: str) -> Iterator[str]:
    """What there is to say of errors, line by line."""
    scenes = SCENES[name][0]
    floor = f"always saying the centre: {errors.centre_guess:.2f}"
    yield f"held-out clips: {errors.mean:.2f} px on average, median {errors.median:.2f} ({floor})"
    classes = (("speed", "px/frame", scenes.speed, errors.by_speed), ("size", "px", scenes.size, errors.by_size))
    for name, unit, values, found in classes:
        parts = [f"{text}: {px:.2f}" for text, px in zip(_bounds(values), found, strict=True) if px is not None]
        yield f"  by {name} [{unit}]   {'   '.join(parts)}"
    for layer, row in enumerate(errors.activity, 1):
        parts = [f"{output:.3g}" for output in row]
        yield f"  mean output of layer {layer}, each temporal channel   {'   '.join(parts)}"


def _bounds(values: Any) -> list[str]:
    """The classes of a range: its numbers and intervals."""
    several = values if isinstance(values, list) else [values]
    return ["-".join(f"{edge:g}" for edge in (one if isinstance(one, tuple) else (one,))) for one in several]
