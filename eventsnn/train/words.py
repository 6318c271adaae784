"""The words that layers and augmentations are written in, and what is said of a name that does not exist."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from typing import Any, NamedTuple


class Word(NamedTuple):
    """A name, the values after it, and those with a name of their own."""

    name: str
    values: tuple[Any, ...]
    options: dict[str, Any]


def parse(text: str) -> Word:
    """``name value ... key=value ...`` with Python's numbers and tuples (no spaces in them); anything else is a text.

    Raises ValueError for a text without a name.

    >>> parse("conv 16 stride=2 where=here scales=(1,2)")
    Word(name='conv', values=(16,), options={'stride': 2, 'where': 'here', 'scales': (1, 2)})
    """
    name, *rest = text.split() or [""]
    if not name:
        raise ValueError("an empty word; write a name, then its values")
    pairs = [part.split("=", 1) for part in rest]
    values = tuple(_value(pair[0]) for pair in pairs if len(pair) == 1)
    return Word(name, values, {pair[0]: _value(pair[1]) for pair in pairs if len(pair) == 2})


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for a name that does not exist: it tells the nearest one, and all there are.

    >>> str(unknown("key", "epoch", ["epochs", "lr"]))
    "there is no key 'epoch'; did you mean 'epochs'? There are epochs, lr"
    """
    names = list(known)
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], 1, 0.5)
    meant = next((n for n in names if near and n.lower() == near[0]), None)
    hint = f"; did you mean {meant!r}?" if meant else "."
    return ValueError(f"there is no {what} {name!r}{hint} There are {', '.join(names)}")
