"""Clips of one moving object, without end: what a network that follows it learns from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from eventsnn.datasets.shapes import PRESETS, ShapesConfig, generate

_SMALL = PRESETS["covariant2025-temporal-small"]
_SIZES = [10.0, 14.0, 18.0, 24.0]
SCENES: dict[str, tuple[ShapesConfig, ...]] = {
    "speeds-and-sizes": (replace(_SMALL, size=_SIZES),),
    "speeds-and-sizes-32": (replace(PRESETS["ci-32"], size=[7.0, 9.0, 11.0, 13.0]),),
    "varied": tuple(
        replace(
            _SMALL,
            width=64 * detail,
            height=64 * detail,
            shapes=(shape,),
            size=[(low * detail, high * detail) for low, high in ((5.0, 10.0), (10.0, 20.0), (20.0, 40.0))],
            aspect=(0.6, 1.6),
            angle=(0.0, 2 * math.pi),
            spin=(-0.03, 0.03),
            speed=[(low * detail, high * detail) for low, high in ((0.02, 0.1), (0.1, 0.4), (0.4, 1.0))],
            direction=(0.0, 2 * math.pi),
            threshold=threshold,
            noise_rate=noise,
            contrast=[1.0, -1.0],
            hot_pixels=2e-4,
            texture=texture,
            margin=0.0,
        )
        for threshold, noise, texture, detail in (
            (0.5, 1.0, 0, 1),
            (0.25, 0.2, 0, 2),
            (0.2, 5.0, 0, 1),
            (0.3, 1.0, 4, 1),
        )
        for shape in ("circle", "square", "triangle", "hexagon", "ring", "cross")
    ),
}
_SIDE = 64
_AT_ONCE, _ROUNDS = 48, 8  # batches that are made at once on a GPU, and of each scene at least


class Clips(NamedTuple):
    """Frames ``[T, B, 2, H, W]`` uint8, or float16 where cells of several pixels are averaged, and, for the frame after
    each, the centre in [-1, 1] and the size of the box in px, ``[T, B, 2]``; speed and size class ``[B]``; sides of the
    image ``[2]``."""

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
    """Clips of one object, with targets one frame later; larger images are shrunk to 64 x 64 cells, their unit."""
    chunk = n if torch.device(device).type == "cuda" else 64
    made = generate(scenes, n, seed, first, device, events=False, chunk=chunk)
    cell = max(1, scenes.width // _SIDE)
    labels, image = made.labels, torch.tensor([float(scenes.width), float(scenes.height)], device=device)
    box = labels.box[1:, :, 0].float() / cell
    centre = 2 * labels.centre[1:, :, 0].float() / image - 1
    frames: Any = made.frames
    frames = (
        avg_pool2d(frames[:-1].flatten(0, 1), cell).unflatten(0, (-1, n)).half() if cell > 1 else frames[:-1].byte()
    )
    classes = labels.speed_class[:, 0], labels.size_class[:, 0]
    return Clips(frames, centre, box[..., 2:] - box[..., :2], *classes, image / cell)


def batches(
    scenes: Sequence[ShapesConfig], iterations: int, size: int, seed: int, device: torch.device | str, start: int = 0
) -> Iterator[Clips]:
    """``size`` clips for each of the iterations from ``start`` on, of as many scenes as can be: the same wherever it
    starts. The clips of many iterations are made at once.

    >>> given = list(batches(SCENES["speeds-and-sizes-32"], iterations=3, size=2, seed=0, device="cpu", start=2))
    >>> [one.frames.shape for one in given]
    [torch.Size([32, 2, 2, 32, 32])]
    """
    rounds = max(_ROUNDS, _AT_ONCE // len(scenes)) if torch.device(device).type == "cuda" else 1
    every, each = rounds * len(scenes), rounds * size
    for block in range(start // every, -(-iterations // every)):
        numbered = enumerate(scenes, block * len(scenes))
        made = [clips(scene, each, seed, k * each, device) for k, scene in numbered]
        for step in range(max(0, start - block * every), min(every, iterations - block * every)):
            # every so many-th clip, counted through all the scenes
            yield _joined([part.take(slice((step - k * each) % every, None, every)) for k, part in enumerate(made)])


def _joined(parts: list[Clips]) -> Clips:
    kind = max((part.frames.dtype for part in parts), key=lambda dtype: dtype.itemsize)
    return Clips(
        torch.cat([part.frames.to(kind) for part in parts], 1),
        torch.cat([part.centre for part in parts], 1),
        torch.cat([part.size for part in parts], 1),
        torch.cat([part.speed_class for part in parts]),
        torch.cat([part.size_class for part in parts]),
        parts[0].image,
    )
