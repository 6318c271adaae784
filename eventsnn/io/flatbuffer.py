"""As much of FlatBuffers as AEDAT 4 needs: tables, scalars, strings and vectors of structs, every offset checked.

A table begins with a signed offset back to its vtable: u16 size of the vtable, u16 size of the table, then a u16 offset
for each field (0 = absent). References are u32 offsets forward from where they stand. Source: Google, "FlatBuffers
internals".
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from .errors import EventFormatError


class Table:
    """One table of a buffer; raises EventFormatError where an offset leaves the buffer."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place
        self._vtable = place - self._number("<i", place)
        self._end = self._vtable + self._number("<H", self._vtable)

    @classmethod
    def root(cls, data: bytes, at: int = 0) -> Table:
        """The table a buffer that starts at ``at`` holds."""
        return cls(data, at + cls._unpack(data, "<I", at))

    @staticmethod
    def _unpack(data: bytes, code: str, place: int) -> int:
        try:
            return int(struct.unpack_from(code, data, place if place >= 0 else len(data))[0])
        except struct.error:
            raise EventFormatError("a FlatBuffers offset leaves its buffer") from None

    def _number(self, code: str, place: int) -> int:
        return self._unpack(self._data, code, place)

    def _field(self, index: int) -> int:
        """Place of a field, 0 if the table does not have it."""
        slot = self._vtable + 4 + 2 * index
        offset = self._number("<H", slot) if slot + 2 <= self._end else 0
        return self._place + offset if offset else 0

    def scalar(self, index: int, code: str, default: int) -> int:
        """A number, by its struct code."""
        place = self._field(index)
        return self._number(code, place) if place else default

    def real(self, index: int) -> float:
        """A 32-bit float, 0 if the table does not have it."""
        bits = self.scalar(index, "<I", 0)
        return float(struct.unpack("<f", struct.pack("<I", bits))[0])

    def tables(self, index: int) -> list[Table]:
        """A vector of tables."""
        place = self._field(index)
        start = place + self._number("<I", place) + 4 if place else 0
        offsets = self.vector(index, np.dtype("<u4"))
        return [Table(self._data, start + 4 * i + int(offset)) for i, offset in enumerate(offsets)]

    def vector(self, index: int, dtype: Any) -> np.ndarray[Any, Any]:
        """A vector of numbers or structs, as a view."""
        place = self._field(index)
        if not place:
            return np.empty(0, dtype)
        start = place + self._number("<I", place)
        count = self._number("<I", start)
        if start + 4 + count * np.dtype(dtype).itemsize > len(self._data):
            raise EventFormatError(f"a FlatBuffers vector of {count} elements leaves its buffer")
        return np.frombuffer(self._data, dtype, count, start + 4)
