"""What every renderer is given: the scene, the pixels' states and thresholds, the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from eventsnn.camera import chance

from .config import ShapesConfig, ends
from .motion import Scene


@dataclass(frozen=True)
class Job:
    """Clips to render. ``state`` [n, L, HW] starts at random phases; ``on``, ``off`` [n, HW] are the thresholds,
    ``hot`` [n, HW] the hot pixels; ``limits`` those of ``hash >> 8`` below which a noise event happens: OFF, ON, hot.

    An event's key is ``((clip span_us + t) H W + pixel) 2 + p``: the order of keys is that of clip, t, y, x, p.
    """

    config: ShapesConfig
    scene: Scene
    clips: Tensor
    seed: int
    state: Tensor
    on: Tensor
    off: Tensor
    hot: Tensor
    limits: tuple[int, int, int]

    @property
    def light(self) -> tuple[float, float, bool]:
        """Background, sign of the signal, whether it is a logarithm."""
        if self.config.signal == "coverage":
            return 0.0, 1.0, False
        return self.config.background, math.copysign(1.0, ends(self.config.contrast)[0]), True

    @property
    def exact(self) -> bool:
        """Whether the share that an edge leaves of a pixel is exact."""
        return self.config.coverage == "exact"

    @property
    def cap(self) -> float:
        """The most a frame counts."""
        config = self.config
        return 1.0 if config.binary else float(config.max_per_frame or 2**24)

    @property
    def room(self) -> int:
        """Events that a clip is likely to have at most; where it has more, it is rendered again."""
        noise = sum(self.limits[:2]) / 2**24 * self.config.height * self.config.width
        return round((1.2 * noise + 64 * max(1, self.config.most)) * self.config.frames)

    def hashes(self, stream: int) -> list[int]:
        """The hash of seed, stream and clip, for each clip."""
        return [int(h) for h in chance.hashed(self.seed, stream, self.clips)]


def job(config: ShapesConfig, scene: Scene, clips: Tensor, seed: int) -> Job:
    """The pixels of clips, drawn."""
    pixels = torch.arange(config.height * config.width, device=clips.device)
    layers = torch.arange(len(scene.layers), device=clips.device)[:, None] * len(pixels)
    start = chance.uniform(seed, chance.PHASES, clips[:, None, None], 0, layers + pixels).double()
    on, off = (_threshold(config, seed, stream, clips, pixels) for stream in (chance.JITTER_ON, chance.JITTER_OFF))
    state = (2 * start - 1) * config.phase * config.theta
    if config.threshold_jitter:
        state = torch.minimum(torch.maximum(state, -0.999 * off[:, None]), 0.999 * on[:, None])
    hot = chance.hashed(seed, chance.HOT, clips[:, None], 0, pixels) >> 8 < chance.below(config.hot_pixels)
    frame_s = config.dt_us / 1e6
    rates = config.noise_rate / 2, config.noise_rate / 2 + config.leak_rate, config.hot_rate / 2
    off_limit, on_limit, hot_limit = (chance.below(rate * frame_s) for rate in rates)
    return Job(config, scene, clips, seed, state, on, off, hot, (off_limit, on_limit, hot_limit))


def _threshold(config: ShapesConfig, seed: int, stream: int, clips: Tensor, pixels: Tensor) -> Tensor:
    if not config.threshold_jitter:
        return torch.full((len(clips), len(pixels)), config.theta, dtype=torch.float64, device=clips.device)
    spread = chance.gaussian(seed, stream, clips[:, None], 0, pixels).clamp(-2.5, 2.5)
    return (config.theta * (1 + config.threshold_jitter * spread)).clamp(min=0.01 * config.theta)
