"""A scan of images whose outputs are pooled: a lane runs the neurons of a whole block, so that what they give out is
never written to memory, nor its gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import fused
from .engine import Site, Step, scan
from .plan import PLANS, plan_key
from .tree import flatten, unflatten

SIZE = 2  # a block is so many by so many pixels
MOST = 2  # tensors of state a neuron; more do not fit into a lane's registers


def mean(values: list[Tensor]) -> Tensor:
    return sum(values[1:], values[0]) * (1 / len(values))


def largest(values: list[Tensor]) -> Tensor:
    """The gradient goes to the first of the largest, as with torch's pools."""
    most = values[0]
    for value in values[1:]:
        most = torch.where(value > most, value, most)
    return most


POOLS: dict[str, Callable[[list[Tensor]], Tensor]] = {"mean": mean, "max": largest}


def scan_pooled(
    step: Step,
    x: Tensor,
    state: Any,
    params: Any,
    *,
    pool: str,
    bias: Tensor | None = None,
    record_states: bool = False,
    backend: str | None = None,
) -> tuple[Tensor, Any]:
    """`scan` over `x [T, B, H, W, C]`, and the mean or the max of its outputs over blocks of 2 by 2 pixels.

    `(outputs [T, B, H // 2, W // 2, C], final state)`. With a `bias` [C] the input is `x + bias`. The state of pixels
    that no block has may stay as it was, as nobody sees what they do. Where no kernel does both at once, the outputs of
    `scan` are pooled.

    >>> add = lambda x, v, p: (v + x, v + x)
    >>> y, v = scan_pooled(add, torch.arange(4.0).reshape(1, 1, 2, 2, 1), torch.zeros(1, 2, 2, 1), None, pool="mean")
    >>> y.flatten().tolist(), v.flatten().tolist()
    ([1.5], [0.0, 1.0, 2.0, 3.0])
    """
    if bias is not None:
        step, params = partial(biased, step=step), (params, bias)
    leaves, form = flatten(state)
    leaves = [leaf.expand(x.shape[1:]) for leaf in leaves]
    states = tuple(unflatten(list(those), form) for those in zip(*map(blocks, leaves), strict=True))
    site = Site(tuple(blocks(x)), states, params)
    fits = not record_states and len(leaves) <= MOST and site.x[0].numel() > 0
    inner = partial(together, step=step, pool=pool)
    key = plan_key(inner, *site.signature()) if fits and site.backend(backend) == "triton" else ""
    if not key or torch.compiler.is_compiling():
        z, state = scan(step, x, state, params, record_states=record_states, backend=backend)
        return POOLS[pool](blocks(z)), state
    others = site.operands()[2]
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *leaves, *others)):
        z, *ends = _Pooled.apply(key, len(leaves), x, *leaves, *others)
    else:
        z, *ends = forward(key, x, leaves, others, False)
    return z, unflatten(ends, form)


def blocks(x: Tensor) -> list[Tensor]:
    """The pixels at each place of the blocks, views ``[..., H // 2, W // 2, C]`` of ``[..., H, W, C]``."""
    high, wide = (side // SIZE * SIZE for side in x.shape[-3:-1])
    return [x[..., i:high:SIZE, j:wide:SIZE, :] for i in range(SIZE) for j in range(SIZE)]


def biased(x: Any, state: Any, params: Any, *, step: Step) -> tuple[Tensor, Any]:
    params, bias = params
    return step(x + bias, state, params)


def together(xs: Any, states: Any, params: Any, *, step: Step, pool: str) -> tuple[Tensor, Any]:
    """The step of a block."""
    done = [step(x, state, params) for x, state in zip(xs, states, strict=True)]
    return POOLS[pool]([z for z, _ in done]), tuple(state for _, state in done)


def whole(parts: list[Tensor], start: Tensor) -> Tensor:
    """A tensor like `start`, the pixels of its blocks being these."""
    result = start.clone(memory_format=torch.contiguous_format)
    for place, value in zip(blocks(result), parts, strict=True):
        place.copy_(value)
    return result


def forward(key: str, x: Tensor, leaves: list[Tensor], params: list[Tensor], save: bool) -> list[Tensor]:
    """Pooled outputs, final states and, with `save`, what is stored for the way back."""
    n, parts = len(leaves), [part for those in zip(*map(blocks, leaves), strict=True) for part in those]
    z, *rest = fused.kernels("triton").forward(key, blocks(x), parts, params, save)
    ends = [whole(rest[k : len(parts) : n], leaf) for k, leaf in enumerate(leaves)]
    return [z, *ends, *rest[len(parts) :]]


class _Pooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, key: str, n: int, x: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.key, ctx.n, ctx.shape, ctx.wanted = key, n, x.shape[1:], ctx.needs_input_grad[2:]
        results = forward(key, x, list(leaves[:n]), list(leaves[n:]), True)
        ctx.save_for_backward(x, *leaves[n:], *results[1 + n :])
        return tuple(results[: 1 + n])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        x, *rest = ctx.saved_tensors
        n, (a, parts, c) = ctx.n, PLANS[ctx.key].count
        into, dx = [], None
        if ctx.wanted[0]:
            dx = torch.empty_like(x, memory_format=torch.contiguous_format)
            into = blocks(dx)
            for axis in (-3, -2):
                dx.narrow(axis, x.shape[axis] // SIZE * SIZE, x.shape[axis] % SIZE).zero_()
        ends = [[None] * a if grad is None else blocks(grad) for grad in grads[1:]]
        given = [grads[0], *(part for those in zip(*ends, strict=True) for part in those)]
        wanted = (ctx.wanted[0],) * a + (False,) * parts + ctx.wanted[1 + n :]
        run = fused.kernels("triton").backward
        found = run(ctx.key, blocks(x), list(rest[:c]), list(rest[c:]), given, wanted, into)[len(into) :]
        none = x.new_zeros((), dtype=PLANS[ctx.key].dtype).expand(ctx.shape)
        starts = [
            whole(found[k:parts:n], none if end is None else end) if want else None
            for k, (end, want) in enumerate(zip(grads[1:], ctx.wanted[1 : 1 + n], strict=True))
        ]
        others = iter(found[parts:])
        return None, None, dx, *starts, *(next(others) if want else None for want in ctx.wanted[1 + n :])
