"""The fused backends as PyTorch operators: shapes known to the compiler, gradients registered."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from .plan import PLANS

LIBRARY = torch.library.Library("eventsnn", "DEF")
LIBRARY.define("scan(str key, str backend, Tensor[] x, Tensor[] state, Tensor[] params, bool save) -> Tensor[]")
LIBRARY.define(
    "scan_backward(str key, str backend, Tensor[] x, Tensor[] state, Tensor[] params, Tensor[] saved, Tensor?[] grads, "
    "bool[] wanted) -> Tensor[]"
)


def kernels(backend: str) -> Any:
    return import_module(f".{backend}", __package__)


def _scan(
    key: str, backend: str, x: list[Tensor], state: list[Tensor], params: list[Tensor], save: bool
) -> list[Tensor]:
    return kernels(backend).forward(key, x, state, params, save)


def _scan_shapes(
    key: str, backend: str, x: list[Tensor], state: list[Tensor], params: list[Tensor], save: bool
) -> list[Tensor]:
    plan, steps, shape = PLANS[key], x[0].shape[0], x[0].shape[1:]
    results = [x[0].new_empty((steps, *shape), dtype=plan.dtype) for _ in range(plan.outputs)]
    results[0] = results[0].to(x[0].dtype if x[0].is_floating_point() else plan.dtype)
    results += [x[0].new_empty(shape, dtype=plan.dtype) for _ in state]
    chunk = kernels(backend).CHUNK
    return results + [x[0].new_empty(((steps + chunk - 1) // chunk, *shape), dtype=plan.dtype) for _ in state if save]


def _backward(
    key: str,
    backend: str,
    x: list[Tensor],
    state: list[Tensor],
    params: list[Tensor],
    saved: list[Tensor],
    grads: list[Tensor | None],
    wanted: list[bool],
) -> list[Tensor]:
    return kernels(backend).backward(key, x, params, saved, grads, tuple(wanted))


def _backward_shapes(
    key: str,
    backend: str,
    x: list[Tensor],
    state: list[Tensor],
    params: list[Tensor],
    saved: list[Tensor],
    grads: list[Tensor | None],
    wanted: list[bool],
) -> list[Tensor]:
    dtype, shape = PLANS[key].dtype, x[0].shape[1:]
    inputs = [
        torch.empty_like(t, memory_format=torch.contiguous_format) for t, want in zip(x, wanted, strict=False) if want
    ]
    rest = len(state) + sum(wanted[len(x) + len(state) :])
    return inputs + [x[0].new_empty(shape, dtype=dtype) for _ in range(rest)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
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
