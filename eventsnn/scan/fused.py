"""The fused backends under autograd, and as PyTorch operators for the compiler.

Eager code goes through an `autograd.Function`, which costs a third of the host time of an operator. A compiler sees the
operator `eventsnn::scan`, with its shapes and gradients. A second derivative is taken through the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

from .plan import PLANS, Plan, outputs_of

Tensors = list[Tensor]


def run(key: str, backend: str, x: Tensors, state: Tensors, params: Tensors) -> Tensors:
    """Outputs `[T, *S]` and final states `[*S]` of the plan `key`."""
    save = torch.is_grad_enabled() and any(t.requires_grad for t in (*x, *state, *params))
    if torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None:
        return torch.ops.eventsnn.scan(key, backend, x, state, params, save)[: outputs_of(key) + len(state)]
    if not save:
        return kernels(backend).forward(key, x, state, params, False)
    return list(Fused.apply(key, backend, *x, *state, *params))


class Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, key: str, backend: str, *leaves: Tensor) -> tuple[Tensor, ...]:
        plan = PLANS[key]
        a, b, _ = plan.count
        ctx.set_materialize_grads(False)
        ctx.key, ctx.backend, ctx.wanted = key, backend, ctx.needs_input_grad[2:]
        results = kernels(backend).forward(key, list(leaves[:a]), list(leaves[a : a + b]), list(leaves[a + b :]), True)
        ctx.save_for_backward(*leaves, *results[plan.outputs + b :])
        return tuple(results[: plan.outputs + b])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        plan = PLANS[ctx.key]
        a, b, c = plan.count
        leaves, chunks = ctx.saved_tensors[: a + b + c], ctx.saved_tensors[a + b + c :]
        if torch.is_grad_enabled():  # somebody will differentiate this gradient
            return None, None, *_loop_gradients(plan, leaves, grads, ctx.wanted)
        run = kernels(ctx.backend).backward
        found = iter(run(ctx.key, list(leaves[:a]), list(leaves[a + b :]), list(chunks), list(grads), ctx.wanted))
        given = [next(found) if want or a <= i < a + b else None for i, want in enumerate(ctx.wanted)]
        return None, None, *(grad if want else None for grad, want in zip(given, ctx.wanted, strict=True))


def _loop_gradients(
    plan: Plan, leaves: Sequence[Tensor], grads: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients with a graph of their own."""
    a, b, _ = plan.count
    state, outputs = list(leaves[a : a + b]), []
    for x in zip(*(leaf.unbind(0) for leaf in leaves[:a]), strict=True):
        step_x = [value.to(kind) for value, kind in zip(x, plan.kinds, strict=False)]
        output, state = plan.flat(*step_x, *state, *leaves[a + b :])
        outputs.append(output)
    ends = [torch.stack(values) for values in zip(*outputs, strict=True)] + state
    pairs = [(end, grad.to(end.dtype)) for end, grad in zip(ends, grads, strict=True) if grad is not None]
    asked = [leaf for leaf, want in zip(leaves, wanted, strict=True) if want]
    found = torch.autograd.grad(
        [end for end, _ in pairs], asked, [grad for _, grad in pairs], create_graph=True, allow_unused=True
    )
    given = iter(found)
    return [next(given) if want else None for want in wanted]


LIBRARY = torch.library.Library("eventsnn", "DEF")
LIBRARY.define("scan(str key, str backend, Tensor[] x, Tensor[] state, Tensor[] params, bool save) -> Tensor[]")
LIBRARY.define(
    "scan_backward(str key, str backend, Tensor[] x, Tensor[] state, Tensor[] params, Tensor[] saved, Tensor?[] grads, "
    "bool[] wanted) -> Tensor[]"
)


@cache
def kernels(backend: str) -> Any:
    return import_module(f".{backend}", __package__)


def _scan(key: str, backend: str, x: Tensors, state: Tensors, params: Tensors, save: bool) -> Tensors:
    return kernels(backend).forward(key, x, state, params, save)


def _scan_shapes(key: str, backend: str, x: Tensors, state: Tensors, params: Tensors, save: bool) -> Tensors:
    plan, steps, shape = PLANS[key], x[0].shape[0], x[0].shape[1:]
    results = [x[0].new_empty((steps, *shape), dtype=plan.dtype) for _ in range(plan.outputs)]
    results[0] = results[0].to(x[0].dtype if x[0].is_floating_point() else plan.dtype)
    results += [x[0].new_empty(shape, dtype=plan.dtype) for _ in state]
    rows = kernels(backend).rows(steps, prod(shape), len(state), x[0].element_size(), len(x))
    return results + [x[0].new_empty((rows, *shape), dtype=plan.dtype) for _ in state if save]


def _backward(
    key: str,
    backend: str,
    x: Tensors,
    state: Tensors,
    params: Tensors,
    saved: Tensors,
    grads: list[Tensor | None],
    wanted: list[bool],
) -> Tensors:
    return kernels(backend).backward(key, x, params, saved, grads, tuple(wanted))


def _backward_shapes(
    key: str,
    backend: str,
    x: Tensors,
    state: Tensors,
    params: Tensors,
    saved: Tensors,
    grads: list[Tensor | None],
    wanted: list[bool],
) -> Tensors:
    dtype, shape = PLANS[key].dtype, x[0].shape[1:]
    inputs = [
        torch.empty_like(t, memory_format=torch.contiguous_format) for t, want in zip(x, wanted, strict=False) if want
    ]
    rest = len(state) + sum(wanted[len(x) + len(state) :])
    return inputs + [x[0].new_empty(shape, dtype=dtype) for _ in range(rest)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:
    ctx.key, ctx.backend, x, state, params, _ = inputs
    ctx.sizes = (len(x), len(state), len(params))
    ctx.wanted = [t.requires_grad for t in (*x, *state, *params)]
    results = PLANS[ctx.key].outputs + len(state)
    ctx.save_for_backward(*x, *state, *params, *output[results:])
    ctx.results = results


def _gradients(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    a, b, c = ctx.sizes
    saved = ctx.saved_tensors
    x, state, params, chunks = saved[:a], saved[a : a + b], saved[a + b : a + b + c], saved[a + b + c :]
    found = iter(
        torch.ops.eventsnn.scan_backward(
            ctx.key, ctx.backend, x, state, params, chunks, grads[: ctx.results], ctx.wanted
        )
    )
    given = [next(found) if want or a <= i < a + b else None for i, want in enumerate(ctx.wanted)]
    return None, None, given[:a], given[a : a + b], given[a + b :], None


LIBRARY.impl("scan", _scan, "CompositeExplicitAutograd")
LIBRARY.impl("scan_backward", _backward, "CompositeExplicitAutograd")
torch.library.register_fake("eventsnn::scan", _scan_shapes, lib=LIBRARY)
torch.library.register_fake("eventsnn::scan_backward", _backward_shapes, lib=LIBRARY)
torch.library.register_autograd("eventsnn::scan", _gradients, setup_context=_keep, lib=LIBRARY)
