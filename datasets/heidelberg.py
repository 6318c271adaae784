"""HDF5 files of the Heidelberg datasets: ``spikes/times`` [s] and ``spikes/units`` by rows, ``labels``, ``extra``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import spikes
from .tree import Tree

_CHANNELS = 700
_URL = "https://zenkelab.org/datasets/"


def card(name: str, about: str, classes: str, parts: Mapping[str, tuple[int, str]]) -> Card:
    """The card of a dataset; ``parts`` maps each split to its number of samples and the MD5 of its archive."""
    files = {split: f"{name}_{split}.h5" for split in parts}
    return Card(
        name=name,
        title=name.upper(),
        about=about,
        home="https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
        licence="CC BY 4.0",
        citation="Cramer et al., The Heidelberg spiking data sets for the evaluation of spiking neural networks, 2020",
        sensor=(_CHANNELS, 1),
        classes=tuple(classes.split()),
        splits={split: count for split, (count, _) in parts.items()},
        files=tuple(
            File(f"{files[split]}.zip", f"{_URL}{files[split]}.zip", md5, split) for split, (_, md5) in parts.items()
        ),
        layout=", ".join(files.values()),
        folder=name.upper(),
        index=_rows_of(name),
        names=_names_of(name),
        read=_read,
    )


def _rows_of(prefix: str) -> Callable[[Tree], Iterator[Entry]]:
    """Index of ``<prefix>_<split>.h5``: a sample for each row."""

    def index(tree: Tree) -> Iterator[Entry]:
        for name, found in tree.match(rf"{prefix}_(train|valid|test)\.h5"):
            file = tree.hdf5(name)
            people = file["extra/speaker"][()] if "extra/speaker" in file else []
            for row, label in enumerate(file["labels"][()]):
                about = {"row": row, **({"speaker": int(people[row])} if len(people) else {})}
                yield Entry(f"{found[2]}/{row:05d}", name, int(label), found[2], about)

    return index


def _names_of(prefix: str) -> Callable[[Tree], tuple[str, ...]]:
    """The names of the classes as the files have them."""

    def names(tree: Tree) -> tuple[str, ...]:
        for name, _ in tree.match(rf"{prefix}_(train|valid|test)\.h5"):
            keys = tree.hdf5(name).get("extra/keys")
            if keys is not None:
                return tuple(key.decode() if isinstance(key, bytes) else str(key) for key in keys[()])
        return ()

    return names


def _read(tree: Tree, entry: Entry) -> Events:
    file, row = tree.hdf5(entry.file), entry.metadata["row"]
    return spikes(tree, entry.file, _CHANNELS, file["spikes/times"][row], file["spikes/units"][row])
