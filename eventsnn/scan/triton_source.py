"""The text of the GPU kernels: a forward and a backward pass over chunks of time, printed from a step's programs.

The inputs of a program are read as `x0_3` (input 0 at step 3 of the chunk), `s0`, `p0`, `g0`, `h0`; results are written
to `y` (outputs), `f` (final states), `k` (stored states) and `dx`, `ds`, `dp` (gradients). They lie one step after
the other, `N` values each, but for `dx` where the kinds tell how it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from triton import knobs

from .order import Kinds
from .plan import PLANS
from .source import emit, indent

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

TIMED = ("x", "c", "g", "dx")


class Config(NamedTuple):
    """How a kernel is cut: steps a chunk, neurons a program, warps, whether a chunk is loaded ahead of its turn."""

    chunk: int
    block: int
    warps: int
    ahead: bool


class Reader:
    """How a kernel reads each tensor: its parameters, the offset of a lane, the load."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = dict(kinds)
        self.dims = {name: 0 if kind[0] in "r=" else int(kind.split()[0]) for name, kind in kinds}

    def parameters(self) -> list[str]:
        names = []
        for name in self.kinds:
            sizes = [f"{name}_{c}{d}" for d in range(self.dims[name]) for c in "nd"]
            names += [f"{name}_p"] + [f"{name}_t"] * name.startswith(TIMED) + sizes
        return names

    def pointers(self, names: Iterable[str]) -> list[str]:
        """Pointers to each lane's element (at step 0)."""
        lines = []
        for name in names:
            kind = self.kinds[name].split()[0]
            if kind == "row":
                lines.append(f"{name}_a = {name}_p + n")
                continue
            if kind[0] != "=":
                lines += [f"{name}_o = n * 0", f"{name}_r = n"]
            for d in reversed(range(self.dims[name])):
                lines.append(f"{name}_o += {name}_r % {name}_n{d} * {name}_d{d}")
                lines.append(f"{name}_r = {name}_r // {name}_n{d}")
            lines.append(f"{name}_a = {name}_p + {kind[1:] if kind[0] == '=' else name}_o")
        return lines

    def load(self, name: str, called: str, at: str = "", mask: str = "live") -> str:
        value = (
            f"tl.load({name}_a{at}, {mask}, other={int(name[0] == 'p')})"  # a lane without a neuron may divide by it
        )
        return f"{called} = {value} != 0" if self.kinds[name].endswith("mask") else f"{called} = {value}.to(tl.float32)"


def forward_source(key: str, kinds: Kinds, cut: Config, save: bool) -> str:
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
        *(reader.load(name, name) for name in ss + [p for p in ps if p in plan.forward.used]),
        f"full = T // {chunk}",
        *over_chunks(reader, cut, "(zero + {c}) * {chunk}", partial(loads, chunk), steps(chunk, "zero + c")),
        f"for r in range(full * {chunk}, T):",
        "    t = zero + r",
        *indent([reader.load(v, name, at) for name, (v, at) in loads(1, "t").items()], 1),
        *indent(steps(1, f"t - full * {chunk - 1}"), 1),
        *(f"tl.store({f}_a, {s}, live)" for f, s in zip(fs, ss, strict=True)),
    ]
    return source(reader, [*ys, *fs, *ks], lines)


def backward_source(key: str, kinds: Kinds, cut: Config, wanted: tuple[bool, ...]) -> str:
    plan, reader, chunk = PLANS[key], Reader(kinds), cut.chunk
    xs, ps, cs, gs, hs = ([name for name in reader.kinds if name[0] == letter] for letter in "xpcgh")
    n, first = plan.count[1], plan.count[0]
    vjp = plan.vjp(wanted, tuple(f"g{i}" in gs for i in range(plan.outputs)))
    again = plan.forward.pruned(plan.forward.outputs[plan.outputs :])
    hidden = [f"h{i}" for i in range(n)]
    dxs = [f"d{x}" for x, want in zip(xs, wanted, strict=False) if want]
    placed = [name for name in reader.kinds if name[0] == "d"]
    stride = {dx: f"{dx}_t" if dx in placed else "N" for dx in dxs}
    dss = [f"ds{i}" for i in range(n)]
    dps = [f"d{p}" for p, want in zip(ps, wanted[first + n :], strict=True) if want]
    written = [name for name in (*dxs, *dss, *dps) if name not in placed]

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
            body += [
                f"tl.store({dx}_a + (t + {j}) * {stride[dx]}, {o}, live)" for dx, o in zip(dxs, grads, strict=False)
            ]
            body += assigned(hidden, grads[len(dxs) : len(dxs) + n])
            body += [f"{dp} += {value}" for dp, value in zip(dps, grads[len(dxs) + n :], strict=True)]
        return body

    used = again.used | vjp.used
    lines = [
        *reader.pointers(xs + ps + cs + gs + hs + placed),
        *(f"{r}_a = {r}_p + n" for r in written),
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
    return source(reader, written, lines)


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
