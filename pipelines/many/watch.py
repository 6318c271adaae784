"""What is learnt of a recording on the way: counts, rate over time, a picture, tracks; in bounded memory."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from eventsnn.events import Events

BINS, POINTS, SHOWN_TRACKS = 96, 64, 100
_PICTURE_US, _PICTURE_EVENTS, _WIDTH = 20_000, 20_000, 160


class Rate:
    """Events over time in at most ``BINS`` bins: when time goes beyond them, two become one.

    >>> rate = Rate()
    >>> for t in range(0, 1_000_000, 100):
    ...     rate.add(np.array([t]))
    >>> rate.width, int(sum(rate.counts))
    (16000, 10000)
    """

    def __init__(self) -> None:
        self.width, self.counts = 1_000, np.zeros(BINS, np.int64)
        self.start: int | None = None

    def add(self, t: Any) -> None:
        """Count time stamps [us] in order of time; those before the first one of all count with it."""
        if self.start is None:
            self.start = int(t[0])
        last = int(t[-1]) - self.start
        while last >= self.width * BINS:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(1), np.zeros(BINS // 2, np.int64)])
            self.width *= 2
        inner = np.searchsorted(t, self.start + self.width * np.arange(1, BINS))
        self.counts += np.diff(inner, prepend=0, append=len(t))


class Watch:
    """Sees what is read and found: ``watch(kind, items)`` passes items on; ``facts()`` is what it knows in the end."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell, self._rate = tell, Rate()
        self._events = self._on = self._chunks = 0
        self._last: int | None = None
        self._sensor: tuple[int, int] | None = None
        self._sample = Events.empty()
        self._tracks: dict[int, list[Any]] = {}

    def __call__(self, kind: str, items: Iterable[Any]) -> Iterator[Any]:
        see = self._see_events if kind == "events" else self._see_track
        for item in items:
            see(item)
            yield item

    def _see_events(self, events: Events) -> None:
        self._sensor = events.sensor
        if not len(events):
            return
        self._events += len(events)
        self._on += int(np.count_nonzero(events.p))
        t = events.t if events.is_sorted else np.sort(events.t)
        self._rate.add(t)
        latest = int(t[-1])
        self._last = latest if self._last is None else max(latest, self._last)
        self._chunks += 1
        if self._chunks & (self._chunks - 1) == 0:  # chunks 1, 2, 4, ...: one of the later half stays
            head = events[:_PICTURE_EVENTS]
            self._sample = head[head.t < int(head.t[0]) + _PICTURE_US]
        self._tell(len(events))

    def _see_track(self, row: Any) -> None:
        _, t, number, x, y = row[:5]
        seen = self._tracks.setdefault(number, [0, t, t, 1, []])
        if seen[0] % seen[3] == 0:
            seen[4].append((round(x, 1), round(y, 1)))
            if len(seen[4]) > POINTS:
                seen[3], seen[4] = 2 * seen[3], seen[4][::2]
        seen[0], seen[2] = seen[0] + 1, t

    def facts(self) -> dict[str, Any]:
        """Numbers, the rate in events of each bin, a PNG as base64, and tracks."""
        start = self._rate.start or 0
        duration = 0 if self._last is None else self._last - start
        used = duration // self._rate.width + 1
        tracks = [
            {"id": number, "windows": n, "first_us": first, "last_us": last, "path": path}
            for number, (n, first, last, _, path) in sorted(self._tracks.items())[:SHOWN_TRACKS]
        ]
        return {
            "events": self._events,
            "on": self._on,
            "first_us": start,
            "duration_us": duration,
            "sensor": self._sensor,
            "rate": {"bin_us": self._rate.width, "events": self._rate.counts[:used].tolist()},
            "picture": self._picture(),
            "tracks": tracks,
            "track_count": len(self._tracks),
        }

    def _picture(self) -> str:
        import cv2

        from eventsnn.draw import picture

        events = self._sample
        if not len(events):
            return ""
        size = events.sensor or (int(events.x.max()) + 1, int(events.y.max()) + 1)
        shown = Events(*events.columns, sensor=size)
        image: Any = picture(shown[~shown.outside()])
        if size[0] > _WIDTH:
            image = cv2.resize(image, (_WIDTH, max(1, size[1] * _WIDTH // size[0])), interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1]
        return base64.b64encode(data.tobytes()).decode()
