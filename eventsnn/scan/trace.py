"""A step function as a short list of pointwise operations, and its vector-Jacobian product as another.

The step is run once on one-element tensors, and what reaches PyTorch's dispatcher becomes a `Program`: named inputs,
nodes of a small set of operations, outputs. The backends print programs into kernels. A step that does anything else (a matrix
product, a sum over neurons, a random draw) is `Untraceable`, with the name of the operation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .tree import flatten, unflatten

Value = str | float  # the name of an input or node, or a constant


class Untraceable(Exception):
    """The step holds something that is not pointwise arithmetic; the message names it."""


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

    def scaled(self, value: Value, alpha: float) -> Value:
        return value if alpha == 1 else self("mul", value, alpha)


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


def trace(function: Callable[..., list[Tensor]], names: list[str], examples: list[Tensor]) -> Program:
    """The program of a function of one-element tensors that returns a list of them."""
    recorder = Recorder(names, examples)

    def run() -> list[Value]:
        with recorder:
            results = function(*examples)
        return [recorder.b.number(recorder.value(result)) for result in results]

    outputs = tuple(_isolated(run))
    return Program(tuple(names), tuple(recorder.b.nodes.values()), outputs).pruned(outputs)


class Recorder(TorchDispatchMode):
    """Writes down every operation that reaches the dispatcher, those of autograd's backward included."""

    def __init__(self, names: list[str], examples: list[Tensor]) -> None:
        super().__init__()
        self.b = Builder()
        self.dtype = next(example.dtype for example in examples if example.dtype != torch.bool)
        self.known: dict[int, tuple[Tensor, Value]] = {}  # by identity; the tensor is kept, so that no other gets its id
        for name, example in zip(names, examples, strict=True):
            self.known[id(example)] = example, name
            if example.dtype == torch.bool:
                self.b.masks.add(name)

    def value(self, argument: Any) -> Any:
        if not isinstance(argument, Tensor):
            return argument
        if id(argument) not in self.known:
            shape = tuple(argument.shape)
            raise Untraceable(f"a tensor of shape {shape} that the step holds itself: pass it as a parameter")
        return self.known[id(argument)][1]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[1]
        if name == "lift_fresh" and args[0].numel() == 1:  # a constant made inside the step
            self.known[id(result)] = result, float(args[0])
        else:
            self.known[id(result)] = result, self.converted(func, name, args, kwargs or {}, result)
        return result

    def converted(self, func: Any, name: str, args: Any, kwargs: dict[str, Any], result: Any) -> Value:
        if name not in REWRITE and name.rstrip("_") not in REWRITE and name not in SAME and name not in CONSTANT:
            raise Untraceable(str(func))
        if result.shape not in (torch.Size([1]), torch.Size([])):
            raise Untraceable(f"{func} (it changes the shape)")
        if result.dtype not in (self.dtype, torch.bool):
            raise Untraceable(f"{func} (it computes in {result.dtype}, the state in {self.dtype})")
        if name in CONSTANT:
            return CONSTANT[name]
        values = [self.value(a) for a in args]
        if name in SAME:
            return values[0]
        used = {k: self.value(v) for k, v in kwargs.items() if k not in IGNORED and not (k == "rounding_mode" and v is None)}
        try:
            value = REWRITE[name if name in REWRITE else name.rstrip("_")](self.b, *values, **used)
        except TypeError as error:
            raise Untraceable(f"{func} with these arguments ({error})") from error
        return self.b.mask(value) if result.dtype == torch.bool else self.b.number(value)


IGNORED = {"dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking"}


def _isolated(function: Callable[[], Any]) -> Any:
    """Run in a fresh thread: no autocast, no compiler's or functional mode of the caller reaches the trace."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(function())
        except Untraceable as error:
            result.append(error)
        except Exception as error:  # whatever the step raises on one-element tensors is a reason not to fuse it
            result.append(Untraceable(f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def step_function(
    step: Callable[..., Any], forms: tuple[Any, Any, Any], count: tuple[int, int, int]
) -> Callable[..., Any]:
    """`step` on flat leaves: `(x..., state..., params...) -> (outputs, new states)`, both flat."""

    def flat(*leaves: Tensor) -> tuple[list[Any], list[Any]]:
        x, state = leaves[: count[0]], leaves[count[0] : count[0] + count[1]]
        groups = (x, state, leaves[count[0] + count[1] :])
        output, new_state = step(*(unflatten(group, form) for group, form in zip(groups, forms, strict=True)))
        new_leaves, new_form = flatten(new_state)
        if new_form != forms[1]:
            raise ValueError(
                f"the step must return a state of the form it was given; given {forms[1]}, returned {new_form}"
            )
        return flatten(output)[0], new_leaves

    return flat
