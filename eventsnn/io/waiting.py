"""Waiting for a file to grow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_NAP = 0.05  # s


def until_idle(path: str, patience: int) -> Callable[[], bool]:
    """A function that waits a moment and tells whether to look again: not after the file was idle for so many us."""
    size, since = os.path.getsize(path), time.monotonic()

    def wait() -> bool:
        nonlocal size, since
        time.sleep(_NAP)
        now = os.path.getsize(path)
        if now != size:
            size, since = now, time.monotonic()
        return time.monotonic() - since < patience / 1e6

    return wait
