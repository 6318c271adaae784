"""MOTChallenge text: a line ``frame,id,left,top,width,height[,score,...]`` for each box; frames count from 1."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_mot(path: str | Path) -> NDArray[np.float64]:
    """The lines as rows ``[n, 7]``; a score that is not told is 1. Raises ValueError for any other text."""
    rows = []
    for number, line in enumerate(Path(path).read_text(errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [float(value) for value in line.split(",")[:7]]
        except ValueError:
            row = []
        if len(row) < 6 or not all(map(math.isfinite, row)):
            wanted = "MOTChallenge text, frame,id,left,top,width,height,... in finite numbers"
            raise ValueError(f"{path}, line {number}: not {wanted}: {line[:60]!r}")
        rows.append([*row, 1.0][:7])
    return np.array(rows, float).reshape(-1, 7)


def mot_line(frame: int, number: int, left: float, top: float, w: float, h: float, score: float) -> str:
    """A box as a line."""
    return f"{frame},{number},{left:.2f},{top:.2f},{w:.2f},{h:.2f},{score:g},-1,-1,-1\n"
