"""The first thing to run: shapes that cross are recorded to a file, tracked from it and compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray

import eventsnn.io
from eventsnn.datasets.shapes import Shape, record
from eventsnn.track import Tracks
from eventsnn.track.metrics import Boxes, match

from . import track

SHAPES = (
    Shape("circle", 34.0, (30.0, 60.0), (80.0, 12.0)),
    Shape("diamond", 40.0, (210.0, 66.0), (-80.0, 8.0), spin=0.6),
    Shape("hexagon", 38.0, (60.0, 150.0), (55.0, -48.0), spin=-0.5, brightness=0.05),
)
_STEP_US = 1000


@dataclass(frozen=True)
class Config:
    """Record three shapes that cross before a synthetic event camera, track them, and show the errors."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("demo")
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


def compare(tracks: Tracks, shapes: Sequence[Shape], truth: NDArray[np.float64]) -> list[Followed]:
    """How each shape, with its centres ``truth [ms, shapes, 2]``, was followed."""
    frames, first = np.unique(tracks.frame, return_index=True)
    centre = truth[np.minimum(tracks.t_us[first] // _STEP_US, len(truth) - 1)]
    size = np.array([shape.size for shape in shapes])[None, :, None].repeat(len(frames), 0).repeat(2, 2)
    boxes = np.concatenate([centre - size / 2, size], 2).reshape(-1, 4)
    whole = Boxes(frames.repeat(len(shapes)), np.tile(np.arange(len(shapes)), len(frames)), boxes)
    matches = match(whole, tracks, "point")
    found = []
    for number in range(len(shapes)):
        mine = matches.true_id == number
        ids, errors = matches.track_id[mine], matches.distance[mine]
        if not len(ids):
            found.append(Followed(0, 0.0, np.nan, np.nan, 0))
            continue
        best = int(np.bincount(ids).argmax())
        share = float((ids == best).sum() / tracks.frame.max())
        switches = int((np.diff(ids) != 0).sum())
        found.append(Followed(best, share, float(np.median(errors)), float(errors.max()), switches))
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
    found = compare(tracks, SHAPES, truth)
    print(f"{'object':8} {'id':>3} {'followed':>9} {'median error':>13} {'largest':>9} {'id switches':>12}")
    for shape, (number, share, median, largest, switches) in zip(SHAPES, found, strict=True):
        print(f"{shape.kind:8} {number:3} {share:9.1%} {median:10.2f} px {largest:6.2f} px {switches:12}")
    return found
