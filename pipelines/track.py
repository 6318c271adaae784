"""From a recording to tracks with persistent ids, as a table, a video and a picture; in bounded memory.

Windows of events -> without background activity -> leaky maps and receptive fields -> regions -> association -> Kalman
filter -> tracks. Nothing is trained.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

import eventsnn.io
from eventsnn.events import Events, microseconds, show_duration
from eventsnn.io.atomic import whole
from eventsnn.io.waiting import until_idle
from eventsnn.track import Tracker, TrackerConfig, Tracks
from eventsnn.track.learned import LearnedTracker

from .info import Survey, survey
from .interrupting import noticed
from .reading import Reading
from .track_files import Plan, Summary, encodes, write
from .track_stream import stream

_LADDER = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
_EVENTS_PER_WINDOW = 700

_HEAD = 20_000
_LONG = 2**62


@dataclass(frozen=True)
class Config(Reading):
    """Track what moves in a recording: tracks.csv, tracks.txt (MOTChallenge), tracks.mp4, tracks.png, report.json."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format."""
    out: Path | None = None
    """Folder for the results. Default: the recording's name with ".tracks" at the end, in the current folder."""
    dt: str = "auto"
    """Length of a window, such as 5ms; auto chooses by the event rate."""
    min_size: float = 12.0
    """Least size of an object [px]."""
    max_size: float | None = None
    """Largest size of an object [px]. Default: the longer side of the sensor."""
    max_age: str | None = None
    """How long a moving track without events is carried on, at most. Default: 150ms."""
    tracker: Literal["untrained", "learned"] = "untrained"
    """untrained follows all objects; learned, a network trained on moving shapes, the one that stands out most."""
    network: Path | None = None
    """The network of the learned tracker, from eventsnn learn-to-track. Default: the one that comes with eventsnn."""
    device: str = "cpu"
    """cpu, cuda, ...: a GPU filters the events, maps them and gives them to their objects, or runs the network; regions
    are outlined and tracks kept on the CPU."""
    video: bool = True
    """Draw tracks.mp4."""
    follow: bool = False
    """Track a file that is still being written, as it grows; window length and sensor are settled by its start."""
    patience: str = "10s"
    """How long a file that is followed may stay as it is before it counts as complete."""


def choose_dt(rate: float, duration: int) -> int:
    """Window length [us] for a rate [events/s]: some hundred events in each, from 0.5 to 20 ms.

    No window is longer than a sixteenth of the duration [us], so that a short recording has enough of them.

    >>> choose_dt(10e6, 50_000), choose_dt(123e3, 2_200_000), choose_dt(12e3, 40_000_000)
    (500, 5000, 20000)
    """
    wanted = min(max(_EVENTS_PER_WINDOW / max(rate, 1e-9) * 1e6, min(2_000, duration / 100)), duration / 16)
    return min(_LADDER, key=lambda dt: abs(math.log(dt / max(wanted, 1))))


def plan(facts: Survey, config: Config) -> Plan:
    """Window length and tracker for a recording. Raises ValueError for settings that cannot be."""
    try:
        device = torch.device(config.device)
    except RuntimeError:
        raise ValueError(f"no device is called {config.device!r}; there are cpu, cuda, cuda:1, ...") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {config.device}: this machine has no CUDA device, or torch was built without CUDA")
    active = facts.duration - facts.pauses
    rate = facts.events / active * 1e6 if active else 0.0
    if config.tracker not in ("untrained", "learned"):
        raise ValueError(f"tracker must be 'untrained' or 'learned', got {config.tracker!r}")
    dt = microseconds(config.dt) if config.dt != "auto" else choose_dt(rate, _LONG if config.follow else active)
    if dt <= 0:
        raise ValueError(f"dt must be at least 1 us, got {config.dt!r}")
    largest = max(*facts.sensor, 2 * config.min_size) if config.max_size is None else config.max_size
    constants = TrackerConfig(min_size=config.min_size, max_size=largest)
    if config.max_age is not None:
        constants = replace(constants, max_age=microseconds(config.max_age) / 1e3)
    if config.network is not None and config.tracker != "learned":
        raise ValueError(f"the network {config.network} is for the learned tracker; add --tracker learned")
    tracker = (
        LearnedTracker(facts.sensor, dt, constants, device, config.network)
        if config.tracker == "learned"
        else Tracker(facts.sensor, dt, constants, device)
    )
    return Plan(tracker, facts.first // dt * dt, facts, not config.follow)


def track(source: str | Path | Events | Iterable[Events], **settings: Any) -> Tracks:
    """Tracks of a file, of Events, or of a stream of Events; settings are those of ``Config``.

    A stream is not gone through twice: window length and sensor size are settled by its first 20,000 events.

    >>> from eventsnn.datasets.shapes import Shape, record
    >>> events, truth = record([Shape("circle", 24.0, (30.0, 40.0), (200.0, 0.0))], (120, 80), "300ms", noise_rate=0.1)
    >>> tracks = track(events)
    >>> tracks.ids, bool(abs(tracks.x[-1] - truth[-1, 0, 0]) < 2)
    ([1], True)
    """
    if isinstance(source, str | Path):
        config = Config(Path(source), **settings)
        with config.opened(source) as recording:
            facts = survey(config.part(recording), recording.sensor)
            return _collect(config.part(recording), plan(facts, config))
    config = Config(Path(), **settings)
    facts, chunks = _begun(config.part([source] if isinstance(source, Events) else source), config.sensor)
    return _collect(chunks, plan(facts, config))


def _begun(source: Iterable[Events], sensor: tuple[int, int] | None = None) -> tuple[Survey, Iterable[Events]]:
    """What the first events of a stream say, and the stream with them."""
    chunks, head = iter(source), list[Events]()
    while sum(map(len, head)) < _HEAD and (chunk := next(chunks, None)) is not None:
        head.append(chunk)
    known = Events.concatenate(head).numpy()[:_HEAD]
    return survey([known], sensor or known.sensor), chain(head, chunks)


def _collect(chunks: Iterable[Events], settled: Plan) -> Tracks:
    frames = stream(chunks, settled.tracker, settled.start_us)
    return Tracks.of(row for frame in frames for row in frame.rows)


def _surveyed(
    recording: eventsnn.io.Recording, config: Config, stopped: Callable[[], bool]
) -> tuple[Survey, Iterable[Events]]:
    """Facts and events of a recording; of a growing one, what its start says and what comes until ``stopped``."""
    if not config.follow:
        part = config.part(recording)
        return survey(takewhile(lambda _: not stopped(), part), recording.sensor), part
    grows = until_idle(str(config.recording), microseconds(config.patience))
    return _begun(config.part(recording.follow(wait=lambda: not stopped() and grows())), recording.sensor)


def run(config: Config) -> Path:
    """Track a file and write the results; returns their folder. After an error nothing is left behind.

    Raises KeyboardInterrupt when interrupted; what was tracked until then is there in full, and report.json says
    ``"partial": true``.
    """
    out = config.out or Path(config.recording.name + ".tracks")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; --out names the folder for the results")
    with whole(out) as folder, noticed() as stopped, config.opened(config.recording) as recording:
        facts, chunks = _surveyed(recording, config, stopped)
        if stopped() and not config.follow:
            raise KeyboardInterrupt
        settled = plan(facts, config)
        if facts.inferred and facts.events:
            print(f"the file does not name its sensor; {facts.sensor[0]}x{facts.sensor[1]} is inferred from the events")
        folder.mkdir()
        summary = write(chunks, settled, folder, stopped, video=config.video and encodes())
        report = summary.report(settled, config.recording, config.device)
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    if summary.partial:
        until = show_duration(summary.end_us - settled.start_us)
        raise KeyboardInterrupt(f"interrupted: {out} holds the tracks of the first {until}, marked as partial")
    _tell(summary, settled)
    print(f"results in {out}")
    return out


def _tell(summary: Summary, settled: Plan) -> None:
    """Print what there was, and what was wrong with it."""
    facts, dt, spans = settled.facts, settled.tracker.dt_us, summary.spans
    if facts.steps_back and settled.surveyed:
        often = "once" if facts.steps_back == 1 else f"{facts.steps_back:,} times"
        print(
            f"time steps back {often}; such an event counts at the latest time before it: sort the events if it is much"
        )
    if summary.pauses:
        pauses = f"{summary.pauses} pauses" if summary.pauses > 1 else "a pause"
        print(
            f"{pauses} without events: all tracks end there, and {show_duration(summary.left_out * dt)} of it are left "
            "out of video and tables"
        )
    if not summary.events:
        print("the recording holds no events")
    elif not spans:
        print("no object moved: what there is looks like noise, or is smaller or larger than --min-size and --max-size")
    things = "object" if len(spans) == 1 else "objects"
    duration = max(summary.end_us - settled.start_us, 0) if summary.events else 0
    print(f"{len(spans)} {things} in {show_duration(duration)}, windows of {show_duration(dt)}")
    for number, (seen, first, last) in sorted(spans.items()):
        since, until = (show_duration(us - settled.start_us) for us in (first, last))
        print(f"  id {number}: {seen} windows, {since} to {until}")
