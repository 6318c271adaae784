"""Fused CPU kernels: blocks of neurons outside, time inside, the neurons of a block innermost and vectorised.

The state of a block stays in the cache over the whole of time. Backward keeps nothing but the inputs and every
`CHUNK`-th state: it walks the chunks from the last to the first, recomputes their states in the cache, then goes down
them with the vector-Jacobian product. Each thread takes a range of neurons; kernels run without the interpreter's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor

from eventsnn.memory import fresh

from . import order
from .cpu_source import BLOCK, CHUNK, backward_source, forward_source
from .layout import is_row, layout_of, offsets
from .plan import PLANS
from .source import load

WORK = 2**19  # neuron steps below which another thread costs more than it saves


def forward(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor], save: bool) -> list[Tensor]:
    """Outputs `[T, *S]`, final states `[*S]` and, with `save`, every `CHUNK`-th state `[C, *S]`."""
    plan = PLANS[key]
    steps, shape = xs[0].shape[0], xs[0].shape[1:]
    out = xs[0].dtype if xs[0].is_floating_point() else plan.dtype
    xs = [x if x.dtype == torch.bool else x.to(plan.dtype) for x in xs]
    new = partial(fresh, dtype=plan.dtype)
    results = [new((steps, *shape)) for _ in range(plan.outputs)] + [new(shape) for _ in states]
    if save:
        results += [new((rows(steps), *shape)) for _ in states]
    arguments = Arguments()
    order.ahead(arguments.read, xs, states, params)
    kernel = compiled(forward_source, key, arguments.named(), save)
    run(kernel, arguments.values + [r.data_ptr() for r in results], steps, prod(shape))
    return [results[0].to(out), *results[1:]]


def rows(steps: int, *_: int) -> int:
    """How many states are stored."""
    return -(-steps // CHUNK)


def backward(
    key: str,
    xs: list[Tensor],
    params: list[Tensor],
    saved: list[Tensor],
    grads: list[Tensor | None],
    wanted: tuple[bool, ...],
) -> list[Tensor]:
    """Gradients of the wanted inputs, all states and the wanted parameters, from those of outputs and final states."""
    plan = PLANS[key]
    steps, shape = xs[0].shape[0], xs[0].shape[1:]
    arguments = Arguments()
    values = [x if x.dtype == torch.bool else x.to(plan.dtype) for x in xs]
    cast = [None if g is None else g.to(plan.dtype) for g in grads]
    order.behind(arguments.read, values, params, saved, cast[: plan.outputs], cast[plan.outputs :])
    results = [
        fresh((steps, *shape) if i < len(xs) else shape, plan.dtype)
        for i in range(len(wanted))
        if wanted[i] or len(xs) <= i < len(xs) + len(saved)
    ]
    kernel = compiled(backward_source, key, arguments.named(), wanted)
    run(kernel, arguments.values + [r.data_ptr() for r in results], steps, prod(shape))
    outs = [x.dtype for x, want in zip(xs, wanted, strict=False) if want]
    return [r.to(outs[i]) if i < len(outs) else r for i, r in enumerate(results)]


def stepper(
    direction: str,
    key: str,
    moving: list[order.Group],
    still: list[order.Group],
    results: list[tuple[Tensor, int | None]],
    variant: Any,
) -> Callable[[int], None]:
    """A function that runs one step, t, of a kernel.

    Tensors of `moving` are read at t, those of `still` as they are; a result `(tensor, k)` is written at t + k, at its
    start where k is None.
    """
    arguments = Arguments()
    for letter, tensors, timed, moves in order.groups(moving, still):
        first = [t[:1] if timed else t[0] for t in tensors] if moves else tensors
        arguments.read(letter, first, timed, [t.stride(0) * t.element_size() if moves else 0 for t in tensors])
    for tensor, k in results:
        arguments.values.append(tensor.data_ptr() + (k or 0) * tensor.stride(0) * tensor.element_size())
        arguments.advance.append(0 if k is None else tensor.stride(0) * tensor.element_size())
    kernel = compiled(
        {"forward": forward_source, "backward": backward_source}[direction], key, arguments.named(), variant
    )
    neurons = results[-1][0][0].numel() if results[-1][1] is not None else results[-1][0].numel()
    pairs = list(zip(arguments.values, arguments.advance, strict=True))

    def step(t: int, keep: Any = (arguments, results)) -> None:
        kernel(*[value + t * move for value, move in pairs], 1, neurons, 0, neurons)

    return step


def explain(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor]) -> str:
    """Both kernels as text, as for inputs that want all gradients."""
    plan = PLANS[key]
    ahead, behind = order.kinds(Arguments(), xs, states, params, plan.outputs)
    return forward_source(key, ahead, True) + "\n\n" + backward_source(key, behind, plan.differentiable)


class Arguments:
    """Addresses, strides over time and offset tables of tensors, in the order the kernels take them."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.advance: list[int] = []  # bytes from one step to the next, where the steps run one by one
        self.names: dict[str, str] = {}
        self._keep: list[Tensor] = []

    def read(
        self, letter: str, tensors: Sequence[Tensor | None], timed: bool = False, advance: Sequence[int] | None = None
    ) -> None:
        for i, tensor in enumerate(tensors):
            if tensor is None:
                continue
            layout = layout_of(tensor, timed)
            kind = "scalar" if not layout else "row" if is_row(layout) else "gather"
            self.names[f"{letter}{i}"] = kind + (" mask" if tensor.dtype == torch.bool else "")
            self._keep.append(tensor)  # an address keeps nothing alive
            values = [tensor.data_ptr(), tensor.stride(0)] if timed else [tensor.data_ptr()]
            if kind == "gather":
                self._keep.append(offsets(layout))
                values.append(self._keep[-1].data_ptr())
            self.values += values
            self.advance += [advance[i] if advance else 0] + [0] * (len(values) - 1)

    def named(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.names.items())


@cache
def compiled(write: Callable[..., str], key: str, *variant: Any) -> Callable[..., None]:
    return load(f"cpu_{write.__name__.split('_')[0]}", write(key, *variant)).kernel


def run(kernel: Callable[..., None], arguments: list[int], steps: int, neurons: int) -> None:
    """The kernel over all neurons, in ranges of whole blocks, one a thread."""
    blocks = -(-neurons // BLOCK)
    workers = max(1, min(torch.get_num_threads(), blocks, steps * neurons // WORK))
    ends = [min(neurons, blocks * i // workers * BLOCK) for i in range(workers + 1)]
    threads = [
        threading.Thread(target=kernel, args=(*arguments, steps, neurons, lo, hi)) for lo, hi in pairwise(ends[1:])
    ]
    for thread in threads:
        thread.start()
    kernel(*arguments, steps, neurons, ends[0], ends[1])
    for thread in threads:
        thread.join()
