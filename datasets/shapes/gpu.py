"""Clips on a GPU: one launch for all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from eventsnn.camera import chance
from eventsnn.camera.compose import compose

from .cpu import EQUATIONS
from .job import Job

BLOCK, WARPS = 64, 2  # the best of the tiles timed on an H100


def render(job: Job, frames: Tensor | None, wanted: bool, block: int = BLOCK, warps: int = WARPS) -> Tensor | None:
    """Fills frames ``[T, n, 2, H, W]`` float32, which are zero; returns the keys of the events, if these are wanted."""
    kernel = compose("blocks", *EQUATIONS, "eventsnn.datasets.shapes.gpu_kernel").clip_kernel
    config, scene, device = job.config, job.scene, job.clips.device
    pixels = config.height * config.width
    tables = [unit.edges for unit in scene.forms]
    firsts = [sum(map(len, tables[:k])) for k in range(len(tables))]
    rows = [(unit.kind, start, len(table)) for unit, start, table in zip(scene.forms, firsts, tables, strict=True)]
    ends = [sum(map(len, scene.layers[:k])) for k in range(len(scene.layers) + 1)]
    shape = torch.tensor([*rows, (0, 0, 0)], dtype=torch.int32, device=device)
    edges = torch.cat([*tables, torch.zeros(1, 5)]).double().to(device)
    members, bounds = (
        torch.tensor(v, dtype=torch.int32, device=device) for v in ([k for layer in scene.layers for k in layer], ends)
    )
    streams = (chance.NOISE_ON, chance.NOISE_OFF, chance.TIMES, chance.HOT_EVENTS)
    hashes = torch.stack([chance.hashed(job.seed, stream, job.clips) for stream in streams])
    background, sign, logarithm = job.light
    fractions = (background, sign, config.dt_us / config.substeps, job.cap)
    light = torch.tensor(fractions, dtype=torch.float64, device=device)
    counts: tuple[int, ...] = (
        len(job.clips),
        len(rows),
        len(scene.layers),
        config.frames,
        config.pre_roll,
        config.substeps,
    )
    counts += (config.dt_us, config.height, config.width, *job.limits)
    sizes = torch.tensor(counts, dtype=torch.int32, device=device)  # as a tensor: no number compiles anew
    tensors: tuple[Tensor, ...] = (sizes, light, scene.poses(), shape, edges, scene.value.contiguous(), members, bounds)
    tensors += (job.state, job.on, job.off, job.hot.to(torch.int8), hashes)
    grid = -(-pixels // block), len(job.clips)

    def launch(keys: Tensor | None) -> int:
        total = torch.tensor([0, 0 if keys is None else len(keys)], device=device)
        options = {"LOGARITHM": logarithm, "EXACT": job.exact, "HOT": bool(config.hot_pixels), "BLOCK": block}
        kernel[grid](*tensors, frames, keys, total, **options, num_warps=warps, enable_fp_fusion=False)
        return 0 if keys is None else int(total[0])

    if not wanted:
        launch(None)
        return None
    keys = torch.empty(job.room * len(job.clips), dtype=torch.int64, device=device)
    found = launch(keys)
    if found > len(keys):
        keys = torch.empty(found, dtype=torch.int64, device=device)
        if frames is not None:
            frames.zero_()
        launch(keys)
    return keys[:found]
