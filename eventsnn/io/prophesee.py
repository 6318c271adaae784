"""The text header of Prophesee's RAW and DAT files: lines ``% key value`` up to ``% end`` or the first byte that is no
line.

Source: Prophesee, Metavision SDK documentation, "RAW file format" and "DAT file format"; OpenEB (2020-2025).
"""

from __future__ import annotations

import re

from .errors import EventFormatError
from .header import Header
from .source import Source

_LINE = re.compile(rb"% ?([^\x00-\x08\x0a-\x1f\x7f]*)\r?\n")
_EVT = {"2.0": "EVT2", "2.1": "EVT2.1", "3.0": "EVT3", "4.0": "EVT4", "EVT21": "EVT2.1"}
_VGA, _HD = (640, 480), (1280, 720)
_SYSTEMS = {  # system_ID -> sensor, for headers that name neither format nor geometry
    **dict.fromkeys((0x15, 0x17, 0x19, 0x1C, 0x1D, 0x21, 0x22, 0x23, 0x28, 0x29, 0x97, 0x99, 0xA1, 0xA2), _VGA),
    **dict.fromkeys((0x1A, 0x1E, 0x1F, 0x20, 0x27, 0x2E, 0x30, 0x31, 0x32, 0x35, 0x3A, 0x9A), _HD),
    **dict.fromkeys((0x34, 0x36), _VGA),
    **dict.fromkeys((0x3B, 0x40), (320, 320)),
}


def header(head: bytes) -> Header:
    """The keys of the header, the sensor by geometry, format, width and height or system_ID, and the payload's offset.

    ``layout["format"]`` is EVT2, EVT2.1, EVT3, EVT4 or None.
    """
    keys: dict[str, str] = {}
    offset = 0
    while match := _LINE.match(head, offset):
        offset = match.end()
        key, _, value = match[1].decode("latin-1").strip().partition(" ")
        if key == "end":
            break
        keys[key] = value.strip()
    lower = {key.lower(): value for key, value in keys.items()}
    name, *options = lower.get("format", "").split(";")
    lower |= dict(option.strip().lower().partition("=")[::2] for option in options)
    evt = name or lower.get("evt", "")
    sensor = _sensor(lower, offset)
    base = lower.get("time_base", "0")
    layout = {
        "format": _EVT.get(evt, evt) or None,
        "keys": lower,
        "base": int(base) if re.fullmatch(r"-?\d{1,18}", base) else 0,
    }
    return Header(sensor, {**keys, "origin": "top-left"}, offset, layout)


def _sensor(keys: dict[str, str], offset: int) -> tuple[int, int] | None:
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", keys.get("geometry", ""))
    pair = size.groups() if size else (keys.get("width", ""), keys.get("height", ""))
    if all(re.fullmatch(r"\d{1,5}", n) for n in pair):
        width, height = int(pair[0]), int(pair[1])
        if not (0 < width <= 16384 and 0 < height <= 16384):
            raise EventFormatError(f"the header gives a sensor of {width}x{height} pixels", offset=offset)
        return width, height
    system = keys.get("system_id", "")
    return _SYSTEMS.get(int(system)) if re.fullmatch(r"\d{1,6}", system) else None


def raw(source: Source, name: str, word: int) -> Header:
    """The header of a RAW file of words of so many bytes, if it is of that format or names none."""
    found = header(source.head)
    stated = found.layout["format"]
    if stated not in (None, name):
        raise EventFormatError(f"the header says {stated}, not {name}", offset=0)
    found.layout["format"] = name
    if source.size is not None:
        found.most = (source.size - found.offset) // word
    return found


def lines(name: str, version: str, sensor: tuple[int, int] | None, base: int) -> bytes:
    """A RAW header for writing."""
    size = f";height={sensor[1]};width={sensor[0]}\n% geometry {sensor[0]}x{sensor[1]}" if sensor else ""
    return f"% evt {version}\n% format {name}{size}\n{_base(base)}% end\n".encode()


def dat_lines(sensor: tuple[int, int] | None, base: int) -> bytes:
    """A DAT header for writing, up to the event type."""
    size = f"% Width {sensor[0]}\n% Height {sensor[1]}\n" if sensor else ""
    return f"% Data file containing CD events.\n% Version 2\n{size}{_base(base)}% end\n".encode()


def _base(base: int) -> str:
    return f"% time_base {base}\n" if base else ""
