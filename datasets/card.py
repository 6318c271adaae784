"""Card: what is known of a dataset, and how its files become samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eventsnn.events import Events

from .tree import Tree

__all__ = ["Card", "Entry", "File"]


class File(NamedTuple):
    """A file to fetch: its name on disk, its address, its MD5 where it is known.

    ``split`` and ``recording`` say what it is needed for; empty: for all. Without an address, or where the address
    wants a form filled in (``by_hand``), people fetch it themselves.
    """

    name: str
    url: str
    md5: str = ""
    split: str = ""
    recording: str = ""
    by_hand: bool = False


class Entry(NamedTuple):
    """A sample that is there: its name in the dataset, the file it is in, its target, its split, more about it.

    ``split`` is empty where the dataset has no official one.
    """

    id: str
    file: str
    target: Any = None
    split: str = ""
    metadata: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Card:
    """A dataset: source, licence, citation, files with checksums, sensor, classes, splits, reader.

    ``sensor`` is ``(width, height)`` in px, for spikes ``(channels, 1)``; ``classes`` are in the order of the targets
    (none: ``target`` says what the targets are); ``licence`` is "not stated" where the authors' page has none,
    "unknown" or "unconfirmed" where we saw no page that tells: look there before you pass data on. ``splits`` maps each
    part to its official number of samples, None where it is not stated; ``fractions`` are the parts of our own fixed
    split where there is no official one. ``layout`` shows the files as they lie on disk, ``folder`` is the folder that
    tonic keeps them in. ``index`` lists the entries of a tree, ``read`` gives the events of one, ``truth`` its target
    and ``names`` the classes where those stand in a file.
    """

    name: str
    title: str
    about: str
    home: str
    licence: str
    citation: str
    sensor: tuple[int, int]
    splits: Mapping[str, int | None]
    files: tuple[File, ...]
    layout: str
    folder: str
    index: Callable[[Tree], Iterable[Entry]] = field(repr=False)
    read: Callable[[Tree, Entry], Events] = field(repr=False)
    classes: tuple[str, ...] = ()
    target: str = "class"
    truth: Callable[[Tree, Entry], Any] | None = field(default=None, repr=False)
    names: Callable[[Tree], tuple[str, ...]] = field(default=lambda tree: (), repr=False)
    fractions: Mapping[str, float] = field(default_factory=dict)
    total: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        from .registry import card_of

        return card_of, (self.name,)

    @property
    def spikes(self) -> bool:
        """True for recordings of spikes in channels, not of pixels."""
        return self.sensor[1] == 1

    @property
    def recordings(self) -> tuple[str, ...]:
        """Names of the recordings that are fetched one by one; none where the dataset comes as a whole."""
        return tuple(dict.fromkeys(file.recording for file in self.files if file.recording))
