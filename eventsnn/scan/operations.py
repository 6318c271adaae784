"""The small set of operations programs are made of, and how PyTorch's are written in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Value = str | float  # the name of an input or node, or a constant


@dataclass(frozen=True)
class Node:
    name: str
    op: str
    args: tuple[Value, ...]


@dataclass(frozen=True)
class Program:
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]

    @property
    def used(self) -> set[Value]:
        """Everything that some node or output reads."""
        return {argument for node in self.nodes for argument in node.args} | set(self.outputs)

    def pruned(self, keep: tuple[Value, ...]) -> Program:
        """Only what the outputs `keep` need."""
        needed, nodes = set(keep), []
        for node in reversed(self.nodes):
            if node.name in needed:
                nodes.append(node)
                needed.update(node.args)
        return Program(self.inputs, tuple(reversed(nodes)), keep)


class Builder:
    """Collects nodes; equal ones are written once."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, tuple[Value, ...]], Node] = {}
        self.masks: set[Value] = set()

    def __call__(self, op: str, *args: Value) -> Value:
        if op in ARITHMETIC:
            args = tuple(self.number(a) for a in args)
        elif op in LOGICAL:
            args = tuple(self.mask(a) for a in args)
        node = self.nodes.setdefault((op, args), Node(f"n{len(self.nodes)}", op, args))
        if op in COMPARISONS or op in LOGICAL:
            self.masks.add(node.name)
        return node.name

    def number(self, value: Value) -> Value:
        if value not in self.masks:
            return value if isinstance(value, str) else float(value)
        return self("where", value, 1.0, 0.0)

    def mask(self, value: Value) -> Value:
        return value if value in self.masks else self("ne", value, 0.0)

    def where(self, condition: Value, a: Value, b: Value) -> Value:
        return self("where", self.mask(condition), self.number(a), self.number(b))

    def product(self, x: Value, y: Value) -> Value:
        return self.number(y) if x == 1 else self.number(x) if y == 1 else self("mul", x, y)

    def scaled(self, value: Value, alpha: float) -> Value:
        return self.product(value, alpha)


COMPARISONS = {"gt", "ge", "lt", "le", "eq", "ne"}
LOGICAL = {"and", "or", "not"}
ARITHMETIC = COMPARISONS | {
    "add", "sub", "mul", "div", "neg", "abs", "sqrt", "exp", "log", "sin", "cos", "maximum", "minimum", "pow",
}  # fmt: skip
SAME = {"detach", "clone", "alias", "lift_fresh", "lift_fresh_copy", "view", "_unsafe_view", "expand"}
CONSTANT = {"zeros": 0.0, "zeros_like": 0.0, "new_zeros": 0.0, "ones": 1.0, "ones_like": 1.0, "new_ones": 1.0}


def _power(b: Builder, x: Value, exponent: Value) -> Value:
    special: dict[Value, Callable[[], Value]] = {
        0.5: lambda: b("sqrt", x),
        1.0: lambda: x,
        1.5: lambda: b("mul", x, b("sqrt", x)),
        2.0: lambda: b("mul", x, x),
        3.0: lambda: b("mul", b("mul", x, x), x),
        -0.5: lambda: b("div", 1.0, b("sqrt", x)),
        -1.0: lambda: b("div", 1.0, x),
        -2.0: lambda: b("div", 1.0, b("mul", x, x)),
    }
    return special[exponent]() if exponent in special else b("pow", x, exponent)


def _clamp(b: Builder, x: Value, low: Value | None = None, high: Value | None = None) -> Value:
    x = x if low is None else b("maximum", x, low)
    return x if high is None else b("minimum", x, high)


def _tanh(b: Builder, x: Value) -> Value:
    size = b("sub", 1.0, b("div", 2.0, b("add", b("exp", b("mul", 2.0, b("abs", x))), 1.0)))
    return b.where(b("lt", x, 0.0), b("neg", size), size)


REWRITE: dict[str, Callable[..., Value]] = {
    **{name: (lambda b, *args, op=name: b(op, *args)) for name in (ARITHMETIC - {"add", "sub", "pow"}) | COMPARISONS},
    **{f"logical_{op}": (lambda b, *args, op=op: b(op, *args)) for op in LOGICAL},
    **{f"bitwise_{op}": (lambda b, *args, op=op: b(op, *args)) for op in LOGICAL},
    "mul": lambda b, x, y: b.product(x, y),
    "add": lambda b, x, y, alpha=1: b("add", x, b.scaled(y, alpha)),
    "sub": lambda b, x, y, alpha=1: b("sub", x, b.scaled(y, alpha)),
    "rsub": lambda b, x, y, alpha=1: b("sub", y, b.scaled(x, alpha)),
    "addcmul": lambda b, x, y, z, value=1: b("add", x, b("mul", b.scaled(y, value), z)),
    "addcdiv": lambda b, x, y, z, value=1: b("add", x, b("div", b.scaled(y, value), z)),
    "reciprocal": lambda b, x: b("div", 1.0, x),
    "rsqrt": lambda b, x: b("div", 1.0, b("sqrt", x)),
    "pow": _power,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": lambda b, x, high: _clamp(b, x, None, high),
    "relu": lambda b, x: b("maximum", x, 0.0),
    "threshold_backward": lambda b, g, x, threshold: b.where(b("le", x, threshold), 0.0, g),
    "sigmoid": lambda b, x: b("div", 1.0, b("add", 1.0, b("exp", b("neg", x)))),
    "sigmoid_backward": lambda b, g, y: b("mul", g, b("mul", b("sub", 1.0, y), y)),
    "tanh": _tanh,
    "tanh_backward": lambda b, g, y: b("mul", g, b("sub", 1.0, b("mul", y, y))),
    "sign": lambda b, x: b.where(b("gt", x, 0.0), 1.0, b.where(b("lt", x, 0.0), -1.0, 0.0)),
    "where": lambda b, condition, x, y: b.where(condition, x, y),
    "masked_fill": lambda b, x, mask, value: b.where(mask, value, x),
    "_to_copy": lambda b, x: x,
    "full": lambda b, shape, value: float(value),
    "full_like": lambda b, x, value: float(value),
    "new_full": lambda b, x, shape, value: float(value),
    "scalar_tensor": lambda b, value: float(value),
}
REWRITE["sgn"] = REWRITE["sign"]
REWRITE["mul_scalar"] = REWRITE["mul"]
