"""SSC, Spiking Speech Commands: 35 words of Google's Speech Commands through a model of the cochlea."""

from . import heidelberg

_NAMES = """
yes no up down left right on off stop go backward bed bird cat dog eight five follow forward four happy house learn
marvin nine one seven sheila six three tree two visual wow zero
"""
CARD = heidelberg.card(
    "ssc",
    "35 spoken words as spikes of a model cochlea, 1 s",
    _NAMES,
    {
        "train": (75_466, "d102be95e7144fcc0553d1f45ba94170"),
        "valid": (9_981, "b4eee3516a4a90dd0c71a6ac23a8ae43"),
        "test": (20_382, "a35ff1e9cffdd02a20eb850c17c37748"),
    },
)
