"""Containers: modules in a row, over time and with feedback, the states they hand on, and a convolution over time."""

from .lconv import LConv2d
from .lift import Lift
from .recurrent import RecurrentSequential, RecurrentSequentialState
from .regularization import RegularizationCell, regularize_step, spike_accumulator, voltage_accumulator
from .sequential import SequentialState
from .stateful import is_stateful, reset_states

__all__ = [
    "LConv2d",
    "Lift",
    "RecurrentSequential",
    "RecurrentSequentialState",
    "RegularizationCell",
    "SequentialState",
    "is_stateful",
    "regularize_step",
    "reset_states",
    "spike_accumulator",
    "voltage_accumulator",
]
