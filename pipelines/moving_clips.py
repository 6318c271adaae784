"""Clips of one moving object, without end: what a network that follows it learns from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from eventsnn.datasets.shapes import PRESETS, ShapesConfig, generate

_SMALL = PRESETS["covariant2025-temporal-small"]
_SIZES = [10.0, 14.0, 18.0, 24.0]
SCENES: dict[str, tuple[ShapesConfig, ...]] = {
    "speeds-and-sizes": (replace(_SMALL, size=_SIZES),),
    "speeds-and-sizes-32": (replace(PRESETS["ci-32"], size=[7.0, 9.0, 11.0, 13.0]),),
    "varied": tuple(
        replace(
            _SMALL,
            shapes=(shape,),
            size=[(8.0, 14.0), (14.0, 24.0), (24.0, 36.0)],
            aspect=(0.6, 1.6),
            speed=[(0.02, 0.1), (0.1, 0.4), (0.4, 1.0)],
            direction=(0.0, 2 * math.pi),
            threshold=threshold,
            noise_rate=noise,
            contrast=contrast,
            margin=0.0,
        )
        for threshold, noise in ((0.5, 1.0), (0.25, 0.2), (0.2, 5.0))
        for shape in ("circle", "square", "triangle")
        for contrast in (1.0, -1.0)
    ),
}
_AT_ONCE = 8


class Clips(NamedTuple):
    """Frames ``[T, B, 2, H, W]`` uint8 and, for the frame after each, the centre in [-1, 1] and the size of the box in
    px, ``[T, B, 2]``; speed and size class ``[B]``; sides of the image ``[2]``."""

    frames: Tensor
    centre: Tensor
    size: Tensor
    speed_class: Tensor
    size_class: Tensor
    image: Tensor

    def take(self, part: slice) -> Clips:
        """Some of the clips."""
        frames, centre, size = (column[:, part] for column in self[:3])
        return Clips(frames, centre, size, self.speed_class[part], self.size_class[part], self.image)


def clips(scenes: ShapesConfig, n: int, seed: int, first: int, device: torch.device | str) -> Clips:
    """Clips of one object, with targets one frame later."""
    made = generate(scenes, n, seed, first, device, events=False)
    labels, image = made.labels, torch.tensor([float(scenes.width), float(scenes.height)], device=device)
    box = labels.box[1:, :, 0].float()
    centre = 2 * labels.centre[1:, :, 0].float() / image - 1
    frames: Any = made.frames
    classes = labels.speed_class[:, 0], labels.size_class[:, 0]
    return Clips(frames[:-1].to(torch.uint8), centre, box[..., 2:] - box[..., :2], *classes, image)


def batches(
    scenes: Sequence[ShapesConfig], iterations: int, size: int, seed: int, device: torch.device | str, start: int = 0
) -> Iterator[Clips]:
    """``size`` clips for each of the iterations from ``start`` on: the scenes in turn, the same wherever it starts.

    On a GPU the clips of many iterations are made at once.

    >>> given = list(batches(SCENES["speeds-and-sizes-32"], iterations=3, size=2, seed=0, device="cpu", start=2))
    >>> [one.frames.shape for one in given]
    [torch.Size([32, 2, 2, 32, 32])]
    """
    rounds = _AT_ONCE if torch.device(device).type == "cuda" else 1
    every = rounds * len(scenes)
    for block in range(start // every, -(-iterations // every)):
        made = [clips(scene, rounds * size, seed, block * rounds * size, device) for scene in scenes]
        for step in range(max(0, start - block * every), min(every, iterations - block * every)):
            part = slice(step // len(scenes) * size, (step // len(scenes) + 1) * size)
            yield made[step % len(scenes)].take(part)
