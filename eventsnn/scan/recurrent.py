"""Recurrent layers over time: one large input product before the loop, the hidden product and one fused step inside it.

Forward keeps the states and hidden products of all steps. Backward goes down the steps with the fused vector-Jacobian
product and one product with R a step; the gradient of R is a single large product at the end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from eventsnn.memory import fresh

from . import loop
from .engine import Site, Step
from .fused import LIBRARY, Tensors, kernels
from .plan import PLANS, plan_key
from .rehearsal import PLAYING
from .tree import flatten, unflatten

GRAPH_LIMIT = 2**26  # elements of input up to which the steps on a GPU are recorded as one CUDA graph
GRAPHS: OrderedDict[Any, tuple[Any, Tensors, Tensors]] = OrderedDict()


def scan_recurrent(
    step: Step,
    wx: Any,
    state: Any,
    params: Any,
    recurrent_weights: Any,
    *,
    spike: Callable[[Any], Tensor],
    record_states: bool = False,
    backend: str | None = None,
) -> tuple[Tensor, Any]:
    """Run `step((wx[t], R spike(state)), state, params)` over time; the rest is as in `scan`.

    `wx [T, ..., H]` is the input product of all steps and `recurrent_weights` a matrix `(H, H)`, or both are trees of
    the same form. `spike` takes from a state the tensor `[..., H]` that is fed back.

    >>> def step(x, v, p):
    ...     v = p * v + x[0] + x[1]
    ...     return v, v
    >>> x, swap = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> scan_recurrent(step, x, torch.zeros(2), 0.0, swap, spike=lambda v: v)[0].tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    site = Site((wx, wx), state, params)
    chosen = site.backend(backend)
    key = "" if chosen == "loop" else plan_key(step, *site.signature())
    fed_back = position(spike, site) if key else None
    if fed_back is None:
        return loop.scan_recurrent(step, wx, state, params, recurrent_weights, spike=spike, record_states=record_states)
    dtype = site.state[0].dtype
    x, states, values = site.operands()
    x = [leaf.to(dtype) for leaf in x[: len(x) // 2]]
    weights = [w.to(dtype) for w in flatten(recurrent_weights)[0]]
    leaves = [*x, *states, *values, *weights]
    if torch.compiler.is_compiling():
        y, *results = torch.ops.eventsnn.recurrent(key, chosen, fed_back, leaves)
    else:
        y, *results = Recurrent.apply(key, chosen, fed_back, record_states, *leaves)
    n = len(states)
    states = [r[1:] for r in results[n : 2 * n]] if record_states else results[:n]
    return y.to(site.x[0].dtype if site.x[0].is_floating_point() else dtype), unflatten(states, site.forms[1])


def position(spike: Callable[[Any], Any], site: Site) -> int | None:
    """Which leaf of the state `spike` takes; None where it computes something."""
    leaf = spike(unflatten(site.state, site.forms[1]))
    return next((i for i, state in enumerate(site.state) if state is leaf), None)


class Recurrent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, key: str, backend: str, fed_back: int, record: bool, *leaves: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.facts, ctx.wanted = (key, backend, fed_back), ctx.needs_input_grad[4:]
        y, *kept = recorded_steps(forward, ctx.facts, list(leaves))
        ctx.save_for_backward(*leaves, *kept)
        n = PLANS[key].count[1]
        return y, *(k[-1].clone() for k in kept[:n]), *(kept[:n] if record else ())

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        key, backend, fed_back = ctx.facts
        tensors = [*ctx.saved_tensors, *(g for g in grads if g is not None)]
        given = tuple(g is not None for g in grads)
        found = iter(recorded_steps(backward, (key, backend, fed_back, ctx.wanted, given), tensors))
        m, n, _ = sizes(key)
        result = [next(found) if want or i < m + n else None for i, want in enumerate(ctx.wanted)]
        return None, None, None, None, *(r if want else None for r, want in zip(result, ctx.wanted, strict=True))


def _recurrent(key: str, backend: str, fed_back: int, leaves: Tensors) -> Tensors:
    y, *kept = recorded_steps(forward, (key, backend, fed_back), leaves)
    return [y, *(k[-1].clone() for k in kept[: PLANS[key].count[1]]), *kept]


def _recurrent_shapes(key: str, backend: str, fed_back: int, leaves: Tensors) -> Tensors:
    m, n, _ = sizes(key)
    steps, *shape = leaves[0].shape
    lengths = [[steps], *[[]] * n, *[[steps + 1]] * n, *[[steps]] * m]
    return [leaves[0].new_empty((*length, *shape)) for length in lengths]


def _recurrent_backward(
    key: str, backend: str, fed_back: int, wanted: list[bool], given: list[bool], leaves: Tensors
) -> Tensors:
    return recorded_steps(backward, (key, backend, fed_back, tuple(wanted), tuple(given)), leaves)


def _recurrent_backward_shapes(
    key: str, backend: str, fed_back: int, wanted: list[bool], given: list[bool], leaves: Tensors
) -> Tensors:
    m, n, c = sizes(key)
    x = leaves[0]
    learn = sum(wanted[m + n : m + n + c])
    shapes = [x.shape] * m + [x.shape[1:]] * (n + learn) + [x.shape[-1:] * 2] * sum(wanted[m + n + c :])
    return [x.new_empty(shape) for shape in shapes]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:
    *ctx.facts, leaves = inputs
    n = PLANS[inputs[0]].count[1]
    ctx.wanted = [leaf.requires_grad for leaf in leaves]
    ctx.save_for_backward(*leaves, *output[1 + n :])


def _gradients(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    m, n, _ = sizes(ctx.facts[0])
    ends = grads[: 1 + 2 * n]
    tensors = [*ctx.saved_tensors, *(g for g in ends if g is not None)]
    run = torch.ops.eventsnn.recurrent_backward
    found = iter(run(*ctx.facts, ctx.wanted, [g is not None for g in ends], tensors))
    return None, None, None, [next(found) if want or i < m + n else None for i, want in enumerate(ctx.wanted)]


LIBRARY.define("recurrent(str key, str backend, int fed_back, Tensor[] leaves) -> Tensor[]")
LIBRARY.define(
    "recurrent_backward(str key, str backend, int fed_back, bool[] wanted, bool[] given, Tensor[] leaves) -> Tensor[]"
)
LIBRARY.impl("recurrent", _recurrent, "CompositeExplicitAutograd")
LIBRARY.impl("recurrent_backward", _recurrent_backward, "CompositeExplicitAutograd")
torch.library.register_fake("eventsnn::recurrent", _recurrent_shapes, lib=LIBRARY)
torch.library.register_fake("eventsnn::recurrent_backward", _recurrent_backward_shapes, lib=LIBRARY)
torch.library.register_autograd("eventsnn::recurrent", _gradients, setup_context=_keep, lib=LIBRARY)


def sizes(key: str) -> tuple[int, int, int]:
    """How many inputs (and weights), states and parameters there are."""
    a, b, c = PLANS[key].count
    return a // 2, b, c


def forward(key: str, backend: str, fed_back: int, *, leaves: Tensors) -> Tensors:
    """Outputs `[T, *S]`, states before every step and after the last `[T + 1, *S]`, hidden products `[T, *S]`."""
    m, n, c = sizes(key)
    x, states, params = leaves[:m], leaves[m : m + n], leaves[m + n : m + n + c]
    turned = [w.t() for w in leaves[m + n + c :]]
    steps, shape = x[0].shape[0], x[0].shape[1:]
    dtype, device = states[0].dtype, states[0].device
    y = fresh((steps, *shape), dtype, device)
    past = [fresh((steps + 1, *shape), dtype, device) for _ in states]
    rz = [fresh((steps, *shape), dtype, device) for _ in x]
    for p, s in zip(past, states, strict=True):
        p[0] = s
    moving = [("x", x + rz, True), ("s", past, False)]
    step = kernels(backend).stepper(
        "forward", key, moving, [("p", params, False)], [(y, 0), *((p, 1) for p in past)], False
    )
    spikes = rows(past[fed_back])
    products = [rows(r) for r in rz]
    for t in range(steps):
        for product, w in zip(products, turned, strict=True):
            torch.mm(spikes[t], w, out=product[t])
        step(t)
    return [y, *past, *rz]


def backward(
    key: str, backend: str, fed_back: int, wanted: tuple[bool, ...], given: tuple[bool, ...], *, leaves: Tensors
) -> Tensors:
    """Gradients of inputs and states, and of the wanted parameters and weights."""
    m, n, c = sizes(key)
    rest = iter(leaves)
    x, _, params, weights, past, rz = ([next(rest) for _ in range(size)] for size in (m, n, c, m, n, m))
    grads = [next(rest) if there else None for there in given]
    gy, finals, recorded = grads[0], grads[1 : n + 1], grads[n + 1 :]
    steps, shape = x[0].shape[0], x[0].shape[1:]
    h = [
        past[i].new_zeros(shape) if g is None else g.clone(memory_format=torch.contiguous_format)
        for i, g in enumerate(finals)
    ]
    dx, drz = ([fresh(r.shape, r.dtype, r.device) for r in rz] for _ in range(2))
    learn = wanted[m + n : m + n + c]
    dp = [past[0].new_empty(shape) for want in learn if want]
    sums = [torch.zeros_like(d) for d in dp]
    moving = [("x", x + rz, True), ("c", past, True), *([("g", [gy], True)] if gy is not None else [])]
    still = [("p", params, False), ("h", h, False)]
    results = [*((d, 0) for d in dx + drz), *((d, None) for d in h + dp)]
    step = kernels(backend).stepper("backward", key, moving, still, results, (True,) * (2 * m) + (False,) * n + learn)
    into = h[fed_back].view(-1, shape[-1])
    hidden = [rows(d) for d in drz]
    for t in reversed(range(steps)):
        for state, extra in zip(h, recorded, strict=False):
            if extra is not None:
                state.add_(extra[t + 1])
        step(t)
        for d, w in zip(hidden, weights, strict=True):
            into.addmm_(d[t], w)
        for total, part in zip(sums, dp, strict=True):
            total.add_(part)
    spikes = past[fed_back][:steps].reshape(-1, shape[-1])
    dw = [d.reshape(-1, shape[-1]).t() @ spikes for d, want in zip(drz, wanted[m + n + c :], strict=True) if want]
    return [*dx, *h, *sums, *dw]


def rows(tensor: Tensor) -> tuple[Tensor, ...]:
    """`[T, ..., H]` as T matrices `[B, H]`."""
    return tensor.view(tensor.shape[0], -1, tensor.shape[-1]).unbind(0)


def recorded_steps(function: Callable[..., Tensors], facts: tuple[Any, ...], leaves: Tensors) -> Tensors:
    """`function(*facts, leaves=leaves)`; on a GPU its launches are recorded once a shape and replayed."""
    here = leaves[0].is_cuda and leaves[0].numel() <= GRAPH_LIMIT
    if not here or PLAYING or torch.cuda.is_current_stream_capturing():
        return function(*facts, leaves=leaves)
    known = (function.__name__, facts, leaves[0].device, tuple((t.shape, t.stride(), t.dtype) for t in leaves))
    if known not in GRAPHS:
        own = [t.clone() for t in leaves]
        function(*facts, leaves=own)  # compiles outside the recording
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = function(*facts, leaves=own)
        GRAPHS[known] = graph, own, results
        if len(GRAPHS) > 8:
            GRAPHS.popitem(last=False)
    GRAPHS.move_to_end(known)
    graph, own, results = GRAPHS[known]
    for static, leaf in zip(own, leaves, strict=True):
        static.copy_(leaf)
    graph.replay()
    return [r.clone() for r in results]
