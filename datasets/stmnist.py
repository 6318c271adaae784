"""ST-MNIST: digits that people wrote on an electronic skin of 10x10 touch sensors."""

from __future__ import annotations

import numpy as np

from eventsnn.events import Events

from .card import Card, Entry, File
from .layout import classes_in_folders
from .reading import gathered, matlab
from .tree import Tree

_DIGITS = tuple("0123456789")
_SENSOR = (10, 10)


def _read(tree: Tree, entry: Entry) -> Events:
    """``spiketrain`` [101, n] holds 100 sensors' -1, 0 or 1 at n times, and the times in s."""
    train = matlab(tree, entry.file, "spiketrain")["spiketrain"]
    step, taxel = np.nonzero(train[:-1].T)
    columns = {"t": train[-1, step] * 1e6, "x": taxel % 10, "y": taxel // 10, "p": train[taxel, step]}
    return gathered(tree, entry.file, _SENSOR, columns).sort()


CARD = Card(
    name="stmnist",
    title="ST-MNIST",
    about="digits written by 23 people on an electronic skin, 2 s",
    home="https://scholarbank.nus.edu.sg/handle/10635/168106",
    licence="terms of the publishing university, unconfirmed",
    citation="See et al., ST-MNIST: the spiking tactile MNIST neuromorphic dataset, 2020",
    sensor=_SENSOR,
    classes=_DIGITS,
    splits={"train": None, "test": None},
    fractions={"train": 0.8, "test": 0.2},
    total=6_953,
    files=(
        File(
            "STMNIST dataset NUS Tee Research Group.zip",
            "https://scholarbank.nus.edu.sg/bitstream/10635/168106/2/STMNIST%20dataset%20NUS%20Tee%20Research%20Group.zip",
            "2eef16be7356bc1a8f540bb3698c4e0e",
            by_hand=True,
        ),
    ),
    layout="data_submission/<digit>/<name>.mat",
    folder="STMNIST",
    index=classes_in_folders(r"(?P<label>\d)/(?!LUT)[^/]+\.mat", _DIGITS),
    read=_read,
)
