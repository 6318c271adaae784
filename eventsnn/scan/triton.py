"""Fused GPU kernels: one neuron a lane, its state in registers over the whole of time.

Forward stores the state before every chunk of steps. Backward walks the chunks from the last to the first: it loads
the stored state and all inputs of the chunk, recomputes the chunk's states in registers, then goes down them with the
vector-Jacobian product. The chunk is written out step by step, because registers cannot be indexed; the loop over
chunks is dynamic, so no length of input compiles anew. The steps after the last whole chunk run one by one, each from
its own stored state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from math import prod
from typing import Any

import torch
from torch import Tensor
from triton import knobs
from triton.runtime import driver

from . import order
from .layout import Layout, collapse, is_row
from .plan import PLANS
from .rehearsal import launch
from .source import load
from .triton_source import Config, backward_source, forward_source


def config(neurons: int, states: int, size: int, save: bool = True, inputs: int = 1) -> Config:
    """The best cut found on an H100 for this many lanes, states and inputs, and inputs of `size` bytes.

    Loading ahead hides latency where few neurons or long arithmetic do not; of short types a lane takes two neurons.
    Only a forward that stores states must be cut as backward is.
    """
    many, light = neurons >= 2**18, states <= 2
    if inputs >= 4:  # a lane has a block of neurons; few lanes are not worth the time to compile longer chunks
        return Config(4 if many else 2, 256, 4, True)
    if many and light and not save:
        return Config(4, 128, 4, True) if size == 4 else Config(4, 512, 4, True)
    if many and size < 4:
        return Config(8, 256, 4, True)
    return Config(8, 64, 2, not light or neurons < 2**19)


def rows(steps: int, neurons: int, states: int, size: int, inputs: int = 1) -> int:
    """How many states are stored: one a whole chunk, one a step of the rest."""
    chunk = config(neurons, states, size, inputs=inputs).chunk
    return steps // chunk + steps % chunk


def forward(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor], save: bool) -> list[Tensor]:
    """Outputs `[T, *S]`, final states `[*S]` and, with `save`, the state before every chunk."""
    plan, x = PLANS[key], xs[0]
    steps, *shape = x.shape
    neurons, dtype, device = prod(shape), plan.dtype, x.device
    out = x.dtype if x.is_floating_point() else dtype
    results = [torch.empty((steps, *shape), dtype=out, device=device)]
    shapes = [(steps, *shape)] * (plan.outputs - 1) + [shape] * len(states)
    if save:
        shapes += [(rows(steps, neurons, len(states), x.element_size(), len(xs)), *shape)] * len(states)
    results += [torch.empty(s, dtype=dtype, device=device) for s in shapes]
    arguments = Arguments()
    order.ahead(arguments.read, xs, states, params)
    run(forward_source, key, arguments, results, steps, neurons, save)
    return results


def backward(
    key: str,
    xs: list[Tensor],
    params: list[Tensor],
    saved: list[Tensor],
    grads: list[Tensor | None],
    wanted: tuple[bool, ...],
    into: list[Tensor] | None = None,
) -> list[Tensor]:
    """Gradients of the wanted inputs, of all states and of the wanted parameters.

    Those of inputs are written `into` these tensors, however they lie in memory; by default to new ones.
    """
    plan = PLANS[key]
    steps, shape = xs[0].shape[0], xs[0].shape[1:]
    arguments = Arguments()
    order.behind(arguments.read, xs, params, saved, grads[: plan.outputs], grads[plan.outputs :])
    new = partial(torch.empty, device=xs[0].device)
    results = []
    if into is None:
        results = [new((steps, *shape), dtype=x.dtype) for x, want in zip(xs, wanted, strict=False) if want]
    else:
        arguments.read("dx", into, True)
    rest = len(saved) + sum(wanted[len(xs) + len(saved) :])
    results += [new(shape, dtype=plan.dtype) for _ in range(rest)]
    run(backward_source, key, arguments, results, steps, prod(shape), wanted)
    return [*(into or ()), *results]


def stepper(
    direction: str,
    key: str,
    moving: list[order.Group],
    still: list[order.Group],
    results: list[tuple[Tensor, int | None]],
    variant: Any,
) -> Callable[[int], None]:
    """A function that runs one step, t, of a kernel; see the CPU's."""
    writers: dict[str, Callable[..., str]] = {"forward": forward_source, "backward": backward_source}
    write = writers[direction]
    groups = order.groups(moving, still)

    def step(t: int) -> None:
        arguments = Arguments()
        for letter, tensors, timed, moves in groups:
            now = [v[t : t + 1] if timed else v[t] for v in tensors] if moves else tensors
            arguments.read(letter, now, timed)
        written = [tensor if k is None else tensor[t + k] for tensor, k in results]
        run(write, key, arguments, written, 1, written[-1].numel(), variant)

    return step


def explain(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor]) -> str:
    """Both kernels as text, as for inputs that want all gradients."""
    plan = PLANS[key]
    ahead, behind = order.kinds(Arguments(), xs, states, params, plan.outputs)
    cut = config(prod(xs[0].shape[1:]), len(states), xs[0].element_size(), inputs=len(xs))
    return forward_source(key, ahead, cut, True) + "\n\n" + backward_source(key, behind, cut, plan.differentiable)


class Arguments:
    """Tensors with their strides, in the order the kernels take them, and how each lies in memory."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.kinds: list[tuple[str, int, str]] = []
        self.first: dict[Layout, str] = {}  # tensor of a layout that needs arithmetic

    def read(self, letter: str, tensors: Sequence[Tensor | None], timed: bool = False) -> None:
        values, kinds = self.values, self.kinds
        for i, tensor in enumerate(tensors):  # on the way of every call: the usual layouts first
            if tensor is None:
                continue
            values.append(tensor)
            if timed:
                values.append(tensor.stride(0))
            if tensor.numel() == 1:
                kind = "0"
            elif tensor.is_contiguous():
                kind = "row"
            else:
                layout = collapse(tensor.shape[timed:], tensor.stride()[timed:])
                kind = "row" if is_row(layout) else str(len(layout))  # else the number of its dimensions
                if timed and layout in self.first:
                    kind = f"={self.first[layout]}"  # or the tensor that lies as it does
                elif kind != "row":
                    values += [number for dim in layout for number in dim]
                    if timed and layout:
                        self.first[layout] = f"{letter}{i}"
            if tensor.dtype is not torch.float32:
                kind += " mask" if tensor.dtype is torch.bool else f" {tensor.dtype}"
            kinds.append((letter, i, kind))

    def named(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a name, such as x0, and how that tensor lies."""
        return tuple((f"{letter}{i}", kind) for letter, i, kind in self.kinds)


@cache
def compiled(write: Callable[..., str], interpret: bool, key: str, kinds: Any, cut: Config, variant: Any) -> Any:
    return load(f"triton_{write.__name__.split('_')[0]}", write(key, kinds, cut, variant)).kernel


LAUNCHERS: dict[Any, tuple[Any, int]] = {}


def run(
    write: Callable[..., str],
    key: str,
    arguments: Arguments,
    results: list[Tensor],
    steps: int,
    neurons: int,
    variant: Any,
) -> None:
    """One launch. What Triton found out of the arguments is kept: its own search costs more than the launch."""
    values = [*arguments.values, *results]
    device = arguments.values[0].device
    plain = [v if type(v) is int else v.data_ptr() for v in values]  # a launcher takes addresses for what they are
    seen = tuple([a if a is v else a & 15 for a, v in zip(plain, values, strict=True)])
    known = (write, key, tuple(arguments.kinds), variant, device.index, neurons, steps < 2**31, seen)
    with contextlib.nullcontext() if _is_current(device) else torch.cuda.device(device):
        if known in LAUNCHERS:
            launcher, block = LAUNCHERS[known]
            launcher(*plain, steps, neurons, block, stream=driver.active.get_current_stream(device.index))
            return
        inputs, states, _ = PLANS[key].count
        cut = config(neurons, states, arguments.values[0].element_size(), variant is not False, inputs)
        kernel = compiled(write, bool(knobs.runtime.interpret), key, arguments.named(), cut, variant)
        grid = (-(-neurons // cut.block), 1, 1)
        options = {"BLOCK": cut.block, "num_warps": cut.warps, "enable_fp_fusion": False}
        found = launch(kernel, grid, *values, steps, neurons, **options)
        if found is not None:  # the interpreter and a rehearsal launch nothing
            LAUNCHERS[known] = found[grid], cut.block


def _is_current(device: torch.device) -> bool:
    return device.type != "cuda" or device.index == torch.cuda.current_device()
