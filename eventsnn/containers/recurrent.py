"""A stack of modules whose output is fed back as input of the next step."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..neurons.state import written
from .sequential import SequentialState


@written
class RecurrentSequentialState(NamedTuple):
    """What is fed back, and the states of the modules."""

    cache: Any = None
    state: Any = None


class RecurrentSequential(nn.Module):
    """One step of a stack with feedback: `module(x, state=None, *, reset=None) -> (y, RecurrentSequentialState)`.

    The modules run on `x + cache`, the cache being the y of the step before (none at first). y is the output of the
    module with the index `output_modules`; for a list of indices y is the list of those outputs, and their sum is fed
    back. Every output that is fed back must have the shape of x. `reset` zeroes the chosen samples of the cache and
    resets the modules. Over time: `Lift(RecurrentSequential(...))`.

    Raises ValueError for an index out of range and for an output of another shape.

    >>> from eventsnn.containers import Lift
    >>> from eventsnn.forms import LIBoxCell, LICell
    >>> Lift(RecurrentSequential(LICell(), LIBoxCell()))(torch.ones(5, 2))[0].shape
    torch.Size([5, 2])
    """

    is_stateful = True
    accepts_reset = True

    def __init__(self, *modules: nn.Module, output_modules: int | list[int] = -1) -> None:
        super().__init__()
        self._indices = [output_modules] if isinstance(output_modules, int) else list(output_modules)
        if not self._indices or not all(-len(modules) <= index < len(modules) for index in self._indices):
            raise ValueError(f"output_modules={output_modules!r} must be indices of the {len(modules)} modules")
        self.module = SequentialState(*modules, return_hidden=True)
        self.output_modules = output_modules

    def forward(self, x: Tensor, state: Any = None, *, reset: Tensor | None = None) -> tuple[Any, Any]:
        """The output of the chosen modules, and the state."""
        cache, states = RecurrentSequentialState() if state is None else state
        fed = x
        if cache is not None:
            back: Any = sum(cache) if isinstance(cache, (list, tuple)) else cache
            if reset is not None:
                back = torch.where(reset.reshape(reset.shape + (1,) * (back.ndim - reset.ndim)), 0.0, back)
            fed = x + back
        hidden, states = self.module(fed, states, reset=reset)
        chosen = [hidden[index] for index in self._indices]
        for output in chosen:
            if output.shape != x.shape:
                raise ValueError(
                    f"RecurrentSequential: the input has the shape {tuple(x.shape)}, but an output that is fed back "
                    f"has {tuple(output.shape)}: choose other output_modules"
                )
        y = chosen[0] if isinstance(self.output_modules, int) else chosen
        return y, RecurrentSequentialState(y, states)

    def extra_repr(self) -> str:
        return f"output_modules={self.output_modules}"
