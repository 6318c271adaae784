"""Brisbane-Event-VPR: the same drive six times at different hours, with a DAVIS346 and GPS.

The target is an array [n, 3] of where the car was: time in s since the first fix, latitude and longitude in degrees;
None where the NMEA file is not beside the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .card import Card, Entry, File
from .reading import file_reader
from .tree import Tree

_URL = "https://zenodo.org/record/4302805/files/"
_DRIVES = {
    "sunset1": (
        ("dvs_vpr_2020-04-21-17-03-03.bag", "04473f623aec6bda3d7eadfecfc1b2ce"),
        ("20200421_170039-sunset1_concat.nmea", "11f0107a4df845fd315e9134fbee5c1e"),
    ),
    "sunset2": (
        ("dvs_vpr_2020-04-22-17-24-21.bag", "ca6db080a4054196fe65825bce3db351"),
        ("20200422_172431-sunset2_concat.nmea", "ff879bf22a9552a6d8500a98cff6c7f9"),
    ),
    "daytime": (
        ("dvs_vpr_2020-04-24-15-12-03.bag", "909569732e323ff04c94379a787f2a69"),
        ("20200424_151015-daytime_concat.nmea", "867fdf43ef393ac7e8de251c1a5cd585"),
    ),
    "night": (
        ("dvs_vpr_2020-04-27-18-13-29.bag", "e80b6c0434690908d855445792d4de3b"),
        ("20200427_181204-night_concat.nmea", "441e6673e0dfc8746f76cd646c4aba8d"),
    ),
    "morning": (
        ("dvs_vpr_2020-04-28-09-14-11.bag", "7854ede61c0947adb0f072a041dc3bad"),
        ("20200428_091154-morning_concat.nmea", "b86af464ceac478711e52ef4271c198c"),
    ),
    "sunrise": (
        ("dvs_vpr_2020-04-29-06-20-23.bag", "d7ccfeb6539f1e7b077ab4fe6f45193c"),
        ("20200429_061912-sunrise_concat.nmea", "ec04cf35c10eb5b519b11297adef024b"),
    ),
}


def _index(tree: Tree) -> Iterator[Entry]:
    places = {name.rpartition("/")[2]: name for name in tree.names}
    for drive, ((bag, _), (gps, _)) in _DRIVES.items():
        if bag in places:
            yield Entry(drive, places[bag], None, "all", {"recording": drive, "gps": places.get(gps)})


def _degrees(number: str, half: str) -> float:
    """Degrees from NMEA's dddmm.mmmm."""
    whole, minutes = divmod(float(number), 100)
    return (whole + minutes / 60) * (-1 if half in "SW" else 1)


def _places(tree: Tree, entry: Entry) -> Any:
    """Fixes of the GGA sentences, or, where there are none, of the valid RMC sentences."""
    if entry.metadata["gps"] is None:
        return None
    rows = [line.partition("*")[0].split(",") for line in tree.lines(entry.metadata["gps"])]
    fixes = [[row[1], *row[2:6]] for row in rows if row[0].endswith("GGA") and len(row) > 6 and row[2] and row[4]]
    fixes = fixes or [[row[1], *row[3:7]] for row in rows if row[0].endswith("RMC") and len(row) > 6 and row[2] == "A"]
    clock = [int(fix[0][:2]) * 3600 + int(fix[0][2:4]) * 60 + float(fix[0][4:]) for fix in fixes]
    since = [(second - clock[0]) % 86_400 for second in clock]
    table = [[s, _degrees(*fix[1:3]), _degrees(*fix[3:5])] for s, fix in zip(since, fixes, strict=True)]
    return np.array(table, np.float64).reshape(-1, 3)


CARD = Card(
    name="vpr",
    title="VPR",
    about="one drive through Brisbane at six times of day, with a DAVIS346 and GPS",
    home="https://zenodo.org/record/4302805",
    licence="CC BY-NC-SA 4.0",
    citation="Fischer and Milford, Event-based visual place recognition with ensembles of temporal windows, 2020",
    sensor=(346, 260),
    splits={"all": len(_DRIVES)},
    target="places [n, 3]: s, latitude, longitude",
    files=tuple(File(name, _URL + name, md5, "all", drive) for drive, pair in _DRIVES.items() for name, md5 in pair),
    layout="dvs_vpr_<date>.bag and <date>-<hour>_concat.nmea",
    folder="VPR",
    index=_index,
    read=file_reader((346, 260)),
    truth=_places,
)
