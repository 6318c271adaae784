"""NeRDD: drones in flight before a Prophesee camera, with their boxes.

The target is an array [n, 5]: time as published, and the box's left, top, right and bottom in px.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import array, gathered
from .tree import Tree

_SENSOR = (1280, 720)


def _index(tree: Tree) -> Iterator[Entry]:
    there = set(tree.names)
    for name, found in tree.match(r"([^/]+)/(\d+)/Event/output_events\.npz"):
        boxes = name.removesuffix("Event/output_events.npz") + "ev_rgb_coordinates.txt"
        if boxes in there:
            yield Entry(f"{found[2]}/{int(found[3]):04d}", name, None, "all", {"boxes": boxes})


def _read(tree: Tree, entry: Entry) -> Events:
    x, y, p, t = array(tree, entry.file)["data"].T
    return gathered(tree, entry.file, _SENSOR, {"t": t, "x": x, "y": y, "p": p}).sort()


def _boxes(tree: Tree, entry: Entry) -> Any:
    rows = [line.replace(":", ",").split(",") for line in tree.lines(entry.metadata["boxes"])]
    return np.array([[float(cell) for cell in row[:5]] for row in rows], np.float64).reshape(-1, 5)


CARD = Card(
    name="nerdd",
    title="NeRDD",
    about="drones in flight, with their boxes",
    home="https://github.com/MagriniGabriele/NeRDD",
    licence="not stated",
    citation="Magrini et al., Neuromorphic drone detection: an event-RGB multimodal approach, 2024",
    sensor=_SENSOR,
    splits={"all": 115},
    target="boxes [n, 5]: t, left, top, right, bottom",
    files=(File("NeRDD.zip", "https://drive.google.com/file/d/1LbNW8zaCA6rqaGNA54IeqgjovY_aLSeU/view", by_hand=True),),
    layout="DATA/<archive>/<scene>/Event/output_events.npz and DATA/<archive>/<scene>/ev_rgb_coordinates.txt",
    folder="NeRDD",
    index=_index,
    read=_read,
    truth=_boxes,
)
