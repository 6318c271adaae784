"""The formats eventsnn knows, and which of them a file's content shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from . import prophesee
from .errors import EventFormatError
from .source import Source


@dataclass(frozen=True)
class Format:
    """A file format: its name, where it is met, its module here, the endings it is written under (none: read only).

    ``beside`` is the module that reads what files may hold beside their events, ``has``: frames, imu, triggers.
    ``streams`` tells whether it can be read as it comes, from a pipe or while it is being written; ``takes`` names the
    arguments of ``open`` that are for this format, ``compressions`` the ways it can be written packed, the first if
    none is named.
    """

    name: str
    about: str
    module: str
    suffixes: tuple[str, ...] = ()
    beside: str = ""
    has: frozenset[str] = frozenset()
    streams: bool = True
    takes: tuple[str, ...] = ()
    compressions: tuple[str, ...] = ()

    def load(self) -> Any:
        """The module with ``start``, ``decode`` and, where the format can be written, ``write``."""
        return import_module(f".{self.module}", __package__)


_ALL = frozenset(("frames", "imu", "triggers"))
_EDGES = frozenset(("triggers",))
_COLUMNS = ("columns", "unit")

formats: Mapping[str, Format] = MappingProxyType(
    {
        known.name: known
        for known in (
            Format("EVT2", "Prophesee RAW, 32-bit words", "evt2", (".evt2.raw",), "prophesee_triggers", _EDGES),
            Format("EVT2.1", "Prophesee RAW, 64-bit words with vectors", "evt21", (), "prophesee_triggers", _EDGES),
            Format("EVT3", "Prophesee RAW, 16-bit words", "evt3", (".raw",), "prophesee_triggers", _EDGES),
            Format("DAT", "Prophesee DAT, versions 1 and 2", "dat", (".dat",), "prophesee_triggers", _EDGES),
            Format("AEDAT1", "early DVS128 recordings", "aedat1"),
            Format("AEDAT2", "jAER: DVS128, EDVS, DAVIS, DVS640", "aedat2", (), "aedat2_streams", _ALL),
            Format("AEDAT3", "libcaer's 3.0 and 3.1, DVS-Gesture", "aedat3", (), "aedat3_streams", _ALL),
            Format(
                "AEDAT4",
                "iniVation DV, LZ4 or zstd",
                "aedat4",
                (".aedat4",),
                "aedat4_streams",
                _ALL,
                compressions=("LZ4", "zstd", "none"),
            ),
            Format("ES", "Event Stream 1 and 2", "es", (".es",)),
            Format("N-MNIST", "40-bit records of N-MNIST and N-Caltech101", "nmnist", (".bin",)),
            Format(
                "HDF5",
                "eventsnn's own and those of DSEC, e2vid, M3ED, MVSEC, Prophesee",
                "hdf5",
                (".h5", ".hdf5"),
                "hdf5_streams",
                _ALL,
                streams=False,
                compressions=("lzf", "gzip", "zstd", "none"),
            ),
            Format("rosbag", "ROS 1 bags", "rosbag"),
            Format("mcap", "ROS 2 recordings in MCAP files", "mcap"),
            Format("db3", "ROS 2 recordings in SQLite files", "db3", streams=False),
            Format("NumPy", ".npy or .npz, columns or records", "npz", (".npz",), streams=False, takes=_COLUMNS),
            Format("CSV", "one event a line, separated by commas", "csvtext", (".csv",), takes=_COLUMNS),
            Format("text", "one event a line", "text", (".txt",), takes=_COLUMNS),
        )
    }
)

_MAGIC = {
    b"Event Stream": "ES",
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"#ROSBAG V2.0\n": "rosbag",
    b"\x89MCAP0\r\n": "mcap",
    b"SQLite format 3\0": "db3",
    b"PK\x03\x04": "NumPy",
    b"\x93NUMPY": "NumPy",
}
_FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "gzip, which must be unpacked first",
    b"\x28\xb5\x2f\xfd": "zstd, which must be unpacked first",
    b"MATLAB 5.0": "a MATLAB file",
    b"\x00\x00\x00\x18ftyp": "an MP4 video",
    b"RIFF": "a RIFF video or sound",
    b"\x7fELF": "a program",
}


def named(name: str) -> Format:
    """The format of that name, whatever its case. Raises ValueError if there is none."""
    for known in formats.values():
        if known.name.lower() == name.lower():
            return known
    raise ValueError(f"unknown format {name!r}; known are {', '.join(formats)}")


def recognise(source: Source) -> Format:
    """The format of the content. Raises EventFormatError if it shows none."""
    head = source.head
    if not head:
        raise EventFormatError("the file is empty", offset=0)
    if head.startswith(b"#!AER-DAT"):
        return _stated(f"AEDAT{head[9:10].decode('latin-1')}")
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return formats[name]
    if head.startswith(b"% "):
        return _stated(prophesee.header(head).layout["format"] or "DAT")
    foreign = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
    if foreign:
        raise EventFormatError(f"not an event file: it is {foreign}", offset=0)
    for name in ("CSV", "text", "N-MNIST", "DAT"):
        if formats[name].load().looks_like(head, source.size):
            return formats[name]
    raise EventFormatError(
        f"not an event file that can be told by its content (it begins with {head[:8].hex(' ')}); "
        "for a RAW file without a header give format='EVT2' or 'EVT3', for cut records format='N-MNIST' or 'DAT'",
        offset=0,
    )


def _stated(name: str) -> Format:
    if name not in formats:
        raise EventFormatError(f"{name} files are not read; known are {', '.join(formats)}", offset=0)
    return formats[name]
