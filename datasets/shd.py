"""SHD, Spiking Heidelberg Digits: spoken digits in English and German through a model of the cochlea."""

from . import heidelberg
from .card import Card, File

_NAMES = """
zero one two three four five six seven eight nine null eins zwei drei vier fuenf sechs sieben acht neun
"""
_URL = "https://zenkelab.org/datasets/"

CARD = Card(
    name="shd",
    title="SHD",
    about="spoken digits in English and German as spikes of a model cochlea, 1 s",
    home="https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
    licence="CC BY 4.0",
    citation="Cramer et al., The Heidelberg spiking data sets for the evaluation of spiking neural networks, 2020",
    sensor=(heidelberg.CHANNELS, 1),
    classes=tuple(_NAMES.split()),
    splits={"train": 8_156, "test": 2_264},
    files=(
        File("shd_train.h5.zip", f"{_URL}shd_train.h5.zip", "f3252aeb598ac776c1b526422d90eecb", "train"),
        File("shd_test.h5.zip", f"{_URL}shd_test.h5.zip", "1503a5064faa34311c398fb0a1ed0a6f", "test"),
    ),
    layout="shd_train.h5, shd_test.h5",
    folder="SHD",
    index=heidelberg.rows_of("shd"),
    names=heidelberg.names_of("shd"),
    read=heidelberg.read,
)
