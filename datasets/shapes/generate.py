"""Clips of moving shapes: events, frames and labels, in chunks of clips."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from eventsnn.camera.chance import THINNING, uniform
from eventsnn.camera.sift import ranks, rested
from eventsnn.events import Events

from .config import ShapesConfig
from .geometry import POLYGON
from .job import Job, job
from .labels import Labels, labels
from .motion import Scene, scene


@dataclass(frozen=True, eq=False)
class ShapesBatch:
    """``events``: one ``Events`` a clip (or None); ``frames`` [T, n, 2, H, W] float32, channel = p (or None)."""

    events: list[Events] | None
    frames: Tensor | None
    labels: Labels
    config: ShapesConfig
    seed: int


def generate(
    config: ShapesConfig | None = None,
    n: int = 1,
    seed: int = 0,
    first: int = 0,
    device: torch.device | str = "cpu",
    *,
    events: bool = True,
    frames: bool = True,
    chunk: int = 64,
) -> ShapesBatch:
    """Clips ``first`` to ``first + n - 1`` of a seed, on a device; ``chunk`` clips are rendered at once.

    A clip is the same whatever the batch, the chunk or the device (but for rounding on a GPU). Raises ValueError for a
    number of clips that is not positive.

    >>> batch = generate(ShapesConfig(width=32, height=24, frames=10, size=8.0, margin=1), n=2, seed=3)
    >>> batch.frames.shape, batch.labels.centre.shape
    (torch.Size([10, 2, 2, 24, 32]), torch.Size([10, 2, 3, 2]))
    >>> batch.events[0] == generate(batch.config, seed=3, frames=False).events[0]
    True
    """
    config = config or ShapesConfig()
    if n < 1 or chunk < 1 or first < 0:
        raise ValueError(f"n and chunk must be at least 1 and first not negative, got n={n}, chunk={chunk}, {first=}")
    parts = []
    for start in range(first, first + n, chunk):
        clips = torch.arange(start, min(start + chunk, first + n), device=device)
        drawn = scene(config, clips, seed)
        parts.append((drawn, *render(job(config, drawn, clips, seed), events=events, frames=frames)))
    scenes, found, pictures = zip(*parts, strict=True)
    return ShapesBatch(
        [one for part in found for one in part] if events else None,
        (torch.cat(pictures, 1) if len(pictures) > 1 else pictures[0]) if frames else None,
        labels(config, _joined(scenes)),
        config,
        seed,
    )


def render(task: Job, *, events: bool, frames: bool) -> tuple[list[Events] | None, Tensor | None]:
    """The events of each clip and their frames."""
    config, clips = task.config, task.clips
    sifted = config.event_density < 1 or config.refractory_us > 0
    shape = (config.frames, len(clips), 2, config.height, config.width)
    pictures = torch.zeros(shape, device=clips.device) if frames else None
    direct = pictures if not sifted else None
    wanted = events or (sifted and frames)
    keys = _renderer(task)(task, direct, wanted)
    if not wanted or keys is None:
        return None, pictures
    keys = _sift(task, keys.sort().values)
    if sifted and pictures is not None:
        clip, t, pixel, p = _columns(task, keys)
        place = (((t // config.dt_us) * len(clips) + clip) * 2 + p) * config.height * config.width + pixel
        pictures.view(-1).scatter_add_(0, place, torch.ones_like(place, dtype=pictures.dtype))
        pictures.clamp_(max=task.cap)
    return (_events(task, keys) if events else None), pictures


def _renderer(task: Job) -> Any:
    if any(unit.kind > POLYGON for unit in task.scene.forms):
        from .loop import render
    elif task.clips.device.type == "cuda":
        from .gpu import render
    else:
        from .cpu import render
    return render


def _columns(task: Job, keys: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    pixels, span = task.config.height * task.config.width, task.config.frames * task.config.dt_us
    when = keys // (2 * pixels)
    return when // span, when % span, keys // 2 % pixels, keys % 2


def _sift(task: Job, keys: Tensor) -> Tensor:
    """The sorted keys that are left after thinning, rest and cap, in this order."""
    config, pixels = task.config, task.config.height * task.config.width
    if config.event_density < 1:
        clip, t, pixel, p = _columns(task, keys)
        frame = t // config.dt_us
        number = ranks(((clip * config.frames + frame) * pixels + pixel) * 2 + p)
        chance = uniform(task.seed, THINNING, task.clips[clip], frame, pixel + (2 * number + p) * pixels)
        keys = keys[chance < config.event_density]
    if config.refractory_us:
        clip, t, pixel, _ = _columns(task, keys)
        keys = keys[rested(clip * pixels + pixel, t, config.refractory_us)]
    if config.max_per_frame:
        clip, t, pixel, p = _columns(task, keys)
        number = ranks(((clip * config.frames + t // config.dt_us) * pixels + pixel) * 2 + p)
        keys = keys[number < config.max_per_frame]
    return keys


def _events(task: Job, keys: Tensor) -> list[Events]:
    config = task.config
    sensor = config.width, config.height
    clip, t, pixel, p = _columns(task, keys)
    ends = torch.searchsorted(clip, torch.arange(1, len(task.clips), device=clip.device))
    columns = (t, (pixel % config.width).short(), (pixel // config.width).short(), p.bool())
    parts = zip(*(column.tensor_split(ends.cpu()) for column in columns), strict=True)
    return [_owned(Events(*part, sensor=sensor)) for part in parts]


def _owned(events: Events) -> Events:
    """Events on the CPU have NumPy columns, as those of files do."""
    return events.numpy() if events.t.device.type == "cpu" else events


def _joined(scenes: tuple[Scene, ...]) -> Scene:
    if len(scenes) == 1:
        return scenes[0]
    tensors = [field.name for field in fields(Scene) if isinstance(getattr(scenes[0], field.name), Tensor)]
    joined: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in scenes]) for name in tensors}
    picks = {name: torch.cat([part.picks[name] for part in scenes]) for name in scenes[0].picks}
    return replace(scenes[0], **joined, picks=picks)
