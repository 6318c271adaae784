"""How good tracks are: a result compared with the truth, as a table and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from eventsnn.io.atomic import whole
from eventsnn.track import Tracks
from eventsnn.track.metrics import Boxes, Labelled, Scores, evaluate


@dataclass(frozen=True)
class Config:
    """Compare tracks with the truth: MOTA, MOTP, IDF1, HOTA, switches, errors."""

    result: Annotated[Path, tyro.conf.Positional]
    """Tracks as written by the command track (tracks.csv), or MOTChallenge text."""
    truth: Annotated[Path, tyro.conf.Positional]
    """The truth, in one of the same formats; frames are numbered alike."""
    similarity: Literal["iou", "point"] = "iou"
    """What makes boxes alike: their overlap, or the distance of their centres in sizes."""
    least: float = 0.5
    """Similarity from which on two boxes match."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file for the scores."""


def read(path: Path) -> Labelled:
    """Tracks from CSV, by their header line, or boxes from MOTChallenge text."""
    with path.open(errors="replace") as file:
        header = file.readline().startswith("frame,")
    return Tracks.from_csv(path) if header else Boxes.from_mot(path)


def run(config: Config) -> Scores:
    """Print the scores, and write them where a file is named."""
    scores = evaluate(read(config.truth), read(config.result), config.similarity, config.least)
    table = asdict(scores)
    for name, value in table.items():
        unit = " px" if name.startswith("error") else ""
        print(f"{name:13} " + (f"{value:8}" if isinstance(value, int) else f"{value:8.3f}") + unit)
    if config.out is not None:
        with whole(config.out) as path:
            path.write_text(
                json.dumps({"similarity": config.similarity, "least": config.least, **table}, indent=1) + "\n"
            )
    return scores
