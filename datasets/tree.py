"""Tree: the files of a dataset, in a folder or in a zip archive, by their paths in it."""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Tree"]

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class Tree:
    """Files under ``root``, a folder or a zip archive; ``names`` are their paths in order, with "/" between folders.

    Can be handed to other processes: each opens the archive for itself. Raises FileNotFoundError where there is
    nothing, ValueError for a file that is no zip archive or a damaged one.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self._held: dict[tuple[int, str], Any] = {}
        if self.root.is_dir():
            self.zipped = False
            places = (Path(folder, name) for folder, _, names in os.walk(self.root) for name in names)
            names: Any = (place.relative_to(self.root).as_posix() for place in places)
        elif self.root.is_file():
            self.zipped = True
            names = (name for name in self._archive().namelist() if not name.endswith("/"))
        else:
            raise FileNotFoundError(f"{self.root}: there is no such folder or zip archive")
        self.names: tuple[str, ...] = tuple(sorted(n for n in names if not n.startswith("__MACOSX") and "/." not in n))

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once in each process."""
        key = (os.getpid(), name)
        if key not in self._held:
            self._held[key] = make()
        return self._held[key]

    def _archive(self) -> Any:
        try:
            return self.kept("", lambda: zipfile.ZipFile(self.root))
        except _DAMAGE as error:
            raise ValueError(f"{self.root}: no zip archive, or a damaged one ({error}); fetch it again") from error

    def match(self, pattern: str) -> Iterator[tuple[str, re.Match[str]]]:
        """Names of which a whole number of last parts matches, and the match."""
        known = re.compile(rf"(?:^|.*/)({pattern})$")
        for name in self.names:
            if found := known.match(name):
                yield name, found

    def origin(self, name: str) -> str | bytes:
        """A file as ``eventsnn.io.open`` takes it: its path, or what it holds."""
        return self.bytes(name) if self.zipped else str(self.root / name)

    def bytes(self, name: str) -> bytes:
        """What a file holds. Raises ValueError where the archive is damaged there."""
        if not self.zipped:
            return (self.root / name).read_bytes()
        try:
            return self._archive().read(name)
        except _DAMAGE as error:
            raise ValueError(f"{self.root}: {name} in it is damaged ({error}); fetch the archive again") from error

    def file(self, name: str) -> io.BytesIO:
        """What a file holds, as a file in memory."""
        return io.BytesIO(self.bytes(name))

    def lines(self, name: str) -> list[str]:
        """The lines of a text file that hold something, without what surrounds it."""
        return [line.strip() for line in self.bytes(name).decode("utf-8-sig", "replace").splitlines() if line.strip()]

    def hdf5(self, name: str) -> Any:
        """An HDF5 file, opened once in a process. Raises ValueError for a damaged one."""
        import h5py

        try:
            return self.kept(name, lambda: h5py.File(self.file(name) if self.zipped else self.root / name, "r"))
        except OSError as error:
            raise ValueError(f"{self.root / name}: no HDF5 file, or a damaged one ({error}); fetch it again") from error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": {}}

    def __repr__(self) -> str:
        return f"Tree({str(self.root)!r}, {len(self.names):,} files)"
