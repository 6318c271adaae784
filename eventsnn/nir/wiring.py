"""Which node of a NIR graph feeds which, and in which order they run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

Edge = tuple[str, str]


class Wiring:
    """The nodes of a graph, with graphs inside it dissolved, the edges, and the order.

    `groups` holds the nodes in an order in which they can run: those of a cycle together, all others alone. Within a
    group the order is that of a walk from the input; an edge that goes against it takes one step.
    """

    def __init__(self, nir: Any, graph: Any) -> None:
        self.nodes: dict[str, Any] = {}
        self.edges: list[Edge] = []
        self.input, self.output = self._dissolve(nir, graph, "")
        self.groups = self._groups()

    def _dissolve(self, nir: Any, graph: Any, path: str) -> Edge:
        """Add a graph's nodes and edges; the names of its input and output."""
        ends: list[str] = []
        for kind in ("Input", "Output"):
            found = [name for name, node in graph.nodes.items() if isinstance(node, getattr(nir, kind))]
            if len(found) != 1:
                raise ValueError(f"{path or 'the graph'} must have one {kind} node, not {len(found)}")
            ends.append(path + found[0])
        inner: dict[str, Edge] = {}
        for name, node in graph.nodes.items():
            if isinstance(node, nir.NIRGraph):
                inner[name] = self._dissolve(nir, node, f"{path}{name}.")
            else:
                self.nodes[path + name] = node
        for a, b in graph.edges:
            source = inner[a][1] if a in inner else path + a
            target = inner[b][0] if b in inner else path + b
            for name in (source, target):
                if name not in self.nodes:
                    raise ValueError(f"the edge ({a}, {b}) names {name}, which is not a node")
            self.edges.append((source, target))
        return ends[0], ends[1]

    def before(self, name: str) -> list[str]:
        """The nodes that feed this one."""
        return [a for a, b in self.edges if b == name]

    def after(self, name: str) -> list[str]:
        return [b for a, b in self.edges if a == name]

    def _reached(self, start: str) -> set[str]:
        """The nodes downstream of one, itself only if it lies on a cycle."""
        found: set[str] = set()
        todo = self.after(start)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.after(name)
        return found

    def _walk(self) -> list[str]:
        """The nodes downstream of the input in reverse postorder of a depth-first walk."""
        finished: list[str] = []
        seen, path = {self.input}, [(self.input, iter(self.after(self.input)))]
        while path:
            name, following = path[-1]
            fresh = next((b for b in following if b not in seen), None)
            if fresh is None:
                finished.append(name)
                path.pop()
            else:
                seen.add(fresh)
                path.append((fresh, iter(self.after(fresh))))
        return finished[::-1]

    def _groups(self) -> list[list[str]]:
        order = self._walk()
        if self.output not in order:
            raise ValueError(f"no edges lead from {self.input} to {self.output}")
        reached = {name: self._reached(name) for name in order}
        groups: dict[str, list[str]] = {}
        for name in order:  # the first node of a cycle stands for it
            first = next((other for other in groups if name in reached[other] and other in reached[name]), name)
            groups.setdefault(first, []).append(name)
        return list(groups.values())

    def is_cyclic(self, group: list[str]) -> bool:
        return len(group) > 1 or group[0] in self.after(group[0])

    def is_chain(self) -> bool:
        """Whether every node feeds the next one and no other."""
        names = [group[0] for group in self.groups]
        return not any(map(self.is_cyclic, self.groups)) and self.edges_among(names) == [*pairwise(names)]

    def edges_among(self, names: list[str]) -> list[Edge]:
        """The edges between these nodes, in the order of their sources."""
        return sorted((e for e in self.edges if set(e) <= set(names)), key=lambda e: names.index(e[0]))

    def renamed(self, rename: Callable[[str], str]) -> Wiring:
        """The same wiring under other names, without the NIR nodes."""
        new = object.__new__(Wiring)
        new.nodes = {}
        new.edges = [(rename(a), rename(b)) for a, b in self.edges]
        new.input, new.output = rename(self.input), rename(self.output)
        new.groups = [[rename(name) for name in group] for group in self.groups]
        return new
