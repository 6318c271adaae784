"""The datasets eventsnn knows, as a table; or samples of one of them as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated, Literal

import numpy as np
import tyro

from eventsnn.datasets import Card, Dataset, card_of, cards, load
from eventsnn.draw import Image, caption, picture, save
from eventsnn.events import Events
from eventsnn.io.atomic import whole

_CELL, _STRIP, _COLUMNS = 160, 24, 8


@dataclass(frozen=True)
class Config:
    """List the datasets that can be loaded; or, with "show" and a name, tell of one and draw samples of it."""

    action: Annotated[Literal["list", "show"], tyro.conf.Positional] = "list"
    """What to do."""
    name: Annotated[str, tyro.conf.Positional] = ""
    """Dataset to show."""
    root: Path = Path("data")
    """Folder or zip archive that holds its files."""
    split: str | None = None
    """Part to show. Default: the dataset's first."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Picture to write. Default: NAME.png in the current folder."""
    samples: int = 40
    """How many samples to draw."""
    download: bool = False
    """Download the files if they are not there."""


def table(width: int = 200) -> str:
    """The cards in a table no wider than that, if it can be: the last two columns are broken into lines.

    >>> print(table().splitlines()[2])  # doctest: +ELLIPSIS
    nmnist       N-MNIST         34x34         10       train 60,000, test 10,000...
    >>> max(map(len, table(80).splitlines())) <= 80
    True
    """
    rows = [["name", "dataset", "sensor", "classes", "samples", "licence"]]
    rows += [[c.name, c.title, _size(c), str(len(c.classes) or "-"), _counts(c), c.licence] for c in cards.values()]
    if width < 100:  # the names tell the datasets too
        rows = [[name, *rest] for name, _, *rest in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = max(width - sum(widths[:-2]) - 2 * (len(widths) - 1), 24)
    if sum(widths[-2:]) > room:
        licence = min(widths[-1], room // 2)
        widths[-2:] = room - licence, licence
    lines = []
    for row in [rows[0], ["-" * w for w in widths], *rows[1:]]:
        cells = [wrap(cell, w, break_on_hyphens=False) or [""] for cell, w in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            lines.append("  ".join(part.ljust(w) for part, w in zip(parts, widths, strict=True)).rstrip())
    return "\n".join(lines)


def _size(card: Card) -> str:
    return f"{card.sensor[0]} channels" if card.spikes else f"{card.sensor[0]}x{card.sensor[1]}"


def _counts(card: Card) -> str:
    known = ", ".join(f"{split} {count:,}" for split, count in card.splits.items() if count)
    total = f"{card.total:,}" if card.total else "not stated"
    ours = ", ".join(f"{part} {share:.0%}" for part, share in card.fractions.items())
    return f"{total} (no official split; fixed: {ours})" if ours else known or total


def facts(card: Card) -> str:
    """What a card says, one fact a line.

    >>> print(facts(card_of("nmnist")).splitlines()[0])
    N-MNIST: MNIST digits on a screen seen by an ATIS in three saccades, 0.3 s
    """
    classes = ", ".join(card.classes[:12]) + (f", ... ({len(card.classes)})" if len(card.classes) > 12 else "")
    rows = {
        "source": card.home,
        "licence": card.licence,
        "citation": card.citation,
        "sensor": _size(card),
        "target": f"class: {classes}" if card.classes else card.target,
        "samples": _counts(card),
        "files": card.layout,
    }
    return "\n".join([f"{card.title}: {card.about}", *(f"  {key:<9} {value}" for key, value in rows.items())])


def grid(dataset: Dataset, count: int) -> Image:
    """Samples side by side, class by class in turn, each with its target; ``[H, W, 3]``."""
    cells = [_cell(dataset, k) for k in _chosen(dataset.targets, count)]
    blank = np.full_like(cells[0], 255)
    rows = [cells[k : k + _COLUMNS] for k in range(0, len(cells), _COLUMNS)]
    width = min(_COLUMNS, len(cells))
    return np.concatenate([np.concatenate([*row, *[blank] * (width - len(row))], 1) for row in rows])


def _chosen(targets: Sequence[object], count: int) -> list[int]:
    """Numbers of samples: the first of each class, the second of each, and so on; then in order of the classes.

    >>> _chosen([0, 0, 0, 1, 1, 2], 5)
    [0, 1, 3, 4, 5]
    """
    classes: dict[object, list[int]] = {}
    for k, target in enumerate(targets):
        classes.setdefault(target, []).append(k)
    turns = [k for turn in zip_longest(*classes.values()) for k in turn if k is not None]
    return sorted(turns[:count])


def _cell(dataset: Dataset, k: int) -> Image:
    events, target, metadata = dataset[k]
    image = _raster(events) if dataset.card.spikes else _middle(events)
    label = dataset.classes[target] if dataset.classes and isinstance(target, int) else str(metadata["id"])
    framed = np.full((_CELL + _STRIP, _CELL, 3), 255, np.uint8)
    framed[:_CELL] = image
    return caption(framed, label[:18])


def _middle(events: Events) -> Image:
    """The middle third of the events, brought to the cell's size; on large sensors several pixels are one."""
    part = events[len(events) // 3 : 2 * len(events) // 3]
    width, height = events.sensor or (1, 1)
    merged = -(-max(width, height) // _CELL)
    size = (-(-width // merged), -(-height // merged))
    image = picture(Events(part.t, part.x // merged, part.y // merged, part.p, sensor=size))
    scale = max(image.shape[:2]) / _CELL
    rows, columns = ((np.arange(_CELL) - _CELL / 2) * scale + side / 2 for side in image.shape[:2])
    inside = (rows >= 0)[:, None] & (rows < image.shape[0])[:, None] & (columns >= 0) & (columns < image.shape[1])
    y, x = (np.clip(at, 0, side - 1).astype(int) for at, side in zip((rows, columns), image.shape[:2], strict=True))
    return np.where(inside[..., None], image[y[:, None], x], 245).astype(np.uint8)


def _raster(spikes: Events) -> Image:
    """Time to the right, channels upwards."""
    size = _CELL - 8
    image = np.full((_CELL, _CELL), 255, np.uint8)
    if len(spikes):
        column = (spikes.t - spikes.t[0]) * size // (spikes.duration + 1)
        row = spikes.x.astype(int) * size // (spikes.sensor or (1, 1))[0]
        image[_CELL - 5 - row, 4 + column] = 40
    return np.repeat(image[..., None], 3, 2)


def run(config: Config) -> Path | None:
    """Print the table, or print a card and write the picture; returns its path."""
    if config.action == "list":
        print(table(get_terminal_size((200, 24)).columns))
        return None
    if not config.name:
        raise ValueError(f"name the dataset to show, one of {', '.join(cards)}")
    if config.samples < 1:
        raise ValueError(f"draw at least one sample, got --samples {config.samples}")
    card = card_of(config.name)
    out = config.out or Path(f"{card.name}.png")
    print(facts(card))
    dataset = load(card.name, config.root, config.split, download=config.download)
    print(f"  here      {dataset!r}")
    with whole(out) as path:
        save(path, grid(dataset, config.samples))
    print(f"{min(config.samples, len(dataset))} samples: {out}")
    return out
