"""N-TIDIGITS18: spoken digits of TIDIGITS heard by a silicon cochlea with 64 channels.

``train`` and ``test`` are the utterances of one digit, with the digit's class as target; ``train-sequences`` and
``test-sequences`` those of several, with a tuple of classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import spikes
from .tree import Tree

_DIGITS = tuple("o123456789z")
_CHANNELS = 64


def _index(tree: Tree) -> Iterator[Entry]:
    for name, _ in tree.match(r"n-tidigits\.hdf5"):
        file = tree.hdf5(name)
        for part in ("train", "test"):
            for label in file[f"{part}_labels"][()]:
                utterance = label.decode() if isinstance(label, bytes) else str(label)
                digits = tuple(_DIGITS.index(digit) for digit in utterance.rpartition("-")[2])
                if len(digits) == 1:
                    yield Entry(utterance, name, digits[0], part, {"part": part})
                else:
                    yield Entry(utterance, name, digits, f"{part}-sequences", {"part": part})


def _read(tree: Tree, entry: Entry) -> Events:
    file, part = tree.hdf5(entry.file), entry.metadata["part"]
    times, units = file[f"{part}_timestamps"][entry.id][()], file[f"{part}_addresses"][entry.id][()]
    return spikes(tree, entry.file, _CHANNELS, times, units)


CARD = Card(
    name="ntidigits",
    title="N-TIDIGITS",
    about="spoken digits heard by a silicon cochlea",
    home="https://docs.google.com/document/d/1Uxe7GsKKXcy6SlDUX4hoJVAC0-UkH-8kr5UXp0Ndi1M/edit",
    licence="unknown",
    citation="Anumula et al., Feature representations for neuromorphic audio spike streams, 2018",
    sensor=(_CHANNELS, 1),
    classes=_DIGITS,
    splits={"train": 2_464, "test": 2_486, "train-sequences": 6_159, "test-sequences": 6_214},
    files=(
        File(
            "n-tidigits.hdf5",
            "https://www.dropbox.com/scl/fi/1x4lxt9yyw25sc3tez8oi/n-tidigits.hdf5?e=2&rlkey=w8gi5udvib2zqzosusa5tr3wq&dl=1",
            "360a2d11e5429555c9197381cf6b58e0",
        ),
    ),
    layout="n-tidigits.hdf5",
    folder="NTIDIGITS18",
    index=_index,
    read=_read,
)
