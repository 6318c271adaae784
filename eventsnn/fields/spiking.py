"""Neurons in the place of linear filters: a cell or layer whose time constants are computed, and so learnable."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call


def cell_parameters(activation: type[torch.nn.Module]) -> Callable[[Tensor], Any]:
    """The activation's default parameters with the given `tau_mem_inv`."""
    model = getattr(activation, "model", None)
    if model is None or "tau_mem_inv" not in model.parameters._fields:
        raise ValueError(
            f"{activation.__name__} has no parameter tau_mem_inv: say by activation_state_map how its parameters "
            "follow from the inverse time constants (1/s)"
        )
    return functools.partial(_with_rates, model.parameters)


def _with_rates(kind: Callable[..., Any], rates: Tensor) -> Any:
    return kind(tau_mem_inv=rates)


def run_cell(
    neurons: torch.nn.Module, p: Any, x: Tensor, state: Any, reset: Tensor | None, over_time: bool
) -> tuple[Tensor, Any]:
    """One step, or all steps of x (T, ...), of the neurons with the parameters p, which carry gradients."""
    held = {name for name, _ in (*neurons.named_parameters(), *neurons.named_buffers())}
    values = {
        f"p.{name}": value for name, value in p._asdict().items() if f"p.{name}" in held and torch.is_tensor(value)
    }

    def call(x: Tensor, state: Any, reset: Tensor | None) -> tuple[Tensor, Any]:
        return functional_call(neurons, values, (x, state), {"reset": reset})

    if not over_time or getattr(neurons, "over_time", False):
        return call(x, state, reset)
    outputs = []
    for t, step in enumerate(x.unbind(0)):
        y, state = call(step, state, None if reset is None else reset[t])
        outputs.append(y)
    return torch.stack(outputs), state
