"""Events: the one record of the toolkit, equal-length columns ``t, x, y, p`` and the sensor size.

    t  int64            microseconds on the recording's own clock
    x  int16 or uint16  pixel column, 0 at the left
    y  int16 or uint16  pixel row, 0 at the top
    p  bool or uint8    polarity, 1 = ON (brighter)

Columns are all NumPy arrays or all torch tensors (on one device).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any, Self, overload

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Events", "microseconds"]

_UNITS = {"us": 1, "µs": 1, "μs": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000}
_DURATION = re.compile(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(us|µs|μs|ms|s|min|h)\s*")
_DTYPES: dict[str, tuple[str, ...]] = {
    "t": ("int64",),
    "x": ("int16", "uint16"),
    "y": ("int16", "uint16"),
    "p": ("uint8", "bool"),
}

_ALLOWED = {k: {np.dtype(n) for n in names} | {getattr(torch, n) for n in names} for k, names in _DTYPES.items()}


def microseconds(duration: int | str) -> int:
    """A duration in microseconds, from an integer (already us) or a text with a unit.

    Units: us, ms, s, min, h. Raises ValueError for anything else.

    >>> microseconds("10ms"), microseconds("1.5 s"), microseconds(250)
    (10000, 1500000, 250)
    """
    if isinstance(duration, int | np.integer) and not isinstance(duration, bool):
        return int(duration)
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        bare = isinstance(duration, str) and re.fullmatch(r"\s*[0-9.]+\s*", duration)
        raise ValueError(
            f"not a duration: {duration!r}{' has no unit' if bare else ''}; give a text such as '10ms', '0.5s', '2min' "
            "or, in Python, whole microseconds"
        )
    return round(float(match[1]) * _UNITS[match[2]])


def time_stamp(when: Any, first: int) -> int:
    """A time in us: a whole number as it is, a text ("10ms") counted from ``first``. Raises ValueError for others."""
    if isinstance(when, str):
        return first + microseconds(when)
    try:
        return operator.index(when)
    except TypeError:
        raise ValueError(
            f"not a time: {when!r}; give a text such as '10ms', from the first event on, or a time stamp in whole us"
        ) from None


def _dtype_name(column: Any) -> str:
    return str(column.dtype).removeprefix("torch.")


def _column(name: str, values: Any) -> Any:
    """The column as an array of an allowed dtype; values that do not fit it are an error, never wrapped."""
    column = values if isinstance(values, torch.Tensor) else np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"column {name} must have one dimension, got shape {tuple(column.shape)}")
    if column.dtype in _ALLOWED[name]:
        return column
    given = _dtype_name(column)
    if len(column) and not given.startswith(("int", "uint", "bool")):
        raise ValueError(f"column {name} must be {' or '.join(_DTYPES[name])}, got {given}; cast it first")
    wanted = _DTYPES[name][0]
    if len(column):
        low, high = {"t": (-(2**63), 2**63 - 1), "p": (0, 1)}.get(name, (-(2**15), 2**15 - 1))
        least, most = int(column.min()), int(column.max())
        if least < low or most > high:
            hint = "; 1 is ON and 0 is OFF, so pass p > 0" if name == "p" else ""
            raise ValueError(f"column {name} must lie in {low}..{high}, got values from {least} to {most}{hint}")
    return column.to(getattr(torch, wanted)) if isinstance(column, torch.Tensor) else column.astype(wanted)


def sensor_size(sensor: Any) -> tuple[int, int]:
    """``(width, height)`` as whole numbers; raises ValueError unless both are positive."""
    if sensor is None:
        raise ValueError("the sensor size is not known here; give (width, height), or open the file with sensor=...")
    try:
        size = [int(n) for n in sensor]
    except (TypeError, ValueError):
        size = []
    if len(size) != 2 or min(size) <= 0:
        raise ValueError(f"sensor must be (width, height) in pixels, both positive, got {sensor!r}")
    return size[0], size[1]


class Events:
    """A run of events: columns ``t`` [us], ``x``, ``y`` [px], ``p`` (1 = ON), each of shape ``[n]``, and the sensor.

    ``sensor`` is ``(width, height)`` in pixels, or None where it is not known. Raises ValueError for columns of unequal
    length, of a dtype that would lose values, or of mixed kinds (NumPy and torch, two devices).

    >>> events = Events([0, 1_000, 2_500, 9_000], x=[3, 4, 5, 5], y=[1, 1, 2, 2], p=[1, 0, 1, 1], sensor=(8, 4))
    >>> events
    Events(4 events, 9 ms, 444 events/s, 8x4)
    >>> events[1:3].t
    array([1000, 2500])
    >>> events.between("1ms", "5ms")
    Events(2 events, 1.5 ms, 1.33 k events/s, 8x4)
    >>> Events.concatenate([events[:1], events[1:]]) == events
    True
    """

    __slots__ = ("_sorted", "p", "sensor", "t", "x", "y")
    __hash__ = None  # type: ignore[assignment]  # columns can be written to

    def __init__(self, t: Any, x: Any, y: Any, p: Any, *, sensor: Sequence[int] | None = None) -> None:
        self.t, self.x, self.y, self.p = (_column(k, v) for k, v in zip("txyp", (t, x, y, p), strict=True))
        n = len(self.t)
        if not len(self.x) == len(self.y) == len(self.p) == n:
            raise ValueError(
                f"columns differ in length: t {len(self.t)}, x {len(self.x)}, y {len(self.y)}, p {len(self.p)}"
            )
        kinds = {column.device if isinstance(column, torch.Tensor) else None for column in self.columns}
        if len(kinds) > 1:
            raise ValueError(f"columns must be all NumPy or all torch on one device, got {kinds}")
        self.sensor = None if sensor is None else sensor_size(sensor)
        self._sorted: bool | None = None

    @classmethod
    def empty(cls, sensor: Sequence[int] | None = None) -> Self:
        """No events."""
        return cls(*(np.empty(0, _DTYPES[k][0]) for k in "txyp"), sensor=sensor)

    @classmethod
    def concatenate(cls, parts: Iterable[Events]) -> Self:
        """One record from several, in the order given; all of one sensor (unknown sizes give way to a known one)."""
        parts = list(parts)
        sensors = {part.sensor for part in parts} - {None}
        if len(sensors) > 1:
            raise ValueError(f"cannot concatenate events of different sensors: {sorted(s for s in sensors if s)}")
        sensor = sensors.pop() if sensors else None
        parts = [part for part in parts if len(part)] or parts[:1]
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return cls(*parts[0].columns, sensor=sensor)
        columns: list[Any]
        if isinstance(parts[0].t, torch.Tensor):
            columns = [torch.cat([getattr(part, k) for part in parts]) for k in "txyp"]
        else:
            columns = [np.concatenate([getattr(part, k) for part in parts]) for k in "txyp"]
        return cls(*columns, sensor=sensor)

    @property
    def columns(self) -> tuple[Any, Any, Any, Any]:
        return self.t, self.x, self.y, self.p

    def __len__(self) -> int:
        return len(self.t)

    @overload
    def __getitem__(self, index: int) -> tuple[int, int, int, int]: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any] | torch.Tensor | Sequence[int]) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        """A slice, mask or index array gives Events; a whole number gives the one event as a tuple ``(t, x, y, p)``."""
        if isinstance(index, int | np.integer):
            return tuple(int(column[index]) for column in self.columns)
        if not isinstance(index, slice):
            return type(self)(*(column[index] for column in self.columns), sensor=self.sensor)
        part = object.__new__(type(self))  # columns that were looked at need no second look
        part.t, part.x, part.y, part.p = self.t[index], self.x[index], self.y[index], self.p[index]
        part.sensor, part._sorted = self.sensor, (True if self._sorted and (index.step or 1) > 0 else None)
        return part

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        if len(self) != len(other) or self.sensor != other.sensor:
            return False
        mine, theirs = self.numpy(), other.numpy()
        return all(bool(np.array_equal(a, b)) for a, b in zip(mine.columns, theirs.columns, strict=True))

    @property
    def is_sorted(self) -> bool:
        """True if no event is earlier than the one before it."""
        if self._sorted is None:
            self._sorted = bool((self.t[1:] >= self.t[:-1]).all())
        return self._sorted

    def sort(self) -> Self:
        """The events in order of time; simultaneous ones keep their order."""
        if self.is_sorted:
            return self
        order = self.t.argsort(stable=True) if isinstance(self.t, torch.Tensor) else self.t.argsort(kind="stable")
        return self[order]

    def between(self, start: int | str | None = None, stop: int | str | None = None) -> Self:
        """The events with ``start <= t < stop``; None leaves that side open.

        A whole number is a time stamp in us on the recording's own clock. A text ("10ms") is counted from the first
        event. Raises ValueError if the events are not sorted, and for a time that is neither.
        """
        if not self.is_sorted:
            raise ValueError("events are not in order of time; call sort() first")
        bounds = [0, len(self)]
        for side, when in enumerate((start, stop)):
            if when is None or not len(self):
                continue
            stamp = time_stamp(when, int(self.t[0]))
            if isinstance(self.t, torch.Tensor):
                bounds[side] = int(torch.searchsorted(self.t, stamp))
            else:
                bounds[side] = int(np.searchsorted(self.t, stamp))
        return self[bounds[0] : max(bounds)]

    def outside(self) -> Any:
        """Mask ``[n]`` of the events that lie outside the sensor. Raises ValueError if its size is unknown."""
        if self.sensor is None:
            raise ValueError("the sensor size of these events is not known")
        width, height = self.sensor
        x, y = (c.int() if isinstance(c, torch.Tensor) else c for c in (self.x, self.y))
        return (x < 0) | (x >= width) | (y < 0) | (y >= height)

    def numpy(self) -> Self:
        """The same events with NumPy columns (shared memory where they are on the CPU)."""
        if not isinstance(self.t, torch.Tensor):
            return self
        return self._moved([column.cpu().numpy() for column in self.columns])

    def to(self, device: torch.device | str) -> Self:
        """The same events with torch columns on a device; uint16 coordinates become int16."""
        columns = []
        for name, column in zip("txyp", self.columns, strict=True):
            if not isinstance(column, torch.Tensor):
                if column.dtype == np.uint16:
                    if len(column) and column.max() > 2**15 - 1:
                        raise ValueError(
                            f"column {name} reaches {column.max()}, beyond the 32767 that torch's int16 holds"
                        )
                    column = column.astype(np.int16)
                column = torch.from_numpy(column if column.flags.writeable else column.copy())
            columns.append(column.to(device, non_blocking=True))
        return self._moved(columns)

    def _moved(self, columns: Sequence[Any]) -> Self:
        moved = type(self)(*columns, sensor=self.sensor)
        moved._sorted = self._sorted
        return moved

    @property
    def duration(self) -> int:
        """Time from the first to the last event in us; 0 for fewer than two events."""
        if len(self) < 2:
            return 0
        return int(self.t[-1] - self.t[0]) if self.is_sorted else int(self.t.max() - self.t.min())

    @property
    def rate(self) -> float:
        """Events per second over the duration; 0 where there is none."""
        return len(self) / self.duration * 1e6 if self.duration else 0.0

    def __repr__(self) -> str:
        size = "sensor unknown" if self.sensor is None else f"{self.sensor[0]}x{self.sensor[1]}"
        where = f", {self.t.device}" if isinstance(self.t, torch.Tensor) else ""
        return f"Events({len(self):,} events, {show_duration(self.duration)}, {show_rate(self.rate)}, {size}{where})"


def show_duration(us: int) -> str:
    """A duration for people.

    >>> show_duration(250), show_duration(50_000), show_duration(39_810_046), show_duration(999_997)
    ('250 us', '50 ms', '39.8 s', '1000 ms')
    """
    for unit, size in (("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000)):
        if us >= size:
            number = us / size
            return f"{number:.3g} {unit}" if number < 999.5 else f"{number:.0f} {unit}"
    return f"{us} us"


def show_rate(per_second: float) -> str:
    """An event rate for people.

    >>> show_rate(12), show_rate(10_789_620)
    ('12 events/s', '10.8 M events/s')
    """
    for prefix, size in ((" G", 1e9), (" M", 1e6), (" k", 1e3)):
        if per_second >= size:
            return f"{per_second / size:.3g}{prefix} events/s"
    return f"{per_second:.3g} events/s"
