"""A plan: everything known of a step before it meets data. Traced once, named by its content, shared by all calls."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from .operations import Program
from .trace import Untraceable, step_function, trace

PLANS: dict[str, Plan] = {}


class Plan:
    """The programs of one step: forward, and the vector-Jacobian product for any choice of wanted gradients.

    Inputs of the programs are named `x0..` (this step's inputs), `s0..` (state), `p0..` (parameters), `g0..` (gradients
    of the outputs) and `h0..` (gradients of the new state).
    """

    def __init__(
        self,
        step: Callable[..., Any],
        forms: tuple[Any, Any, Any],
        kinds: tuple[torch.dtype, ...],
        count: tuple[int, int, int],
    ) -> None:
        self.step, self.forms, self.count, self.kinds = step, forms, count, kinds
        self.dtype = kinds[count[0]]
        self.flat = step_function(step, forms, count)
        self._names = [f"{c}{i}" for c, size in zip("xsp", count, strict=True) for i in range(size)]
        self._examples = [torch.ones(1, dtype=kind) for kind in kinds]
        self.forward = trace(lambda *leaves: [*(pair := self.flat(*leaves))[0], *pair[1]], self._names, self._examples)
        self.outputs = len(self.forward.outputs) - count[1]
        self.differentiable = tuple(kind != torch.bool for kind in kinds)
        everything = self.vjp(self.differentiable, (True,) * self.outputs)
        content = repr((self.forward, everything, self.dtype)).encode()
        self.key = hashlib.sha256(content).hexdigest()[:16]
        PLANS.setdefault(self.key, self)

    @lru_cache(maxsize=64)  # noqa: B019 - plans live as long as the process
    def vjp(self, wanted: tuple[bool, ...], seeds: tuple[bool, ...]) -> Program:
        """Gradients of the `wanted` leaves and all states, from those of outputs (in `seeds`) and new states."""
        n = len(self._names)
        names = [f"g{i}" for i, seed in enumerate(seeds) if seed] + [f"h{i}" for i in range(self.count[1])]

        def product(*arguments: Tensor) -> list[Tensor]:
            leaves = [a.detach().requires_grad_(d) for a, d in zip(arguments[:n], self.differentiable, strict=True)]
            outputs, states = self.flat(*leaves)
            ends = [o for o, seed in zip(outputs, seeds, strict=True) if seed] + states
            pairs = [(end, g) for end, g in zip(ends, arguments[n:], strict=True) if end.requires_grad]
            asked = [leaf for leaf in leaves if leaf.requires_grad]
            found: list[Tensor | None] = [None] * len(asked)
            if pairs:  # one sum, for gradients given as such make torch import sympy, a second and more
                total = sum(end * g for end, g in pairs)
                found = list(torch.autograd.grad(total, asked, allow_unused=True))
            return [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(asked, found, strict=True)]

        with torch.enable_grad():
            whole = trace(
                product, self._names + names, self._examples + [torch.ones(1, dtype=self.dtype) for _ in names]
            )
        results = iter(whole.outputs)
        by_leaf = [next(results) if d else 0.0 for d in self.differentiable]
        first = self.count[0]
        states = range(first, first + self.count[1])
        return whole.pruned(tuple(g for i, g in enumerate(by_leaf) if wanted[i] or i in states))


def identity(step: Any) -> Any:
    """A key by which equal steps are found again: partials of equal parts are equal."""
    if isinstance(step, partial):
        return (
            identity(step.func),
            tuple(map(identity, step.args)),
            tuple(sorted((k, identity(v)) for k, v in step.keywords.items())),
        )
    return step


def constant(function: Any) -> Any:
    """What `torch.compiler.assume_constant_result` does, without its import of the compiler (a second, and triton)."""
    function._dynamo_marked_constant = True
    return function


@constant
def outputs_of(key: str) -> int:
    """How many outputs the plan has; constant, as a compiler may have met the table before the plan was in it."""
    return PLANS[key].outputs


FOUND: dict[Any, str] = {}


@constant
def plan_key(step: Callable[..., Any], forms: Any, kinds: tuple[torch.dtype, ...], count: tuple[int, int, int]) -> str:
    """The key of the plan for this step in `PLANS`, "" where it cannot be fused (which is said once)."""
    wanted = (identity(step), forms, kinds)
    if wanted not in FOUND:
        try:
            FOUND[wanted] = Plan(step, forms, kinds, count).key
        except Untraceable as reason:
            FOUND[wanted] = ""
            logging.getLogger("eventsnn").warning("%s runs step by step, not fused, because of %s", step, reason)
    return FOUND[wanted]
