"""Events of a sample, from an event file or from arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import eventsnn.io
from eventsnn.events import Events
from eventsnn.io import EventFormatError

from .card import Entry
from .tree import Tree


def recorded(tree: Tree, name: str, sensor: tuple[int, int] | None, format: str | None = None) -> Events:
    """Events of an event file of the tree. Raises EventFormatError, which names it, where it is damaged."""
    try:
        return eventsnn.io.read(tree.origin(name), sensor=sensor, format=format)
    except EventFormatError as error:
        error.path = str(tree.root / name)
        raise


def array(tree: Tree, name: str) -> Any:
    """A NumPy array file, never unpickled. Raises ValueError for a damaged one."""
    try:
        return np.load(tree.file(name), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{tree.root / name}: no NumPy array, or a damaged one ({error})") from error


def gathered(tree: Tree, name: str, sensor: tuple[int, int], columns: Mapping[str, Any]) -> Events:
    """Events from columns ``t`` [us], ``x``, ``y``, ``p`` (positive: ON). Raises ValueError for what is outside."""
    t, x, y, p = (np.asarray(columns[k]).reshape(-1) for k in "txyp")
    t = np.rint(t.astype(np.float64)).astype(np.int64) if t.dtype.kind == "f" else t.astype(np.int64)
    try:
        events = Events(t, x.astype(np.int32), y.astype(np.int32), (p > 0).astype(np.uint8), sensor=sensor)
    except ValueError as error:
        raise ValueError(f"{tree.root / name}: {error}") from error
    if len(events) and bool(events.outside().any()):
        raise ValueError(
            f"{tree.root / name}: events reach x {events.x.max()}, y {events.y.max()}, outside the "
            f"{sensor[0]}x{sensor[1]} sensor"
        )
    return events


def spikes(tree: Tree, name: str, channels: int, seconds: Any, units: Any) -> Events:
    """Spikes at times in s and channels, as events in order of time."""
    t = np.rint(np.asarray(seconds, np.float64) * 1e6)
    return gathered(tree, name, (channels, 1), {"t": t, "x": units, "y": units * 0, "p": np.ones(len(t), int)}).sort()


def file_reader(sensor: tuple[int, int], format: str | None = None) -> Any:
    """A card's reader for samples that are an event file each."""

    def read(tree: Tree, entry: Entry) -> Events:
        return recorded(tree, entry.file, sensor, format)

    return read


def matlab(tree: Tree, name: str, *variables: str) -> dict[str, Any]:
    """Variables of a MATLAB file. Raises ValueError for a damaged one and for one that lacks them."""
    from scipy.io import loadmat

    try:
        held = loadmat(tree.file(name), variable_names=variables)
        return {variable: held[variable] for variable in variables}
    except Exception as error:  # the reader passes on whatever its parts raise
        raise ValueError(f"{tree.root / name}: no MATLAB file with {', '.join(variables)} ({error})") from error
