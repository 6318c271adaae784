"""The text header shared by AEDAT 1 to 3: lines that begin with ``#`` and end with CR LF, the first ``#!AER-DATx.y``.

Source: iniVation, "AEDAT file formats" (2019).
"""

from __future__ import annotations

import re

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
