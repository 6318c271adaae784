"""Events that an event camera would have recorded of a video; image by image, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro
from tqdm import tqdm

import eventsnn.io
from eventsnn.camera import PixelConfig, Pixels
from eventsnn.devices import device_named
from eventsnn.events import Events


@dataclass(frozen=True)
class Config:
    """Simulate an event camera that sees a video: any file that OpenCV can read."""

    video: Annotated[Path, tyro.conf.Positional]
    """Video file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Recording to write, such as rec.h5 or rec.raw."""
    fps: float | None = None
    """Images per second of the scene; slow motion has more than the file says. Default: what the file says."""
    pixels: Annotated[PixelConfig, tyro.conf.arg(name="")] = field(default_factory=PixelConfig)
    device: str = "cpu"
    """Where the pixels are computed: cpu, cuda, ..."""


def images(path: Path) -> Iterator[tuple[float, torch.Tensor]]:
    """The images of a video, each with the video's images per second: intensities [H, W] in 0..1.

    Raises FileNotFoundError where there is no file, ValueError where it is no video.
    """
    import cv2

    if not path.is_file():
        raise FileNotFoundError(2, "there is no such file", str(path))
    video = cv2.VideoCapture(str(path))
    try:
        rate, count = video.get(cv2.CAP_PROP_FPS), 0
        while True:
            there, image = video.read()
            if not there:
                break
            count += 1
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
            yield rate, torch.from_numpy(grey).double() / 255
        if count < 2:
            raise ValueError(f"{path}: {count} image(s) could be read; a video with at least two is needed")
    finally:
        video.release()


def simulate(config: Config) -> Iterator[Events]:
    """The events between each image and the next. Raises ValueError for a rate that is not positive, and no device."""
    if config.fps is not None and not (config.fps > 0 and math.isfinite(config.fps)):
        raise ValueError(f"fps must be positive, got {config.fps}")
    device_named(config.device)
    pixels: Pixels | None = None
    for number, (rate, image) in enumerate(images(config.video)):
        rate = config.fps or rate
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"{config.video} does not say its images per second; give --fps")
        pixels = pixels or Pixels((image.shape[1], image.shape[0]), config.pixels, config.device)
        yield pixels(image, round(number * 1e6 / rate))


def run(config: Config) -> Path:
    """Write the recording, whole or not at all."""
    if config.out.resolve() == config.video.resolve():
        raise ValueError(f"{config.out} would be written over; give another name")
    total = span = 0

    def counted() -> Iterator[Events]:
        nonlocal total, span
        with tqdm(unit=" images", disable=None) as progress:
            for events in simulate(config):
                total += len(events)
                span = int(events.t[-1]) if len(events) else span
                progress.update()
                yield events

    eventsnn.io.write(config.out, counted())
    print(f"{total:,} events in {span / 1e6:.3g} s: {config.out}")
    return config.out
