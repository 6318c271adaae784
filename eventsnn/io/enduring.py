"""A file for the HDF5 library, which ends the process if a write fails: here the error waits until it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO


class Enduring:
    """A binary file that remembers its first error, and from then on only pretends to be written to.

    >>> import io
    >>> file = Enduring(io.BytesIO())
    >>> file.write(b"abc"), file.check()
    (3, None)
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the error that there was."""
        if self._error is not None:
            raise self._error

    def _or(self, instead: Any, call: Callable[..., Any], *arguments: Any) -> Any:
        if self._error is None:
            try:
                return call(*arguments)
            except OSError as error:
                self._error = error
        return instead

    def write(self, data: Any) -> int:
        return self._or(len(data), self._file.write, data)  # type: ignore[no-any-return]

    def read(self, size: int = -1) -> bytes:
        return self._or(b"", self._file.read, size)  # type: ignore[no-any-return]

    def readinto(self, buffer: Any) -> int:
        return self._or(len(buffer), self._file.readinto, buffer)  # type: ignore[attr-defined,no-any-return]

    def seek(self, place: int, whence: int = 0) -> int:
        return self._or(place, self._file.seek, place, whence)  # type: ignore[no-any-return]

    def tell(self) -> int:
        return self._or(0, self._file.tell)  # type: ignore[no-any-return]

    def truncate(self, size: int | None = None) -> int:
        return self._or(size, self._file.truncate, size)  # type: ignore[no-any-return]

    def flush(self) -> None:
        self._or(None, self._file.flush)
