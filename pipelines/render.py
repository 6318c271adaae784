"""A video of a recording: ON blue, OFF red, a time stamp."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

import eventsnn.io
from eventsnn.draw import Video, caption, picture, zoom_for
from eventsnn.events import Events, show_duration
from eventsnn.frames import windows
from eventsnn.io.atomic import whole

from .info import survey


@dataclass(frozen=True)
class Config:
    """Render a recording as an MP4 that browsers play."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Video file to write."""
    fps: float = 30.0
    """Pictures per second of video."""
    slowdown: float | None = None
    """Seconds of video per second of recording. Default: 1, or as many as make a short recording last 5 s."""


def run(config: Config) -> Path:
    """Write the video; each picture shows the events since the one before."""
    if config.fps <= 0:
        raise ValueError(f"fps must be positive, got {config.fps}")
    if config.slowdown is not None and config.slowdown <= 0:
        raise ValueError(f"slowdown must be positive, got {config.slowdown}")
    with eventsnn.io.open(config.recording) as recording, whole(config.out) as path:
        facts = survey(recording, recording.sensor)
        slowdown = config.slowdown or max(1.0, 5e6 / max(facts.duration, 1))
        interval = max(1, round(1e6 / config.fps / slowdown))
        zoom = zoom_for(facts.sensor)
        with (
            Video(path, config.fps) as video,
            tqdm(total=facts.events, unit=" events", unit_scale=True, disable=None) as progress,
        ):
            for begin, events in windows(recording, interval, start=facts.first):
                image = picture(Events(*events.columns, sensor=facts.sensor), zoom=zoom)
                video.add(caption(image, f"{(begin - facts.first) / 1e3:.1f} ms"))
                progress.update(len(events))
    speed = "" if slowdown == 1 else f", slowed down {slowdown:.3g} times"
    print(f"{facts.events:,} events, {show_duration(facts.duration)}{speed}: {config.out}")
    return config.out
