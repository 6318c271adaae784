"""The cards of all datasets, by name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType

from .card import Card

__all__ = ["card_of", "cards"]

_MODULES = (
    "nmnist",
    "dvsgesture",
    "cifar10dvs",
    "ncaltech101",
    "ncars",
    "asldvs",
    "pokerdvs",
    "stmnist",
    "smnist",
    "shd",
    "ssc",
    "ntidigits",
    "dsec",
    "mvsec",
    "dvslip",
    "tumvie",
    "ebssa",
    "davis240c",
    "vpr",
    "nerdd",
    "threeet",
)

cards: Mapping[str, Card] = MappingProxyType({name: import_module(f".{name}", __package__).CARD for name in _MODULES})


def card_of(name: str) -> Card:
    """The card of that name, whatever its case and hyphens.

    Raises ValueError, which tells the nearest name and all there are, if there is none.

    >>> card_of("N-MNIST").title
    'N-MNIST'
    >>> card_of("DVS128 Gestures")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: no dataset is called 'DVS128 Gestures'; did you mean 'dvsgesture'? There are nmnist, dvsgesture, ...
    """
    known = {_plain(each): card for card in cards.values() for each in (card.title, card.name)}
    if _plain(name) in known:
        return known[_plain(name)]
    near = get_close_matches(_plain(name), known, 1)
    hint = f"; did you mean {known[near[0]].name!r}? There" if near else "; there"
    raise ValueError(f"no dataset is called {name!r}{hint} are {', '.join(cards)}")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
