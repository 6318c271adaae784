"""POKER-DVS: the pips of playing cards that are flicked past a DVS128 in some 20 ms.

Two editions are read: tonic's, arrays with a split, and the authors' 131 cut-out AEDAT 2 recordings, named after
their suit. Addresses in these count from the upper left, other than in recordings of the whole chip, whose order the
AEDAT reader restores.
"""

from __future__ import annotations

from collections.abc import Iterator

from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import array, gathered, recorded
from .tree import Tree

_SUITS = ("cl", "he", "di", "sp")
_SENSOR = (35, 35)


def _index(tree: Tree) -> Iterator[Entry]:
    for name, found in tree.match(r"pips_(train|test)/(cl|he|di|sp)/[^/]+\.npy"):
        yield Entry(found[1], name, _SUITS.index(found[3]), found[2])
    for name, found in tree.match(r"(cl|he|di|sp)_\d+\.aedat"):
        yield Entry(found[1], name, _SUITS.index(found[2]))


def _read(tree: Tree, entry: Entry) -> Events:
    if entry.file.endswith(".npy"):
        t, x, y, p = array(tree, entry.file).T
        return gathered(tree, entry.file, _SENSOR, {"t": t, "x": x, "y": y, "p": p})
    t, x, y, p = recorded(tree, entry.file, None).columns
    return gathered(tree, entry.file, _SENSOR, {"t": t, "x": 127 - x, "y": 127 - y, "p": p})


CARD = Card(
    name="pokerdvs",
    title="POKER-DVS",
    about="pips of playing cards flicked past a DVS128, 20 ms",
    home="http://www2.imse-cnm.csic.es/caviar/POKERDVS.html",
    licence="free for non-commercial use, naming the source",
    citation="Serrano-Gotarredona and Linares-Barranco, Poker-DVS and MNIST-DVS, 2015",
    sensor=_SENSOR,
    classes=("club", "heart", "diamond", "spade"),
    splits={"train": None, "test": None},
    fractions={"train": 0.8, "test": 0.2},
    total=131,
    files=(
        File("pips_train.tar.gz", "", "412bcfb96826e4fcb290558e8c150aae", "train"),
        File("pips_test.tar.gz", "", "eef2bf7d0d3defae89a6fa98b07c17af", "test"),
    ),
    layout="pips_train/<suit>/<n>.npy, pips_test/<suit>/<n>.npy, or <suit>_<n>.aedat",
    folder="POKERDVS",
    index=_index,
    read=_read,
)
