"""Datasets: one dataset, one file.

``load`` gives a dataset by its name, ``cards`` tells what is known of each, ``pack`` and ``Packed`` make one file of a
split and batches of frames from it, ``trains`` bins recordings of spikes.
"""

from .card import Card
from .channels import trains
from .dataset import Dataset, load
from .packed import Packed
from .packing import pack
from .registry import card_of, cards
from .sample import Sample

__all__ = ["Card", "Dataset", "Packed", "Sample", "card_of", "cards", "load", "pack", "trains"]
