"""CSV: text of one event a line, separated by commas, under a line of names; read as all text is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from ..events import Events
from . import text

start, decode = text.start, text.decode


def looks_like(head: bytes, size: int | None) -> bool:
    """True for text whose first line that is no comment holds commas."""
    first = next((line for line in head[:4096].split(b"\n") if line.strip() and line[:1] not in (b"#", b"%")), b"")
    return b"," in first and text.looks_like(head, size)


def write(file: BinaryIO, parts: Iterable[Events], sensor: tuple[int, int] | None) -> None:
    """Lines ``t,x,y,p`` in whole us under those names; the sensor's size is not kept."""
    file.write(b"t_us,x,y,p\n")
    text.lines(file, parts, ",", seconds=False)
