"""The text of the CPU kernels: blocks of neurons, inside them time, inside it the neurons of a block.

Names are those of the programs (`x0`, `s0`, `p0`, `g0`, `h0`); results are written to `y` (outputs), `f` (final
states), `k` (stored states) and `dx`, `ds`, `dp` (gradients). Of a tensor `x0`, `x0_a` is the address, `x0_t` the
stride over time.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from .order import Kinds
from .plan import PLANS, Plan
from .source import emit, indent

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

TIMED = "xcg"


class Constants(dict[float, str]):
    """Constants as names of typed globals."""

    def __missing__(self, value: float) -> str:
        return self.setdefault(value, f"u{len(self)}")

    def lines(self) -> list[str]:
        return [f'{name} = f("{value!r}")' for value, name in self.items()]


class Reader:
    """How a kernel reads an element of each tensor: the lines before the loop over neurons, the expression in it."""

    def __init__(self, kinds: Kinds) -> None:
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


def forward_source(key: str, kinds: Kinds, save: bool) -> str:
    plan, reader, constants = PLANS[key], Reader(kinds), Constants()
    xs, ss, ps = ([name for name in reader.kinds if name[0] == letter] for letter in "xsp")
    n, ys = len(ss), [f"y{i}" for i in range(plan.outputs)]
    fs, cs = [f"f{i}" for i in range(n)], [f"k{i}" for i in range(n)] if save else []
    body, outputs = emit(plan.forward, {}, TEMPLATES, constants.__getitem__, "")
    w = [f"w[j + {i * ROW}]" for i in range(n)]
    used = [p for p in ps if p in plan.forward.used]
    step = [
        *(f"{s} = {row}" for s, row in zip(ss, w, strict=True)),
        *reader.values(xs + used),
        *body,
        *(f"{y}[j] = {value}" for y, value in zip(ys, outputs, strict=False)),
        *(f"{row} = {value}" for row, value in zip(w, outputs[plan.outputs :], strict=True)),
    ]
    keep = ["if t % CHUNK == 0:", *indent(copy_out(cs, w, "t // CHUNK * N + b"), 1)] if save else []
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


def backward_source(key: str, kinds: Kinds, wanted: tuple[bool, ...]) -> str:
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
    in_replay, in_product = again.used, vjp.used
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
        "            q = last - order[r]  # from memory: LLVM misjudges overlaps in a countdown it can follow",
        f"            t, here = c * CHUNK + q, past[q * {n * ROW} :]",
        *indent(reader.before(xs + gs), 3),
        *indent([f"{dx} = view({dx}_a, t * N + b, m, zero)" for dx in dxs], 3),
        "            for j in range(m):",
        *indent(down, 4),
        *indent(copy_out(dss + dps, rows, "b"), 1),
    ]
    return source(plan, constants, reader, [*dxs, *dss, *dps], lines)


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
