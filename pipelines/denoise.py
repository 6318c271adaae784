"""A recording without its noise: filters one after the other; in bounded memory, the file whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

import eventsnn.io
from eventsnn.events import Events
from eventsnn.filters import (
    BackgroundActivityFilter,
    Filter,
    FlickerFilter,
    HotPixelFilter,
    RateLimiter,
    RefractoryFilter,
    SpatioTemporalCorrelationFilter,
    hot_pixels,
)

from . import convert
from .info import Survey, survey
from .reading import Reading

Name = Literal["hot", "flicker", "refractory", "background", "correlation", "rate"]


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """Which filters, in which order, and their settings."""

    filters: tuple[Name, ...] = ("hot", "correlation")
    """Filters, in the order in which they are applied."""
    tau: str = "5ms"
    """background, correlation: how long before an event its neighbours must have fired."""
    support: int = 2
    """correlation: how many of the eight neighbours must have."""
    same_polarity: bool = False
    """correlation, refractory: polarities do not count for each other."""
    period: str = "1ms"
    """refractory: how long a pixel is silent after an event."""
    frequency: float = 100.0
    """flicker: frequency of the light [Hz]."""
    harmonics: int = 1
    """flicker: multiples of the frequency, up to this one, that are removed too."""
    hot_window: str = "1s"
    """hot: pixels hot in one such stretch of time, at first in the whole recording, are silenced in the next."""
    threshold: float = 8.0
    """hot: robust standard deviations by which a hot pixel stands out from its neighbours."""
    budget: int = 10_000
    """rate: most events in a window."""
    window: str = "1ms"
    """rate: length of a window."""
    seed: int = 0
    """rate: seed of what is dropped."""
    late: Literal["raise", "hold"] = "raise"
    """What to do where time steps back: stop with an error, or judge such events as if they came at the latest time."""


_MADE: dict[str, Callable[[Survey, Cleaning], Filter]] = {
    "hot": lambda facts, c: HotPixelFilter(
        facts.sensor, c.hot_window, c.threshold, hot=hot_pixels(facts.counts, c.threshold), late=c.late
    ),
    "flicker": lambda facts, c: FlickerFilter(facts.sensor, c.frequency, harmonics=c.harmonics, late=c.late),
    "refractory": lambda facts, c: RefractoryFilter(facts.sensor, c.period, same_polarity=c.same_polarity, late=c.late),
    "background": lambda facts, c: BackgroundActivityFilter(facts.sensor, c.tau, late=c.late),
    "correlation": lambda facts, c: SpatioTemporalCorrelationFilter(
        facts.sensor, c.tau, c.support, same_polarity=c.same_polarity, late=c.late
    ),
    "rate": lambda facts, c: RateLimiter(facts.sensor, c.budget, c.window, seed=c.seed, late=c.late),
}


class Cleaner:
    """The filters of a ``Cleaning`` in a row; ``left`` counts the events before the first and after each."""

    def __init__(self, facts: Survey, cleaning: Cleaning) -> None:
        self.names = cleaning.filters
        self._sensor = facts.sensor
        self._filters = [_MADE[name](facts, cleaning) for name in cleaning.filters]
        self.left = [0] * (len(self._filters) + 1)

    def __call__(self, events: Events) -> Events:
        """The events that all filters let pass."""
        events = Events(*events.columns, sensor=self._sensor)
        self.left[0] += len(events)
        for number, clean in enumerate(self._filters):
            events = clean(events)
            self.left[number + 1] += len(events)
        return events

    def report(self) -> Iterator[str]:
        """A line for each filter: how many events it removed, and their part of those it was given."""
        for number, name in enumerate(self.names):
            given, kept = self.left[number : number + 2]
            yield f"{name:12} removed {given - kept:,} of {given:,} events ({(given - kept) / max(given, 1):.1%})"


@dataclass(frozen=True)
class Config(Cleaning, Reading):
    """Remove noise from a recording."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write; or a folder that exists, together with --format."""
    format: str | None = None
    """Format to write, such as EVT3 or HDF5. Default: the one that the name of the file shows."""


def run(config: Config) -> Path:
    """Write the events that stay and print how many each filter removed."""
    if not config.filters:
        raise ValueError(f"name at least one filter of {', '.join(_MADE)}")
    [(path, target)] = convert.targets(convert.Config((config.recording,), config.out, config.format))
    with config.opened(path) as recording, tqdm(unit=" events", unit_scale=True, disable=None) as progress:
        facts = survey(config.part(recording), recording.sensor)
        clean = Cleaner(facts, config)
        nothing = Events.empty(facts.sensor if facts.events else recording.sensor)  # which has a sensor too
        parts = chain([nothing], _cleaned(config.part(recording), clean, progress))
        eventsnn.io.write(target, parts, format=config.format)
    kept = clean.left[-1]
    print(f"{path} ({recording.format}) -> {target}: {kept:,} of {clean.left[0]:,} events")
    for line in clean.report():
        print(line)
    return target


def _cleaned(chunks: Iterable[Events], clean: Cleaner, progress: tqdm) -> Iterator[Events]:
    for chunk in chunks:
        yield clean(chunk)
        progress.update(len(chunk))
