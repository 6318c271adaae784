"""Recordings of any known format into another one; in bounded memory, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

import eventsnn.io
from eventsnn.events import Events
from eventsnn.io.registry import named

from .reading import Reading


@dataclass(frozen=True)
class Config(Reading):
    """Convert recordings into another format."""

    recordings: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Event files of any known format."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write; or a folder that exists, which takes a file for each recording."""
    format: str | None = None
    """Format to write, such as EVT3 or HDF5. Default: the one that the name of the file shows."""
    compression: str | None = None
    """How the file is packed: HDF5 lzf, gzip, zstd or none; AEDAT4 LZ4, zstd or none. Default: the first of them."""


def targets(config: Config) -> list[tuple[Path, Path]]:
    """Pairs (recording, file to write). Raises ValueError if two would be one file, or a recording be written over."""
    if str(config.out) == "-":
        raise ValueError("results are not written to standard output, as they appear when complete: name a file")
    if not config.recordings:
        raise ValueError("name at least one recording to convert")
    if config.out.is_dir():
        if config.format is None:
            raise ValueError(f"{config.out} is a folder: name the format to write with --format")
        known = named(config.format)
        ending = known.suffixes[0] if known.suffixes else ""
        pairs = [(path, config.out / (path.name.split(".")[0] + ending)) for path in config.recordings]
    elif len(config.recordings) == 1:
        pairs = [(config.recordings[0], config.out)]
    else:
        raise ValueError(f"{len(config.recordings)} recordings need a folder that exists to go to, not {config.out}")
    written = [target.resolve() for _, target in pairs]
    if len(set(written)) < len(written):
        twice = next(target for target in written if written.count(target) > 1)
        raise ValueError(f"several recordings would be written to {twice}; convert them to different folders")
    clash = set(written) & {path.resolve() for path in config.recordings}
    if clash:
        raise ValueError(f"{clash.pop()} would be written over; give another name")
    return pairs


def run(config: Config) -> list[Path]:
    """Convert one after the other; an error stops, and leaves what was converted before it."""
    pairs = targets(config)
    for path, target in pairs:
        with config.opened(path) as recording, tqdm(unit=" events", unit_scale=True, disable=None) as progress:
            counts: list[int] = []
            parts = _counted(config.part(recording), recording.sensor, counts, progress)
            eventsnn.io.write(target, parts, format=config.format, compression=config.compression)
        print(f"{path} ({recording.format}) -> {target}: {sum(counts):,} events")
    return [target for _, target in pairs]


def _counted(
    chunks: Iterable[Events], sensor: tuple[int, int] | None, counts: list[int], progress: tqdm
) -> Iterator[Events]:
    yield Events.empty(sensor)  # a recording without events has a sensor too
    for chunk in chunks:
        yield chunk
        counts.append(len(chunk))
        progress.update(len(chunk))
