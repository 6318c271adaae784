"""Recordings from files, folders and patterns, each with the name that its results go by."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

RECORDINGS = frozenset(
    [".raw", ".dat", ".aedat", ".aedat2", ".aedat4", ".es", ".bin", ".h5", ".hdf5", ".bag", ".mcap", ".db3"]
)

MAYBE = frozenset([".txt", ".csv", ".npy", ".npz"])  # which may hold anything


class Input(NamedTuple):
    """A recording and the name of its results: its path without the ending, seen from the folder that was given."""

    path: Path
    name: str


def find(given: Sequence[str], out: Path) -> list[Input]:
    """The recordings, in order of their names.

    A folder stands for the event files in and below it (text, CSV and NumPy files, which may hold anything, are named
    or matched by a pattern). Raises ValueError where there are none, where two would have one name, and where results
    would lie among the recordings.
    """
    if not given:
        raise ValueError("name the recordings: files, folders, or patterns such as 'day1/*.raw'")
    found: dict[str, Path] = {}
    home = out.resolve()
    for text in given:
        for path, name in _matched(text, home):
            if (other := found.get(name)) is not None and other.resolve() != path.resolve():
                raise ValueError(
                    f"{other} and {path} would both have results called {name}; give the folder above them"
                    if other.suffix == path.suffix
                    else f"{other} and {path} would both have results called {name}; run one with another output"
                )
            if path.resolve().is_relative_to(home):
                raise ValueError(f"the output {out} holds the recording {path}; choose a folder of its own")
            found[name] = path
    return [Input(found[name], name) for name in sorted(found)]


def _matched(text: str, home: Path) -> Iterator[tuple[Path, str]]:
    path = Path(text)
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.suffix.lower() in RECORDINGS and each.is_file())
        root, deep = path, True
        if not files:
            endings = " ".join(sorted(RECORDINGS))
            raise ValueError(f"{path}: no event files in this folder ({endings}); others are named or matched: '*.csv'")
    elif path.is_file():
        files, root, deep = [path], path.parent, False
    else:
        if not glob.has_magic(text):
            raise ValueError(f"{text}: there is no such recording or folder")
        files = sorted(Path(each) for each in glob.glob(text, recursive=True) if Path(each).is_file())
        root, deep = Path(re.split(r"[^/]*[*?[]", text, maxsplit=1)[0] or "."), "**" in text
        if not files:
            raise ValueError(f"{text}: nothing matches this pattern")
    if deep and home.is_relative_to(root.resolve()):
        raise ValueError(f"the output {home} lies inside the input {root}; choose a folder outside of it")
    for file in files:
        yield file, file.relative_to(root).with_suffix("").as_posix()


def left_out(given: Sequence[str], jobs: Sequence[Input]) -> str:
    """What is said of files in folders that may be recordings, but are none by their names; "" without such files."""
    taken = {job.path for job in jobs}
    found = [(text, path) for text in given if Path(text).is_dir() for path in sorted(Path(text).rglob("*"))
             if path.suffix.lower() in MAYBE and path not in taken and path.is_file()]  # fmt: skip
    if not found:
        return ""
    endings = " ".join(sorted({path.suffix.lower() for _, path in found}))
    folder, first = found[0]
    pattern = f"{folder.rstrip('/')}/**/*{first.suffix}"
    return f"{len(found)} text or NumPy files, recordings or not, are left out ({endings}); match those: '{pattern}'"


def part(inputs: list[Input], which: str) -> list[Input]:
    """Part i of n, "i/n" with i from 1: every n-th recording. Raises ValueError for another text.

    >>> [each.name for each in part([Input(Path(n), n) for n in "abcde"], "2/3")]
    ['b', 'e']
    """
    match = re.fullmatch(r"(\d+)/(\d+)", which)
    i, n = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= i <= n:
        raise ValueError(f"shard must be i/n with i from 1 to n, such as 3/16, got {which!r}")
    return inputs[i - 1 :: n]
