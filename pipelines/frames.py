"""Frames of a recording in a file: counts, voxel grids or surfaces of time, window by window in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from tqdm import tqdm

from eventsnn.events import microseconds
from eventsnn.frames import (
    Representation,
    ToFrame,
    ToLatestTimestamps,
    ToSurfaceOfActiveEvents,
    ToTimesurface,
    ToTORE,
    ToVoxelGrid,
)
from eventsnn.io.atomic import whole

from .frame_files import writer
from .info import Survey, survey
from .reading import Reading

_DT = "1ms"
_CHANNELS: dict[str, int | str] = {"both": 2, "merged": 1, "signed": "signed"}


@dataclass(frozen=True)
class Config(Reading):
    """Turn a recording into frames: a dataset "frames" [T, C, H, W] in an HDF5 file, or a .npy, .npz or .pt file."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write; its name tells the format: .h5 or .hdf5, .npy, .npz, .pt; HDF5 without an ending."""
    representation: Literal["counts", "voxel", "time-surface", "active-events", "latest", "tore"] = "counts"
    """What a frame holds: event counts, a voxel grid, how recent each pixel's events are, or when they were [us]."""
    dt: str | None = None
    """Length of a frame. Default: 1ms."""
    count: int | None = None
    """Events of a frame, instead of dt (counts and voxel only)."""
    n_bins: int | None = None
    """Number of frames of equal length, instead of dt."""
    overlap: str = "0us"
    """How much of a frame is in the next one too: a time, or with count a number of events."""
    polarity: Literal["both", "merged", "signed"] | None = None
    """OFF and ON in two channels, both in one, or ON less OFF. Default: both; signed for voxel."""
    binary: bool = False
    """Write 0 or 1 instead of counts."""
    downsample: int = 1
    """So many pixels each way are one."""
    dtype: Literal["uint8", "int16", "uint16", "int32", "float16", "bfloat16", "float32"] | None = None
    """Type of the numbers. Default: uint16 for counts (int16 if signed), float32 for the rest."""
    points: int = 5
    """Points in time of each voxel grid."""
    tau: str = "50ms"
    """How fast a time surface decays."""
    last: int = 3
    """Events a pixel remembers in a TORE volume."""


def run(config: Config) -> Path:
    """Write the frames; a count that the type does not hold is an error."""
    chosen = [v for v in (config.dt, config.count, config.n_bins) if v is not None]
    if len(chosen) > 1:
        raise ValueError("give one of dt, count and n-bins")
    with config.opened(config.recording) as recording, whole(config.out) as path:
        facts = survey(config.part(recording), recording.sensor)
        represent, time = _represent(config, facts), _time(config, facts)
        number = 0
        with (
            writer(path, _dtype(config), _told(config, facts)) as write,
            tqdm(total=facts.events, unit=" events", unit_scale=True, disable=None) as progress,
        ):
            for begin, frame in represent.stream(_counted(config.part(recording), progress.update), **time):
                write(begin, frame)
                number += 1
    print(f"{facts.events:,} events in {number:,} frame{'' if number == 1 else 's'}: {config.out}")
    return config.out


def _counted(chunks: Any, report: Callable[[int], Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield chunk
        report(len(chunk))


def _dtype(config: Config) -> torch.dtype:
    if config.representation == "active-events":
        return torch.int64
    counts = "int16" if config.polarity == "signed" else "uint16"
    name = config.dtype or (counts if config.representation == "counts" else "float32")
    return getattr(torch, name)  # type: ignore[no-any-return]


def _told(config: Config, facts: Survey) -> dict[str, Any]:
    """What the file says of its frames."""
    told = {
        "t_start_us": facts.first,
        "sensor": facts.sensor,
        "source": os.fsencode(config.recording.name).decode(errors="replace"),
    }
    told |= {} if config.count or config.n_bins else {"dt_us": microseconds(config.dt or _DT)}
    return {**told, "representation": config.representation}


def _time(config: Config, facts: Survey) -> dict[str, Any]:
    """Which windows there are."""
    overlap: int | str = int(config.overlap) if config.overlap.isdigit() else config.overlap
    if config.count is not None:
        return {"count": config.count, "overlap": overlap}
    if config.n_bins is not None:
        return {"n_bins": config.n_bins, "start": facts.first, "stop": facts.last + 1}
    return {"dt": config.dt or _DT, "start": facts.first, "overlap": overlap}


def _represent(config: Config, facts: Survey) -> Representation:
    kind = config.representation
    if config.count is not None and kind not in ("counts", "voxel"):
        raise ValueError(f"{kind} goes by time; give dt or n-bins instead of count")
    polarity = config.polarity or ("signed" if kind == "voxel" else "both")
    if kind not in ("counts", "voxel") and polarity == "signed":
        raise ValueError(f"{kind} has no sign; choose polarity both or merged")
    settings: dict[str, Any] = {"channels": _CHANNELS[polarity], "downsample": config.downsample}
    if kind != "active-events":
        settings["dtype"] = _dtype(config)
    make: dict[str, Callable[..., Representation]] = {
        "counts": partial(ToFrame, time_window=_DT, include_incomplete=True, binary=config.binary),
        "voxel": partial(ToVoxelGrid, n_time_bins=config.points),
        "time-surface": partial(ToTimesurface, dt=_DT, tau=config.tau),
        "active-events": partial(ToSurfaceOfActiveEvents, dt=_DT),
        "latest": partial(ToLatestTimestamps, dt=_DT),
        "tore": partial(ToTORE, dt=_DT, k=config.last),
    }
    return make[kind](facts.sensor, **settings)
