"""Recordings of moving shapes with the truth about them, from a preset and a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from eventsnn.datasets.shapes import preset
from eventsnn.datasets.shapes.recordings import beside, write_recording, write_recordings
from eventsnn.events import microseconds
from eventsnn.io.atomic import whole
from eventsnn.track import Tracks


@dataclass(frozen=True)
class Config:
    """Generate recordings; beside NAME.h5 lie NAME.gt.txt (MOTChallenge), NAME.csv (as tracks) and NAME.json."""

    what: Annotated[Literal["shapes"], tyro.conf.Positional]
    """What is recorded: shapes that move by known laws."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write; or, with --n, a folder for clip00000 and so on."""
    preset: str = "tracking-crossing"
    """Which shapes, motions and pixels; a wrong name shows all."""
    n: int | None = None
    """Number of clips for a folder."""
    seed: int = 0
    clip: int = 0
    """Which clip of the seed."""
    duration: str | None = None
    """Length of a clip, such as 500ms. Default: that of the preset."""
    format: str | None = None
    """Format of the recordings, such as EVT3. Default: the one that the name shows; for a folder EVT3."""
    label_every: int = 5
    """Frames from one line of truth to the next."""


def run(config: Config) -> list[Path]:
    """Write the recordings, each file whole or not at all."""
    shapes = preset(config.preset)
    if config.n is not None and config.n < 1:
        raise ValueError(f"n, the number of clips, must be at least 1, got {config.n}")
    if config.duration is not None:
        shapes = replace(shapes, frames=microseconds(config.duration) // shapes.dt_us)
    if config.n is not None:
        paths = write_recordings(
            shapes, config.out, config.n, config.seed, config.format or "EVT3", label_every=config.label_every
        )
        print(f"{len(paths)} recordings with their truth: {config.out}")
        return paths
    events, truth = write_recording(
        config.out, shapes, config.seed, config.clip, format=config.format, label_every=config.label_every
    )
    with whole(beside(config.out, ".csv")) as path:
        Tracks.of(truth.rows()).to_csv(path)
    count = len(set(truth.id.tolist()))
    objects = "1 object" if count == 1 else f"{count} objects"
    print(f"{events}, {objects}: {config.out}, {beside(config.out, '.gt.txt')}")
    return [config.out]
