"""A video of a recording: events by polarity, as grey, as a time surface or fading away, with a time stamp."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from tqdm import tqdm

from eventsnn.draw import caption, zoom_for
from eventsnn.events import microseconds, show_duration
from eventsnn.frames import windows
from eventsnn.io.atomic import whole
from eventsnn.styles import Painter
from eventsnn.video import Video

from .denoise import Cleaner, Cleaning
from .info import survey
from .reading import Reading

_GAP = 4


@dataclass(frozen=True)
class Config(Cleaning, Reading):
    """Render a recording as an MP4 that browsers play, or as a GIF."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Video file to write: .gif or .mp4; an MP4 without an ending."""
    style: Literal["polarity", "grey", "surface", "decay"] = "polarity"
    """ON blue and OFF red; counts as grey; how long ago a pixel fired; a fading sum in blue and red."""
    fps: float = 30.0
    """Pictures per second of video."""
    slowdown: float | None = None
    """Seconds of video per second of recording. Default: 1, or as many as make a short recording last 5 s."""
    fade: str | None = None
    """surface, decay: time in which an event fades to 37 %, such as 20ms. Default: three pictures."""
    contrast: float | None = None
    """grey, decay: events that give a pixel the full colour. Default: adapts to the recording."""
    time_stamp: bool = True
    """Write the time since the first event into the pictures."""
    denoise: Literal["no", "yes", "both"] = "no"
    """Show the recording after the filters, or before and after them side by side."""


def run(config: Config) -> Path:
    """Write the video; each picture shows the events since the one before."""
    if config.out.suffix.lower() not in ("", ".mp4", ".m4v", ".gif"):
        raise ValueError(f"{config.out}: videos are written to files that end in .mp4 or .gif")
    for name, value in (("fps", config.fps), ("slowdown", config.slowdown)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    with config.opened(config.recording) as recording, whole(config.out) as path:
        facts = survey(config.part(recording), recording.sensor)
        slowdown = config.slowdown or max(1.0, 5e6 / max(facts.duration, 1))
        interval = max(1, round(1e6 / config.fps / slowdown))
        fade = 3 * interval if config.fade is None else microseconds(config.fade)
        zoom = zoom_for(facts.sensor)
        views = {"no": (False,), "yes": (True,), "both": (False, True)}[config.denoise]
        painters = [Painter(facts.sensor, config.style, fade=fade, contrast=config.contrast) for _ in views]
        clean = Cleaner(facts, config)
        with (
            Video(path, config.fps) as video,
            tqdm(total=facts.events, unit=" events", unit_scale=True, disable=None) as progress,
        ):
            for begin, events in windows(config.part(recording), interval, start=facts.first):
                shown = [clean(events) if cleaned else events for cleaned in views]
                images = [paint.paint(each, begin + interval) for paint, each in zip(painters, shown, strict=True)]
                image = _beside(images, zoom)
                stamp = f"{(begin - facts.first) / 1e3:.1f} ms"
                video.add(caption(image, stamp) if config.time_stamp else image)
                progress.update(len(events))
    speed = "" if slowdown == 1 else f", slowed down {slowdown:.3g} times"
    print(f"{facts.events:,} events, {show_duration(facts.duration)}{speed}: {config.out}")
    for line in clean.report() if any(views) else ():
        print(line)
    return config.out


def _beside(images: list[np.ndarray], zoom: int) -> np.ndarray:
    """Pictures of one size side by side, enlarged, with a grey line between them."""
    large = [image.repeat(zoom, 0).repeat(zoom, 1) for image in images]
    line = np.full((len(large[0]), _GAP, 3), 128, np.uint8)
    return np.concatenate([part for image in large for part in (line, image)][1:], 1)
