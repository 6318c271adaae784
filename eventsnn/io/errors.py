"""EventFormatError: a file that cannot be read as what it is said to be."""

from __future__ import annotations


class EventFormatError(ValueError):
    """A damaged, truncated or foreign file, with the place where reading stopped.

    Attributes: ``reason``; ``path`` and ``format`` of the file; ``offset``, the byte where the fault lies; ``event``,
    the number of events read before it. Each is None where it does not apply.

    >>> str(EventFormatError("the file ends inside a record", path="a.raw", format="EVT2", offset=1027, event=210))
    'a.raw: EVT2: byte 1027, event 210: the file ends inside a record'
    """

    def __init__(
        self,
        reason: str,
        *,
        path: str | None = None,
        format: str | None = None,
        offset: int | None = None,
        event: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.path, self.format, self.offset, self.event = reason, path, format, offset, event

    def __str__(self) -> str:
        place = [f"byte {self.offset}" if self.offset is not None else "", f"event {self.event}" if self.event else ""]
        where = ", ".join(part for part in place if part)
        return ": ".join(part for part in (self.path, self.format, where, self.reason) if part)


class CutShort(EventFormatError):
    """The input ends inside a record: damage, unless it is still being written."""
