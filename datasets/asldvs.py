"""ASL-DVS: letters of American Sign Language, 4,200 recordings each, all but J and Z, which move."""

from __future__ import annotations

from eventsnn.events import Events

from .card import Card, Entry, File
from .layout import classes_in_folders
from .reading import gathered, matlab
from .tree import Tree

_CLASSES = tuple("abcdefghiklmnopqrstuvwxy")
_SENSOR = (240, 180)


def _read(tree: Tree, entry: Entry) -> Events:
    """Rows are counted from the bottom in the files."""
    held = matlab(tree, entry.file, "ts", "x", "y", "pol")
    return gathered(
        tree, entry.file, _SENSOR, {"t": held["ts"], "x": held["x"], "y": 179 - held["y"].astype(int), "p": held["pol"]}
    )


CARD = Card(
    name="asldvs",
    title="ASL-DVS",
    about="24 letters of American Sign Language before a DAVIS240C, 0.1 s",
    home="https://github.com/PIX2NVS/NVS2Graph",
    licence="not stated",
    citation="Bi et al., Graph-based object classification for neuromorphic vision sensing, ICCV 2019",
    sensor=_SENSOR,
    classes=_CLASSES,
    splits={"train": 80_640, "test": 20_160},
    fractions={"train": 0.8, "test": 0.2},
    total=100_800,
    files=(
        File(
            "ASLDVS.zip",
            "https://www.dropbox.com/sh/ibq0jsicatn7l6r/AACNrNELV56rs1YInMWUs9CAa?dl=1",
            "33f8b87bf45edc0bfed0de41822279b9",
        ),
    ),
    layout="<letter>/<letter>_<n>.mat",
    folder="ASLDVS",
    index=classes_in_folders(r"(?P<label>[a-z])/[^/]+\.mat", _CLASSES),
    read=_read,
)
