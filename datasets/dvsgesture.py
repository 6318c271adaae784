"""DVS128-Gesture: eleven gestures of 29 people under three kinds of light.

Two editions are read: IBM's, whole trials with a table of the gestures in them (1,176 and 288 samples), and the one
that tonic downloads, cut into gestures with times in ms (1,077 and 264 samples).
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname

import eventsnn.io
from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import array, gathered
from .tree import Tree

_SENSOR = (128, 128)
_FOLDERS = {"ibmGestureTrain": "train", "ibmGestureTest": "test"}


def _index(tree: Tree) -> Iterator[Entry]:
    for name, found in tree.match(r"(ibmGestureTrain|ibmGestureTest)/user(\d+)_([a-z_]+)/(\d+)\.npy"):
        folder, user, light, number = found.groups()[1:]
        yield Entry(found[1], name, int(number), _FOLDERS[folder], {"user": int(user), "lighting": light})
    there = set(tree.names)
    for name, found in tree.match(r"trials_to_(train|test)\.txt"):
        for trial in tree.lines(name):
            file = f"{dirname(name)}/{trial}".lstrip("/")
            if file in there:
                yield from _gestures(tree, file, found[2])


def _gestures(tree: Tree, file: str, split: str) -> Iterator[Entry]:
    """The gestures of a trial; none lasts into the next one (in one row of the tables the end is misprinted)."""
    trial = file.removesuffix(".aedat")
    rows = [[int(cell) for cell in row.split(",")] for row in tree.lines(f"{trial}_labels.csv")[1:]]
    later = [row[1] for row in rows[1:]] + [1 << 62]
    for number, ((label, start, stop), limit) in enumerate(zip(rows, later, strict=True)):
        user, _, light = trial.rpartition("/")[2].removeprefix("user").partition("_")
        about = {"user": int(user), "lighting": light, "start": start, "stop": min(stop, max(limit, start))}
        yield Entry(f"{trial.rpartition('/')[2]}/{number:02d}", file, label - 1, split, about)


def _read(tree: Tree, entry: Entry) -> Events:
    if entry.file.endswith(".npy"):
        x, y, p, t = array(tree, entry.file).T
        return gathered(tree, entry.file, _SENSOR, {"t": t * 1000, "x": x, "y": y, "p": p})
    with eventsnn.io.open(tree.origin(entry.file), sensor=_SENSOR) as recording:
        return recording.between(entry.metadata["start"], entry.metadata["stop"])


CARD = Card(
    name="dvsgesture",
    title="DVS128-Gesture",
    about="eleven hand and arm gestures of 29 people, some 6 s each",
    home="https://research.ibm.com/interactive/dvsgesture/",
    licence="CC BY 4.0",
    citation="Amir et al., A low power, fully event-based gesture recognition system, CVPR 2017",
    sensor=_SENSOR,
    classes=(
        "hand clapping",
        "right hand wave",
        "left hand wave",
        "right arm clockwise",
        "right arm counter clockwise",
        "left arm clockwise",
        "left arm counter clockwise",
        "arm roll",
        "air drums",
        "air guitar",
        "other gestures",
    ),
    splits={"train": 1077, "test": 264},
    files=(
        File(
            "ibmGestureTrain.tar.gz",
            "https://figshare.com/ndownloader/files/38022171",
            "3a8f0d4120a166bac7591f77409cb105",
            "train",
        ),
        File(
            "ibmGestureTest.tar.gz",
            "https://figshare.com/ndownloader/files/38020584",
            "56070e45dadaa85fff82e0fbfbc06de5",
            "test",
        ),
    ),
    layout="ibmGestureTrain/user<n>_<light>/<class>.npy, or user<n>_<light>.aedat with IBM's tables beside it",
    folder="DVSGesture",
    index=_index,
    read=_read,
)
