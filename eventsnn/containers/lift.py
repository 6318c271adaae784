"""A module of one step, applied to every step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from .stateful import accepts_reset, is_stateful


class Lift(nn.Module):
    """Apply a module to every time step: input `[T, ...]`, outputs stacked along a new first axis.

    If the module is stateful its state is handed from step to step and `(outputs, last state)` is returned, else the
    outputs alone. x may also be a pair (x, state); an explicit state wins. Row t of `reset` acts before step t. A
    stateless module is called once a step: BatchNorm has the statistics of each step alone. Raises ValueError for T =
    0, where the shape of the output is unknown, TypeError for what is no module.

    >>> from eventsnn.forms import LIF, LIFCell
    >>> x = torch.rand(10, 3)
    >>> torch.equal(Lift(LIFCell())(x)[0], LIF()(x)[0])
    True
    """

    accepts_reset = True

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise TypeError(f"Lift takes a module, such as nn.ReLU(), not {module!r}")
        self.lifted_module = module

    @property
    def is_stateful(self) -> bool:
        """Whether the module inside is."""
        return is_stateful(self.lifted_module)

    def forward(self, x: Any, state: Any = None, *, reset: Tensor | None = None) -> Any:
        """Outputs of all steps, with the last state if the module is stateful."""
        if isinstance(x, tuple):
            x, inner = x
            state = inner if state is None else state
        if not isinstance(x, Tensor) or x.ndim == 0:
            raise ValueError(f"Lift: the input must be a tensor with time first, not {getattr(x, 'shape', type(x))}")
        if len(x) == 0:
            raise ValueError("Lift: there are no steps (T = 0), so the shape of the output is unknown")
        stateful = self.is_stateful
        rows = [None] * len(x) if reset is None or not accepts_reset(self.lifted_module) else reset.unbind(0)
        if len(rows) != len(x):
            raise ValueError(f"Lift: reset has {len(rows)} rows, but there are {len(x)} steps")
        outputs = []
        for x_t, row in zip(x.unbind(0), rows, strict=True):
            if stateful:
                output, state = self.lifted_module(x_t, state, **({} if row is None else {"reset": row}))
            else:
                output = self.lifted_module(x_t)
            outputs.append(output)
        stacked = tree_map(lambda *steps: torch.stack(steps), *outputs)
        return (stacked, state) if stateful else stacked
