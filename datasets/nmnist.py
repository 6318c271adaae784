"""N-MNIST: MNIST digits on a screen, seen by an ATIS that makes three saccades of 105 ms."""

from .card import Card, File
from .layout import classes_in_folders
from .reading import file_reader

_URL = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/{}/file_downloaded"
_DIGITS = tuple("0123456789")

CARD = Card(
    name="nmnist",
    title="N-MNIST",
    about="MNIST digits on a screen seen by an ATIS in three saccades, 0.3 s",
    home="https://www.garrickorchard.com/datasets/n-mnist",
    licence="CC BY-SA 4.0",
    citation="Orchard et al., Converting static image datasets to spiking neuromorphic datasets using saccades, 2015",
    sensor=(34, 34),
    classes=_DIGITS,
    splits={"train": 60_000, "test": 10_000},
    files=(
        File(
            "train.zip",
            _URL.format("39c25547-014b-4137-a934-9d29fa53c7a0"),
            "20959b8e626244a1b502305a9e6e2031",
            "train",
        ),
        File(
            "test.zip", _URL.format("05a4d654-7e03-4c15-bdfa-9bb2bcbea494"), "69ca8762b2fe404d9b9bad1103e97832", "test"
        ),
    ),
    layout="Train/<digit>/<id>.bin, Test/<digit>/<id>.bin",
    folder="NMNIST",
    index=classes_in_folders(
        r"(?P<split>Train|Test)/(?P<label>\d)/\d+\.bin", _DIGITS, {"Train": "train", "Test": "test"}
    ),
    read=file_reader((34, 34), "N-MNIST"),
)
