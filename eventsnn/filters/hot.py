"""Hot pixels: those that fire far more often than the pixels around them.

    z = 2 sqrt(count) - 2 sqrt(median of the eight neighbours)        hot:  z > threshold max(1, sigma)

The square root gives Poisson counts a variance of one whatever their mean (Anscombe 1948); sigma, 1.4826 times the
median absolute deviation of z over the pixels that fired (Hampel 1974), of a sample where there are over 10^5 of them,
follows what the scene adds to that. A pixel may have up to three hot neighbours and still be told from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.jit import compiled

from .filter import Filter, pixels, positive

_SORT = np.array(  # Batcher's network for eight values
    [
        *[(0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6)],
        *[(0, 4), (1, 5), (2, 6), (3, 7), (2, 4), (3, 5), (1, 2), (3, 4), (5, 6)],
    ]
)
_SAMPLE = 100_000


@compiled
def _excess(padded: Any, network: Any) -> Any:
    """Each value less the median of its eight neighbours, ``[H, W]`` of ``[H + 2, W + 2]``; a row is sorted at once."""
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    excess, around = np.empty((height, width), np.float32), np.empty((8, width), np.float32)
    for y in range(height):
        for k in range(8):
            place = k + (k > 3)  # not the middle one
            around[k] = padded[y + place // 3, place % 3 : place % 3 + width]
        for i in range(len(network)):
            low, high = around[network[i, 0]], around[network[i, 1]]
            for x in range(width):
                a, b = low[x], high[x]
                low[x], high[x] = (a, b) if a < b else (b, a)
        for x in range(width):
            excess[y, x] = padded[y + 1, x + 1] - (around[3, x] + around[4, x]) / 2
    return excess


def event_counts(events: Events) -> NDArray[np.int64]:
    """Events per pixel ``[H, W]``. Raises ValueError for events outside the sensor, or if its size is unknown.

    >>> event_counts(Events([0, 9], [1, 1], [0, 0], [1, 0], sensor=(3, 2))).tolist()
    [[0, 2, 0], [0, 0, 0]]
    """
    shown = events.numpy()
    if shown.outside().any():
        raise ValueError(f"events lie outside the sensor {shown.sensor}; crop them first")
    width, height = events.sensor or (0, 0)
    place = shown.y.astype(np.int64) * width + shown.x
    return np.bincount(place, minlength=width * height).reshape(height, width)


def hot_pixels(counts: NDArray[Any], threshold: float = 8.0) -> NDArray[np.bool_]:
    """Mask ``[H, W]`` of the hot pixels in events per pixel ``[H, W]``, as counted over a calibration stretch.

    ``threshold`` is in robust standard deviations. Raises ValueError if it is not positive.

    >>> counts = np.full((5, 6), 4)
    >>> counts[2, 3] = 400
    >>> np.argwhere(hot_pixels(counts)).tolist()
    [[2, 3]]
    """
    if threshold <= 0:
        raise ValueError(f"threshold must be positive, got {threshold}")
    z = _excess(np.pad(2 * np.sqrt(counts.astype(np.float32)), 1, mode="reflect"), _SORT)
    part = slice(None, None, max(1, z.size // _SAMPLE))
    fired = z.ravel()[part][counts.ravel()[part] > 0]
    sigma = 1.4826 * float(np.median(abs(fired - np.median(fired)))) if len(fired) else 0.0
    mask: NDArray[np.bool_] = z > threshold * max(1.0, sigma)
    return mask


@compiled
def _counted(x: Any, y: Any, counts: Any, hot: Any) -> Any:
    keep = np.empty(len(x), np.bool_)
    for i in range(len(x)):
        counts[y[i], x[i]] += 1
        keep[i] = not hot[y[i], x[i]]
    return keep


class HotPixelFilter(Filter):
    """Drops the events of pixels that were hot in the latest full ``window`` before, as told by ``hot_pixels``.

    Windows follow each other from the first event on. ``hot``, a mask ``[H, W]``, says what is hot until the first of
    them is over (default: no pixel). With the mask of a calibration stretch and nothing to be learnt use ``mask``
    instead. What all filters share is told at ``Filter``.

    >>> t = np.arange(0, 4_000, 10)
    >>> events = Events(t, np.full(400, 3), np.full(400, 2), np.ones(400, bool), sensor=(12, 10))
    >>> HotPixelFilter((12, 10), window="1ms")(events)[-1]
    (990, 3, 2, 1)
    """

    def __init__(
        self,
        sensor: Sequence[int],
        window: int | str = "1s",
        threshold: float = 8.0,
        *,
        hot: NDArray[np.bool_] | None = None,
        late: str = "raise",
    ) -> None:
        self.window, self.threshold = positive("window", window), threshold
        width, height = pixels(sensor)
        self._known = np.zeros((height, width), np.bool_) if hot is None else np.asarray(hot, np.bool_)
        if self._known.shape != (height, width):
            raise ValueError(f"hot must be a mask [H, W] of {(height, width)}, got the shape {self._known.shape}")
        hot_pixels(np.zeros((1, 1)), threshold)
        super().__init__(sensor, late)

    def _forget(self) -> None:
        self.hot = self._known
        self._counts = np.zeros(self._known.shape, np.int64)
        self._end: int | None = None

    def _judge(self, t: Any, x: Any, y: Any, p: Any) -> NDArray[np.bool_]:
        parts, begin = [np.empty(0, np.bool_)], 0
        while begin < len(t):
            if self._end is None:
                self._end = int(t[0]) + self.window
            if t[begin] >= self._end:
                passed = (int(t[begin]) - self._end) // self.window + 1
                self.hot = hot_pixels(self._counts if passed == 1 else 0 * self._counts, self.threshold)
                self._counts[:] = 0
                self._end += passed * self.window
            end = int(np.searchsorted(t, self._end))
            parts.append(_counted(x[begin:end], y[begin:end], self._counts, self.hot))
            begin = end
        return np.concatenate(parts)
