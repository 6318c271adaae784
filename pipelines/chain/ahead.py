"""Reading ahead: a thread gets the next items while the one in hand is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

_END = object()


def read_ahead(items: Iterable[Any], count: int = 2) -> Iterator[Any]:
    """The items, up to ``count`` of them ready before they are asked for; an error comes in its place.

    >>> list(read_ahead(iter([1, 2, 3])))
    [1, 2, 3]
    """
    ready: queue.Queue[Any] = queue.Queue(count)
    done = threading.Event()

    def put(item: Any) -> bool:
        while not done.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((_END, None))
        except BaseException as error:
            put((_END, error))

    thread = threading.Thread(target=read, name="eventsnn-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        done.set()
        thread.join()
