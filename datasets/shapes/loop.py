"""Clips rendered plainly: whole images, step by step, one clip after the other. The truth for the kernels.

It is also what draws shapes that are a user's own function.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from eventsnn.camera import chance
from eventsnn.camera.equations import crossings, moment

from .geometry import coverage
from .job import Job
from .light import gain, stamp


def render(job: Job, frames: Tensor | None, wanted: bool) -> Tensor | None:
    """Fills frames ``[T, n, 2, H, W]``, which are zero; returns the keys of the events, if these are wanted."""
    config, scene = job.config, job.scene
    height, width, substeps, pre = config.height, config.width, config.substeps, config.pre_roll
    background, sign, logarithm = job.light
    found = []

    def note(some: Tensor, t: Tensor, clip: int, frame: int, p: int) -> None:
        """Events at the pixels [H, W] of a mask, at times [H, W] us."""
        if frames is not None:
            frames[frame, clip, p] = (frames[frame, clip, p] + some).clamp(max=job.cap)
        when = clip * config.frames * config.dt_us + t[some].long()
        found.append((when * height * width + some.flatten().nonzero()[:, 0]) * 2 + p)

    for clip in range(len(job.clips)):
        on, off = (v[clip].view(height, width) for v in (job.on, job.off))
        for number, members in enumerate(scene.layers):
            v = job.state[clip, number].view(height, width)
            was = v
            for step in range((pre + config.frames) * substeps + 1):
                now = torch.full_like(v, background)
                for k in members:
                    if scene.present[clip, k]:
                        a = scene.matrix[clip, min(step, scene.matrix.shape[1] - 1), k]
                        x, y = scene.centre[clip, step, k].tolist()
                        share = coverage(scene.forms[k], a, (x, y), width, height, exact=job.exact)
                        now = now * (1 - share) + scene.value[clip, k] * share
                if step:
                    frame = (step - 1) // substeps - pre
                    rise = gain(was, now, sign, logarithm)
                    count, left = crossings(v, rise, on, off)
                    for j in range(1, int(count.abs().max()) + 1 if frame >= 0 else 0):
                        start, end = float(pre * config.dt_us), float((frame + 1) * config.dt_us)
                        t = stamp(step - 1, moment(v, rise, j, on, off), config.dt_us / substeps, start, end)
                        for p in (0, 1):
                            note((count * (2 * p - 1)) >= j, t, clip, frame, p)
                    v = left
                was = now
        _noise(job, clip, note)
    return torch.cat([*found, torch.zeros(0, dtype=torch.int64)]) if wanted else None


def _noise(job: Job, clip: int, note: Callable[[Tensor, Tensor, int, int, int], None]) -> None:
    config = job.config
    shape, pixels = (config.height, config.width), config.height * config.width
    pixel = torch.arange(pixels, device=job.clips.device).view(shape)
    number, hot = int(job.clips[clip]), job.hot[clip].view(shape)
    for frame in range(config.frames):
        for p, stream in enumerate((chance.NOISE_OFF, chance.NOISE_ON)):
            for where, source, skip, limit, late in (
                (torch.ones_like(hot), stream, 0, job.limits[p], p),
                (hot, chance.HOT_EVENTS, p * pixels, job.limits[2], 2 + p),
            ):
                some = where & (chance.hashed(job.seed, source, number, frame, pixel + skip) >> 8 < limit)
                u = chance.hashed(job.seed, chance.TIMES, number, frame, pixel + late * pixels) >> 8
                note(some, frame * config.dt_us + (u * config.dt_us >> 24), clip, frame, p)
