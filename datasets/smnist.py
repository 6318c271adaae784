"""SMNIST, spiking sequential MNIST: the pixels of a digit one after another, as crossings of 49 grey values.

    channel k        the grey value rises to threshold k or above it, k = 0..48, thresholds 0, 5.29, ..., 254
    channel 49 + k   it falls below threshold k
    channel 98       it is 255

A pixel lasts 1 ms, so pixel n > 0 fires at n ms. Bellec et al., "Long short-term memory and learning-to-learn in
networks of spiking neurons", 2018. (tonic numbers the channels 1..99 from the other end and doubles each spike.)
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import numpy as np

from eventsnn.events import Events

from .card import Card, Entry, File
from .reading import gathered
from .tree import Tree

_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_CHANNELS, _STEPS = 99, 49
_THRESHOLDS = np.linspace(0, 254, _STEPS)
_PREFIX = {"train": "train", "t10k": "test"}


def _table(tree: Tree, name: str) -> Any:
    """The array of an IDX file: two zero bytes, type 8, number of dimensions, sizes, bytes."""
    try:
        data = gzip.decompress(tree.bytes(name)) if name.endswith(".gz") else tree.bytes(name)
        shape = np.frombuffer(data, ">u4", data[3], 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise ValueError(f"{tree.root / name}: no IDX file, or a damaged one ({error}); fetch it again") from error


def _index(tree: Tree) -> Iterator[Entry]:
    images = {found[2]: name for name, found in tree.match(r"(train|t10k)-images[-.]idx3-ubyte(?:\.gz)?")}
    labels = {found[2]: name for name, found in tree.match(r"(train|t10k)-labels[-.]idx1-ubyte(?:\.gz)?")}
    for prefix in images.keys() & labels.keys():
        split = _PREFIX[prefix]
        for row, label in enumerate(_table(tree, labels[prefix])):
            yield Entry(f"{split}/{row:05d}", images[prefix], int(label), split, {"row": row})


def _read(tree: Tree, entry: Entry) -> Events:
    images = tree.kept(entry.file, lambda: _table(tree, entry.file))
    grey = images[entry.metadata["row"]].reshape(-1).astype(np.int16)
    above = grey[:, None] >= _THRESHOLDS
    rise, fall = np.nonzero(above[1:] & ~above[:-1]), np.nonzero(above[:-1] & ~above[1:])
    full = np.flatnonzero(grey == 255)
    pixel = np.concatenate([rise[0] + 1, fall[0] + 1, full])
    channel = np.concatenate([rise[1], fall[1] + _STEPS, np.full(len(full), _CHANNELS - 1)])
    order = np.lexsort((channel, pixel))
    t, x = pixel[order] * 1000, channel[order]
    return gathered(tree, entry.file, (_CHANNELS, 1), {"t": t, "x": x, "y": x * 0, "p": np.ones(len(t), int)})


def _files(split: str, prefix: str, images: str, labels: str) -> tuple[File, File]:
    names = f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz"
    return File(names[0], _URL + names[0], images, split), File(names[1], _URL + names[1], labels, split)


CARD = Card(
    name="smnist",
    title="SMNIST",
    about="MNIST pixel by pixel, as crossings of grey values, 0.8 s",
    home="http://yann.lecun.com/exdb/mnist/",
    licence="CC BY-SA 3.0",
    citation="LeCun et al., Gradient-based learning applied to document recognition, 1998; Bellec et al., 2018",
    sensor=(_CHANNELS, 1),
    classes=tuple("0123456789"),
    splits={"train": 60_000, "test": 10_000},
    files=(
        *_files("train", "train", "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432"),
        *_files("test", "t10k", "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    layout="train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (or .gz)",
    folder="smnist",
    index=_index,
    read=_read,
)
