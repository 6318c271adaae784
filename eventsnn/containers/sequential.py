"""Modules one after the other, each with its own state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .stateful import call, is_stateful


class SequentialState(nn.Sequential):
    """A torch Sequential whose children may have a state: `module(x, state=None, *, reset=None) -> (output, states)`.

    Built from modules or from an OrderedDict of them. `states` is a list with one entry a child, None for those without
    a state; a list that is passed in is not changed, and None in it means the initial state. With return_hidden the
    output is the list of all children's outputs. An inner SequentialState is a child with a list as its state. `reset`
    goes to every child that takes it.

    Layers over time get `[T, ...]` as it is. Torch's modules named ...1d, ...2d or ...3d (convolution, pooling, batch
    norm, ...) take a batch of rank 3, 4 or 5; where x has more axes than that, the leading ones are folded into the
    batch and the module is called once: Conv2d on `[T, B, C, H, W]` sees `[T B, C, H, W]`, and BatchNorm2d takes its
    statistics over all steps. A plain torch Sequential is such a module if one of its children is: inside of
    it there is no time. Everything else, such as Linear, activations and Flatten, gets x as it is: over time write
    `Flatten(2)`. BatchNorm1d reads rank 3 as `[N, C, L]`; over time use `Lift(BatchNorm1d(...))`.

    Raises ValueError for a list of states of another length.

    >>> import torch
    >>> from eventsnn.forms import LI, LIF
    >>> net = SequentialState(torch.nn.Conv2d(2, 4, 3), LIF(), torch.nn.Flatten(2), torch.nn.Linear(36, 2), LI())
    >>> output, states = net(torch.ones(7, 1, 2, 5, 5))
    >>> output.shape, [type(state).__name__ for state in states]
    (torch.Size([7, 1, 2]), ['NoneType', 'LIFFeedForwardState', 'NoneType', 'NoneType', 'LIState'])
    """

    is_stateful = True
    accepts_reset = True

    def __init__(self, *modules: Any, return_hidden: bool = False) -> None:
        super().__init__(*modules)
        self.return_hidden = bool(return_hidden)
        self._state_hooks: list[RemovableHandle] = []

    @property
    def stateful_layers(self) -> list[bool]:
        """Which children have a state."""
        return [is_stateful(child) for child in self]

    def __getitem__(self, index: Any) -> Any:
        found: Any = super().__getitem__(index)
        if isinstance(index, slice):
            found.return_hidden = self.return_hidden
        return found

    def forward(self, x: Any, state: Any = None, *, reset: Tensor | None = None) -> tuple[Any, list[Any]]:  # type: ignore[override]
        """`(output, states)`, the output a list with return_hidden."""
        if state is not None and len(state) != len(self):
            raise ValueError(f"SequentialState: {len(state)} states were given for {len(self)} children")
        states, hidden = [None] * len(self) if state is None else list(state), []
        for i, child in enumerate(self):
            x, states[i] = call(child, x, states[i], reset)
            hidden.append(x)
        return hidden if self.return_hidden else x, states

    def register_forward_state_hooks(self, hook: Callable[[nn.Module, Any, Any], Any]) -> None:
        """Call `hook(module, input, output)` after every stateful child, until `remove_forward_state_hooks()`."""
        if self._state_hooks:
            raise ValueError("there are state hooks already: call remove_forward_state_hooks() first")
        self._state_hooks = [child.register_forward_hook(hook) for child in self if is_stateful(child)]

    def remove_forward_state_hooks(self) -> None:
        """Take the state hooks off again."""
        for handle in self._state_hooks:
            handle.remove()
        self._state_hooks = []
