"""Outputs that appear under their name only when they are complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(target: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``target`` to write a file or a folder to; it takes the target's name at the end.

    After an error it is removed and the target is as it was. Files that a folder already held stay, but for those that
    are written anew. Raises FileNotFoundError if the folder that is to hold the target does not exist, ValueError for a
    device or a pipe, which a file cannot take the place of.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole(f"{folder}/notes.txt") as path:
    ...         _ = path.write_text("done")
    ...     os.listdir(folder)
    ['notes.txt']
    """
    final = Path(target)
    final = final.parent.resolve() / final.name
    if not final.parent.is_dir():
        raise FileNotFoundError(f"{final.parent}: there is no such folder to write {final.name} to")
    linked = final.is_symlink() and os.readlink(final).startswith("/proc/")  # as /dev/stdout is
    if linked or (final.exists() and not (final.is_file() or final.is_dir())):
        raise ValueError(f"{target} is a device or a pipe; what is written takes its name when complete: name a file")
    try:
        room = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent))
    except OSError as error:
        raise type(error)(error.errno, f"cannot write here: {error.strerror}", str(final)) from None
    path = room / final.name
    try:
        yield path
        if path.is_dir():
            final.mkdir(exist_ok=True)
            for part in sorted(path.iterdir()):
                _keep(part, final / part.name)
        else:
            _keep(path, final)
    except OSError as error:  # a full disk, say: of the temporary path nobody knows, and some errors tell no file
        if error.errno is not None and (error.filename is None or str(error.filename).startswith(str(room))):
            error.filename = str(final)
        raise
    finally:
        shutil.rmtree(room)


def _keep(part: Path, final: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, final)
