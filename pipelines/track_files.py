"""The files that tell of tracks: tables, video, picture, and what is known of the run; written while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from eventsnn import __version__
from eventsnn.draw import Overlay, Trajectories, caption, picture, save, zoom_for
from eventsnn.events import Events
from eventsnn.io import Recording
from eventsnn.track import STATES, Tracker
from eventsnn.track.records import HEADER, as_csv, as_mot
from eventsnn.video import Video

from .ahead import behind
from .track_plan import Plan
from .track_stream import Frame, stream

_CLIP_SECONDS = 5.0
_LATENCIES = np.geomspace(1e-2, 1e5, 331).round(3)  # [ms], 5 % apart


@dataclass
class Summary:
    """What is known of a run: windows, first and last time of each id, and how long the windows took."""

    spans: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    took: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_LATENCIES) + 1, np.int64))
    events: int = 0
    end_us: int = 0
    windows: int = 0
    pauses: int = 0
    left_out: int = 0
    """Pauses that were not gone through to their end, and the windows left out of them."""
    seconds: float = 0.0
    partial: bool = False

    def add(self, frame: Frame) -> None:
        """Count in a window."""
        self.events, self.end_us = self.events + len(frame.events), frame.end_us
        missing = frame.number - self.windows - 1
        self.windows, self.pauses, self.left_out = frame.number, self.pauses + (missing > 0), self.left_out + missing
        self.took[np.searchsorted(_LATENCIES, frame.spent * 1e3)] += 1
        for row in frame.rows:
            windows_seen, first, _ = self.spans.get(row[2], (0, frame.end_us, 0))
            self.spans[row[2]] = windows_seen + 1, first, frame.end_us

    def latency(self, share: float) -> float:
        """Quantile [ms] of the time that a window took, to 5 %."""
        place = np.searchsorted(self.took.cumsum(), share * self.took.sum())
        return float(_LATENCIES[min(int(place), len(_LATENCIES) - 1)])

    def lasted(self, settled: Plan) -> int:
        """The time [us] that was gone through: all until now, but for what is left out of pauses."""
        whole = self.end_us - settled.start_us - self.left_out * settled.tracker.dt_us
        return max(whole, 0) if self.events else 0

    def report(self, settled: Plan, recording: Recording, device: str) -> dict[str, Any]:
        """What report.json says."""
        facts, tracker, seconds = settled.facts, settled.tracker, max(self.seconds, 1e-9)
        left_out, lasted = self.left_out * tracker.dt_us, self.lasted(settled)
        return {
            "eventsnn": __version__,
            "recording": recording.path,
            "partial": self.partial,
            "sensor": facts.sensor,
            "sensor_inferred": facts.inferred,
            "events": self.events,
            "events_dropped": dict(recording.report.dropped),
            "duration_us": lasted + left_out,
            "steps_back": facts.steps_back if facts.whole else None,
            "largest_gap_us": facts.largest_gap if facts.whole else None,
            "pauses_left_out": self.pauses,
            "left_out_us": left_out,
            "tracker": "untrained" if isinstance(tracker, Tracker) else "learned",
            "window_us": tracker.dt_us,
            "device": device,
            "seconds": round(seconds, 3),
            "events_per_second": round(self.events / seconds),
            "real_time_factor": round(lasted / 1e6 / seconds, 3),
            "latency_ms": {"median": self.latency(0.5), "99 %": self.latency(0.99), "largest": self.latency(1.0)},
            "constants": asdict(tracker.config),
            "tracks": [
                {"id": number, "windows": seen, "first_us": first, "last_us": last}
                for number, (seen, first, last) in sorted(self.spans.items())
            ],
        }


def encodes() -> bool:
    """True if H.264 can be written; else it is said that there is no video."""
    try:
        av.codec.Codec("libx264", "w")
    except ValueError:
        print("no tracks.mp4: this build of the package av has no H.264 encoder (libx264)")
        return False
    return True


def write(
    recording: Iterable[Events], settled: Plan, folder: Path, stopped: Callable[[], bool], *, video: bool
) -> Summary:
    """Write tables, video and picture while tracking, until the end or until ``stopped`` says so."""
    tracker, summary, paths = settled.tracker, Summary(), Trajectories(settled.tracker.sensor)
    total = settled.facts.events if settled.facts.whole else None
    since = time.perf_counter()
    with (
        (folder / "tracks.csv").open("w", newline="") as table,
        (folder / "tracks.txt").open("w") as mot,
        tqdm(total=total, unit=" events", unit_scale=True, disable=None) as progress,
        ExitStack() as files,
    ):
        table.write(HEADER)
        clip = files.enter_context(_Clip(folder / "tracks.mp4", settled)) if video else None
        later = files.enter_context(behind())
        for frame in stream(recording, tracker, settled.start_us, stopped):
            table.writelines(map(as_csv, frame.rows))
            mot.writelines(map(as_mot, frame.rows))
            paths.shade(frame.events)
            paths.follow((row[2], row[3], row[4]) for row in frame.rows)
            summary.add(frame)
            if clip is not None:
                clip.show(frame, later)
            progress.update(len(frame.events))
            if not progress.disable:
                factor = summary.lasted(settled) / 1e6 / max(time.perf_counter() - since, 1e-9)
                progress.set_postfix_str(f"{factor:.2g} x real time", False)
    summary.seconds, summary.partial = time.perf_counter() - since, stopped()
    save(folder / "tracks.png", paths.image())
    return summary


class _Clip(Video):
    """The video of a run: at real time, or slowed down so that a short recording plays for some seconds."""

    def __init__(self, path: Path, settled: Plan) -> None:
        tracker, self.start_us, self.sensor = settled.tracker, settled.start_us, settled.tracker.sensor
        duration = max(settled.facts.duration, 16 * tracker.dt_us)
        self.slowdown = max(1.0, _CLIP_SECONDS * 1e6 / duration) if settled.facts.whole else 1.0
        self.group = max(1, round(1e6 / 30 / self.slowdown / tracker.dt_us))
        super().__init__(path, fps=min(60.0, 1e6 / (self.group * tracker.dt_us * self.slowdown)))
        self.overlay = Overlay(zoom_for(self.sensor), trail=60)
        self._held: list[Events] = []

    def show(self, frame: Frame, later: Callable[..., None]) -> None:
        """Take in a window; every so many of them give a picture, which is encoded ``later``."""
        self._held.append(frame.events)
        self.overlay.follow((row[2], row[3], row[4]) for row in frame.rows)
        if len(self._held) < self.group and frame.number > 1:
            return
        events = Events.concatenate(self._held)
        self._held = []
        image = picture(Events(*events.columns, sensor=self.sensor), zoom=self.overlay.zoom)
        boxes = ((row[2], *row[3:7], STATES[row[10]] == "confirmed") for row in frame.rows)
        speed = "" if self.slowdown == 1 else f"   {self.slowdown:.3g} x slower"
        text = f"{(frame.end_us - self.start_us) / 1e3:.1f} ms{speed}"
        later(self.add, caption(self.overlay.draw(image, boxes), text))
