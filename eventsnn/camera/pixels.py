"""The pixels of an event camera before a moving picture: light in, Events out, image by image.

A pixel follows the logarithm of the intensity as a straight line from image to image and fires where it has changed by
a threshold (Rebecq, Gehrig, Scaramuzza 2018, ESIM). Thresholds differ from pixel to pixel, pixels rest after an event,
leak upwards and fire at random, the more the darker it is (Hu, Liu, Delbruck 2021, v2e, arXiv 2006.07722).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from eventsnn.events import Events

from . import chance
from .equations import crossings, moment
from .sift import rested

_LINEAR_BELOW = 20 / 255  # where 8-bit video is too coarse for a logarithm
_SHADE = 0.75  # how much less often the brightest pixel fires at random than a black one


@dataclass(frozen=True)
class PixelConfig:
    """Thresholds in units of the natural logarithm of the intensity, rates in Hz, times in us."""

    threshold_on: float = 0.2
    threshold_off: float = 0.2
    mismatch: float = 0.03
    """Relative standard deviation of the thresholds from pixel to pixel."""
    refractory_us: int = 0
    leak_rate: float = 0.1
    """ON events of a pixel at which nothing changes [Hz]."""
    noise_rate: float = 1.0
    """Random events of a black pixel [Hz], half ON, half OFF; a quarter of them of a white one."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.threshold_on <= 0 or self.threshold_off <= 0:
            raise ValueError(f"thresholds must be positive, got {self.threshold_on} and {self.threshold_off}")
        for name in ("mismatch", "refractory_us", "leak_rate", "noise_rate"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


def log_intensity(image: Tensor) -> Tensor:
    """Natural logarithm of an intensity in 0..1; linear below 20/255, and there without a jump.

    >>> [round(v, 4) for v in log_intensity(torch.tensor([0.0, 20 / 255, 1.0])).exp().tolist()]
    [1.0, 20.0, 255.0]
    """
    shade = image.double() * 255
    edge = _LINEAR_BELOW * 255
    return torch.where(shade < edge, shade * (math.log(edge) / edge), shade.clamp(min=edge).log())


class Pixels:
    """``pixels(image, t)`` gives the events since the last image: those of an array of pixels that keep their state.

    Images [H, W] with intensities in 0..1 come in order of time [us]; the first gives no events. Raises ValueError for
    an image of another size, or one that is not later than the last.

    >>> pixels = Pixels((2, 1), PixelConfig(mismatch=0, leak_rate=0, noise_rate=0))
    >>> _ = pixels(torch.tensor([[0.2, 0.5]]), 0)
    >>> pixels(torch.tensor([[0.4, 0.5]]), 1000)  # ln 2 is 3.5 thresholds, less the phase
    Events(2 events, 289 us, 6.92 k events/s, 2x1)
    """

    def __init__(self, sensor: tuple[int, int], config: PixelConfig | None = None, device: str = "cpu") -> None:
        self.sensor, self.config = sensor, config or PixelConfig()
        self._pixel = torch.arange(sensor[0] * sensor[1], device=device)
        self._on, self._off = (
            self._threshold(stream, theta)
            for stream, theta in (
                (chance.JITTER_ON, self.config.threshold_on),
                (chance.JITTER_OFF, self.config.threshold_off),
            )
        )
        u = chance.uniform(self.config.seed, chance.PHASES, 0, 0, self._pixel).double()
        self._v = torch.where(u < 0.5, (2 * u - 1) * self._off, (2 * u - 1) * self._on) * 0.9
        self._seen: Tensor | None = None
        self._t = self._images = 0
        self._last = torch.full_like(self._pixel, -(2**62))

    def __call__(self, image: Tensor, t: int) -> Events:
        if tuple(image.shape) != (self.sensor[1], self.sensor[0]):
            raise ValueError(f"an image must be [{self.sensor[1]}, {self.sensor[0]}] px, got {list(image.shape)}")
        flat = image.flatten().to(self._v.device)
        seen, before, start = log_intensity(flat), self._seen, self._t
        if before is not None and t <= start:
            raise ValueError(f"images must come in order of time: one at {t} us after one at {start} us")
        self._seen, self._t = seen, t
        if before is None:
            return Events.empty(self.sensor)
        parts = [*self._fire(seen - before, start, t - start), *self._noise(flat, start, t - start)]
        self._images += 1
        when, pixel, p = (torch.cat(column) for column in zip(*parts, strict=True))
        order = ((when - start) * 2 * len(self._pixel) + 2 * pixel + p).argsort()
        return self._rest(when[order], pixel[order], p[order])

    def _threshold(self, stream: int, theta: float) -> Tensor:
        spread = chance.gaussian(self.config.seed, stream, torch.zeros_like(self._pixel), 0, self._pixel)
        return (theta * (1 + self.config.mismatch * spread.clamp(-2.5, 2.5))).clamp(min=0.01 * theta)

    def _fire(self, change: Tensor, start: int, span: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        change = change + self.config.leak_rate * self._on * (span / 1e6)
        count, left = crossings(self._v, change, self._on, self._off)
        pixel = count.nonzero()[:, 0]
        times = count[pixel].abs().long()
        which = pixel.repeat_interleave(times)
        number = torch.arange(len(which), device=which.device) - (times.cumsum(0) - times).repeat_interleave(times) + 1
        share = moment(self._v[which], change[which], number, self._on[which], self._off[which])
        when = start + (share * span).floor().long().clamp(max=span - 1)
        self._v = left
        return [(when, which, (count[which] > 0).long())]

    def _noise(self, image: Tensor, start: int, span: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        parts = []
        limit = (self.config.noise_rate / 2 * span / 1e6 * (1 - _SHADE * image.double()) * 2**24).ceil().long()
        for p, stream in enumerate((chance.NOISE_OFF, chance.NOISE_ON) if self.config.noise_rate else ()):
            hashes = chance.hashed(self.config.seed, stream, 0, self._images, self._pixel) >> 8
            which = (hashes < limit).nonzero()[:, 0]
            u = chance.hashed(self.config.seed, chance.TIMES, 0, self._images, which + p * len(self._pixel)) >> 8
            parts.append((start + (u * span >> 24), which, torch.full_like(which, p)))
        return parts

    def _rest(self, when: Tensor, pixel: Tensor, p: Tensor) -> Events:
        if self.config.refractory_us:
            awake = when >= self._last[pixel] + self.config.refractory_us
            when, pixel, p = when[awake], pixel[awake], p[awake]
            kept = rested(pixel, when, self.config.refractory_us)
            when, pixel, p = when[kept], pixel[kept], p[kept]
            self._last.scatter_reduce_(0, pixel, when, "amax")
        x, y = (pixel % self.sensor[0]).short(), (pixel // self.sensor[0]).short()
        events = Events(when, x, y, p.bool(), sensor=self.sensor)
        return events.numpy() if when.device.type == "cpu" else events
