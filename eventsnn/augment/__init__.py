"""Augmentations of recordings for training: batched, seeded, on the device of the events.

Names and parameters are those of tonic's transforms where it has one; each can stand beside them in either's Compose.
"""

from .augmentation import Augmentation
from .compose import Compose
from .crop import CenterCrop, RandomCrop
from .drop import DropEvent, DropEventByArea, DropEventByTime, EventDrop
from .flip import RandomFlipLR, RandomFlipPolarity, RandomFlipUD, RandomTimeReversal
from .jitter import RandomAffine, SpatialJitter, TimeJitter, TimeSkew
from .mix import EventMix, event_mix
from .noise import UniformNoise
from .pixels import DropPixel, RandomDropPixel

__all__ = [
    "Augmentation",
    "CenterCrop",
    "Compose",
    "DropEvent",
    "DropEventByArea",
    "DropEventByTime",
    "DropPixel",
    "EventDrop",
    "EventMix",
    "RandomAffine",
    "RandomCrop",
    "RandomDropPixel",
    "RandomFlipLR",
    "RandomFlipPolarity",
    "RandomFlipUD",
    "RandomTimeReversal",
    "SpatialJitter",
    "TimeJitter",
    "TimeSkew",
    "UniformNoise",
    "event_mix",
]
