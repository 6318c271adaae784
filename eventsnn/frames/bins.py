"""Bins: which events belong to which frame, by time or by number; the one rule at the borders.

By time, with d = t - start: frame k of length ``window`` and distance ``stride`` holds ``k stride <= d < k stride +
window``; frame k of a span cut in n equal parts holds ``k span <= n d < (k + 1) span``. By number the same holds with
d the event's position in its recording and span the number of its events. Whole numbers throughout: no event is lost
or doubled by rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events, microseconds

from .packed import Packed

UNSORTED = (
    "events are not in order of time, and here it matters (recordings of a batch, bins by count); sort() them first"
)


@dataclass(frozen=True)
class Bins:
    """``n`` frames a recording, from ``start`` (None: its first event) to ``stop``, exclusive (None: just after its
    last) or for ``duration``. ``parts``: the span in n equal parts; else windows of that length at that stride.
    ``ordered``: position in the recording instead of time.
    """

    n: int
    start: int | None = None
    stop: int | None = None
    duration: int | None = None
    window: int = 0
    stride: int = 0
    parts: bool = False
    ordered: bool = False

    def times(self, packed: Packed, end: int) -> Any:
        """Stamps ``[T, B]`` [us] at which the bins begin (0) or, exclusive, end (1); int64, where the columns are."""
        some = (packed.end > packed.begin) * 1
        t = packed.events.t if len(packed.events) else packed.begin * 0
        first = t[packed.begin.clip(max=len(t) - 1)] * some
        origin = first if self.start is None else first * 0 + self.start
        numbers = torch.arange(end, self.n + end, device=device_of(packed))[:, None]
        k: Any = numbers if isinstance(t, torch.Tensor) else numbers.numpy()
        if not self.parts:
            return origin + (k - end) * self.stride + end * self.window
        last = t[(packed.end - 1).clip(0)] * some
        stop = last + 1 if self.stop is None else last * 0 + self.stop
        span = stop - origin if self.duration is None else last * 0 + self.duration
        return origin + span // self.n * k + (span % self.n * k + self.n - 1) // self.n

    def ranges(self, packed: Packed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions ``[T, B]`` of the first event of each frame and just after its last; NumPy columns in order."""
        from .kernels import fill

        begin, end = packed.begin, packed.end
        limits = self.checked(packed)
        lows, highs = (np.empty((self.n, len(packed)), np.int64) for _ in "ab")
        fill(lows, highs, packed.events.t, begin, end, *limits, self.window, self.stride, self.parts, self.ordered)
        return lows, highs

    def checked(self, packed: Packed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ``limits``. Raises ValueError where a recording is too short for so many parts."""
        limits = self.limits(packed)
        short = limits[1][(limits[1] > 0) & (limits[1] < self.n)]
        if self.parts and len(short):
            raise ValueError(_too_many(self.n, int(short[0]), self.ordered))
        return limits

    def limits(self, packed: Packed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where d is 0 and how far it reaches, ``[B]`` each; NumPy columns in order."""
        t, begin, end = packed.events.t, packed.begin, packed.end
        if self.ordered:
            return np.zeros_like(begin), end - begin
        some = end > begin
        first, last = np.zeros_like(begin), np.full_like(end, -1)
        first[some], last[some] = t[begin[some]], t[end[some] - 1]
        origin = first if self.start is None else np.full_like(first, self.start)
        if self.duration is not None:
            return origin, np.full_like(origin, self.duration)
        stop = last + 1 if self.stop is None else np.full_like(last, self.stop)
        span = stop - origin
        if self.start is None and self.stop is None and (span[some] <= 0).any():
            raise ValueError("a recording spans 2^63 us or more; look at its stamps, or give start and stop")
        return origin, np.where(some, np.maximum(span, 0), 0)


def bins(
    events: Events | Packed,
    dt: int | str | None = None,
    n_bins: int | None = None,
    count: int | None = None,
    n_event_bins: int | None = None,
    overlap: int | str = 0,
    start: int | None = None,
    stop: int | None = None,
    duration: int | str | None = None,
    incomplete: bool = True,
) -> tuple[Any, Bins]:
    """The events, put in order where that matters, and the frames asked for.

    Raises ValueError for a request that is none or that no recording could fulfil, and for events that are out of order
    and may not be put in order.
    """
    if not isinstance(events, Events | Packed):
        kind = type(events).__name__
        raise TypeError(f"events must be Events or Packed, got {kind}; from_structured makes Events of a record array")
    whole = {"n_bins": n_bins, "count": count, "n_event_bins": n_event_bins, "start": start, "stop": stop}
    for name, value in whole.items():
        if not isinstance(value, int | np.integer | None) or isinstance(value, bool):
            raise ValueError(f"{name} must be a whole number, got {value!r}")
    given = [v is not None for v in (dt, n_bins, count, n_event_bins)]
    if sum(given) != 1:
        raise ValueError(
            "give either dt, the length of a bin, or n_bins, their number; or count, events a bin, or n_event_bins"
        )
    by_count = given[2] or given[3]
    events = _in_order(events, by_count, start is None or (stop is None and duration is None))
    limits = {"start": start, "stop": stop, "duration": duration}
    if by_count and any(v is not None for v in limits.values()):
        raise ValueError("start, stop and duration are times; with count or n_event_bins cut with events.between first")
    if stop is not None and duration is not None:
        raise ValueError("give stop or duration, not both")
    span = None if duration is None else microseconds(duration)
    if span is not None and span <= 0:
        raise ValueError(f"duration must be at least 1 us, got {duration!r}")
    if stop is not None and start is not None:
        span = int(stop) - int(start)
        if span < 0:
            raise ValueError(f"stop ({stop} us) lies before start ({start} us)")
    edges: dict[str, Any] = {
        "start": None if start is None else int(start),
        "stop": None if stop is None else int(stop),
        "duration": None if duration is None else span,
    }
    if given[1] or given[3]:
        if overlap:
            raise ValueError("overlap goes with dt or count, not with a number of bins")
        n = int(n_bins if n_event_bins is None else n_event_bins)  # type: ignore[arg-type]
        if n <= 0 or (span and n > span):
            raise ValueError(_too_many(n, span, by_count))
        return events, Bins(n, **edges, parts=True, ordered=by_count)
    window = microseconds(dt) if dt is not None else int(count)  # type: ignore[arg-type]
    name, unit = ("dt", "us") if dt is not None else ("count", "event")
    if window <= 0:
        raise ValueError(f"{name} must be at least 1 {unit}, got {dt if dt is not None else count!r}")
    stride = window - microseconds(overlap)
    if not 0 < stride <= window:
        raise ValueError(f"overlap must lie in 0..{window - 1}, shorter than the bin of {window}, got {overlap!r}")
    if span is None:
        span = _longest(events, by_count, edges["start"], edges["stop"])
    n = -(-(span - window) // stride) + 1 if incomplete else (span - window) // stride + 1
    n = max(n, 1 if incomplete and span > 0 else 0)
    return events, Bins(n, **edges, window=window, stride=stride, ordered=by_count)


def device_of(events: Events | Packed) -> torch.device:
    """Where the columns are; NumPy's are on the CPU."""
    t = events.t if isinstance(events, Events) else events.events.t
    return t.device if isinstance(t, torch.Tensor) else torch.device("cpu")


def uses_gpu(events: Events | Packed) -> bool:
    return device_of(events).type == "cuda"


def _in_order(events: Events | Packed, by_count: bool, open_ended: bool) -> Events | Packed:
    """The events in order of time; on a GPU only where it matters and the kernel does not look."""
    looked_at = isinstance(events, Packed) or not (open_ended or by_count)
    if (uses_gpu(events) and looked_at) or events.is_sorted:
        return events
    if isinstance(events, Packed) or by_count:
        raise ValueError(UNSORTED)
    return events.sort()


def _too_many(n: int, span: int | None, ordered: bool) -> str:
    name, unit = ("n_event_bins", "events") if ordered else ("n_bins", "us")
    return f"{name} must lie between 1 and the {'' if span is None else f'{span:,} '}{unit} of the span, got {n}"


def _longest(events: Events | Packed, by_count: bool, start: int | None, stop: int | None) -> int:
    """The longest recording, in us or events; of stamps on a GPU it reads some, and so waits."""
    if isinstance(events, Events):
        if by_count or not len(events):
            return len(events)
        ends = events.t[[0, -1]].tolist()
        return (ends[1] + 1 if stop is None else stop) - (ends[0] if start is None else start)
    some = events[events.lengths > 0]
    if by_count or not len(some):
        return int(some.lengths.max()) if len(some) else 0
    t = some.events.t
    last: Any = t[some.end - 1] + 1 if stop is None else stop
    return int((last - (t[some.begin] if start is None else start)).max())
