"""What is seen of a run: a bar over the bytes of the recordings, and in the end what became of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from eventsnn.events import show_rate

from .inputs import Input
from .work import Outcome

_DRAW_EVERY = 0.1


class Progress:
    """A bar with recordings, bytes, events a second and the time that is left.

    Of recordings in hand it is known how many events were read; their bytes are guessed from those that are through.
    What was done before is not counted in bytes and time.
    """

    def __init__(self, jobs: Sequence[Input]) -> None:
        self._sizes = {job.name: job.path.stat().st_size for job in jobs}
        self._begin, self._drawn, self._lock = time.monotonic(), 0.0, threading.Lock()
        self._done = self._bytes = 0  # recordings and bytes that are through,
        self._through = self._events = 0  # their events, and all that were read
        self._bar = tqdm(total=sum(self._sizes.values()), unit="B", unit_scale=True, disable=None)

    def read(self, events: int) -> None:
        """So many more events were read; any thread may say so."""
        with self._lock:
            self._events += events
            if time.monotonic() - self._drawn > _DRAW_EVERY:
                self._draw()

    def show(self, outcome: Outcome) -> None:
        """A recording is through; failures, and what is done again, are said at once."""
        size = self._sizes[outcome.job.name]
        with self._lock:
            self._done += 1
            if outcome.status == "skipped":
                self._bar.total -= size
            else:
                self._bytes, self._through = self._bytes + size, self._through + outcome.events
            if outcome.status == "failed":
                self._bar.write(f"{outcome.job.path}: failed: {outcome.reason}")
            elif outcome.reason not in ("", "new"):
                self._bar.write(f"{outcome.job.path}: done again: {outcome.reason}")
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        in_hand = max(self._events - self._through, 0) * self._bytes // max(self._through, 1)
        self._bar.n = min(self._bytes + in_hand, self._bar.total)
        rate = show_rate(self._events / max(self._drawn - self._begin, 1e-9))
        self._bar.set_postfix_str(f"{self._done}/{len(self._sizes)} recordings, {rate}")

    def sum_up(self, out: Path, outcomes: Sequence[Outcome], interrupted: bool, unwritten: str) -> None:
        """Say what was done, skipped and failed, and where the report is, or why there is none."""
        count = Counter(outcome.status for outcome in outcomes)
        events, seconds = sum(outcome.events for outcome in outcomes), time.monotonic() - self._begin
        told = f"{count['done']} done, {count['skipped']} done before and unchanged, {count['failed']} failed"
        if interrupted:
            told += f", {len(self._sizes) - len(outcomes)} left after an interruption; the same command goes on"
        print(f"{len(self._sizes)} recordings: {told}")
        report = f"report in {out / 'report.html'}" if not unwritten else f"no summary and report: {unwritten}"
        print(f"{events:,} events in {seconds:.1f} s, {show_rate(events / seconds)}; {report}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
