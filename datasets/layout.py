"""Layouts that many datasets share: an event file for each sample, in a folder for each class or for each recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from .card import Entry
from .tree import Tree

Index = Callable[[Tree], Iterator[Entry]]


def classes_in_folders(pattern: str, labels: Sequence[str], splits: Mapping[str, str] | None = None) -> Index:
    """Samples whose path matches: the group ``label`` is a class, the group ``split``, if any, the split's folder.

    The index raises ValueError for a folder that is no class.
    """

    def index(tree: Tree) -> Iterator[Entry]:
        numbers = {label: number for number, label in enumerate(labels)}
        for name, found in tree.match(pattern):
            parts = found.groupdict()
            if parts["label"] not in numbers:
                raise ValueError(f"{tree.root / name}: no class is called {parts['label']!r}")
            yield Entry(found[1], name, numbers[parts["label"]], (splits or {}).get(parts.get("split", ""), ""))

    return index


def recordings_in(pattern: str, split: Callable[[Mapping[str, str]], str | None]) -> Index:
    """Recordings whose path matches: the group ``recording`` is the name; ``split`` gives the split from all groups.

    Of several editions of a recording the first counts; where the split is None the file is no part of the dataset.
    """

    def index(tree: Tree) -> Iterator[Entry]:
        seen = set()
        for name, found in tree.match(pattern):
            part = split(found.groupdict())
            recording = found["recording"]
            if part is not None and (part, recording) not in seen:
                seen.add((part, recording))
                yield Entry(recording, name, None, part, {"recording": recording})

    return index
