"""Clips on CPU threads: each thread renders some of them, without the interpreter's lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from eventsnn.camera import chance
from eventsnn.camera.compose import compose

from .job import Job
from .motion import pace

EQUATIONS = ("eventsnn.camera.equations", "eventsnn.datasets.shapes.edges", "eventsnn.datasets.shapes.light")


def render(job: Job, frames: Tensor | None, wanted: bool) -> Tensor | None:
    """Fills frames ``[T, n, 2, H, W]`` float32, which are zero; returns the keys of the events, if these are wanted."""
    kernel = compose("numbers", *EQUATIONS, "eventsnn.datasets.shapes.cpu_kernel")
    config, scene = job.config, job.scene
    poses, value = scene.poses(), scene.value.numpy()
    change, skin = (v.numpy() for v in pace(poses))
    change = np.maximum(change, 1e-9)
    edges = [form.edges for form in scene.forms]
    corners = np.array([len(edge) for edge in edges], np.int64)
    shape = (np.array([form.kind for form in scene.forms], np.int64), np.cumsum(corners) - corners, corners)
    table = torch.cat([*edges, torch.zeros(1, 5)]).double().flatten().numpy()
    layers = [np.array(layer) for layer in scene.layers]
    pixels, pre, substeps = config.height * config.width, config.pre_roll, config.substeps
    background, sign, logarithm = job.light
    hashes = [job.hashes(s) for s in (chance.NOISE_ON, chance.NOISE_OFF, chance.TIMES, chance.HOT_EVENTS)]
    limits = np.array(job.limits)
    nothing = np.zeros((0, 2, 0), np.float32)
    views = None if frames is None else frames.view(config.frames, -1, 2, pixels).numpy()

    def clip(k: int, room: int) -> np.ndarray:
        keys = np.empty(room if wanted else 0, np.int64)
        view = nothing if views is None else views[:, k]
        base = k * config.frames * config.dt_us * pixels * 2
        span = substeps, pre, pre + config.frames, config.dt_us / substeps, config.dt_us, base
        size, out = (config.height, config.width), (np.float32(job.cap), view, keys)
        light = background, sign, logarithm, job.exact
        n = 0
        on, off = job.on[k].numpy(), job.off[k].numpy()
        asleep = np.zeros((len(corners), pixels), np.int32)
        for number, members in enumerate(layers):
            state = job.state[k, number].numpy().copy()
            maps = state, asleep, np.full(pixels, background)
            if len(members):
                n = kernel.layer(
                    poses[k].numpy(),
                    *shape,
                    table,
                    value[k],
                    members,
                    change[k],
                    skin[k],
                    light,
                    *maps,
                    on,
                    off,
                    span,
                    size,
                    *out,
                    n,
                )
        if any(job.limits):
            hot = np.flatnonzero(job.hot[k].numpy())
            n = kernel.noise(*(h[k] for h in hashes), limits, hot, config.frames, pixels, config.dt_us, base, *out, n)
        if wanted and n > room:
            if views is not None:
                view[:] = 0
            return clip(k, n)
        return keys[:n]

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        found = list(pool.map(lambda k: clip(k, job.room), range(len(job.clips))))
    return torch.from_numpy(np.concatenate(found)) if wanted else None
