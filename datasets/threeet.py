"""3ET: eyes that follow a dot, made into events by a simulator, with the place of the pupil.

The target is an array of the numbers of the label file, a row for each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname
from typing import Any

import numpy as np

from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import gathered
from .tree import Tree

_SENSOR = (240, 180)


def _index(tree: Tree) -> Iterator[Entry]:
    there = set(tree.names)
    for name, found in tree.match(r"(train|val)_files\.txt"):
        base = f"{dirname(name)}/".lstrip("/")
        for eye in tree.lines(name):
            if f"{base}data/{eye}.h5" in there:
                yield Entry(eye, f"{base}data/{eye}.h5", None, found[2], {"labels": f"{base}labels/{eye}.txt"})


def _read(tree: Tree, entry: Entry) -> Events:
    t, x, y, p = tree.hdf5(entry.file)["events"][()].T
    return gathered(tree, entry.file, _SENSOR, {"t": t, "x": x, "y": y, "p": p}).sort()


def _labels(tree: Tree, entry: Entry) -> Any:
    return np.array([[float(cell) for cell in line.split()] for line in tree.lines(entry.metadata["labels"])])


CARD = Card(
    name="threeet",
    title="3ET",
    about="eyes that follow a dot, with the place of the pupil",
    home="https://github.com/qinche106/cb-convlstm-eyetracking",
    licence="not stated",
    citation="Chen et al., 3ET: efficient event-based eye tracking using a change-based ConvLSTM network, 2023",
    sensor=_SENSOR,
    splits={"train": None, "val": None},
    target="pupil [n, k] as published",
    files=(
        File(
            "ThreeET_Eyetracking.zip",
            "https://dl.dropboxusercontent.com/s/1hyer8egd8843t9/ThreeET_Eyetracking.zip?dl=0",
            "b6c652b06fdfd85721f39e2dbe12f4e8",
        ),
    ),
    layout="train_files.txt, val_files.txt, data/<name>.h5, labels/<name>.txt",
    folder="ThreeET_Eyetracking",
    index=_index,
    read=_read,
    truth=_labels,
)
