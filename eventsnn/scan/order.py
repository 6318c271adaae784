"""The order in which all kernels take their tensors.

Their letters: x inputs, s states, p parameters; c stored states, g and h gradients of outputs and of final states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

Kinds = tuple[tuple[str, str], ...]  # (name of a tensor, how it lies in memory), in this order
Group = tuple[str, list[Tensor], bool]  # a letter, its tensors, whether these have an axis of time
LETTERS = "xspcgh"


class Arguments(Protocol):
    """What a kernel is called with, gathered tensor by tensor."""

    def read(self, letter: str, tensors: list[Tensor], timed: bool = False) -> None: ...
    def named(self) -> Kinds: ...


def ahead(read: Callable[..., None], xs: list[Tensor], states: list[Tensor], params: list[Tensor]) -> None:
    """Let `read(letter, tensors, timed)` see what the forward kernel takes."""
    read("x", xs, True)
    read("s", states)
    read("p", params)


def behind(
    read: Callable[..., None],
    xs: list[Tensor],
    params: list[Tensor],
    saved: list[Tensor],
    outputs: list[Tensor | None],
    finals: list[Tensor | None],
) -> None:
    """The same for the backward kernel; `outputs` and `finals` are gradients."""
    read("x", xs, True)
    read("p", params)
    read("c", saved, True)
    read("g", outputs, True)
    read("h", finals)


def kinds(
    arguments: Arguments, xs: list[Tensor], states: list[Tensor], params: list[Tensor], outputs: int
) -> tuple[Kinds, Kinds]:
    """How the tensors of the forward kernel lie, and those of the backward kernel, if all gradients of outputs come."""
    ahead(arguments.read, xs, states, params)
    named = arguments.named()
    rows = tuple((f"{letter}{i}", "row") for letter, n in (("c", len(states)), ("g", outputs)) for i in range(n))
    return named, tuple(kind for kind in named if kind[0][0] != "s") + rows


def groups(moving: list[Group], still: list[Group]) -> list[tuple[str, list[Tensor], bool, bool]]:
    """The groups in the order of their letters, each with whether it moves on from step to step."""
    both = [(*group, True) for group in moving] + [(*group, False) for group in still]
    return sorted(both, key=lambda group: LETTERS.index(group[0]))
