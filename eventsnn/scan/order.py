"""The order in which all kernels take their tensors.

Their letters: x inputs, s states, p parameters; c stored states, g and h gradients of outputs and of final states.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Kinds = tuple[tuple[str, str], ...]  # (name of a tensor, how it lies in memory), in this order
LETTERS = "xspcgh"


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


def kinds_behind(kinds: Kinds, states: int, outputs: int) -> Kinds:
    """How the backward kernel's tensors lie, from the forward kernel's, if all gradients of outputs come."""
    rows = tuple((f"{letter}{i}", "row") for letter, n in (("c", states), ("g", outputs)) for i in range(n))
    return tuple(kind for kind in kinds if kind[0][0] != "s") + rows
