"""Training: recipes, networks from words, a plain loop, checkpoints that go on bit for bit, and honest figures."""

from ..containers.delays import DelayLinear
from .checkpoint import load, network, restore, save
from .cost import Cost, cost
from .data import Data
from .evaluate import accuracy, confusion, evaluate
from .loop import fit
from .network import build
from .readout import logits, over_time
from .recipe import Recipe
from .run import Run
from .trouble import Diverged

__all__ = [
    "Cost",
    "Data",
    "DelayLinear",
    "Diverged",
    "Recipe",
    "Run",
    "accuracy",
    "build",
    "confusion",
    "cost",
    "evaluate",
    "fit",
    "load",
    "logits",
    "network",
    "over_time",
    "restore",
    "save",
]
