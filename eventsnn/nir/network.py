"""A graph of modules, with cycles, over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..containers.stateful import call
from .wiring import Wiring


class NIRState(NamedTuple):
    """The states of the nodes, and the last outputs of those that feed back, by name."""

    nodes: dict[str, Any]
    fed_back: dict[str, Tensor]


class NIRNetwork(nn.Module):
    """Modules wired as a graph: `module(x [T, B, ...], state=None, *, reset=None) -> (output [T, B, ...], NIRState)`.

    Inputs of a node are summed. Nodes outside cycles run over all steps at once; those of a cycle run step by step, and
    what the cycle feeds back takes one step (nothing is fed back at first).
    """

    is_stateful = True
    accepts_reset = True

    def __init__(self, modules: Mapping[str, nn.Module], wiring: Wiring) -> None:
        super().__init__()
        self.wiring = wiring
        self.nodes = nn.ModuleDict({f"node_{name}": module for name, module in modules.items()})

    def forward(
        self, x: Tensor, state: NIRState | None = None, *, reset: Tensor | None = None
    ) -> tuple[Tensor, NIRState]:
        """The output of all steps, and the state."""
        states = {} if state is None else dict(state.nodes)
        fed_back = {} if state is None else dict(state.fed_back)
        values: dict[str, Tensor] = {}
        for group in self.wiring.groups:
            outside = {name: self._total(values, name) for name in group}
            if self.wiring.input in group:
                outside[self.wiring.input] = x
            if self.wiring.is_cyclic(group):
                values |= self._cycle(group, outside, states, fed_back, reset)
            else:
                name = group[0]
                values[name], states[name] = call(self._node(name), outside[name], states.get(name), reset)
        return values[self.wiring.output], NIRState(states, fed_back)

    def _node(self, name: str) -> nn.Module:
        return self.nodes[f"node_{name}"]

    def _total(self, values: dict[str, Tensor], name: str) -> Any:
        """The sum of what is there for a node; None for nothing."""
        there = [values[source] for source in self.wiring.before(name) if source in values]
        return sum(there[1:], there[0]) if there else None

    def _cycle(
        self,
        group: list[str],
        outside: dict[str, Any],
        states: dict[str, Any],
        fed_back: dict[str, Tensor],
        reset: Tensor | None,
    ) -> dict[str, Tensor]:
        """Outputs of the nodes of a cycle over all steps; their states and what they feed back are updated."""
        steps = next(len(value) for value in outside.values() if value is not None)
        if not steps:
            raise ValueError(f"there are no steps (T = 0), so the shape of what {group[0]} gives is unknown")
        outputs: dict[str, list[Tensor]] = {name: [] for name in group}
        for t in range(steps):
            row = None if reset is None else reset[t]
            if row is not None:
                for name in group:
                    if name in fed_back:
                        last = fed_back[name]
                        mask = row.reshape(row.shape + (1,) * (last.ndim - row.ndim))
                        fed_back[name] = torch.where(mask, 0.0, last)
            now = {name: fed_back[name] for name in group if name in fed_back}
            for name in group:
                inside = self._total(now, name)
                x = outside[name] if outside[name] is None else outside[name][t]
                x = inside if x is None else x if inside is None else x + inside
                now[name], states[name] = call(self._node(name), x, states.get(name), row)
                outputs[name].append(now[name])
            fed_back |= {name: now[name] for name in group}
        return {name: torch.stack(values) for name, values in outputs.items()}
