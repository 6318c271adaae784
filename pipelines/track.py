"""From a recording to tracks with persistent ids, as a table, a video and a picture; in bounded memory.

Windows of events -> without background activity -> leaky maps and receptive fields -> regions -> association -> Kalman
filter -> tracks. Nothing is trained.
"""

from __future__ import annotations

import csv
import json
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import av
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from eventsnn.draw import Overlay, Trajectories, caption, picture, save, zoom_for
from eventsnn.events import Events, microseconds, show_duration
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.frames import windows
from eventsnn.io.atomic import whole
from eventsnn.track import STATES, Row, Tracker, TrackerConfig, Tracks
from eventsnn.track.fleet import LOOKBACK
from eventsnn.track.learned import LearnedTracker
from eventsnn.track.records import COLUMNS, as_mot, as_text
from eventsnn.video import Video

from .info import Survey, survey
from .reading import Reading

_LADDER = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
_EVENTS_PER_WINDOW = 700

_HEAD = 20_000
_CLIP_SECONDS = 5.0
_LATENCIES = np.geomspace(1e-2, 1e5, 331).round(3)  # [ms], 5 % apart


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
    """Where maps and receptive fields are computed: cpu, cuda, ..."""
    video: bool = True
    """Draw tracks.mp4."""


@dataclass(frozen=True)
class Frame:
    """One window after tracking: its number from 1, its end, its events, and its rows of ``Tracks``."""

    number: int
    end_us: int
    events: Events
    rows: tuple[Row, ...]
    spent: float = 0.0
    """Seconds from having the window's events to having its tracks."""


def choose_dt(rate: float, duration: int) -> int:
    """Window length [us] for a rate [events/s]: some hundred events in each, from 0.5 to 20 ms.

    No window is longer than a sixteenth of the duration [us], so that a short recording has enough of them.

    >>> choose_dt(10e6, 50_000), choose_dt(123e3, 2_200_000), choose_dt(12e3, 40_000_000)
    (500, 5000, 20000)
    """
    wanted = min(max(_EVENTS_PER_WINDOW / max(rate, 1e-9) * 1e6, min(2_000, duration / 100)), duration / 16)
    return min(_LADDER, key=lambda dt: abs(math.log(dt / max(wanted, 1))))


def stream(chunks: Iterable[Events], tracker: Tracker | LearnedTracker, start_us: int) -> Iterator[Frame]:
    """Frames of a stream of events, one for each window of ``tracker.dt_us`` from ``start_us`` on.

    Frames come some windows late, because a track that is confirmed brings its rows since birth with it. The result
    does not depend on how the stream is cut into chunks.
    """
    clean = BackgroundActivityFilter(tracker.sensor, tau=2 * tracker.dt_us, late="hold")
    waiting: deque[tuple[int, int, Events, dict[int, Row], float]] = deque()

    def frame() -> Frame:
        number, end, events, rows, spent = waiting.popleft()
        return Frame(number, end, events, tuple(rows[key] for key in sorted(rows)), spent)

    for begin, events in windows(chunks, tracker.dt_us, start=start_us):
        end, since = begin + tracker.dt_us, time.perf_counter()
        rows = tracker.update(clean(events), end)
        waiting.append((tracker.frame, end, events, {}, time.perf_counter() - since))
        for row in rows:
            behind = tracker.frame - row[0]
            if behind < len(waiting):
                waiting[-1 - behind][3][row[2]] = row
        if len(waiting) > LOOKBACK:
            yield frame()
    while waiting:
        yield frame()


@dataclass(frozen=True)
class Plan:
    """What is settled before the first window."""

    tracker: Tracker | LearnedTracker
    start_us: int
    facts: Survey


def plan(facts: Survey, config: Config) -> Plan:
    """Window length and tracker for a recording. Raises ValueError for settings that cannot be."""
    try:
        device = torch.device(config.device)
    except RuntimeError:
        raise ValueError(f"no device is called {config.device!r}; there are cpu, cuda, cuda:1, ...") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {config.device}: this machine has no CUDA device, or torch was built without CUDA")
    dt = choose_dt(facts.rate, facts.duration) if config.dt == "auto" else microseconds(config.dt)
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
    return Plan(tracker, facts.first // dt * dt, facts)


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
            facts = survey(recording, recording.sensor)
            return _collect(recording, plan(facts, config))
    chunks = iter([source] if isinstance(source, Events) else source)
    head: list[Events] = []
    while sum(map(len, head)) < _HEAD and (chunk := next(chunks, None)) is not None:
        head.append(chunk)
    known = Events.concatenate(head).numpy()[:_HEAD]
    settled = plan(survey([known], known.sensor), Config(Path(), **settings))
    return _collect(chain(head, chunks), settled)


def _collect(chunks: Iterable[Events], settled: Plan) -> Tracks:
    frames = stream(chunks, settled.tracker, settled.start_us)
    return Tracks.of(row for frame in frames for row in frame.rows)


def run(config: Config) -> Path:
    """Track a file and write the results; returns their folder. After an error nothing is left behind.

    Raises KeyboardInterrupt when interrupted; what was tracked until then is there in full, and report.json says
    ``"partial": true``.
    """
    out = config.out or Path(config.recording.name + ".tracks")
    with config.opened(config.recording) as recording:
        facts = survey(recording, recording.sensor)
        settled = plan(facts, config)
        if facts.inferred:
            print(f"the file does not name its sensor; {facts.sensor[0]}x{facts.sensor[1]} is inferred from the events")
        with whole(out) as folder:
            folder.mkdir()
            summary = _write(recording, settled, folder, video=config.video and _encodes())
            (folder / "report.json").write_text(json.dumps(summary.report(settled, config), indent=1) + "\n")
    spans = summary.spans
    if summary.partial:
        until = show_duration(summary.end_us - settled.start_us)
        raise KeyboardInterrupt(f"interrupted: {out} holds the tracks of the first {until}, marked as partial")
    if not spans:
        print("no object moved: what there is looks like noise, or is smaller or larger than --min-size and --max-size")
    things = "object" if len(spans) == 1 else "objects"
    print(
        f"{len(spans)} {things} in {show_duration(facts.duration)}, windows of {show_duration(settled.tracker.dt_us)}"
    )
    for number, (frames, first, last) in sorted(spans.items()):
        since, until = (show_duration(us - settled.start_us) for us in (first, last))
        print(f"  id {number}: {frames} windows, {since} to {until}")
    print(f"results in {out}")
    return out


@dataclass
class Summary:
    """What is known of a run: windows, first and last time of each id, and how long the windows took."""

    spans: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    took: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_LATENCIES) + 1, np.int64))
    events: int = 0
    end_us: int = 0
    seconds: float = 0.0
    partial: bool = False

    def add(self, frame: Frame) -> None:
        """Count in a window."""
        self.events, self.end_us = self.events + len(frame.events), frame.end_us
        self.took[np.searchsorted(_LATENCIES, frame.spent * 1e3)] += 1
        for row in frame.rows:
            windows_seen, first, _ = self.spans.get(row[2], (0, frame.end_us, 0))
            self.spans[row[2]] = windows_seen + 1, first, frame.end_us

    def latency(self, share: float) -> float:
        """Quantile [ms] of the time that a window took, to 5 %."""
        place = np.searchsorted(self.took.cumsum(), share * self.took.sum())
        return float(_LATENCIES[min(int(place), len(_LATENCIES) - 1)])

    def report(self, settled: Plan, config: Config) -> dict[str, Any]:
        """What report.json says."""
        facts, tracker, seconds = settled.facts, settled.tracker, max(self.seconds, 1e-9)
        span = max(self.end_us - settled.start_us, 0)
        return {
            "recording": str(config.recording),
            "partial": self.partial,
            "sensor": facts.sensor,
            "sensor_inferred": facts.inferred,
            "events": self.events,
            "duration_us": span,
            "steps_back": facts.steps_back,
            "largest_gap_us": facts.largest_gap,
            "window_us": tracker.dt_us,
            "device": config.device,
            "seconds": round(seconds, 3),
            "events_per_second": round(self.events / seconds),
            "real_time_factor": round(span / 1e6 / seconds, 3),
            "latency_ms": {"median": self.latency(0.5), "99 %": self.latency(0.99), "largest": self.latency(1.0)},
            "constants": asdict(tracker.config),
            "tracks": [
                {"id": number, "windows": seen, "first_us": first, "last_us": last}
                for number, (seen, first, last) in sorted(self.spans.items())
            ],
        }


def _encodes() -> bool:
    """True if H.264 can be written; else it is said that there is no video."""
    try:
        av.codec.Codec("libx264", "w")
    except ValueError:
        print("no tracks.mp4: this build of the package av has no H.264 encoder (libx264)")
        return False
    return True


def _write(recording: Iterable[Events], settled: Plan, folder: Path, *, video: bool) -> Summary:
    """Write tables, video and picture while tracking."""
    tracker, summary, paths = settled.tracker, Summary(), Trajectories(settled.tracker.sensor)
    since = time.perf_counter()
    with (
        (folder / "tracks.csv").open("w", newline="") as file,
        (folder / "tracks.txt").open("w") as mot,
        tqdm(total=settled.facts.events, unit=" events", unit_scale=True, disable=None) as progress,
        ExitStack() as files,
    ):
        table = csv.writer(file)
        table.writerow(COLUMNS)
        clip = files.enter_context(_Clip(folder / "tracks.mp4", settled)) if video else None
        try:
            for frame in stream(recording, tracker, settled.start_us):
                table.writerows(as_text(row) for row in frame.rows)
                mot.writelines(map(as_mot, frame.rows))
                paths.shade(frame.events)
                for row in frame.rows:
                    paths.add(row[2], row[3], row[4])
                summary.add(frame)
                if clip is not None:
                    clip.show(frame)
                progress.update(len(frame.events))
                spent = max(time.perf_counter() - since, 1e-9)
                factor = (frame.end_us - settled.start_us) / 1e6 / spent
                progress.set_postfix_str(f"{factor:.2g} x real time", False)
        except KeyboardInterrupt:
            summary.partial = True
    summary.seconds = time.perf_counter() - since
    save(folder / "tracks.png", paths.image())
    return summary


class _Clip(Video):
    """The video of a run: at real time, or slowed down so that a short recording plays for some seconds."""

    def __init__(self, path: Path, settled: Plan) -> None:
        tracker, self.start_us, self.sensor = settled.tracker, settled.start_us, settled.tracker.sensor
        self.slowdown = max(1.0, _CLIP_SECONDS * 1e6 / max(settled.facts.duration, 1))
        self.group = max(1, round(1e6 / 30 / self.slowdown / tracker.dt_us))
        super().__init__(path, fps=min(60.0, 1e6 / (self.group * tracker.dt_us * self.slowdown)))
        self.overlay = Overlay(zoom_for(self.sensor), trail=60)
        self._held: list[Events] = []

    def show(self, frame: Frame) -> None:
        """Take in a window; every so many of them give a picture."""
        self._held.append(frame.events)
        self.overlay.follow((row[2], row[3], row[4]) for row in frame.rows)
        if len(self._held) < self.group:
            return
        events = Events.concatenate(self._held)
        self._held = []
        image = picture(Events(*events.columns, sensor=self.sensor), zoom=self.overlay.zoom)
        boxes = ((row[2], *row[3:7], STATES[row[10]] == "confirmed") for row in frame.rows)
        speed = "" if self.slowdown == 1 else f"   {self.slowdown:.3g} x slower"
        text = f"{(frame.end_us - self.start_us) / 1e3:.1f} ms{speed}"
        self.add(caption(self.overlay.draw(image, boxes), text))
