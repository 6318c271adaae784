"""A step function as a short list of pointwise operations, and its vector-Jacobian product as another.

The step is run once on one-element tensors, and what reaches PyTorch's dispatcher becomes a `Program`: named inputs,
nodes of a small set of operations, outputs. The backends print programs into kernels. A step that does anything else
(a matrix product, a sum over neurons, a random draw) is `Untraceable`, with the name of the operation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .operations import CONSTANT, REWRITE, SAME, Builder, Program, Value
from .tree import flatten, unflatten


class Untraceable(Exception):
    """The step holds something that is not pointwise arithmetic; the message names it."""


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
        self.known: dict[
            int, tuple[Tensor, Value]
        ] = {}  # by identity; the tensor is kept, so that no other gets its id
        for name, example in zip(names, examples, strict=True):
            self.known[id(example)] = example, name
            if example.dtype == torch.bool:
                self.b.masks.add(name)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return (
            False  # never under the compiler, as it runs in a thread of its own; else torch would import it all (4 s)
        )

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
        used = {
            k: self.value(v) for k, v in kwargs.items() if k not in IGNORED and not (k == "rounding_mode" and v is None)
        }
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
