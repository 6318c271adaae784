"""Events as one NumPy record array with fields x, y, t, p: what tonic's datasets give and its transforms pass on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events

__all__ = ["from_structured", "to_structured"]

P = ParamSpec("P")
R = TypeVar("R")
_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])


def from_structured(array: NDArray[Any], sensor: Sequence[int] | None = None) -> Events:
    """Events from a record array with the fields x, y, t, p in any order; further fields are refused.

    ``sensor`` is ``(width, height)``, or tonic's ``(width, height, polarities)``. Raises ValueError for other fields
    and for values that the columns of ``Events`` cannot hold.

    >>> array = np.array([(3, 1, 20, True)], dtype=[("x", int), ("y", int), ("t", int), ("p", bool)])
    >>> from_structured(array, (8, 4, 2))
    Events(1 events, 0 us, 0 events/s, 8x4)
    """
    names = array.dtype.names or ()
    if sorted(names) != ["p", "t", "x", "y"]:
        raise ValueError(f"events as a record array have the fields x, y, t, p, got {', '.join(names) or 'none'}")
    return Events(*(array[k].copy() for k in "txyp"), sensor=None if sensor is None else sensor[:2])


def to_structured(events: Events, dtype: np.dtype[Any] = _DTYPE) -> NDArray[Any]:
    """Events as a record array ``[n]`` of that dtype, whose fields are x, y, t, p.

    Raises ValueError for values that the dtype's fields cannot hold.

    >>> to_structured(Events([20], [3], [1], [1])).tolist()
    [(3, 1, 20, True)]
    """
    array = np.empty(len(events), dtype)
    for name, column in zip("txyp", events.numpy().columns, strict=True):
        array[name] = column
        if name != "p" and not np.array_equal(array[name], column):
            raise ValueError(f"column {name} has values that {array.dtype[name]} cannot hold")
    return array


def either(function: Callable[P, R]) -> Callable[P, R]:
    """The function of Events, which takes a record array in their place too and then gives one of the same dtype.

    The array is the first positional argument that is one. What is returned is passed through unless it is Events. A
    record array knows no sensor size: the function must have it from elsewhere.

    >>> @either
    ... def first(events: Events) -> Events:
    ...     return events[:1]
    >>> first(to_structured(Events([20, 30], [3, 3], [1, 1], [1, 0]))).tolist()
    [(3, 1, 20, True)]
    """

    @wraps(function)
    def call(*given: P.args, **named: P.kwargs) -> R:
        place = next((i for i, value in enumerate(given) if is_structured(value)), None)
        if place is None:
            return function(*given, **named)
        array = cast(NDArray[Any], given[place])
        result = cast(Any, function)(*given[:place], from_structured(array), *given[place + 1 :], **named)
        return cast(R, to_structured(result, array.dtype) if isinstance(result, Events) else result)

    cast(Any, call).takes_either = True
    return call


def takes_either(function: object) -> bool:
    """True for a function or object that takes Events and record arrays alike, as ``either`` makes them."""
    function = function.func if isinstance(function, partial) else function
    return hasattr(function, "takes_either") or hasattr(type(function).__call__, "takes_either")


def is_structured(value: object) -> bool:
    """True for a NumPy record array."""
    return isinstance(value, np.ndarray) and value.dtype.names is not None
