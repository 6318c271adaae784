"""The operations of equations on single numbers, compiled by numba."""

import math
from functools import partial

import numpy as np

from eventsnn.jit import compiled

__all__ = [
    "absolute",
    "any_of",
    "equation",
    "floor",
    "log",
    "maximum",
    "minimum",
    "np",
    "read",
    "sqrt",
    "where",
    "word",
]

equation = partial(compiled, error_model="numpy", _nrt=False)  # nothing is allocated, so no array need be counted
absolute, floor, log, sqrt = abs, math.floor, math.log, math.sqrt


@equation
def where(condition, a, b):  # type: ignore[no-untyped-def]
    return a if condition else b


@equation
def maximum(a, b):  # type: ignore[no-untyped-def]
    return a if a > b else b


@equation
def minimum(a, b):  # type: ignore[no-untyped-def]
    return a if a < b else b


@equation
def any_of(condition):  # type: ignore[no-untyped-def]
    return condition


@equation
def read(table, place):  # type: ignore[no-untyped-def]
    return table[place]


@equation
def word(x):  # type: ignore[no-untyped-def]
    return np.uint32(x)
