"""One step function over time, on the backend that suits the data."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from . import fused, loop
from .plan import constant, plan_key
from .tree import flatten, unflatten

BACKENDS = ("loop", "cpu", "triton")
PAYS = 2**18  # elements of input from which a fused CPU kernel is worth its compilation
FORCED: list[str] = []

Step = Callable[[Any, Any, Any], tuple[Tensor, Any]]


@contextlib.contextmanager
def backend(name: str) -> Iterator[None]:
    """Every scan inside runs on this backend: "loop", "cpu" or "triton".

    >>> with backend("loop"):
    ...     outputs, state = scan(lambda x, s, p: (s + x, s + x), torch.ones(3, 2), torch.zeros(2), None)
    >>> state.tolist()
    [3.0, 3.0]
    """
    FORCED.append(checked(name))
    try:
        yield
    finally:
        FORCED.pop()


def checked(name: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}; there are {', '.join(BACKENDS)}")
    return name


def scan(
    step: Step, x: Any, state: Any, params: Any, *, record_states: bool = False, backend: str | None = None
) -> tuple[Tensor, Any]:
    """Run `step(x[t], state, params) -> (output, state)` over time: `(outputs [T, ...], final state)`.

    `step` is pure and pointwise. `x` is a tensor `[T, ...]` or a tree of them; `state` holds tensors in the dtype of
    the arithmetic (inputs are cast to it, outputs back); `params` is any tree of tensors and numbers that broadcast
    against the state. Strings, functions and `functools.partial` keywords are constants of the step. With
    `record_states` the returned state is stacked over time, its last entry the final one. T = 0 returns the state as
    it is.

    Without `backend`: CUDA tensors run on "triton", large CPU tensors on "cpu", the rest, and any step that is not
    pointwise arithmetic, on "loop".

    >>> def decay(x, v, p):
    ...     v = v + p * (x - v)
    ...     return v, v
    >>> outputs, v = scan(decay, torch.ones(3, 1), torch.zeros(1), 0.5)
    >>> outputs.flatten().tolist(), v.tolist()
    ([0.5, 0.75, 0.875], [0.875])
    """
    site = Site(x, state, params)
    chosen = site.backend(backend)
    runs = partial(recorded, step=step) if record_states else step
    key = "" if chosen == "loop" else plan_key(runs, *site.signature())
    if not key:
        return loop.scan(step, x, state, params, record_states=record_states)
    results = fused.run(key, chosen, *site.operands())
    n = len(site.state)
    return results[0], unflatten(results[1 : n + 1], site.forms[1])  # with record_states these are the recorded ones


def recorded(x: Any, state: Any, params: Any, *, step: Step) -> tuple[Any, Any]:
    """A step that gives its new state out as well."""
    output, state = step(x, state, params)
    return (output, state), state


class Site:
    """The operands of a scan, taken apart, and what they allow."""

    def __init__(self, x: Any, state: Any, params: Any) -> None:
        self.x, x_form = flatten(x)
        self.state, state_form = flatten(state)
        self.params, params_form = flatten(params)
        self.forms = (x_form, state_form, params_form)

    def backend(self, wanted: str | None) -> str:
        name = checked(wanted) if wanted else FORCED[-1] if FORCED else self.automatic()
        if name == "loop" or not self.fusible():
            return "loop"
        kind = self.x[0].device.type
        if name == "cpu" and kind != "cpu":
            raise ValueError(
                f"backend 'cpu' takes CPU tensors, the input is on {self.x[0].device}: use 'triton' or 'loop'"
            )
        if name == "cpu" and not installed("numba"):
            raise ValueError("backend 'cpu' needs the package numba: install it, or use 'loop'")
        if name == "triton" and self.state[0].dtype != torch.float32:
            return "loop"
        if name == "triton" and kind == "cpu" and not interpreted():
            raise ValueError(
                "backend 'triton' takes CUDA tensors (CPU tensors only with TRITON_INTERPRET=1): use 'cpu'"
            )
        return name

    def automatic(self) -> str:
        kind = self.x[0].device.type
        if kind == "cuda":
            return "triton" if installed("triton") else "loop"
        large = torch.compiler.is_compiling() or self.x[0].numel() >= PAYS
        return "cpu" if kind == "cpu" and large and installed("numba") else "loop"

    def fusible(self) -> bool:
        dtypes = {s.dtype if isinstance(s, Tensor) else None for s in self.state}
        return (
            (dtypes == {torch.float32} or dtypes == {torch.float64})
            and self.x[0].numel() > 0
            and (torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is None)
            and not exporting()
        )  # vmap, jvp and the like go through the loop, and torch.export, whose graph has the steps themselves

    def signature(self) -> tuple[Any, tuple[torch.dtype, ...], tuple[int, int, int]]:
        """What a plan depends on: the forms of the operands, the dtypes the step sees, how many leaves there are."""
        dtype = self.state[0].dtype
        kinds = tuple(torch.bool if x.dtype == torch.bool else dtype for x in self.x)
        counts = (len(self.x), len(self.state), len(self.params))
        return self.forms, kinds + (dtype,) * (counts[1] + counts[2]), counts

    def operands(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Inputs `[T, *S]`, states and parameters `[*S]`: views, expanded where they are smaller.

        One value for all that wants no gradient stays as it is.
        """
        like, steps = self.state[0], self.x[0].shape[0]
        device, dtype, shape = like.device, like.dtype, self.x[0].shape[1:]
        values = [
            (p if p.dtype == dtype and p.device == device else p.to(device, dtype))
            if isinstance(p, Tensor)
            else torch.full((), float(p), device=device, dtype=dtype)
            for p in self.params
        ]
        shapes = [*(x.shape[1:] for x in self.x), *(s.shape for s in self.state), *(p.shape for p in values)]
        if any(other != shape and len(other) for other in shapes):  # broadcast_shapes costs more than all the rest
            shape = broadcast(shapes, len(self.x), len(self.state))
        return (
            [x if x.shape[1:] == shape else aligned(x, len(shape)).expand(steps, *shape) for x in self.x],
            [s if s.shape == shape else s.expand(shape) for s in self.state],
            [p if p.shape == shape or (p.numel() == 1 and not p.requires_grad) else p.expand(shape) for p in values],
        )


def broadcast(shapes: list[torch.Size], x: int, state: int) -> torch.Size:
    try:
        return torch.broadcast_shapes(*shapes)
    except RuntimeError as error:
        named = [list(map(list, part)) for part in (shapes[:x], shapes[x : x + state], shapes[x + state :])]
        raise ValueError(
            f"one step's input {named[0]}, the state {named[1]} and the parameters {named[2]} must broadcast together"
        ) from error


def aligned(x: Tensor, dims: int) -> Tensor:
    """`x [T, ...]` with ones after the time axis, so that the rest broadcasts."""
    return x.reshape(x.shape[0], *(1,) * (dims + 1 - x.dim()), *x.shape[1:])


exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", bool)  # torch 2.6 has it not
INSTALLED: dict[str, bool] = {}


@constant
def installed(package: str) -> bool:
    if package not in INSTALLED:
        INSTALLED[package] = importlib.util.find_spec(package) is not None
        if not INSTALLED[package]:
            logging.getLogger("eventsnn").warning("%s is not installed: scans run on the slow backend 'loop'", package)
    return INSTALLED[package]


def interpreted() -> bool:
    if not installed("triton"):
        raise ValueError("backend 'triton' needs the package triton: install it, or use 'cpu' or 'loop'")
    from triton import knobs

    return bool(knobs.runtime.interpret)


def explain(
    step: Step, x: Any, state: Any, params: Any, *, record_states: bool = False, backend: str | None = None
) -> str:
    """The source of the kernels that `scan` with these arguments runs, forward and backward.

    >>> text = explain(lambda x, v, p: (v + p * x, v + p * x), torch.ones(3, 4), torch.zeros(4), 0.5, backend="cpu")
    >>> "def kernel(" in text
    True
    """
    site = Site(x, state, params)
    chosen = site.backend(backend or (None if FORCED else "triton" if site.x[0].is_cuda else "cpu"))
    key = (
        "" if chosen == "loop" else plan_key(partial(recorded, step=step) if record_states else step, *site.signature())
    )
    return (
        fused.kernels(chosen).explain(key, *site.operands()) if key else "loop: the step is called once per time step"
    )
