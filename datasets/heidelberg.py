"""HDF5 files of the Heidelberg datasets: ``spikes/times`` [s] and ``spikes/units`` by rows, ``labels``, ``extra``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eventsnn.events import Events

from .card import Entry
from .reading import spikes
from .tree import Tree

CHANNELS = 700


def rows_of(prefix: str) -> Callable[[Tree], Iterator[Entry]]:
    """Index of ``<prefix>_<split>.h5``: a sample for each row."""

    def index(tree: Tree) -> Iterator[Entry]:
        for name, found in tree.match(rf"{prefix}_(train|valid|test)\.h5"):
            file = tree.hdf5(name)
            people = file["extra/speaker"][()] if "extra/speaker" in file else []
            for row, label in enumerate(file["labels"][()]):
                about = {"row": row, **({"speaker": int(people[row])} if len(people) else {})}
                yield Entry(f"{found[2]}/{row:05d}", name, int(label), found[2], about)

    return index


def names_of(prefix: str) -> Callable[[Tree], tuple[str, ...]]:
    """The names of the classes as the files have them."""

    def names(tree: Tree) -> tuple[str, ...]:
        for name, _ in tree.match(rf"{prefix}_(train|valid|test)\.h5"):
            keys = tree.hdf5(name).get("extra/keys")
            if keys is not None:
                return tuple(key.decode() if isinstance(key, bytes) else str(key) for key in keys[()])
        return ()

    return names


def read(tree: Tree, entry: Entry) -> Events:
    file, row = tree.hdf5(entry.file), entry.metadata["row"]
    return spikes(tree, entry.file, CHANNELS, file["spikes/times"][row], file["spikes/units"][row])
