"""The cards of all datasets, by name."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The card of that name, whatever its case and hyphens. Raises ValueError, which lists them, if there is none.

    >>> card_of("N-MNIST").title
    'N-MNIST'
    """
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    for card in cards.values():
        if plain in (card.name, "".join(letter for letter in card.title.lower() if letter.isalnum())):
            return card
    raise ValueError(f"no dataset is called {name!r}; there are {', '.join(cards)}")
