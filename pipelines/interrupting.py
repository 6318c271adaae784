"""Ctrl-C, or a wish to terminate, as something that a command looks for, so that it can end with complete files."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """A function that tells whether Ctrl-C was pressed, or the process asked to terminate; a second time it is as ever.

    Elsewhere than in the main thread, and where a signal is ignored, nothing changes.

    >>> with noticed() as stopped:
    ...     signal.raise_signal(signal.SIGINT)
    ...     stopped()
    True
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    here = threading.current_thread() is threading.main_thread()
    watched = [number for number, handler in before.items() if here and handler not in (signal.SIG_IGN, None)]
    pressed = False

    def note(number: int, _: Any) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(number, before[signal.Signals(number)])

    for number in watched:
        signal.signal(number, note)
    try:
        yield lambda: pressed
    finally:
        for number in watched:
            signal.signal(number, before[number])
