"""The text header shared by AEDAT 1 to 3: lines that begin with ``#`` and end with CR LF, the first ``#!AER-DATx.y``.

Source: iniVation, "AEDAT file formats" (2019).
"""

from __future__ import annotations

import re

SENSORS = {
    "DVS128": (128, 128),
    "EDVS": (128, 128),
    "TMPDIFF128": (128, 128),
    "DAVIS128": (128, 128),
    "DAVIS208": (208, 192),
    "DAVIS240": (240, 180),
    "DAVIS346": (346, 260),
    "DAVIS640": (640, 480),
    "DVS640": (640, 480),
}
TURNED = "top-left (y turned over; in the file it is the bottom-left, with x reversed)"
_LINE = re.compile(rb"#([^\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]*)\n")


def header(head: bytes) -> tuple[list[str], int]:
    """The header's lines without ``#`` and the offset of the first data byte.

    A data byte 0x23 that follows the header is told from a line by the control characters behind it.
    """
    lines: list[str] = []
    offset = 0
    while match := _LINE.match(head, offset):
        offset = match.end()
        lines.append(match[1].decode("latin-1").strip())
        if lines[-1] in ("End Of ASCII Header", "!END-HEADER"):
            break
    return lines, offset


def chip(text: str) -> str | None:
    """The known camera chip that a text names."""
    return next((name for name in SENSORS if name in text.upper()), None)
