"""EBSSA: satellites, stars and planets through telescopes, with an ATIS and a DAVIS240C.

The target is an array [n, 4] of what was labelled in a recording: time in us, x, y in px, number of the object; None
where nothing was. Coordinates count from 1 in the file, from 0 here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import gathered
from .tree import Tree

_SENSOR = (304, 240)


def _index(tree: Tree) -> Iterator[Entry]:
    for name, _ in tree.match(r"labelled_ebssa\.h5"):
        for key, group in tree.hdf5(name).items():
            if "TD" in group:
                yield Entry(key, name, None, "labelled")


def _read(tree: Tree, entry: Entry) -> Events:
    held = tree.hdf5(entry.file)[entry.id]["TD"]
    columns = {name: held[name][()].reshape(-1).astype(np.int64) for name in ("ts", "x", "y", "p")}
    at = {"t": columns["ts"], "x": columns["x"] - 1, "y": columns["y"] - 1, "p": columns["p"]}
    return gathered(tree, f"{entry.file}: {entry.id}", _SENSOR, at).sort()


def _objects(tree: Tree, entry: Entry) -> Any:
    held = tree.hdf5(entry.file)[entry.id]
    if "Obj" not in held:
        return None
    columns = [held["Obj"][name][()].reshape(-1).astype(np.float64) for name in ("ts", "x", "y", "id")]
    return np.stack(columns, 1) - (0, 1, 1, 0)


CARD = Card(
    name="ebssa",
    title="EBSSA",
    about="satellites, stars and planets through telescopes",
    home="https://www.westernsydney.edu.au/icns/resources/reproducible_research3/publication_support_materials2/space_imaging",
    licence="unknown",
    citation="Afshar et al., Event-based object detection and tracking for space situational awareness, 2020",
    sensor=_SENSOR,
    splits={"labelled": 84},
    target="objects [n, 4]: t, x, y, id",
    files=(
        File(
            "labelled_ebssa.h5",
            "https://drive.google.com/file/d/1lCh2HWvxEzzaBHT5TlPuyUn6XPM5OVWN/view",
            by_hand=True,
        ),
    ),
    layout="labelled_ebssa.h5",
    folder="EBSSA",
    index=_index,
    read=_read,
    truth=_objects,
)
