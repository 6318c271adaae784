"""DVS-Lip: a hundred English words, half of them in pairs that look alike, read from the lips of 40 people."""

from .card import Card, File
from .layout import classes_in_folders
from .reading import file_reader

_NAMES = """
accused action allow allowed america american another around attacks banks become being benefit benefits between
billion called capital challenge change chief couple court death described difference different during economic
education election england evening everything exactly general germany giving ground happen happened having heavy
house hundreds immigration judge labour leaders legal little london majority meeting military million minutes
missing needs number numbers paying perhaps point potential press price question really right russia russian saying
security several should significant spend spent started still support syria syrian taken taking terms these thing
think times tomorrow under warning water welcome words worst years young
"""
_WORDS = tuple(_NAMES.split())

CARD = Card(
    name="dvslip",
    title="DVS-Lip",
    about="a hundred English words read from the lips of 40 people",
    home="https://sites.google.com/view/event-based-lipreading",
    licence="unknown",
    citation="Tan et al., Multi-grained spatio-temporal features perceived network for event-based lip-reading, 2022",
    sensor=(128, 128),
    classes=_WORDS,
    splits={"train": 14_896, "test": 4_975},
    files=(
        File(
            "DVS-Lip.zip",
            "https://drive.google.com/file/d/1dBEgtmctTTWJlWnuWxFtk8gfOdVVpkQ0/view",
            "2dcb959255122d4cdeb6094ca282494b",
            by_hand=True,
        ),
    ),
    layout="DVS-Lip/train/<word>/<n>.npy, DVS-Lip/test/<word>/<n>.npy",
    folder="DVSLip",
    index=classes_in_folders(
        r"DVS-Lip/(?P<split>train|test)/(?P<label>[a-z]+)/\d+\.npy", _WORDS, {"train": "train", "test": "test"}
    ),
    read=file_reader((128, 128), "NumPy"),
)
