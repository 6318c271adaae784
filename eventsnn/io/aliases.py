"""The names under which other programs keep the four columns."""

from __future__ import annotations

from collections.abc import Iterable

ALIASES = {
    "t": ("t", "ts", "time", "times", "timestamp", "timestamps", "stamp"),
    "x": ("x", "xs", "col", "column"),
    "y": ("y", "ys", "row"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on", "sign"),
}


def find(names: Iterable[str]) -> dict[str, str]:
    """t, x, y, p -> the name that column has here, for those that are there."""
    given = {name.lower(): name for name in names}
    found = {column: next((alias for alias in known if alias in given), None) for column, known in ALIASES.items()}
    return {column: given[alias] for column, alias in found.items() if alias is not None}
