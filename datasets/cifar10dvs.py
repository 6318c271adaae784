"""CIFAR10-DVS: 10,000 pictures of CIFAR-10 moved in a closed loop on a screen before a DVS128.

The AEDAT4 edition that tonic downloads and the authors' AEDAT 2 edition are read.
"""

from .card import Card, File
from .layout import classes_in_folders
from .reading import file_reader

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CARD = Card(
    name="cifar10dvs",
    title="CIFAR10-DVS",
    about="10,000 pictures of CIFAR-10 moving on a screen, 1.3 s each",
    home="https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
    licence="CC BY 4.0, unconfirmed",
    citation="Li et al., CIFAR10-DVS: an event-stream dataset for object classification, 2017",
    sensor=(128, 128),
    classes=_CLASSES,
    splits={"train": 9_000, "test": 1_000},
    fractions={"train": 0.9, "test": 0.1},
    total=10_000,
    files=(
        File("CIFAR10DVS.zip", "https://figshare.com/ndownloader/files/38023437", "ce3a4a0682dc0943703bd8f749a7701c"),
    ),
    layout="<class>/cifar10_<class>_<n>.aedat4 or .aedat",
    folder="CIFAR10DVS",
    index=classes_in_folders(rf"(?P<label>{'|'.join(_CLASSES)})/cifar10_[a-z]+_\d+\.aedat4?", _CLASSES),
    read=file_reader((128, 128)),
)
