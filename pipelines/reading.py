"""How a command opens its recordings: the one place for what they do with damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import eventsnn.io


@dataclass(frozen=True)
class Reading:
    """The settings of every command that reads recordings."""

    on_error: Literal["raise", "skip"] = field(default="raise", kw_only=True)
    """Damage in a recording, events outside the sensor: raise stops with an error, skip leaves them out and says so."""

    @contextmanager
    def opened(self, path: str | Path) -> Iterator[eventsnn.io.Recording]:
        """The recording; at the end it is said what was left out."""
        with eventsnn.io.open(path, on_error=self.on_error) as recording:
            yield recording
        if dropped := recording.report.dropped:
            print(f"{path}: left out: " + ", ".join(f"{count:,} {name}" for name, count in dropped.items()))
