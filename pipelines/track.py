"""From a recording to tracks with persistent ids, as a table, a video and a picture; in bounded memory.

Windows of events -> without background activity -> leaky maps and receptive fields -> regions -> association -> Kalman
filter -> tracks. Nothing is trained.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from eventsnn.events import Events, microseconds, show_duration
from eventsnn.io import Recording
from eventsnn.io.atomic import whole
from eventsnn.io.waiting import until_idle
from eventsnn.track import Tracks

from .info import Survey, survey
from .interrupting import noticed
from .reading import Reading
from .track_files import Summary, encodes, write
from .track_plan import Plan, begun, plan
from .track_stream import stream

__all__ = ["Config", "run", "track"]


@dataclass(frozen=True)
class Config(Reading):
    """Track what moves in a recording: tracks.csv, tracks.txt (MOTChallenge), tracks.mp4, tracks.png, report.json."""

    recording: Annotated[Path, tyro.conf.Positional]
    """Event file of any known format; "-" is standard input."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
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
    """cpu or cuda: a GPU filters and maps the events and gives them to their objects, or runs the network."""
    video: bool = True
    """Draw tracks.mp4."""
    follow: bool = False
    """Track a file that is still being written, as it grows; window length and sensor are settled by its start."""
    patience: str = "10s"
    """How long a file that is followed may stay as it is before it counts as complete."""


def track(source: str | Path | Recording | Events | Iterable[Events], **settings: Any) -> Tracks:
    """Tracks of a file, a Recording, Events, or a stream of Events; settings are those of ``Config`` but for ``out``.

    A stream of which nothing but the next piece is known, an iterator or a pipe ("-"), is gone through once: its start
    settles window length and sensor size. Everything else is looked at in full before.

    Raises TypeError for what is no source, ValueError for settings that cannot be, and OSError or ``EventFormatError``
    for files that cannot be read.

    >>> from eventsnn.datasets.shapes import Shape, record
    >>> events, truth = record([Shape("circle", 24.0, (30.0, 40.0), (200.0, 0.0))], (120, 80), "300ms", noise_rate=0.1)
    >>> tracks = track(events)
    >>> tracks.ids, bool(abs(tracks.x[-1] - truth[-1, 0, 0]) < 2)
    ([1], True)
    """
    config = Config(Path(source) if isinstance(source, str | Path) else Path(), **settings)
    if config.out is not None:
        raise ValueError("track() gives tracks and writes nothing; run(Config(recording, out=...)) writes files")
    if isinstance(source, str | Path):
        with config.opened(source) as recording:
            facts, chunks = _surveyed(recording, config)
            return _collect(chunks, plan(facts, config))
    if isinstance(source, Recording):
        facts, chunks = _surveyed(source, config)
    elif isinstance(source, Events | Sequence):
        known = [source] if isinstance(source, Events) else [_checked(chunk) for chunk in source]
        chunks = config.part(known)
        facts = survey(chunks, config.sensor or next((chunk.sensor for chunk in known if chunk.sensor), None))
    elif isinstance(source, Iterable):
        facts, chunks = begun(config.part(map(_checked, source)), config.sensor)
    else:
        raise TypeError(f"track needs a path, a Recording, Events or a stream of Events, got {type(source).__name__}")
    return _collect(chunks, plan(facts, config))


def _checked(chunk: Any) -> Events:
    if not isinstance(chunk, Events):
        raise TypeError(f"a stream to track consists of Events, got {type(chunk).__name__}")
    return chunk


def _collect(chunks: Iterable[Events], settled: Plan) -> Tracks:
    frames = stream(chunks, settled.tracker, settled.start_us)
    return Tracks.of(row for frame in frames for row in frame.rows)


def _surveyed(
    recording: Recording, config: Config, stopped: Callable[[], bool] = lambda: False
) -> tuple[Survey, Iterable[Events]]:
    """Facts and events of a recording; of a pipe or a growing file, what its start says and what comes until
    ``stopped``.

    Raises KeyboardInterrupt if it is stopped while it looks at all of a recording.
    """
    sensor = config.sensor or recording.sensor
    if recording.is_pipe:
        return begun(config.part(takewhile(lambda _: not stopped(), recording)), sensor)
    if config.follow:
        grows = until_idle(recording.path, microseconds(config.patience))
        return begun(config.part(recording.follow(wait=lambda: not stopped() and grows())), sensor)
    part = config.part(recording)
    facts = survey(takewhile(lambda _: not stopped(), part), sensor)
    if stopped():
        raise KeyboardInterrupt
    return facts, part


def run(config: Config) -> Path:
    """Track a file and write the results; returns their folder. After an error nothing is left behind.

    Raises KeyboardInterrupt when interrupted; what was tracked until then is there in full, and report.json says
    ``"partial": true``.
    """
    piped = str(config.recording) == "-"
    out = config.out or Path(("stdin" if piped else config.recording.name) + ".tracks")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; --out names the folder for the results")
    with whole(out) as folder, noticed() as stopped, config.opened(config.recording) as recording:
        facts, chunks = _surveyed(recording, config, stopped)
        settled = plan(facts, config)
        if facts.inferred and facts.events:
            print(f"the file does not name its sensor; {facts.sensor[0]}x{facts.sensor[1]} is inferred from the events")
        folder.mkdir()
        summary = write(chunks, settled, folder, stopped, video=config.video and encodes())
        report = summary.report(settled, recording, config.device)
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    if summary.partial:
        until = show_duration(summary.end_us - settled.start_us)
        raise KeyboardInterrupt(f"interrupted: {out} holds the tracks of the first {until}, marked as partial")
    _tell(summary, settled, config)
    print(f"results in {out}")
    return out


def _tell(summary: Summary, settled: Plan, config: Config) -> None:
    """Print what there was, and what was wrong with it."""
    facts, dt, spans = settled.facts, settled.tracker.dt_us, summary.spans
    if facts.steps_back and facts.whole:
        often = "once" if facts.steps_back == 1 else f"{facts.steps_back:,} times"
        print(f"time steps back {often}; such an event counts at the latest time before it. If it is much, sort first:")
        print(f"  eventsnn.write('sorted.h5', eventsnn.read({str(config.recording)!r}).sort())")
    if summary.pauses:
        pauses = f"{summary.pauses} pauses" if summary.pauses > 1 else "a pause"
        print(
            f"{pauses} without events: all tracks end there, and {show_duration(summary.left_out * dt)} of it are left "
            "out of video and tables"
        )
    if not summary.events:
        cut = "" if config.start is None and config.stop is None else " from --start to --stop"
        print(f"the recording holds no events{cut}")
    elif not spans:
        print("no object moved: what there is looks like noise, or is smaller or larger than --min-size and --max-size")
    things = "object" if len(spans) == 1 else "objects"
    duration = max(summary.end_us - settled.start_us, 0) if summary.events else 0
    print(f"{len(spans)} {things} in {show_duration(duration)}, windows of {show_duration(dt)}")
    for number, (seen, first, last) in sorted(spans.items()):
        since, until = (show_duration(us - settled.start_us) for us in (first, last))
        print(f"  id {number}: {seen} windows, {since} to {until}")
