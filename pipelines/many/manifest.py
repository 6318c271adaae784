"""What has been done: one entry a recording, written when its results are complete, and what makes it hold no more."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

Entry = dict[str, Any]
ANY_NAME = "surrogateescape"  # how text is written in which names of files may be no UTF-8


@cache
def versions() -> dict[str, str]:
    """What the results were made with."""
    return {"python": platform.python_version()} | {name: version(name) for name in ("eventsnn", "numpy", "torch")}


def place(out: Path, name: str) -> Path:
    """The file of an entry."""
    return out / "manifest" / f"{name}.json"


def read(out: Path, name: str) -> Entry | None:
    """The entry of a recording, or None where there is none that can be read."""
    try:
        entry = json.loads(place(out, name).read_text())
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) and entry.get("name") == name else None


def entries(out: Path) -> list[Entry]:
    """All entries of an output folder, by name."""
    folder = out / "manifest"
    names = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.json"))
    return [entry for name in names if (entry := read(out, name)) is not None]


def write(out: Path, entry: Entry) -> None:
    """Put the entry in its place, whole; the results that it tells of are on the disk.

    It need not be there itself if the machine fails: a recording without an entry that can be read is done again.
    """
    target = place(out, entry["name"])
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(entry))
        os.replace(part, target)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def identity(path: Path) -> dict[str, Any]:
    """Size, time of change and SHA-256 of a file. Raises ValueError if it changes meanwhile."""
    before = os.stat(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    known = {"path": str(path.absolute()), "size": before.st_size, "mtime_ns": before.st_mtime_ns, "sha256": digest}
    if changed(known):
        raise ValueError(f"{path}: the file changes while it is read; is it still being written?")
    return known


def changed(known: dict[str, Any]) -> bool:
    """True if the file of that identity has another size or time now."""
    now = os.stat(known["path"])
    return bool((now.st_size, now.st_mtime_ns) != (known["size"], known["mtime_ns"]))


def reason_to_do(entry: Entry | None, path: Path, out: Path, chain: str) -> str:
    """Why a recording must be done, or "" where its entry holds: same chain, same recording, results as they were."""
    if entry is None:
        return "new"
    if entry["status"] != "done":
        return "it failed before"
    if entry["chain"] != chain:
        return "the chain changed"
    if entry["versions"]["eventsnn"] != versions()["eventsnn"]:
        return f"it was made with eventsnn {entry['versions']['eventsnn']}"
    for result in entry["results"]:
        target = out / result["path"]
        if not target.is_file():
            return f"{result['path']} is missing"
        if target.stat().st_size != result["size"]:
            return f"{result['path']} was changed"
    known = entry["input"]
    if changed({**known, "path": str(path)}) and identity(path)["sha256"] != known["sha256"]:
        return "the recording changed"
    return ""


@contextmanager
def locked(out: Path, name: str) -> Iterator[TextIO]:
    """The log of a recording, open to be added to, by one process at a time on all machines that share the folder."""
    target = out / "logs" / f"{name}.log"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a+", errors=ANY_NAME) as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.write(f"process {os.getpid()} waits: another one has this recording in hand\n")
            log.flush()
            fcntl.flock(log, fcntl.LOCK_EX)
        yield log
