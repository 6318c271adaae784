"""SSC, Spiking Speech Commands: 35 words of Google's Speech Commands through a model of the cochlea."""

from . import heidelberg
from .card import Card, File

_NAMES = """
yes no up down left right on off stop go backward bed bird cat dog eight five follow forward four happy house learn
marvin nine one seven sheila six three tree two visual wow zero
"""
_URL = "https://zenkelab.org/datasets/"

CARD = Card(
    name="ssc",
    title="SSC",
    about="35 spoken words as spikes of a model cochlea, 1 s",
    home="https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
    licence="CC BY 4.0",
    citation="Cramer et al., The Heidelberg spiking data sets for the evaluation of spiking neural networks, 2020",
    sensor=(heidelberg.CHANNELS, 1),
    classes=tuple(_NAMES.split()),
    splits={"train": 75_466, "valid": 9_981, "test": 20_382},
    files=(
        File("ssc_train.h5.zip", f"{_URL}ssc_train.h5.zip", "d102be95e7144fcc0553d1f45ba94170", "train"),
        File("ssc_valid.h5.zip", f"{_URL}ssc_valid.h5.zip", "b4eee3516a4a90dd0c71a6ac23a8ae43", "valid"),
        File("ssc_test.h5.zip", f"{_URL}ssc_test.h5.zip", "a35ff1e9cffdd02a20eb850c17c37748", "test"),
    ),
    layout="ssc_train.h5, ssc_valid.h5, ssc_test.h5",
    folder="SSC",
    index=heidelberg.rows_of("ssc"),
    names=heidelberg.names_of("ssc"),
    read=heidelberg.read,
)
