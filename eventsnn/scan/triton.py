"""Fused GPU kernels: one neuron a lane, its state in registers over the whole of time.

Forward stores the state before every chunk of steps. Backward walks the chunks from the last to the first: it loads the stored state
and all inputs of the chunk, recomputes the chunk's states in registers, then goes down them with the vector-Jacobian
product. The chunk is written out step by step, because registers cannot be indexed; the loop over chunks is dynamic, so
no length of input compiles anew. The steps after the last whole chunk run one by one, each from its own stored state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from triton import knobs

from .layout import is_row, layout_of
from .plan import PLANS
from .source import emit, indent, load
from .trace import Program, Value



class Config(NamedTuple):
    """How a kernel is cut: steps a chunk, neurons a program, warps, whether the next chunk is loaded ahead of its turn."""

    chunk: int
    block: int
    warps: int
    ahead: bool


def config(neurons: int, states: int, size: int, save: bool = True) -> Config:
    """The best cut found on an H100 for this many neurons and states, and inputs of `size` bytes.

    Loading ahead hides latency where few neurons or long arithmetic do not; of short types a lane takes two neurons.
    Only a forward that stores states must be cut as backward is.
    """
    many, light = neurons >= 2**18, states <= 2
    if many and light and not save:
        return Config(4, 128, 4, True) if size == 4 else Config(4, 512, 4, True)
    if many and size < 4:
        return Config(8, 256, 4, True)
    return Config(8, 64, 2, not light or neurons < 2**19)


TEMPLATES = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "tl.div_rn({}, {})", "neg": "-{}", "abs": "tl.abs({})",
    "sqrt": "tl.sqrt_rn({})", "exp": "{module}.exp({})", "log": "{module}.log({})", "sin": "{module}.sin({})",
    "cos": "{module}.cos({})", "pow": "{module}.pow({}, {})",
    "maximum": "tl.maximum({}, {}, propagate_nan=tl.PropagateNan.ALL)",
    "minimum": "tl.minimum({}, {}, propagate_nan=tl.PropagateNan.ALL)",
    "gt": "{} > {}", "ge": "{} >= {}", "lt": "{} < {}", "le": "{} <= {}", "eq": "{} == {}", "ne": "{} != {}",
    "and": "{} & {}", "or": "{} | {}", "not": "{} == 0",
    "where": "tl.where({}, {}, {})",
}  # fmt: skip

FAST = {"div": "{} / {}"}  # to 2 units in the last place; for gradients only, never for what the forward computes

HEADER = """import triton
import triton.language as tl
from triton.language.extra import libdevice
"""


def forward(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor], save: bool) -> list[Tensor]:
    """Outputs `[T, *S]`, final states `[*S]` and, with `save`, the state before every chunk."""
    plan = PLANS[key]
    steps, shape = xs[0].shape[0], xs[0].shape[1:]
    new = partial(torch.empty, dtype=plan.dtype, device=xs[0].device)
    out = xs[0].dtype if xs[0].is_floating_point() else plan.dtype
    results = [new((steps, *shape), dtype=out)]
    results += [new((steps, *shape)) for _ in range(1, plan.outputs)] + [new(shape) for _ in states]
    if save:
        count = rows(steps, prod(shape), len(states), xs[0].element_size())
        results += [new((count, *shape)) for _ in states]
    arguments = Arguments()
    for name, tensors in (("x", xs), ("s", states), ("p", params)):
        arguments.read(name, tensors, timed=name == "x")
    run(forward_source, key, arguments, results, steps, prod(shape), save)
    return results


def rows(steps: int, neurons: int, states: int, size: int) -> int:
    """How many states are stored: one a whole chunk, one a step of the rest."""
    chunk = config(neurons, states, size).chunk
    return steps // chunk + steps % chunk


def backward(
    key: str,
    xs: list[Tensor],
    params: list[Tensor],
    saved: list[Tensor],
    grads: list[Tensor | None],
    wanted: tuple[bool, ...],
) -> list[Tensor]:
    """Gradients of the wanted inputs, of all states and of the wanted parameters."""
    plan = PLANS[key]
    steps, shape = xs[0].shape[0], xs[0].shape[1:]
    arguments = Arguments()
    arguments.read("x", xs, timed=True)
    arguments.read("p", params)
    arguments.read("c", saved, timed=True)
    arguments.read("g", grads[: plan.outputs], timed=True)
    arguments.read("h", grads[plan.outputs :])
    new = partial(torch.empty, device=xs[0].device)
    results = [new((steps, *shape), dtype=x.dtype) for x, want in zip(xs, wanted, strict=False) if want]
    rest = len(saved) + sum(wanted[len(xs) + len(saved) :])
    results += [new(shape, dtype=plan.dtype) for _ in range(rest)]
    run(backward_source, key, arguments, results, steps, prod(shape), wanted)
    return results


class Arguments:
    """Tensors with their strides, in the order the kernels take them, and how each lies in memory."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.kinds: dict[str, str] = {}

    def read(self, letter: str, tensors: Sequence[Tensor | None], timed: bool = False) -> None:
        for i, tensor in enumerate(tensors):
            if tensor is None:
                continue
            layout = layout_of(tensor, timed)
            kind = "row" if is_row(layout) else str(len(layout))  # else the number of its dimensions
            self.kinds[f"{letter}{i}"] = kind + (" mask" if tensor.dtype == torch.bool else "")
            self.values.append(tensor)
            if timed:
                self.values.append(tensor.stride(0))
            if kind != "row":
                self.values += [number for dim in layout for number in dim]


class Reader:
    """How a kernel reads each tensor: its parameters, the offset of a lane, the load."""

    def __init__(self, kinds: tuple[tuple[str, str], ...]) -> None:
        self.kinds = dict(kinds)
        self.dims = {name: 0 if kind.startswith("row") else int(kind.split()[0]) for name, kind in kinds}

    def parameters(self) -> list[str]:
        names = []
        for name in self.kinds:
            sizes = [f"{name}_{c}{d}" for d in range(self.dims[name]) for c in "nd"]
            names += [f"{name}_p"] + [f"{name}_t"] * (name[0] in TIMED) + sizes
        return names

    def pointers(self, names: Iterable[str]) -> list[str]:
        """Pointers to each lane's element (at step 0)."""
        lines = []
        for name in names:
            if self.kinds[name].startswith("row"):
                lines.append(f"{name}_a = {name}_p + n")
                continue
            lines += [f"{name}_a = {name}_p + n * 0", f"{name}_r = n"]
            for d in reversed(range(self.dims[name])):
                lines.append(f"{name}_a += {name}_r % {name}_n{d} * {name}_d{d}")
                lines.append(f"{name}_r = {name}_r // {name}_n{d}")
        return lines

    def load(self, name: str, called: str, at: str = "", mask: str = "live") -> str:
        value = (
            f"tl.load({name}_a{at}, {mask}, other={int(name[0] == 'p')})"  # a lane without a neuron may divide by it
        )
        return f"{called} = {value} != 0" if self.kinds[name].endswith("mask") else f"{called} = {value}.to(tl.float32)"


TIMED = "xcg"


def forward_source(key: str, kinds: tuple[tuple[str, str], ...], cut: Config, save: bool) -> str:
    plan, reader, chunk = PLANS[key], Reader(kinds), cut.chunk
    xs, ss, ps = ([name for name in reader.kinds if name[0] == letter] for letter in "xsp")
    ys = [f"y{i}" for i in range(plan.outputs)]
    fs, ks = [f"f{i}" for i in range(len(ss))], [f"k{i}" for i in range(len(ss))] if save else []

    def loads(count: int, t: str) -> dict[str, tuple[str, str]]:
        return {f"{x}_{j}": (x, f" + ({t} + {j}) * {x}_t") for j in range(count) for x in xs}

    def steps(count: int, row: str) -> list[str]:
        body = [f"tl.store({k}_a + ({row}) * N, {s}, live)" for k, s in zip(ks, ss, strict=False)]
        for j in range(count):
            lines, outputs = emit(plan.forward, {x: f"{x}_{j}" for x in xs}, templates(), constant, f"m{j}_")
            body += lines
            body += [f"tl.store({y}_a + (t + {j}) * N, {o}, live)" for y, o in zip(ys, outputs, strict=False)]
            body += assigned(ss, outputs[plan.outputs :])
        return body

    lines = [
        *reader.pointers(xs + ss + ps),
        *(f"{r}_a = {r}_p + n" for r in ys + fs + ks),
        *(reader.load(name, name) for name in ss + [p for p in ps if p in needed(plan.forward)]),
        f"full = T // {chunk}",
        *over_chunks(reader, cut, "(zero + {c}) * {chunk}", partial(loads, chunk), steps(chunk, "zero + c")),
        f"for r in range(full * {chunk}, T):",
        "    t = zero + r",
        *indent([reader.load(v, name, at) for name, (v, at) in loads(1, "t").items()], 1),
        *indent(steps(1, f"t - full * {chunk - 1}"), 1),
        *(f"tl.store({f}_a, {s}, live)" for f, s in zip(fs, ss, strict=True)),
    ]
    return source(reader, [*ys, *fs, *ks], lines)


def backward_source(key: str, kinds: tuple[tuple[str, str], ...], cut: Config, wanted: tuple[bool, ...]) -> str:
    plan, reader, chunk = PLANS[key], Reader(kinds), cut.chunk
    xs, ps, cs, gs, hs = ([name for name in reader.kinds if name[0] == letter] for letter in "xpcgh")
    n, first = plan.count[1], plan.count[0]
    vjp = plan.vjp(wanted, tuple(f"g{i}" in gs for i in range(plan.outputs)))
    again = plan.forward.pruned(plan.forward.outputs[plan.outputs :])
    hidden = [f"h{i}" for i in range(n)]
    dxs = [f"d{x}" for x, want in zip(xs, wanted, strict=False) if want]
    dss = [f"ds{i}" for i in range(n)]
    dps = [f"d{p}" for p, want in zip(ps, wanted[first + n :], strict=True) if want]

    def loads(count: int, t: str, row: str = "") -> dict[str, tuple[str, str]]:
        states = {f"s{c[1:]}_0": (c, f" + ({row or f'{t} // {chunk}'}) * {c}_t") for c in cs}
        return states | {f"{v}_{j}": (v, f" + ({t} + {j}) * {v}_t") for j in range(count) for v in xs + gs}

    def steps(count: int) -> list[str]:
        body = []
        names = [{v: f"{v}_{j}" for v in (*xs, *gs, *(f"s{i}" for i in range(n)))} for j in range(count)]
        for j in range(count - 1):
            lines, states = emit(again, names[j], templates(), constant, f"m{j}_")
            body += lines + [f"s{i}_{j + 1} = {value}" for i, value in enumerate(states)]
        for j in reversed(range(count)):
            exact = set(plan.forward.nodes), FAST
            lines, grads = emit(vjp, names[j], templates(), constant, f"q{j}_", exact)
            body += lines
            body += [f"tl.store({dx}_a + (t + {j}) * N, {o}, live)" for dx, o in zip(dxs, grads, strict=False)]
            body += assigned(hidden, grads[len(dxs) : len(dxs) + n])
            body += [f"{dp} += {value}" for dp, value in zip(dps, grads[len(dxs) + n :], strict=True)]
        return body

    used = needed(again) | needed(vjp)
    lines = [
        *reader.pointers(xs + ps + cs + gs + hs),
        *(f"{r}_a = {r}_p + n" for r in dxs + dss + dps),
        *(reader.load(p, p) for p in ps if p in used),
        *(reader.load(h, h) if h in hs else f"{h} = none" for h in hidden),
        *(f"{dp} = none" for dp in dps),
        f"full = T // {chunk}",
        f"for r in range(0, T - full * {chunk}):",
        "    t = zero + (T - 1 - r)",
        *indent([reader.load(v, name, at) for name, (v, at) in loads(1, "t", f"t - full * {chunk - 1}").items()], 1),
        *indent(steps(1), 1),
        *over_chunks(reader, cut, "(zero + full - 1 - {c}) * {chunk}", partial(loads, chunk), steps(chunk)),
        *(f"tl.store({r}_a, {h}, live)" for r, h in zip(dss, hidden, strict=True)),
        *(f"tl.store({r}_a, {r}, live)" for r in dps),
    ]
    return source(reader, [*dxs, *dss, *dps], lines)


def over_chunks(
    reader: Reader, cut: Config, time: str, loads: Callable[[str], dict[str, tuple[str, str]]], body: list[str]
) -> list[str]:
    """The loop over whole chunks; `time` gives the first step of the chunk that is c-th in the order they are taken."""

    def at(c: str) -> str:
        return time.format(c=c, chunk=cut.chunk)

    if not cut.ahead:
        now = [reader.load(v, name, offset) for name, (v, offset) in loads("t").items()]
        return ["for c in range(0, full):", f"    t = {at('c')}", *indent(now + body, 1)]
    return [
        f"t = {at('0')}",
        "more = live & (lane < full)",
        *(reader.load(v, name, offset, "more") for name, (v, offset) in loads("t").items()),
        "for c in range(0, full):",
        f"    after = {at('(c + 1)')}",
        "    more = live & (lane + (c + 1) < full)",
        *indent([reader.load(v, f"{name}_next", offset, "more") for name, (v, offset) in loads("after").items()], 1),
        f"    t = {at('c')}",
        *indent(body, 1),
        *indent([f"{name} = {name}_next" for name in loads("t")], 1),
    ]


def assigned(names: list[str], values: list[str]) -> list[str]:
    """All values first, then the names: a value may be another's old name. `none` makes a lane of each constant."""
    new = [
        f"w{i} = {value} + none" if value[0] in "-.0123456789f" else f"w{i} = {value}" for i, value in enumerate(values)
    ]
    return new + [f"{name} = w{i}" for i, name in enumerate(names)]


def needed(program: Program) -> set[Value]:
    return {arg for node in program.nodes for arg in node.args} | set(program.outputs)


def constant(value: float) -> str:
    return repr(value) if value == value and abs(value) != float("inf") else f'float("{value}")'


def templates() -> dict[str, str]:
    module = "tl" if knobs.runtime.interpret else "libdevice"  # the interpreter has no libdevice
    return {op: text.replace("{module}", module) for op, text in TEMPLATES.items()}


def source(reader: Reader, results: list[str], lines: list[str]) -> str:
    parameters = [*reader.parameters(), *(f"{name}_p" for name in results), "T", "N", "BLOCK: tl.constexpr"]
    lines = [
        "start = tl.program_id(0).to(tl.int64)",
        "n = start * BLOCK + tl.arange(0, BLOCK)",
        "live = n < N",
        "lane = tl.full([BLOCK], 0, tl.int32)",
        "none = tl.full([BLOCK], 0.0, tl.float32)",
        "zero = start * 0",
        *lines,
    ]
    header = f'{HEADER}\n\n@triton.jit(do_not_specialize=["T"])\ndef kernel({", ".join(parameters)}):'
    return "\n".join([header, *indent(lines, 1), ""])


@cache
def compiled(write: Callable[..., str], interpret: bool, key: str, kinds: Any, cut: Config, variant: Any) -> Any:
    return load(f"triton_{write.__name__.split('_')[0]}", write(key, kinds, cut, variant)).kernel


LAUNCHERS: dict[Any, Any] = {}


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
    size = arguments.values[0].element_size()
    cut = config(neurons, PLANS[key].count[1], size, variant is not False)
    kernel = compiled(write, bool(knobs.runtime.interpret), key, tuple(arguments.kinds.items()), cut, variant)
    values = [*arguments.values, *results]
    device = results[0].device
    seen = tuple(v if type(v) is int else (v.data_ptr() % 16, v.dtype) for v in values)
    known = (kernel, device, neurons, steps < 2**31, seen)
    with contextlib.nullcontext() if _is_current(device) else torch.cuda.device(device):
        launcher = LAUNCHERS.get(known)
        if launcher is not None:
            launcher(*values, steps, neurons, cut.block)
            return
        grid = (-(-neurons // cut.block), 1, 1)
        found = kernel[grid](*values, steps, neurons, BLOCK=cut.block, num_warps=cut.warps, enable_fp_fusion=False)
        if found is not None:  # the interpreter compiles nothing
            LAUNCHERS[known] = found[grid]


def _is_current(device: torch.device) -> bool:
    return device.type != "cuda" or device.index == torch.cuda.current_device()


def stepper(
    direction: str,
    key: str,
    moving: list[tuple[str, list[Tensor], bool]],
    still: list[tuple[str, list[Tensor], bool]],
    results: list[tuple[Tensor, int | None]],
    variant: Any,
) -> Callable[[int], None]:
    """A function that runs one step, t, of a kernel; see the CPU's."""
    write = {"forward": forward_source, "backward": backward_source}[direction]
    order = "xspcgh"
    groups = sorted(moving + still, key=lambda group: order.index(group[0]))
    moves = {group[0] for group in moving}

    def step(t: int) -> None:
        arguments = Arguments()
        for letter, tensors, timed in groups:
            now = [v[t : t + 1] if timed else v[t] for v in tensors] if letter in moves else tensors
            arguments.read(letter, now, timed)
        written = [tensor if k is None else tensor[t + k] for tensor, k in results]
        run(write, key, arguments, written, 1, written[-1].numel(), variant)

    return step


def explain(key: str, xs: list[Tensor], states: list[Tensor], params: list[Tensor]) -> str:
    """Both kernels as text, as for inputs that want all gradients."""
    plan = PLANS[key]
    arguments = Arguments()
    for name, tensors in (("x", xs), ("s", states), ("p", params)):
        arguments.read(name, tensors, timed=name == "x")
    ahead = tuple(arguments.kinds.items())
    rows = tuple((f"{letter}{i}", "row") for letter, n in (("c", len(states)), ("g", plan.outputs)) for i in range(n))
    behind = tuple(kind for kind in ahead if kind[0][0] != "s") + rows
    cut = config(prod(xs[0].shape[1:]), len(states), xs[0].element_size())
    return forward_source(key, ahead, cut, True) + "\n\n" + backward_source(key, behind, cut, plan.differentiable)
