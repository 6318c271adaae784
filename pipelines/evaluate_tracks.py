"""How good tracks are: a result compared with the truth, as a table and JSON."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from eventsnn.io.atomic import whole
from eventsnn.track import Tracks, resample
from eventsnn.track.metrics import Boxes, Labelled, Scores, evaluate

_UNITS = {"error": " px", "latency": " ms", "real": " x"}


@dataclass(frozen=True)
class Config:
    """Compare tracks with the truth: MOTA, MOTP, IDF1, HOTA, switches, errors, success and precision, latency."""

    result: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RESULT")]
    """Tracks as written by the command track, tracks.csv or its folder; or MOTChallenge text."""
    truth: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TRUTH")]
    """The truth, in one of the same formats: two CSV files are compared by times, all else by numbers of frames."""
    similarity: Literal["iou", "point"] = "iou"
    """What makes boxes alike: their overlap, or the distance of their centres in sizes."""
    least: float = 0.5
    """Similarity from which on two boxes match."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file for the scores."""


def read(path: Path, *, truth: bool = False) -> Labelled:
    """Tracks from CSV, by their header line, or boxes from MOTChallenge text; of a truth those that count."""
    path = path / "tracks.csv" if path.is_dir() else path
    with path.open(errors="replace") as file:
        header = file.readline().startswith("frame,")
    return Tracks.from_csv(path) if header else Boxes.from_mot(path, counted=truth)


def alike(truth: Tracks, result: Tracks) -> tuple[Tracks, Tracks]:
    """Both with the frames of the truth; the result interpolated where its frames lie at other times, which is said."""
    frames, first = np.unique(truth.frame, return_index=True)
    others, where = np.unique(result.frame, return_index=True)
    common, mine, its = np.intersect1d(frames, others, return_indices=True)
    if not len(frames) or (np.array_equal(truth.t_us[first[mine]], result.t_us[where[its]]) and len(common)):
        return truth, result
    times = np.interp(np.arange(frames[0], frames[-1] + 1), frames, truth.t_us[first])
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    if step and len(result):
        earlier = np.arange(times[0] - step, result.t_us.min() - step / 2, -step)[::-1]
        times = np.r_[earlier, times, np.arange(times[-1] + step, result.t_us.max() + step / 2, step)]
    print(f"the result's windows are not the truth's: interpolated at its times, every {step:g} us", file=sys.stderr)
    return resample(truth, times.round()), resample(result, times.round())


def _warn(truth: int, result: int) -> None:
    """MOTChallenge text tells no times: frames that end far apart are hardly numbered alike."""
    if not 2 / 3 < truth / max(result, 1) < 3 / 2:
        print(
            f"the truth ends with frame {truth}, the result with frame {result}: were its windows (--dt) the truth's?"
            " Two CSV files are compared by their times",
            file=sys.stderr,
        )


def speed(result: Path) -> dict[str, float]:
    """How fast the windows of a result came, as told by the report of the command track beside it; else nothing."""
    report = (result if result.is_dir() else result.parent) / "report.json"
    told = json.loads(report.read_text()) if (result.is_dir() or result.stem == "tracks") and report.exists() else {}
    if "latency_ms" not in told:
        return {}
    latency = told["latency_ms"]
    return {"latency_50": latency["median"], "latency_99": latency["99 %"], "real_time": told["real_time_factor"]}


def run(config: Config) -> Scores:
    """Print the scores, and how fast the result came where a report tells; and write them where a file is named."""
    truth, result = read(config.truth, truth=True), read(config.result)
    if isinstance(truth, Tracks) and isinstance(result, Tracks):
        truth, result = alike(truth, result)
    elif len(truth.frame) and len(result.frame):
        _warn(int(truth.frame.max()), int(result.frame.max()))
    scores = evaluate(truth, result, config.similarity, config.least)
    table = asdict(scores) | speed(config.result)
    for name, value in table.items():
        unit = _UNITS.get(name.partition("_")[0], "")
        print(f"{name:13} " + (f"{value:8}" if isinstance(value, int) else f"{value:8.3f}") + unit)
    if config.out is not None:
        known = {name: None if math.isnan(value) else value for name, value in table.items()}  # JSON knows no NaN
        told = {"similarity": config.similarity, "least": config.least, **known}
        with whole(config.out) as path:
            path.write_text(json.dumps(told, indent=1) + "\n")
    return scores
