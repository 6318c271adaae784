"""Delays: NIR's node for each element as a module, and the delays of single connections as nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..containers.delays import DelayLinear
from .layers import array


class Delay(nn.Module):
    """`y(t) = x(t - d)`, d whole steps for each element of `x [T, B, ...]`, or of a step `[B, ...]`; before x is zero.

    The state is the last inputs, as many as the longest delay.

    >>> Delay(torch.tensor([0, 2]))(torch.arange(8.0).reshape(4, 1, 2))[0].flatten(1).tolist()
    [[0.0, 0.0], [2.0, 0.0], [4.0, 1.0], [6.0, 3.0]]
    """

    is_stateful = True
    steps: Tensor

    def __init__(self, steps: Tensor, over_time: bool = True) -> None:
        super().__init__()
        self.register_buffer("steps", steps.long())
        self.longest, self.over_time = int(steps.max()), over_time

    def forward(self, x: Tensor, state: Tensor | None = None, *, reset: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not self.over_time:
            y, state = self._all(x[None], state, None if reset is None else reset[None])
            return y[0], state
        return self._all(x, state, reset)

    def _all(self, x: Tensor, state: Tensor | None, reset: Tensor | None) -> tuple[Tensor, Tensor]:
        past = x.new_zeros(self.longest, *x.shape[1:]) if state is None else state
        whole, steps = torch.cat([past, x]), self.steps.expand(x.shape[2:])
        now = torch.arange(len(x), device=x.device).reshape(-1, *[1] * (x.ndim - 1)) + self.longest
        places = (now - steps).expand(x.shape)
        y = whole.gather(0, places)
        if reset is None or not len(x):
            return y, whole[len(x) :]
        since = reset.cumsum(0).reshape(*reset.shape, *[1] * (x.ndim - 2))  # what has another number is forgotten
        runs = torch.cat([since.new_zeros(self.longest, *since.shape[1:]), since]).expand(whole.shape)
        kept = torch.where(runs == runs[-1], whole, 0.0)
        return torch.where(runs.gather(0, places) == since, y, 0.0), kept[len(x) :]


def delay_of(node: Any, name: str, dt: float, over_time: bool) -> Delay:
    """The module for a NIR Delay. Raises ValueError for delays that are no whole numbers of steps."""
    steps = np.asarray(node.delay, dtype=np.float64) / dt
    if not np.allclose(steps, np.rint(steps), rtol=0, atol=1e-3) or (steps < 0).any():
        raise ValueError(f"{name}: its delays are no whole numbers of steps of {dt:g} s: give a dt that divides them")
    return Delay(torch.from_numpy(np.rint(steps)), over_time)


def nodes_of(module: DelayLinear, name: str, dt: float) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Nodes for connections with delays, ``(name, kind, before, fields)``, and before is "" for the input.

    The input goes down a row of delays of a step each; behind each delay is the matrix of the weights that it has, and
    the products are summed.
    """
    kernel = module.kernel().detach().flip(-1)
    rows, columns, taps = kernel.shape
    bias = {} if module.bias is None else {"bias": array(module.bias)}
    for k in range(taps):
        before = f"{name}_delay{k}" if k else ""
        if k:
            delays = np.full(columns, dt)
            yield before, "Delay", f"{name}_delay{k - 1}" if k > 1 else "", {"delay": delays}
        kind, more = ("Affine", bias) if bias and not k else ("Linear", {})
        yield f"{name}_{k}", kind, before, {"weight": array(kernel[..., k]), **more}
    yield name, "Scale", f"{name}_0", {"scale": np.ones(rows, array(kernel).dtype)}
