"""A model as a NIR graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..containers import Lift, RecurrentSequential, SequentialState
from ..containers.delays import DelayLinear
from ..containers.stateful import call, original, rank_of
from ..forms.modules import Form
from .delays import nodes_of
from .layers import array, spike_pool, stateless_node, vector
from .neurons import EXPORTED, node_fields
from .package import nir_package


def to_nir(model: nn.Module, input_shape: int | Sequence[int], path: Any = None) -> Any:
    """The `nir.NIRGraph` of a model, also written to `path` if there is one.

    `input_shape` is that of one sample at one step, without time and batch, for example `(2, 34, 34)`. Expressed are
    IAF, LI, LIBox, LIF and LIFBox in all forms, with weights and recurrence, Linear, Conv1d, Conv2d, LConv2d,
    `DelayLinear` (a matrix for each of its delays), AvgPool2d, sum pooling (`AvgPool2d(..., divisor_override=1)`,
    `LPPool2d(1, ...)`), MaxPool2d of spikes (a sum and a threshold) and Flatten, in SequentialState, Lift, torch's
    Sequential and RecurrentSequential; Dropout and Identity are left out. Time constants are in seconds; a cell becomes
    the same node as its layer, and feedback takes one step. A model whose neurons are all cells, outside of Lift, is
    one step: its batch is the first axis, as for `Flatten(1)`. Nodes carry dt in their metadata. The surrogate gradient
    and the initial state are not part of NIR.

    Raises ValueError that names what NIR cannot express, ImportError without the package nir (extra `eventsnn[nir]`).
    """
    if isinstance(input_shape, Tensor):
        raise TypeError("input_shape is the shape of one sample at one step, such as (2, 34, 34), and not a tensor")
    writer = _Writer(nir_package(), model)
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    zeros = torch.zeros(*[1] * writer.lead, *shape, dtype=writer.dtype)
    last, x = writer.module("model", model, "input", zeros)
    nir = writer.nir
    writer.nodes = {"input": nir.Input({"input": np.array(shape)})} | writer.nodes
    writer.nodes["output"] = nir.Output({"output": np.array(x.shape[writer.lead :])})
    graph = nir.NIRGraph(writer.nodes, [*writer.edges, (last, "output")])
    if path is not None:
        nir.write(path, graph)
    return graph


class _Writer:
    """Nodes and edges so far. Every method adds a module after `before` and gives its last node and its output."""

    def __init__(self, nir: Any, model: nn.Module) -> None:
        self.nir = nir
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        forms = [module for module in model.modules() if isinstance(module, (Form, Lift))]
        one_step = bool(forms) and not any(isinstance(form, Lift) or form.over_time for form in forms)
        dts: list[Any] = [form.dt for form in forms if hasattr(form, "dt")]
        self.dts = {float(dt) for dt in dts} or {0.001}
        self.lead = 1 if one_step else 2  # axes before those that NIR knows: time and batch; in a step only batch
        parameter: Tensor | None = next(model.parameters(), None)
        self.dtype = torch.get_default_dtype() if parameter is None else parameter.dtype

    def node(self, name: str, kind: str, before: str, x: Tensor, y: Tensor, fields: dict[str, Any]) -> str:
        """Add a node of that kind; its types are the shapes of input and output."""
        node = getattr(self.nir, kind)(**fields)
        node.input_type = {"input": np.array(x.shape[self.lead :])}
        node.output_type = {"output": np.array(y.shape[self.lead :])}
        self.nodes[name] = node
        self.edges.append((before, name))
        return name

    def module(self, name: str, module: nn.Module, before: str, x: Tensor) -> tuple[str, Tensor]:
        module = original(module)
        if isinstance(module, Lift):
            return self.without_time(name, module.lifted_module, before, x)
        if type(module) is nn.Sequential and x.ndim > (rank_of(module) or x.ndim):
            return self.without_time(name, module, before, x)
        if name in self.nodes or name in ("input", "output"):
            name += "_"
        if isinstance(module, RecurrentSequential):
            return self.feedback(name, module, before, x)
        if type(module) in (SequentialState, nn.Sequential):
            return self.sequence(name, module, before, x)
        if isinstance(module, Form):
            return self.neuron(name, module, before, x)
        if isinstance(module, (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)):
            return before, x
        if isinstance(module, DelayLinear):
            return self.delays(name, module, before, x)
        pool = spike_pool(module) if isinstance(module, nn.MaxPool2d) and self.spikes(before) else None
        if pool is not None:
            return self.sequence(name, pool, before, x)
        kind, fields = stateless_node(module, name, x, self.lead)
        with torch.no_grad():
            y = call(module, x)[0]
        return self.node(name, kind, before, x, y, fields), y

    def spikes(self, name: str) -> bool:
        """Whether a node gives zeros and ones."""
        return type(self.nodes.get(name)).__name__ in ("IF", "LIF", "CubaLIF", "Threshold")

    def without_time(self, name: str, module: nn.Module, before: str, x: Tensor) -> tuple[str, Tensor]:
        self.lead -= 1
        last, y = self.module(name, module, before, x[0])
        self.lead += 1
        return last, y[None]

    def sequence(self, name: str, module: Any, before: str, x: Tensor) -> tuple[str, Tensor]:
        if getattr(module, "return_hidden", False):
            raise ValueError(f"{name}: NIR has one output, but return_hidden gives that of every child")
        for key, child in module.named_children():
            before, x = self.module(key if name == "model" else f"{name}_{key}", child, before, x)
        return before, x

    def feedback(self, name: str, module: RecurrentSequential, before: str, x: Tensor) -> tuple[str, Tensor]:
        if not isinstance(module.output_modules, int):
            raise ValueError(f"{name}: NIR has one output, but output_modules is the list {module.output_modules}")
        self.nodes[f"{name}_sum"] = self.nir.Scale(np.ones(x.shape[self.lead :], dtype=str(self.dtype)[6:]))
        self.edges.append((before, f"{name}_sum"))
        last, y = f"{name}_sum", x
        for key, child in list(module.module.named_children())[: module.output_modules % len(module.module) + 1]:
            last, y = self.module(f"{name}_{key}", child, last, y)
        self.edges.append((last, f"{name}_sum"))
        return last, y

    def delays(self, name: str, module: DelayLinear, before: str, x: Tensor) -> tuple[str, Tensor]:
        if self.lead != 2 or len(self.dts) != 1:
            why = f"the neurons step by {sorted(self.dts)}" if self.lead == 2 else "this model is a single step"
            raise ValueError(f"{name}: its delays are in steps of one dt over time, but {why}")
        (dt,) = self.dts
        with torch.no_grad():
            y = module(vector(x, name, self.lead))[0]
        for node, kind, source, fields in nodes_of(module, name, dt):
            self.node(node, kind, source or before, x if kind != "Scale" else y, x if kind == "Delay" else y, fields)
            if kind == "Delay":
                self.nodes[node].metadata = {"dt": dt}
        self.edges += [(f"{name}_{k}", name) for k in range(1, module.max_delay + 1)]
        return name, y

    def neuron(self, name: str, module: Any, before: str, x: Tensor) -> tuple[str, Tensor]:
        if not hasattr(module, "model"):
            raise ValueError(f"{name}: NIR has no node for {type(module).__name__}")
        fields = node_fields(module, name)
        weights, recurrent, _ = module._matrices()
        if weights is not None:
            y = nn.functional.linear(vector(x, name, self.lead), weights.detach())
            before = self.node(f"{name}_in", "Linear", before, x, y, {"weight": array(weights)})
            x = y
        shape = x.shape[self.lead :]
        arrays = {
            key: torch.as_tensor(value).detach().to(self.dtype).broadcast_to(shape).contiguous().cpu().numpy()
            for key, value in fields.items()
        }
        self.node(name, EXPORTED[module.model.name], before, x, x, arrays)
        self.nodes[name].metadata = {"dt": module.dt}
        if recurrent is not None:
            self.node(f"{name}_back", "Linear", name, x, x, {"weight": array(recurrent)})
            self.edges.append((f"{name}_back", name))
        return name, torch.zeros_like(x)
