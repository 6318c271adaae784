"""load: a dataset by its name; Dataset: the samples of one of its splits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from .card import Card, Entry
from .fetch import fetch
from .registry import card_of
from .sample import Sample
from .split import SEED, assign, fingerprint
from .tree import Tree

__all__ = ["Dataset", "load"]


class Dataset:
    """The samples of a split, in the order of their names: ``len(dataset)``, ``dataset[i]``, iteration.

    Attributes: ``card``; ``split``; ``classes``, named in the order of the targets; ``sensor`` ``(width, height)``;
    ``targets``; ``fixed``, whether the split is ours for want of an official one; ``split_hash``, the same whenever the
    same samples are in the split; ``complete``, whether their number is the official one (None: not stated). Made by
    ``load``; any process may read from it.
    """

    def __init__(self, card: Card, tree: Tree, split: str, entries: Sequence[Entry], *, fixed: bool) -> None:
        self.card, self.split, self.fixed = card, split, fixed
        self.classes = card.names(tree) or card.classes
        self.sensor = card.sensor
        self.split_hash = fingerprint(entry.id for entry in entries)
        self._tree, self._entries = tree, tuple(entries)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def ids(self) -> tuple[str, ...]:
        """The samples' names."""
        return tuple(entry.id for entry in self._entries)

    @property
    def targets(self) -> tuple[Any, ...]:
        """The targets, without reading samples; None for those that stand in a file."""
        return tuple(entry.target for entry in self._entries)

    @property
    def complete(self) -> bool | None:
        official = self.card.splits[self.split]
        return None if official is None else len(self) == official

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int]) -> Dataset: ...
    def __getitem__(self, index: Any) -> Any:
        """Read a sample; a slice or a sequence of numbers gives the dataset of those.

        Raises ValueError (EventFormatError), which names the file, where a sample is damaged.
        """
        if isinstance(index, slice) or np.ndim(index):
            chosen = range(len(self))[index] if isinstance(index, slice) else index
            return Dataset(self.card, self._tree, self.split, [self._entries[i] for i in chosen], fixed=self.fixed)
        entry = self._entries[index]
        target = entry.target if self.card.truth is None else self.card.truth(self._tree, entry)
        metadata = {"id": entry.id, "split": self.split, **entry.metadata}
        return Sample(self.card.read(self._tree, entry), target, metadata)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        official = self.card.splits[self.split]
        count = f"{len(self):,} samples" + (f" of {official:,}" if official not in (None, len(self)) else "")
        kind = f"fixed split, seed {SEED}" if self.fixed else "official split"
        return f"Dataset({self.card.title}, {self.split}: {count}, {kind}, hash {self.split_hash})"


def load(
    name: str,
    root: str | os.PathLike[str] = "data",
    split: str | None = None,
    *,
    recordings: Sequence[str] = (),
    download: bool = True,
) -> Dataset:
    """A dataset of ``eventsnn.datasets.cards`` by its name, from a folder or a zip archive.

    ``root`` holds the files as they are published, or the folder that tonic keeps them in; archives in it are unpacked.
    Where there are none of the split they are downloaded there. ``split`` defaults to the card's first. ``recordings``
    picks from the datasets that are a few large recordings; without it, those are taken that are there.

    Raises ValueError for a name, split or recording that does not exist, a damaged archive or a wrong checksum, and
    FileNotFoundError, which says what to fetch and where to put it, where the files are not there and cannot be had.

    >>> import tempfile
    >>> import eventsnn.io
    >>> from eventsnn.events import Events
    >>> with tempfile.TemporaryDirectory() as root:
    ...     os.makedirs(f"{root}/Train/3")
    ...     _ = eventsnn.io.write(f"{root}/Train/3/00001.bin", Events([0, 40], [5, 6], [7, 7], [1, 0], sensor=(34, 34)))
    ...     train = load("nmnist", root)
    ...     print(len(train), train[0].events, train[0].target, train[0].metadata)
    1 Events(2 events, 40 us, 50 k events/s, 34x34) 3 {'id': 'Train/3/00001.bin', 'split': 'train'}
    >>> load("nmnist", "/no/such/folder", download=False)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    FileNotFoundError: N-MNIST is not in /no/such/folder and nothing is to be downloaded... (md5 20959b8e...
    """
    card = card_of(name)
    part = next(iter(card.splits)) if split is None else split
    if part not in card.splits:
        raise ValueError(f"{card.title} has no split {part!r}; there are {', '.join(card.splits)}")
    place = Path(root).expanduser()
    place = place / card.folder if (place / card.folder).is_dir() else place
    dataset = _found(card, place, part, recordings)
    if dataset is None:
        if place.is_file():
            raise ValueError(f"{place}: no samples of {card.title} {part} in it; it must hold {card.layout}")
        fetch(card, place, part, recordings, download=download)
        dataset = _found(card, place, part, recordings)
    if dataset is None:
        raise ValueError(f"{place}: no samples of {card.title} {part} in what was unpacked; expected {card.layout}")
    if dataset.fixed:
        print(f"{card.title} has no official split: {dataset!r}", file=sys.stderr)
    return dataset


def _found(card: Card, place: Path, split: str, recordings: Sequence[str]) -> Dataset | None:
    """The samples of a split that are there; None if there are none."""
    if not place.exists():
        return None
    tree = Tree(place)
    entries = sorted(card.index(tree), key=lambda entry: (entry.split, entry.id))
    fixed = any(not entry.split for entry in entries)
    if fixed:
        entries = sorted(assign(entries, card.fractions, card.name), key=lambda entry: entry.id)
    entries = [entry for entry in entries if entry.split == split]
    if recordings:
        entries = [entry for entry in entries if entry.metadata.get("recording") in recordings]
    if not entries or {entry.metadata.get("recording") for entry in entries} < set(recordings):
        return None
    return Dataset(card, tree, split, entries, fixed=fixed)
