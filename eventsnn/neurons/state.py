"""States: named tuples of tensors, perhaps nested, with the methods of a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree

T = TypeVar("T")


def map_state(f: Callable[..., Any], state: T, *others: Any) -> T:
    """The tuple of `f(field, *fields of the others)`, nested tuples included."""
    new = (map_state(f, *a) if isinstance(a[0], tuple) else f(*a) for a in zip(state, *others, strict=True))  # type: ignore[call-overload]
    return type(state)(*new)


def reset_state(state: T, mask: Tensor, initial: T) -> T:
    """Where the mask is True the initial values, by `where`; the mask has a leading part of the state's shape."""

    def reset(value: Tensor, start: Tensor) -> Tensor:
        return torch.where(mask.reshape(mask.shape + (1,) * (value.ndim - mask.ndim)), start, value)

    return map_state(reset, state, initial)


def _broadcast(state: T, template: Tensor) -> T:
    """Every field in the template's shape, in memory of its own; numbers take its dtype and device."""

    def broadcast(value: Tensor | float) -> Tensor:
        if not isinstance(value, Tensor):
            return torch.full_like(template, value)
        return value.broadcast_to(template.shape).clone()

    return map_state(broadcast, state)


def _tensor_method(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return map_state(lambda value: getattr(torch.as_tensor(value), name)(*args, **kwargs), self)

    method.__name__ = name
    method.__doc__ = f"A new state of `field.{name}(...)` for every field."
    return method


def written(cls: type[T]) -> type[T]:
    """The named tuple, of which ``torch.export.save`` knows the name."""
    _pytree._register_namedtuple(cls, serialized_type_name=f"{cls.__module__}.{cls.__qualname__}")
    return cls


def state_type(cls: type[T]) -> type[T]:
    """Give a named tuple the methods of a state: `to`, `cpu`, `cuda`, `float`, `detach`, `clone`, `broadcast`, `reset`.

    Named tuples are known to torch's pytree and pickle as they are; here torch learns by which name it can write them
    with an exported program.

    >>> from typing import NamedTuple
    >>> @state_type
    ... class Membrane(NamedTuple):
    ...     v: torch.Tensor
    >>> Membrane(torch.ones(2)).reset(torch.tensor([True, False]), Membrane(torch.zeros(2))).v.tolist()
    [0.0, 1.0]
    """
    for name in ("to", "cpu", "cuda", "float", "detach", "clone"):
        setattr(cls, name, _tensor_method(name))
    cls.broadcast = _broadcast  # type: ignore[attr-defined]
    cls.reset = reset_state  # type: ignore[attr-defined]
    return written(cls)
