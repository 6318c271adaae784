"""SHD, Spiking Heidelberg Digits: spoken digits in English and German through a model of the cochlea."""

from . import heidelberg

_NAMES = """
zero one two three four five six seven eight nine null eins zwei drei vier fuenf sechs sieben acht neun
"""
CARD = heidelberg.card(
    "shd",
    "spoken digits in English and German as spikes of a model cochlea, 1 s",
    _NAMES,
    {"train": (8_156, "f3252aeb598ac776c1b526422d90eecb"), "test": (2_264, "1503a5064faa34311c398fb0a1ed0a6f")},
)
