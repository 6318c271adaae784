"""A NIR graph as a model."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..containers import SequentialState
from .delays import delay_of
from .network import NIRNetwork
from .neurons import MODEL_OF, Scale, Threshold, neuron_of
from .package import nir_package
from .wiring import Wiring


def from_nir(graph: Any, dt: float | None = None) -> SequentialState | NIRNetwork:
    """The model of a `nir.NIRGraph`, or of the file at a path: layers over time, `model(x, state=None) -> (y, state)`.

    x is `[T, B, ...]`. A chain of nodes becomes a SequentialState, anything else an `NIRNetwork`. NIR is in continuous
    time: dt (seconds) is the step, by default that in the nodes' metadata, else 0.001. Nodes: Affine, Linear, Scale,
    Delay (of whole steps), Threshold, Conv1d, Conv2d, AvgPool2d, SumPool2d, Flatten, IF, LI, LIF, CubaLI, CubaLIF,
    Identity and graphs of them, with one input and one output each. Where edges form a cycle, the one that closes it
    takes one step. Weights are learnable, neuron parameters fixed.

    Raises ValueError that names a node which is not among these, ImportError without the package nir.
    """
    nir = nir_package()
    if not isinstance(graph, nir.NIRGraph):
        graph = nir.read(graph, type_check=False)  # its shapes assume square kernels and one group
    wiring = Wiring(nir, graph)
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for group in wiring.groups:
        for name in group:
            parts = _modules(nir, wiring.nodes[name], name, dt, over_time=not wiring.is_cyclic(group))
            modules[name] = parts[0] if len(parts) == 1 else SequentialState(*parts)
    if wiring.is_chain():
        kept = [(_key(name), module) for name, module in modules.items() if not isinstance(module, nn.Identity)]
        return SequentialState(OrderedDict(kept))
    return NIRNetwork({_key(name): module for name, module in modules.items()}, wiring.renamed(_key))


def _key(name: str) -> str:
    """The name of a node as that of a submodule, which has no dots."""
    return name.replace(".", "_")


def _tensor(array: Any) -> Tensor:
    tensor = torch.from_numpy(np.array(array))
    return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())


def _size(value: Any) -> Any:
    """An integer, a tuple of integers or a word, as torch takes it."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    sizes = tuple(int(v) for v in np.atleast_1d(value))
    return sizes[0] if len(sizes) == 1 else sizes


def _loaded(module: nn.Module, **tensors: Tensor) -> nn.Module:
    module = module.to(tensors["weight"].dtype)
    module.load_state_dict(tensors)
    return module


def _modules(nir: Any, node: Any, name: str, dt: float | None, over_time: bool) -> list[nn.Module]:
    """The modules of one node, for all steps or for one."""
    kind = type(node).__name__
    if kind in MODEL_OF:
        return neuron_of(node, dt or float(node.metadata.get("dt", 0.001)), over_time)
    if kind == "Delay":
        return [delay_of(node, name, dt or float(node.metadata.get("dt", 0.001)), over_time)]
    if kind in ("Input", "Output", "Identity"):
        return [nn.Identity()]
    if kind in ("Affine", "Linear") and node.weight.ndim == 2:
        rows, columns = node.weight.shape
        bias = {"bias": _tensor(node.bias)} if kind == "Affine" else {}
        return [_loaded(nn.Linear(columns, rows, bias=bool(bias)), weight=_tensor(node.weight), **bias)]
    if kind == "Scale":
        return [Scale(_tensor(node.scale))]
    if kind == "Threshold":
        return [Threshold(_tensor(node.threshold))]
    if kind in ("Conv1d", "Conv2d"):
        out, inner, *kernel = node.weight.shape
        sizes = {key: _size(getattr(node, key)) for key in ("stride", "padding", "dilation")}
        groups = int(node.groups)
        conv = getattr(nn, kind)(inner * groups, out, tuple(kernel), groups=groups, **sizes)
        return [_loaded(conv, weight=_tensor(node.weight), bias=_tensor(node.bias))]
    if kind in ("AvgPool2d", "SumPool2d"):
        divisor = 1 if kind == "SumPool2d" else None
        sizes = {key: _size(getattr(node, key)) for key in ("kernel_size", "stride", "padding")}
        return [nn.AvgPool2d(**sizes, divisor_override=divisor)]
    if kind == "Flatten":
        lead = 1 + over_time
        start, end = int(node.start_dim), int(node.end_dim)
        return [nn.Flatten(start + lead if start >= 0 else start, end + lead if end >= 0 else end)]
    raise ValueError(f"{name}: there is no module for the NIR node {kind}")
