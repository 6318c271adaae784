"""What is settled before the first window: how long the windows are, and with which constants is tracked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from eventsnn.devices import device_named
from eventsnn.events import Events, microseconds
from eventsnn.track import Tracker, TrackerConfig
from eventsnn.track.config import window_length
from eventsnn.track.learned import LearnedTracker

from .info import Survey, survey

if TYPE_CHECKING:
    from .track import Config

_LADDER = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
_USUAL, _FEW = 5_000, 250  # the length of a window [us]; longer, for so many events
_LONG = 2**62
_SHARE, _SOON = 1 / 4, 5.0  # of a short recording an object is seen before it has its number, though so long [ms]

# the start of a stream that settles the rest: so many events [1] and so long [us], at most so many, or so long
_LEAST, _SPAN, _MOST, _LONGEST = 20_000, 500_000, 1_000_000, 5_000_000


@dataclass(frozen=True)
class Plan:
    """What is settled before the first window."""

    tracker: Tracker | LearnedTracker
    start_us: int
    facts: Survey


def choose_dt(rate: float, duration: int) -> int:
    """Window length [us] for a rate [events/s]: 5 ms, or as long as it takes for 250 events, up to 20 ms.

    So generated and real recordings of all rates are tracked best. In a recording of less than half a second it is a
    hundredth of the duration [us], from 0.5 ms on, and never over a sixteenth of it, so that there are enough windows.

    >>> choose_dt(10e6, 50_000), choose_dt(123e3, 2_200_000), choose_dt(12e3, 40_000_000)
    (500, 5000, 20000)
    """
    wanted = min(max(_FEW / max(rate, 1e-9) * 1e6, min(_USUAL, duration / 100)), duration / 16)
    return min(_LADDER, key=lambda dt: abs(math.log(dt / max(wanted, 1))))


def plan(facts: Survey, config: Config) -> Plan:
    """Window length and tracker for a recording. Raises ValueError for settings that cannot be."""
    device = device_named(config.device)
    active = facts.duration - facts.pauses
    rate = facts.events / active * 1e6 if active else 0.0
    duration = active if facts.whole else _LONG
    if config.tracker not in ("untrained", "learned"):
        raise ValueError(f"tracker must be 'untrained' or 'learned', got {config.tracker!r}")
    dt = choose_dt(rate, duration) if config.dt == "auto" else window_length(config.dt)
    largest = max(*facts.sensor, 2 * config.min_size) if config.max_size is None else config.max_size
    constants = TrackerConfig(min_size=config.min_size, max_size=largest)
    constants = replace(constants, confirm=min(constants.confirm, max(_SHARE * duration / 1e3, _SOON)))
    if config.max_age is not None:
        constants = replace(constants, max_age=microseconds(config.max_age) / 1e3)
    if config.network is not None and config.tracker != "learned":
        raise ValueError(f"the network {config.network} is for the learned tracker; add --tracker learned")
    tracker = (
        LearnedTracker(facts.sensor, dt, constants, device, config.network)
        if config.tracker == "learned"
        else Tracker(facts.sensor, dt, constants, device)
    )
    return Plan(tracker, facts.first // dt * dt, facts)


def begun(source: Iterable[Events], sensor: tuple[int, int] | None = None) -> tuple[Survey, Iterable[Events]]:
    """What the start of a stream says, and the stream with it.

    The start are 20,000 events, and as many as come in 500 ms, but a million at most; or, where the ``sensor`` is
    known, those of 5 s. How the stream is cut does not matter. Where no sensor is known, the stream raises ValueError
    at events beyond those of its start.

    >>> facts, stream = begun(iter([Events([0, 40], [3, 1], [0, 2], [1, 1]), Events([90], [0], [1], [0])]))
    >>> facts.events, facts.whole, sum(map(len, stream))
    (3, True, 3)
    """
    chunks, head = iter(source), list[Events]()
    count = lasted = first = 0
    longest = _LONG
    while not (count > _MOST or lasted >= longest or (count > _LEAST and lasted >= _SPAN)):
        if (chunk := next(chunks, None)) is None:
            break
        head.append(chunk)
        if len(chunk):
            sensor = sensor or chunk.sensor
            longest = _LONGEST if sensor else _LONG
            first = first if count else int(chunk.t[0])
            count, lasted = count + len(chunk), max(lasted, int(chunk.t.max()) - first)
    known = Events.concatenate(head).numpy()
    late = np.maximum.accumulate(known.t) - known.t[:1]
    enough = min(max(_LEAST, int(np.searchsorted(late, _SPAN))), int(np.searchsorted(late, longest)), _MOST)
    facts = replace(survey([known[:enough]], sensor), whole=len(known) <= enough)
    stream = chain(head, chunks)
    return facts, _inside(stream, facts.sensor) if facts.inferred and not facts.whole else stream


def _inside(chunks: Iterable[Events], sensor: tuple[int, int]) -> Iterator[Events]:
    """The stream, as long as it is inside the sensor that its start shows."""
    width, height = sensor
    for chunk in chunks:
        if len(chunk) and not (int(chunk.x.max()) < width and int(chunk.y.max()) < height):
            raise ValueError(
                f"the start of the stream shows a sensor of {width}x{height}, and now there are events beyond it; "
                "say how large it is: sensor=(width, height), or --sensor WIDTH HEIGHT"
            )
        yield chunk
