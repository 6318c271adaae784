"""pack: all events of a split in one file, written whole or not at all, and gone on with where it was interrupted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tqdm import tqdm

from eventsnn.events import Events
from eventsnn.io.atomic import whole

from .dataset import Dataset
from .packfile import DTYPES, assemble, header_of

__all__ = ["pack"]

_COLUMNS = ("lengths", "labels", "t", "x", "y", "p")
_EVENTS_AT_ONCE = 1 << 21


def pack(dataset: Dataset, path: str | os.PathLike[str], *, target: Callable[[Any], int] | None = None) -> Path:
    """Write a split to one file, for ``Packed.open``; gives its path.

    ``target`` makes the label from a target that is no whole number. A file that holds the split already is left as it
    is. What was packed before an interruption or a full disk is kept in a folder beside it, ``.<name>.packing``, and
    the next call goes on from there. Of processes that pack the same at once one does it and the others wait.

    Raises ValueError for targets that are no whole numbers, FileNotFoundError where there is no folder to write to,
    IsADirectoryError for a path that is a folder, OSError, which says how far it came, where writing fails, and what
    reading a sample raises.

    >>> import tempfile
    >>> from eventsnn.datasets import Packed, card_of
    >>> from eventsnn.datasets.standin import StandIn
    >>> noise = StandIn(card_of("pokerdvs"), per_class=1)  # or load("pokerdvs", ...)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     packed = Packed.open(pack(noise, f"{folder}/train.packed"))
    ...     print(packed, packed[1].target)
    Packed(pokerdvs train: 4 samples, 8,000 events, 35x35, mapped) 1
    """
    final = Path(path)
    about = {
        "name": dataset.name,
        "split": dataset.split,
        "split_hash": dataset.split_hash,
        "sensor": list(dataset.sensor),
        "classes": list(dataset.classes),
        "samples": len(dataset),
    }
    if not final.parent.is_dir():
        raise FileNotFoundError(f"{final.parent}: there is no such folder to write {final.name} to")
    if final.is_dir():
        raise IsADirectoryError(f"{final} is a folder; give the name of the file to write")
    with _alone(final.parent):
        if not (final.is_file() and _describes(final, about)):
            _write(dataset, final, about, target)
    return final


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process packs into the folder, so that of several that start together one does the work."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):  # not every system has locks, nor every file system
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write(dataset: Dataset, final: Path, about: dict[str, Any], target: Callable[[Any], int] | None) -> None:
    room = final.parent / f".{final.name}.packing"
    done = _resume(room, about)
    try:
        for k in _append(dataset, room, about, done, target):
            done = k
        with whole(final) as part:
            assemble(room, part, about, dataset.ids)
    except OSError as error:
        if error.errno is None:
            raise
        reason = f"packing stopped after {done} of {len(dataset)} samples: {error.strerror}; what is packed is kept"
        raise type(error)(error.errno, f"{reason} in {room.name}, call again to go on", str(final)) from error
    shutil.rmtree(room)


def _describes(path: Path, about: dict[str, Any]) -> bool:
    with suppress(ValueError):
        header = header_of(path)
        return {key: header[key] for key in about} == about
    return False


def _resume(room: Path, about: dict[str, Any]) -> int:
    """Samples that are packed already; the columns are cut back to them. What is of another split is dropped."""
    journal = room / "journal.json"
    if journal.is_file():
        state = json.loads(journal.read_text())
        if state["about"] == about:
            for name, size in state["sizes"].items():
                os.truncate(room / name, size)
            return int(state["done"])
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    return 0


def _append(dataset: Dataset, room: Path, about: dict[str, Any], done: int, target: Any) -> Any:
    """Packs the rest of the samples; yields how many are safe on disk."""
    with ExitStack() as stack:
        files = {name: (room / name).open("ab") for name in _COLUMNS}
        for file in files.values():
            stack.callback(_close, file)
        waiting = 0
        for k in tqdm(range(done, len(dataset)), initial=done, total=len(dataset), unit=" samples", disable=None):
            sample = dataset[k]
            label = sample.target if target is None else target(sample.target)
            if not isinstance(label, int | np.integer):
                raise ValueError(
                    f"{dataset.name}: the target of {dataset.ids[k]} is no class but {type(label).__name__}; "
                    "give pack a target that makes a whole number of it"
                )
            events = _small(sample.events)
            for name, column in zip("txyp", events.columns, strict=True):
                files[name].write(np.ascontiguousarray(column, DTYPES[name]).data)
            files["lengths"].write(np.int64(len(events)).tobytes())
            files["labels"].write(np.int64(label).tobytes())
            waiting += len(events) + 1
            if waiting > _EVENTS_AT_ONCE or k + 1 == len(dataset):
                waiting = 0
                yield _save(room, files, about, k + 1)


def _small(events: Events) -> Events:
    """The events in order of time, with coordinates that int16 holds."""
    events = events.numpy().sort()
    if len(events) and max(int(events.x.max()), int(events.y.max())) >= 1 << 15:
        raise ValueError("packed coordinates are int16: crop or scale sensors beyond 32768 px")
    return events


def _save(room: Path, files: Mapping[str, BinaryIO], about: dict[str, Any], done: int) -> int:
    for file in files.values():
        file.flush()
        os.fsync(file.fileno())
    sizes = {name: file.tell() for name, file in files.items()}
    with whole(room / "journal.json") as path:
        path.write_text(json.dumps({"about": about, "done": done, "sizes": sizes}))
    return done


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # after a failed write closing fails again
        file.close()
