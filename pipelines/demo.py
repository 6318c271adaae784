"""The first thing to run: shapes that cross are recorded to a file, tracked from it and compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import eventsnn.io
from eventsnn.datasets.shapes import Shape, record
from eventsnn.track import Tracks

from . import track

SHAPES = (
    Shape("circle", 34.0, (30.0, 60.0), (80.0, 12.0)),
    Shape("square", 40.0, (210.0, 66.0), (-80.0, 8.0), spin=0.6),
    Shape("hexagon", 38.0, (60.0, 150.0), (55.0, -48.0), spin=-0.5, brightness=0.05),
)
_STEP_US = 1000
_NEAR = 15.0


@dataclass(frozen=True)
class Config:
    """Record three shapes that cross before a synthetic event camera, track them, and show the errors."""

    out: Path = Path("demo")
    """Folder for the recording and the results."""
    seed: int = 0
    """Seed of the pixels, the noise and the hot pixels."""


class Followed(NamedTuple):
    """How an object was followed: id, share of the windows with it, median and largest error [px], changes of id."""

    id: int
    share: float
    median: float
    largest: float
    switches: int


def compare(tracks: Tracks, truth: NDArray[np.float64], windows: int) -> list[Followed]:
    """One entry for each object of ``truth [ms, objects, 2]``.

    In a window an object belongs to the track that it belonged to before, if that is still within 15 px, else to the
    nearest one within 15 px (the rule of CLEAR MOT: Bernardin, Stiefelhagen 2008).
    """
    found = []
    for place in truth[np.minimum(tracks.t_us // _STEP_US, len(truth) - 1)].transpose(1, 0, 2):
        apart = np.hypot(tracks.x - place[:, 0], tracks.y - place[:, 1])
        near = apart < _NEAR
        ids: list[int] = []
        errors: list[float] = []
        for frame in np.unique(tracks.frame[near]):
            here = np.flatnonzero(near & (tracks.frame == frame))
            same = here[tracks.id[here] == ids[-1]] if ids else here[:0]
            row = same[0] if len(same) else here[apart[here].argmin()]
            ids.append(int(tracks.id[row]))
            errors.append(float(apart[row]))
        best = max(set(ids), key=ids.count, default=0)
        median, largest = (float(np.median(errors)), max(errors)) if ids else (np.nan, np.nan)
        found.append(Followed(best, ids.count(best) / windows, median, largest, int((np.diff(ids) != 0).sum())))
    return found


def run(config: Config) -> list[Followed]:
    """Write demo.raw (EVT2), tracks.csv, tracks.mp4 and tracks.png; print the errors against the truth."""
    events, truth = record(SHAPES, (240, 180), "2200ms", seed=config.seed, hot_pixels=10, step_us=_STEP_US)
    config.out.mkdir(exist_ok=True)
    path = config.out / "demo.raw"
    eventsnn.io.write(path, events, format="EVT2")
    print(f"recorded {events}: {path}")
    track.run(track.Config(path, out=config.out))
    tracks = Tracks.from_csv(config.out / "tracks.csv")
    found = compare(tracks, truth, int(tracks.frame.max(initial=1)))
    print(f"{'object':8} {'id':>3} {'followed':>9} {'median error':>13} {'largest':>9} {'id switches':>12}")
    for shape, (number, share, median, largest, switches) in zip(SHAPES, found, strict=True):
        print(f"{shape.kind:8} {number:3} {share:9.1%} {median:10.2f} px {largest:6.2f} px {switches:12}")
    return found
