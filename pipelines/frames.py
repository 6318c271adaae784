"""Event frames of a recording in an HDF5 file: counts ``[T, 2, H, W]`` in windows of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import h5py
import torch
import tyro
from tqdm import tqdm

import eventsnn.io
from eventsnn.events import Events, microseconds
from eventsnn.frames import to_frames, windows
from eventsnn.io.atomic import whole

from .info import survey


@dataclass(frozen=True)
class Config:
    """Bin a recording into frames: a dataset "frames" [T, 2, H, W] (OFF, ON) of counts in an HDF5 file."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """HDF5 file to write."""
    dt: str = "1ms"
    """Length of a frame."""
    binary: bool = False
    """Write 0 or 1 instead of counts."""


def run(config: Config) -> Path:
    """Write the frames; counts are uint16, and one that does not fit is an error."""
    length = microseconds(config.dt)
    with eventsnn.io.open(config.recording) as recording, whole(config.out) as path:
        facts = survey(recording, recording.sensor)
        width, height = facts.sensor
        shape = (2, height, width)
        with (
            h5py.File(path, "w") as file,
            tqdm(total=facts.events, unit=" events", unit_scale=True, disable=None) as progress,
        ):
            frames = file.create_dataset(
                "frames", (0, *shape), "u2", maxshape=(None, *shape), chunks=(1, *shape), compression="lzf"
            )
            frames.attrs.update(t_start_us=facts.first, dt_us=length, sensor=facts.sensor, source=config.recording.name)
            for begin, events in windows(recording, length, start=facts.first):
                frames.resize(len(frames) + 1, 0)
                if len(events):  # a chunk never written reads as zeros and takes no room
                    frames[-1] = _frame(events, begin, length, facts.sensor, binary=config.binary)
                progress.update(len(events))
            count = len(frames)
    print(f"{facts.events:,} events in {count:,} frames of {config.dt}: {config.out}")
    return config.out


def _frame(events: Events, begin: int, length: int, sensor: tuple[int, int], *, binary: bool) -> torch.Tensor:
    """Counts of a window; an event that came late, from before the window, counts in it too."""
    late = Events(events.t.clip(begin), events.x, events.y, events.p, sensor=sensor)
    return to_frames(late, length, start=begin, stop=begin + length, binary=binary, dtype=torch.uint16)[0]
