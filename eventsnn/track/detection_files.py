"""Detections of many frames as files: MOTChallenge text, as a detector gives it, or CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .detections import Detections
from .mot import mot_line, read_mot

_COLUMNS = ["frame", "x", "y", "w", "h", "score"]


def write_detections(path: str | Path, frames: Iterable[Detections]) -> None:
    """Write the detections of frames 1, 2, ...: columns frame, x, y, w, h, score where the name ends with .csv, else
    MOTChallenge text, whose ids are -1.
    """
    with Path(path).open("w", newline="") as file:
        if str(path).endswith(".csv"):
            file.write(",".join(_COLUMNS) + "\r\n")
        for frame, found in enumerate(frames, start=1):
            known = found.numpy()
            if str(path).endswith(".csv"):
                rows = zip(known.x, known.y, known.w, known.h, known.score, strict=True)
                file.writelines(f"{frame},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:g}\r\n" for x, y, w, h, score in rows)
            else:
                rows = zip(*known.boxes.T, known.score, strict=True)
                file.writelines(mot_line(frame, -1, *row) for row in rows)


def read_detections(path: str | Path) -> list[Detections]:
    """The detections of frames 1, 2, ..., as ``write_detections`` writes them; a frame without any has an empty record.

    Raises ValueError for anything else.

    >>> import tempfile
    >>> found = Detections.of_boxes([[4.0, 20.0, 16.0, 16.0], [90.0, 30.0, 14.0, 14.0]])
    >>> with tempfile.NamedTemporaryFile(suffix=".csv") as file:
    ...     write_detections(file.name, [found, found[:1]])
    ...     [frame.boxes.tolist() for frame in read_detections(file.name)]
    [[[4.0, 20.0, 16.0, 16.0], [90.0, 30.0, 14.0, 14.0]], [[4.0, 20.0, 16.0, 16.0]]]
    """
    with Path(path).open(newline="", errors="replace") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if header == _COLUMNS:
        try:
            table = np.array([line for line in lines if line], float).reshape(-1, 6)
        except ValueError as error:
            raise ValueError(f"{path}: not the numbers of {', '.join(_COLUMNS)}: {error}") from None
        frames, columns = table[:, 0], table[:, 1:]
    else:
        table = read_mot(path)
        frames, half = table[:, 0], table[:, 4:6] / 2
        columns = np.column_stack([table[:, 2:4] + half, 2 * half, table[:, 6]])
    if (frames < 1).any():
        raise ValueError(f"{path}: frames count from 1, got {frames.min():g}")
    return [Detections(*columns[frames == k].T) for k in range(1, int(frames.max(initial=0)) + 1)]
