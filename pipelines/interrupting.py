"""Ctrl-C as a wish that a command looks for, so that it can end with complete files."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C was pressed; pressed once more, it interrupts as ever.

    Elsewhere than in the main thread, and where it is ignored, nothing changes.

    >>> with noticed() as stopped:
    ...     signal.raise_signal(signal.SIGINT)
    ...     stopped()
    True
    """
    before, pressed = signal.getsignal(signal.SIGINT), False

    def note(*_: Any) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    if before == signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
