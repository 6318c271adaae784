"""What is seen of a run: a bar over the bytes of the recordings, and in the end what became of them."""

from __future__ import annotations

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


class Progress:
    """A bar with recordings, bytes, events a second and the time that is left."""

    def __init__(self, jobs: Sequence[Input]) -> None:
        self._sizes = {job.name: job.path.stat().st_size for job in jobs}
        self._begin, self._events, self._done = time.monotonic(), 0, 0
        self._bar = tqdm(total=sum(self._sizes.values()), unit="B", unit_scale=True, disable=None)

    def read(self, events: int) -> None:
        """So many more events were read."""
        self._events += events
        self._write(0)

    def show(self, outcome: Outcome) -> None:
        """A recording is through; failures, and what is done again, are said at once."""
        self._done += 1
        if outcome.status == "failed":
            self._bar.write(f"{outcome.job.path}: failed: {outcome.reason}")
        elif outcome.reason not in ("", "new"):
            self._bar.write(f"{outcome.job.path}: done again: {outcome.reason}")
        self._write(self._sizes[outcome.job.name])

    def _write(self, size: int) -> None:
        rate = self._events / max(time.monotonic() - self._begin, 1e-9)
        self._bar.set_postfix_str(f"{self._done}/{len(self._sizes)} recordings, {show_rate(rate)}", refresh=False)
        self._bar.update(size)

    def sum_up(self, out: Path, outcomes: Sequence[Outcome], interrupted: bool) -> None:
        """Say what was done, skipped and failed, and where the report is."""
        count = Counter(outcome.status for outcome in outcomes)
        events, seconds = sum(outcome.events for outcome in outcomes), time.monotonic() - self._begin
        told = f"{count['done']} done, {count['skipped']} done before and unchanged, {count['failed']} failed"
        if interrupted:
            told += f", {len(self._sizes) - len(outcomes)} left after an interruption; the same command goes on"
        print(f"{len(self._sizes)} recordings: {told}")
        print(f"{events:,} events in {seconds:.1f} s, {show_rate(events / seconds)}; report in {out / 'report.html'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
