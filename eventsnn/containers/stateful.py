"""Which modules have a state, and how a container calls a module of either kind."""

from __future__ import annotations

import inspect
import re
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_map

from ..scan.plan import constant


def original(module: nn.Module) -> nn.Module:
    """The module that `torch.compile` wrapped, or the module itself."""
    while hasattr(module, "_orig_mod"):
        module = module._orig_mod  # type: ignore[assignment]
    return module


@constant
def _takes(kind: type[nn.Module], name: str) -> bool:
    return name in inspect.signature(kind.forward).parameters


def is_stateful(module: nn.Module) -> bool:
    """Whether the module is called `module(x, state)` and returns `(output, state)`.

    Decided at the time of the call: by its boolean attribute `is_stateful`, else it is one of torch's RNNs, else its
    `forward` has a parameter named `state`. A compiled module is what it was before.

    >>> import torch
    >>> from eventsnn.forms import LIF
    >>> is_stateful(LIF()), is_stateful(torch.nn.LSTM(1, 1)), is_stateful(torch.nn.Linear(1, 1))
    (True, True, False)
    """
    module = original(module)
    said = getattr(module, "is_stateful", None)
    if isinstance(said, bool):
        return said
    return isinstance(module, nn.RNNBase) or _takes(type(module), "state")


def accepts_reset(module: nn.Module) -> bool:
    """Whether the module takes the keyword `reset`: its attribute `accepts_reset`, else the signature of `forward`."""
    module = original(module)
    said = getattr(module, "accepts_reset", None)
    return said if isinstance(said, bool) else _takes(type(module), "reset")


@constant
def batched_rank(kind: type[nn.Module]) -> int | None:
    """The documented rank of a batch for torch.nn's modules named ...1d, ...2d and ...3d: 3, 4 and 5. Else None.

    A subclass has the rank of what it is a subclass of.

    >>> import torch
    >>> batched_rank(torch.nn.Conv2d), batched_rank(torch.nn.BatchNorm1d), batched_rank(torch.nn.Linear)
    (4, 3, None)
    """
    for base in kind.__mro__:
        found = re.search(r"([123])d$", base.__name__)
        if found and base.__module__.startswith("torch.nn."):
            return int(found[1]) + 2
    return None


def rank_of(module: nn.Module) -> int | None:
    """`batched_rank` of a module; a plain torch Sequential has that of its first child that has one."""
    module = original(module)
    if type(module) is not nn.Sequential:
        return batched_rank(type(module))
    for child in module:
        rank = rank_of(child)
        if rank is not None:
            return rank
    return None


def call_stateless(module: nn.Module, x: Any) -> Any:
    """`module(x)`; leading axes beyond the module's documented batch, such as time, are folded into the batch.

    One call for all of them: a Conv2d on `[T, B, C, H, W]` runs on `[T B, C, H, W]`, a BatchNorm2d has the statistics
    of all steps. Modules of any rank, such as Linear and activations, get x as it is.
    """
    rank = rank_of(module)
    if rank is None or not isinstance(x, Tensor) or x.ndim <= rank:
        return module(x)
    lead = x.shape[: x.ndim - rank + 1]
    return tree_map(lambda y: y.reshape(*lead, *y.shape[1:]), module(x.reshape(-1, *x.shape[len(lead) :])))


def call(module: nn.Module, x: Any, state: Any = None, reset: Tensor | None = None) -> tuple[Any, Any]:
    """`(output, state)` of either kind of module; the state of a stateless one is None."""
    if not is_stateful(module):
        return call_stateless(module, x), None
    if reset is not None and accepts_reset(module):
        return module(x, state, reset=reset)
    return module(x, state)


def reset_states(module: nn.Module) -> None:
    """Call `reset_state()` on every submodule that has it, the module itself included.

    >>> from eventsnn.containers import RegularizationCell
    >>> cell = RegularizationCell(state=0)
    >>> cell.state = 3
    >>> reset_states(cell)
    >>> cell.state
    0
    """
    for child in module.modules():
        reset: Any = getattr(child, "reset_state", None)
        if reset is not None:
            reset()
