"""Tensors that depend on nothing but sizes: made once for each device, and only read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def eager() -> bool:
    """True outside torch.compile, jit tracing, torch.func transforms and dispatch modes such as FakeTensorMode."""
    return not (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._len_torch_dispatch_stack()
    )


def constant(make: F) -> F:
    """Keep what `make(*sizes, dtype=, device=)` returns, a tensor or a tuple of them, for later calls with the same.

    On a GPU each small operation costs a launch, many times its arithmetic. The tensors are made on the CPU and copied
    over once, which is done when it returns, so any stream may read them. Not kept while torch traces or records.

    >>> @constant
    ... def ramp(n, *, dtype, device):
    ...     return torch.arange(n, dtype=dtype, device=device)
    >>> cpu = torch.device("cpu")
    >>> ramp(3, dtype=torch.float32, device=cpu) is ramp(3, dtype=torch.float32, device=cpu)
    True
    """
    kept: dict[Any, Any] = {}

    @functools.wraps(make)
    def get(*sizes: Any, dtype: torch.dtype, device: torch.device) -> Any:
        if not eager():
            return make(*sizes, dtype=dtype, device=device)
        known = (sizes, dtype, device)
        if known not in kept:
            if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
                return make(*sizes, dtype=dtype, device=device)
            with torch.inference_mode(False), torch.no_grad():
                made = make(*sizes, dtype=dtype, device=torch.device("cpu"))
                kept[known] = made.to(device) if isinstance(made, Tensor) else tuple(t.to(device) for t in made)
        return kept[known]

    return cast(F, get)
