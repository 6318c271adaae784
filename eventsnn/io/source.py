"""Where bytes come from: a path, bytes in memory, or a binary file object, seekable or not."""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from .errors import EventFormatError

HEAD = 1 << 16


class Reader:
    """Reads forward from an offset; ``offset`` is the place of the next byte."""

    def __init__(self, file: BinaryIO, offset: int, ahead: bytes = b"", start: int | None = None) -> None:
        self.offset, self._file, self._ahead, self._start = offset, file, memoryview(ahead), start

    def readinto(self, view: memoryview) -> int:
        """Fills the view as far as the input reaches; a short count means its end."""
        done = min(len(view), len(self._ahead))
        view[:done] = self._ahead[:done]
        self._ahead = self._ahead[done:]
        if self._start is not None:  # the file object is shared, so its position is not ours
            self._file.seek(self._start + self.offset)
        while done < len(view):
            got = self._file.readinto(view[done:])  # type: ignore[attr-defined]
            if not got:
                break
            done += got
        self.offset += done
        return done

    def seek(self, offset: int) -> None:
        """Goes to a byte of a source that can seek."""
        self.offset = offset
        if self._start is None:
            self._file.seek(offset)

    def read(self, count: int) -> bytes:
        """The next bytes, fewer at the end of the input; memory grows with what is there, not with what is asked."""
        pieces: list[bytes] = []
        left = count
        while left:
            piece = self._piece(min(left, 1 << 20))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, count: int) -> bytes:
        if not self._ahead and self._start is None and isinstance(self._file, io.FileIO):
            piece = self._file.read(count)  # saves the zeroing and the copy below
            self.offset += len(piece)
            return piece
        room = bytearray(count)
        return bytes(memoryview(room)[: self.readinto(memoryview(room))])


class _Window(io.RawIOBase):
    """A reader as a file of its own."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader, self._size = reader, size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._reader.offset, os.SEEK_END: self._size}[whence]
        if place < 0:
            raise ValueError(f"a place before the file's start: {place}")
        self._reader.seek(place)
        return place

    def tell(self) -> int:
        return self._reader.offset

    def readinto(self, view: Any) -> int:
        return self._reader.readinto(memoryview(view).cast("B"))

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._size - self._reader.offset)  # a library may ask for what a damaged header says
        return self._reader.read(left if count is None or count < 0 else min(count, left))


class Source:
    """A thing to read: name, path (None for what is no file on disk), first bytes, size (None for a pipe), readers."""

    def __init__(self, origin: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO) -> None:
        self.path: str | None = None
        self._spent = False
        file: Any
        if origin == "-":
            self.name, file = "<stdin>", getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        elif isinstance(origin, str | os.PathLike):
            self.name = os.fspath(origin)
            file = builtins.open(self.name, "rb", buffering=0)  # noqa: SIM115 (a pipe stays open until close)
            self.path = self.name if file.seekable() else None
        elif isinstance(origin, bytes | bytearray | memoryview):
            self.name, file = "<bytes>", io.BytesIO(origin)
        elif hasattr(origin, "readinto"):
            self.name, file = str(getattr(origin, "name", "<stream>")), origin
        else:
            raise TypeError(f"expected a path, bytes or a binary file object, got {type(origin).__name__}")
        self._file, self._closed = file, False
        self.seekable: bool = file.seekable()
        self._start = file.tell() if self.seekable else 0
        self.size: int | None = file.seek(0, os.SEEK_END) - self._start if self.seekable else None
        self.head = Reader(file, 0, start=self._start if self.seekable else None).read(HEAD)
        self._owned = file is not origin and origin != "-"
        if self.path is not None:
            file.close()

    def close(self) -> None:
        """Ends reading; a file object that was handed in stays open."""
        self._closed = True
        if self._owned:
            self._file.close()

    @contextmanager
    def reader(self, offset: int = 0) -> Iterator[Reader]:
        """A reader from that byte on. A pipe can be read once only."""
        if self._closed:
            raise ValueError(f"{self.name} was closed; open it again to read on")
        if self.path is not None:
            with builtins.open(self.path, "rb", buffering=0) as file:
                file.seek(offset)
                yield Reader(file, offset)  # type: ignore[arg-type]
        elif self.seekable:
            yield Reader(self._file, offset, start=self._start)
        else:
            if self._spent or offset > len(self.head):
                raise EventFormatError(
                    "a pipe can be read only once, from its start; save it to a file", path=self.name
                )
            self._spent = True
            yield Reader(self._file, offset, self.head[offset:])

    @contextmanager
    def file(self) -> Iterator[Any]:
        """The source as a file that can seek, for libraries that want one. A pipe cannot be had so."""
        if not self.seekable:
            raise EventFormatError("this format is read in any order, which a pipe does not allow; save it to a file")
        with self.reader() as reader:
            yield _Window(reader, self.size or 0)

    def read(self, offset: int, count: int) -> bytes:
        """Bytes of a seekable source; of a pipe those of its head."""
        if offset + count <= len(self.head) or not self.seekable:
            return self.head[offset : offset + count]
        with self.reader(offset) as reader:
            return reader.read(count)
