"""DSEC: driving in Switzerland with two event cameras; the events of the left (or right) camera."""

from __future__ import annotations

from collections.abc import Mapping

from .card import Card, File
from .layout import recordings_in
from .reading import file_reader

_URL = "https://download.ifi.uzh.ch/rpg/DSEC"
_TRAIN = """
interlaken_00_c interlaken_00_d interlaken_00_e interlaken_00_f interlaken_00_g thun_00_a zurich_city_00_a
zurich_city_00_b zurich_city_01_a zurich_city_01_b zurich_city_01_c zurich_city_01_d zurich_city_01_e
zurich_city_01_f zurich_city_02_a zurich_city_02_b zurich_city_02_c zurich_city_02_d zurich_city_02_e
zurich_city_03_a zurich_city_04_a zurich_city_04_b zurich_city_04_c zurich_city_04_d zurich_city_04_e
zurich_city_04_f zurich_city_05_a zurich_city_05_b zurich_city_06_a zurich_city_07_a zurich_city_08_a
zurich_city_09_a zurich_city_09_b zurich_city_09_c zurich_city_09_d zurich_city_09_e zurich_city_10_a
zurich_city_10_b zurich_city_11_a zurich_city_11_b zurich_city_11_c
"""
_TEST = """
interlaken_00_a interlaken_00_b interlaken_01_a thun_01_a thun_01_b zurich_city_12_a zurich_city_13_a
zurich_city_13_b zurich_city_14_a zurich_city_14_b zurich_city_14_c zurich_city_15_a
"""
_PART = {**dict.fromkeys(_TRAIN.split(), "train"), **dict.fromkeys(_TEST.split(), "test")}


def _split(found: Mapping[str, str]) -> str | None:
    part = _PART.get(found["recording"])
    return part if part is None or found["side"] == "left" else f"{part}-right"


CARD = Card(
    name="dsec",
    title="DSEC",
    about="driving by day and night with a stereo pair of Prophesee Gen3 cameras; events",
    home="https://dsec.ifi.uzh.ch",
    licence="CC BY-SA 4.0, unconfirmed",
    citation="Gehrig et al., DSEC: a stereo event camera dataset for driving scenarios, 2021",
    sensor=(640, 480),
    splits={"train": 41, "test": 12, "train-right": 41, "test-right": 12},
    target="none",
    files=tuple(
        File(
            f"{recording}/events_{side}/{recording}_events_{side}.zip",
            f"{_URL}/{part}/{recording}/{recording}_events_{side}.zip",
            split=part if side == "left" else f"{part}-right",
            recording=recording,
        )
        for recording, part in _PART.items()
        for side in ("left", "right")
    ),
    layout="<recording>/events/left/events.h5 or <recording>/events_left/events.h5",
    folder="DSEC",
    index=recordings_in(r"(?P<recording>[a-z_]+_\d\d_[a-z])/events[_/](?P<side>left|right)/events\.h5", _split),
    read=file_reader((640, 480), "HDF5"),
)
