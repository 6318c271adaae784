"""Clips as files: the events in any format that can be written, the truth as text, and how they came about."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import eventsnn.io
from eventsnn.events import Events
from eventsnn.io.atomic import whole
from eventsnn.io.registry import named

from .config import ShapesConfig
from .generate import generate
from .truth import Truth


def write_recordings(
    config: ShapesConfig, folder: str | Path, n: int, seed: int = 0, format: str = "EVT3", *, label_every: int = 5
) -> list[Path]:
    """Write n clips to a folder: ``clip00000.<ext>``, ``.gt.txt`` and ``.json`` beside it; returns the event files.

    Raises ValueError for a format that cannot be written, FileNotFoundError if the folder that holds it is not there.
    """
    room, known = Path(folder), named(format)
    if not known.suffixes:
        raise ValueError(f"{known.name} cannot be written")
    room.mkdir(exist_ok=True)
    paths = [room / f"clip{clip:05d}{known.suffixes[0]}" for clip in range(n)]
    for clip, path in enumerate(paths):
        write_recording(path, config, seed, clip, format=format, label_every=label_every)
    return paths


def write_recording(
    path: Path, config: ShapesConfig, seed: int = 0, clip: int = 0, *, format: str | None = None, label_every: int = 5
) -> tuple[Events, Truth]:
    """Write a clip to a file; beside it, ``.gt.txt`` with the truth each ``label_every`` frames (MOTChallenge ground
    truth, see ``Truth.to_mot``) and ``.json`` with config, seed, clip, number and hash of the events. Returns both.
    """
    if label_every < 1:
        raise ValueError(f"label_every must be at least 1, got {label_every}")
    batch = generate(config, 1, seed, clip, frames=False)
    events = (batch.events or [Events.empty()])[0]
    truth = Truth.of(batch).every(label_every * config.dt_us)
    told = asdict(replace(config, shapes=tuple(s if isinstance(s, str) else s.name for s in config.shapes)))
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(c).tobytes() for c in events.columns)).hexdigest()
    facts = {"config": told, "seed": seed, "clip": clip, "label_every": label_every}
    facts |= {"events": len(events), "sha256": digest}
    with whole(beside(path, ".gt.txt")) as text:
        truth.to_mot(text)
    with whole(beside(path, ".json")) as text:
        text.write_text(json.dumps(facts, indent=1) + "\n")
    eventsnn.io.write(path, events, format=format)
    return events, truth


def beside(path: Path, ending: str) -> Path:
    """The file beside a recording with another ending.

    >>> beside(Path("clips/one.h5"), ".gt.txt").name
    'one.gt.txt'
    """
    return path.with_name(path.name.split(".")[0] + ending)
