"""Fused CPU kernels: blocks of neurons outside, time inside, the neurons of a block innermost and vectorised.

The state of a block stays in the cache over the whole of time. Backward keeps nothing but the inputs and every
`CHUNK`-th state: it walks the chunks from the last to the first, recomputes their states in the cache, then goes down
them with the vector-Jacobian product. Each thread takes a range of neurons; the kernels run without the interpreter's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from math import prod
from typing import Any

import torch
from torch import Tensor

from .layout import is_row, layout_of, offsets
from .plan import PLANS, Plan
from .source import emit, indent, load
from .trace import Program, Value

CHUNK = 16  # steps between two stored states
BLOCK = 1024  # neurons a block: the states of one chunk fit into the second-level cache
ROW = (
    BLOCK + 80
)  # floats between rows of scratch memory: rows a power of two apart would fight for the same cache lines

TEMPLATES = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "abs": "abs({})",
    "sqrt": "sqrt({})", "exp": "exp({})", "log": "log({})", "sin": "sin({})", "cos": "cos({})", "pow": "{} ** {}",
    "maximum": "{0} if {0} > {1} else ({0} if {0} != {0} else {1})",
    "minimum": "{0} if {0} < {1} else ({0} if {0} != {0} else {1})",
    "gt": "one if {} > {} else zero", "ge": "one if {} >= {} else zero", "lt": "one if {} < {} else zero",
    "le": "one if {} <= {} else zero", "eq": "one if {} == {} else zero", "ne": "one if {} != {} else zero",
    "and": "{} * {}", "or": "one if {} + {} > zero else zero", "not": "one - {}",
    "where": "{1} if {0} != zero else {2}",
}  # fmt: skip

HEADER = """import numpy as np
from numba import int64, njit
from numpy import cos, log, sin, sqrt

from eventsnn.scan.native import exp{bits} as exp, view

f = np.float{bits}
one, zero, byte, wide = f(1), f(0), np.uint8(0), np.int64(0)
"""


class Constants(dict[float, str]):
    """Constants as names of typed globals."""

    def __missing__(self, value: float) -> str:
        return self.setdefault(value, f"u{len(self)}")

    def lines(self) -> list[str]:
        return [f'{name} = f("{value!r}")' for value, name in self.items()]


def forward(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor], save: bool) -> list[Tensor]:
    """Outputs `[T, *S]`, final states `[*S]` and, with `save`, every `CHUNK`-th state `[C, *S]`."""
    plan = PLANS[key]
    steps, shape = xs[0].shape[0], xs[0].shape[1:]
    out = xs[0].dtype if xs[0].is_floating_point() else plan.dtype
    xs = [x if x.dtype == torch.bool else x.to(plan.dtype) for x in xs]
    new = partial(torch.empty, dtype=plan.dtype)
    results = [new((steps, *shape)) for _ in range(plan.outputs)] + [new(shape) for _ in states]
    if save:
        results += [new((rows(steps), *shape)) for _ in states]
    arguments = Arguments()
    for name, tensors in (("x", xs), ("s", states), ("p", params)):
        arguments.read(name, tensors, timed=name == "x")
    kernel = compiled(forward_source, key, arguments.kinds(), save)
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
    """Gradients of the wanted inputs, of all states and of the wanted parameters, given those of outputs and final states."""
    plan = PLANS[key]
    steps, shape = xs[0].shape[0], xs[0].shape[1:]
    arguments = Arguments()
    arguments.read("x", [x if x.dtype == torch.bool else x.to(plan.dtype) for x in xs], timed=True)
    arguments.read("p", params)
    arguments.read("c", saved, timed=True)
    cast = [None if g is None else g.to(plan.dtype) for g in grads]
    arguments.read("g", cast[: plan.outputs], timed=True)
    arguments.read("h", cast[plan.outputs :])
    results = [
        torch.empty((steps, *shape) if i < len(xs) else shape, dtype=plan.dtype)
        for i in range(len(wanted))
        if wanted[i] or len(xs) <= i < len(xs) + len(saved)
    ]
    kernel = compiled(backward_source, key, arguments.kinds(), wanted)
    run(kernel, arguments.values + [r.data_ptr() for r in results], steps, prod(shape))
    outs = [x.dtype for x, want in zip(xs, wanted, strict=False) if want]
    return [r.to(outs[i]) if i < len(outs) else r for i, r in enumerate(results)]


def stepper(
    direction: str,
    key: str,
    moving: list[tuple[str, list[Tensor], bool]],
    still: list[tuple[str, list[Tensor], bool]],
    results: list[tuple[Tensor, int | None]],
    variant: Any,
) -> Callable[[int], None]:
    """A function that runs one step, t, of a kernel.

    Tensors of `moving` are read at t, those of `still` as they are; a result `(tensor, k)` is written at t + k, at its
    start where k is None.
    """
    arguments = Arguments()
    order = "xspcgh"
    for letter, tensors, timed in sorted(moving + still, key=lambda group: order.index(group[0])):
        moves = any(group[0] == letter for group in moving)
        first = [t[:1] if timed else t[0] for t in tensors] if moves else tensors
        arguments.read(letter, first, timed, [t.stride(0) * t.element_size() if moves else 0 for t in tensors])
    for tensor, k in results:
        arguments.values.append(tensor.data_ptr() + (k or 0) * tensor.stride(0) * tensor.element_size())
        arguments.advance.append(0 if k is None else tensor.stride(0) * tensor.element_size())
    kernel = compiled({"forward": forward_source, "backward": backward_source}[direction], key, arguments.kinds(), variant)
    neurons = results[-1][0][0].numel() if results[-1][1] is not None else results[-1][0].numel()
    pairs = list(zip(arguments.values, arguments.advance, strict=True))

    def step(t: int, keep: Any = (arguments, results)) -> None:
        kernel(*[value + t * move for value, move in pairs], 1, neurons, 0, neurons)

    return step


def explain(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor]) -> str:
    """Both kernels as text, as for inputs that want all gradients."""
    plan = PLANS[key]
    arguments = Arguments()
    for name, tensors in (("x", xs), ("s", states), ("p", params)):
        arguments.read(name, tensors, timed=name == "x")
    ahead = arguments.kinds()
    rows = tuple((f"{letter}{i}", "row") for letter, n in (("c", len(states)), ("g", plan.outputs)) for i in range(n))
    behind = tuple(kind for kind in ahead if kind[0][0] != "s") + rows
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

    def kinds(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.names.items())


class Reader:
    """How a kernel reads one element of each tensor: the lines before the loop over neurons, and the expression in it."""

    def __init__(self, kinds: tuple[tuple[str, str], ...]) -> None:
        self.kinds = dict(kinds)

    def parameters(self) -> list[str]:
        names = []
        for name, kind in self.kinds.items():
            names += [f"{name}_a"] + [f"{name}_t"] * (name[0] in TIMED) + [f"{name}_o"] * kind.startswith("gather")
        return names

    def before(self, names: Iterable[str], time: str = "t") -> list[str]:
        lines = []
        for name in names:
            kind, like = self.kinds[name], "byte" if self.kinds[name].endswith("mask") else "zero"
            at = f"{time} * {name}_t" if name[0] in TIMED else "0"
            if kind.startswith("gather"):
                lines.append(f"{name}_n = view({name}_o, b, m, wide)")
            start, size = (f"{at} + b", "m") if kind.startswith("row") else (at, "1")
            lines.append(f"{name}_v = view({name}_a, {start}, {size}, {like})")
            if kind.startswith("scalar"):
                lines.append(f"{name} = {self.element(name)}")
        return lines

    def element(self, name: str) -> str:
        kind = self.kinds[name]
        at = {"scalar": "0", "row": "j", "gather": f"{name}_n[j]"}[kind.split()[0]]
        return f"{name}_v[{at}]" if not kind.endswith("mask") else f"one if {name}_v[{at}] != byte else zero"

    def values(self, names: Iterable[str]) -> list[str]:
        return [f"{name} = {self.element(name)}" for name in names if not self.kinds[name].startswith("scalar")]


TIMED = "xcg"


def forward_source(key: str, kinds: tuple[tuple[str, str], ...], save: bool) -> str:
    plan, reader, constants = PLANS[key], Reader(kinds), Constants()
    xs, ss, ps = ([name for name in reader.kinds if name[0] == letter] for letter in "xsp")
    n, ys = len(ss), [f"y{i}" for i in range(plan.outputs)]
    fs, cs = [f"f{i}" for i in range(n)], [f"k{i}" for i in range(n)] if save else []
    body, outputs = emit(plan.forward, {}, TEMPLATES, constants.__getitem__, "")
    w = [f"w[j + {i * ROW}]" for i in range(n)]
    used = [p for p in ps if p in needed(plan.forward)]
    step = [
        *(f"{s} = {row}" for s, row in zip(ss, w, strict=True)),
        *reader.values(xs + used),
        *body,
        *(f"{y}[j] = {value}" for y, value in zip(ys, outputs, strict=False)),
        *(f"{row} = {value}" for row, value in zip(w, outputs[plan.outputs :], strict=True)),
    ]
    keep = ["if t % CHUNK == 0:"] + indent(copy_out(cs, w, "t // CHUNK * N + b"), 1) if save else []
    lines = [
        f"w = np.empty({n * ROW}, f)",
        "for b in range(lo, hi, BLOCK):",
        "    m = min(BLOCK, hi - b)",
        *indent(reader.before(ss + used), 1),
        "    for j in range(m):",
        *indent([*reader.values(ss), *(f"{row} = {s}" for row, s in zip(w, ss, strict=True))], 2),
        "    for t in range(T):",
        *indent(keep, 2),
        *indent(reader.before(xs), 2),
        *indent([f"{y} = view({y}_a, t * N + b, m, zero)" for y in ys], 2),
        "        for j in range(m):",
        *indent(step, 3),
        *indent(copy_out(fs, w, "b"), 1),
    ]
    return source(plan, constants, reader, [*ys, *fs, *cs], lines)


def backward_source(key: str, kinds: tuple[tuple[str, str], ...], wanted: tuple[bool, ...]) -> str:
    plan, reader, constants = PLANS[key], Reader(kinds), Constants()
    xs, ps, cs, gs, hs = ([name for name in reader.kinds if name[0] == letter] for letter in "xpcgh")
    n, first = plan.count[1], plan.count[0]
    vjp = plan.vjp(wanted, tuple(f"g{i}" in gs for i in range(plan.outputs)))
    again = plan.forward.pruned(plan.forward.outputs[plan.outputs :])
    ss = [f"s{i}" for i in range(n)]
    dxs = [f"d{x}" for x, want in zip(xs, wanted, strict=False) if want]
    dss, dps = [f"d{s}" for s in ss], [f"d{p}" for p, want in zip(ps, wanted[first + n :], strict=True) if want]
    rows = [f"w[j + {i * ROW}]" for i in range(n + len(dps))]
    old = [f"here[j + {i * ROW}]" for i in range(n)]
    new = [f"here[j + {(n + i) * ROW}]" for i in range(n)]
    replay, states = emit(again, {}, TEMPLATES, constants.__getitem__, "")
    product, grads = emit(vjp, {}, TEMPLATES, constants.__getitem__, "")
    load_states = [f"{s} = {row}" for s, row in zip(ss, old, strict=True)]
    in_replay, in_product = needed(again), needed(vjp)
    up = [
        *load_states,
        *reader.values([v for v in xs + ps if v in in_replay]),
        *replay,
        *(f"{row} = {value}" for row, value in zip(new, states, strict=True)),
    ]
    down = [
        *load_states,
        *reader.values([v for v in xs + ps if v in in_product] + gs),
        *(f"h{i} = {row}" for i, row in enumerate(rows[:n])),
        *product,
        *(f"{dx}[j] = {value}" for dx, value in zip(dxs, grads, strict=False)),
        *(f"{row} = {value}" for row, value in zip(rows, grads[len(dxs) : len(dxs) + n], strict=False)),
        *(f"{row} = {row} + {value}" for row, value in zip(rows[n:], grads[len(dxs) + n :], strict=True)),
    ]
    start = [f"{row} = {f'h{i}' if f'h{i}' in hs else 'zero'}" for i, row in enumerate(rows[:n])]
    lines = [
        f"w = np.empty({len(rows) * ROW}, f)",
        f"past = np.empty({n * ROW} * CHUNK, f)",
        "order = np.arange(CHUNK)",
        "for b in range(lo, hi, BLOCK):",
        "    m = min(BLOCK, hi - b)",
        *indent(reader.before(ps + hs), 1),
        "    for j in range(m):",
        *indent(reader.values(hs) + start + [f"{row} = zero" for row in rows[n:]], 2),
        "    for c in range((T + CHUNK - 1) // CHUNK - 1, -1, -1):",
        *indent(reader.before(cs, "c"), 2),
        "        for j in range(m):",
        *indent([*reader.values(cs), *(f"past[j + {i * ROW}] = {c}" for i, c in enumerate(cs))], 3),
        "        last = min(CHUNK, T - c * CHUNK) - 1",
        "        for q in range(last):",
        f"            t, here = c * CHUNK + q, past[q * {n * ROW} :]",
        *indent(reader.before(xs), 3),
        "            for j in range(m):",
        *indent(up, 4),
        "        for r in range(last + 1):",
        "            q = last - order[r]  # read from memory: LLVM takes overlap checks it can move out of this loop, wrongly",
        f"            t, here = c * CHUNK + q, past[q * {n * ROW} :]",
        *indent(reader.before(xs + gs), 3),
        *indent([f"{dx} = view({dx}_a, t * N + b, m, zero)" for dx in dxs], 3),
        "            for j in range(m):",
        *indent(down, 4),
        *indent(copy_out(dss + dps, rows, "b"), 1),
    ]
    return source(plan, constants, reader, [*dxs, *dss, *dps], lines)


def needed(program: Program) -> set[Value]:
    return {arg for node in program.nodes for arg in node.args} | set(program.outputs)


def copy_out(names: list[str], rows: list[str], at: str) -> list[str]:
    views = [f"{name} = view({name}_a, {at}, m, zero)" for name in names]
    return (
        [*views, "for j in range(m):", *indent([f"{n}[j] = {r}" for n, r in zip(names, rows, strict=True)], 1)]
        if names
        else []
    )


def source(plan: Plan, constants: Constants, reader: Reader, results: list[str], lines: list[str]) -> str:
    parameters = [*reader.parameters(), *(f"{name}_a" for name in results), "T", "N", "lo", "hi"]
    bits = 64 if plan.dtype == torch.float64 else 32
    return "\n".join(
        [
            HEADER.format(bits=bits) + f"BLOCK, CHUNK = {BLOCK}, {CHUNK}",
            *constants.lines(),
            "\n",
            f'@njit([({", ".join(["int64"] * len(parameters))},)], nogil=True, cache=True, error_model="numpy")',
            f"def kernel({', '.join(parameters)}):",
            *indent(lines, 1),
            "",
        ]
    )


@cache
def compiled(write: Callable[..., str], key: str, *variant: Any) -> Callable[..., None]:
    return load(f"cpu_{write.__name__.split('_')[0]}", write(key, *variant)).kernel


def run(kernel: Callable[..., None], arguments: list[int], steps: int, neurons: int) -> None:
    """The kernel over all neurons, in ranges of whole blocks, one a thread."""
    blocks = -(-neurons // BLOCK)
    workers = max(1, min(torch.get_num_threads(), blocks))
    ends = [min(neurons, blocks * i // workers * BLOCK) for i in range(workers + 1)]
    threads = [
        threading.Thread(target=kernel, args=(*arguments, steps, neurons, lo, hi))
        for lo, hi in zip(ends[1:-1], ends[2:], strict=True)
    ]
    for thread in threads:
        thread.start()
    kernel(*arguments, steps, neurons, ends[0], ends[1])
    for thread in threads:
        thread.join()
