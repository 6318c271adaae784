"""The log of a training: a line of JSON for each epoch, TensorBoard on request, and a bar that tells how long yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..io.atomic import whole


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; none if there is no such file. A last line that was cut short is left out."""
    return list(_records(path)) if path.is_file() else []


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


class Log:
    """``log.jsonl`` in a folder, from which lines after ``step`` are taken out: they belong to work that was lost."""

    def __init__(self, folder: Path, step: int, samples: int, done: int, *, tensorboard: bool = False) -> None:
        self.path, self.writer = folder / "log.jsonl", None
        kept = [record for record in records(self.path) if record["step"] <= step]
        with whole(self.path) as part:
            part.write_text("".join(json.dumps(record) + "\n" for record in kept))
        if tensorboard:
            self.writer = _writer(folder)
        self.bar = tqdm(total=samples, initial=done, unit=" samples", disable=None, smoothing=0.05)

    def advance(self, samples: int, **shown: float) -> None:
        """Move the bar on and show numbers beside it."""
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in shown.items()}, refresh=False)
        self.bar.update(samples)

    def write(self, record: dict[str, Any]) -> None:
        """Add a line."""
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        if self.writer is not None:
            for name, value in _flat(record):
                self.writer.add_scalar(name, value, record["step"])
            self.writer.flush()

    def close(self) -> None:
        self.bar.close()
        if self.writer is not None:
            self.writer.close()


def _flat(record: dict[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}/")
        elif isinstance(value, int | float):
            yield path + name, value


def _writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError("tensorboard=true needs the package tensorboard: pip install tensorboard") from None
    return SummaryWriter(str(folder))
