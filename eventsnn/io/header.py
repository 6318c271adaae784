"""What a file says of itself before its first event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Header:
    """``offset`` is the byte of the first record, ``layout`` whatever the format's own decoder needs to know,
    ``most`` the most events the rest of the file can hold where that is known."""

    sensor: tuple[int, int] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    offset: int = 0
    layout: dict[str, Any] = field(default_factory=dict)
    most: int | None = None
