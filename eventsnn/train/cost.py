"""What an inference costs, by the definitions of NeuroBench: operations, spikes, sparsity, parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from ..containers.delays import DelayLinear
from ..fields import SpatialReceptiveField2d
from .activity import spiking_layers


class Cost(NamedTuple):
    """Of one inference, the mean over samples; an inference is a whole recording."""

    parameters: int
    bytes: int
    """Of parameters and buffers."""
    dense: float
    """Multiplications of inputs by weights if none were skipped."""
    effective_acs: float
    """Those of spikes (-1, 0, 1) by weights, neither being zero: additions."""
    effective_macs: float
    """Those of other inputs."""
    spikes: float
    """Of all neurons."""
    activation_sparsity: float
    """Share of outputs of spiking neurons that are zero."""


@torch.no_grad()
def cost(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Cost:
    """The cost of the network on these recordings. Yik et al., "The NeuroBench framework for benchmarking neuromorphic
    computing algorithms and systems" (2025): synaptic operations are counted at connection layers (linear, convolution,
    recurrent), without biases; normalisation is no connection.

    >>> from eventsnn.train.network import build
    >>> net = build(["linear 4 bias=False", "LIFBox"], (3,), 2)
    >>> found = cost(net, [(torch.tensor([[[1.0, 0.0, 0.0]]] * 5), torch.tensor([0]))])
    >>> found.parameters, found.dense, found.effective_acs, found.effective_macs
    (12, 60.0, 20.0, 0.0)
    """
    net.eval()
    sums = {"dense": 0.0, "acs": 0.0, "macs": 0.0, "spikes": 0.0, "outputs": 0.0}

    def connection(module: Any, inputs: Any, output: Any) -> None:
        for x, product in _products(module, inputs[0], output):
            kind = "acs" if bool(((x == 0) | (x.abs() == 1)).all()) else "macs"
            sums[kind] += product((x != 0).float(), False).sum().item()
            sums["dense"] += product(torch.ones_like(x, dtype=torch.float32), True).sum().item()

    def neuron(module: Any, inputs: Any, output: Any) -> None:
        sums["spikes"] += output[0].float().sum().item()
        sums["outputs"] += output[0].numel()

    hooks = [module.register_forward_hook(connection) for module in net.modules()]
    hooks += [module.register_forward_hook(neuron) for _, module in spiking_layers(net)]
    samples = 0
    for frames, labels in batches:
        net(frames)
        samples += len(labels)
    for hook in hooks:
        hook.remove()
    values = [*net.parameters(), *net.buffers()]
    found = [sums[key] / max(samples, 1) for key in ("dense", "acs", "macs", "spikes")]
    return Cost(
        sum(p.numel() for p in net.parameters()),
        sum(v.numel() * v.element_size() for v in values),
        found[0],
        found[1],
        found[2],
        found[3],
        1 - sums["spikes"] / max(sums["outputs"], 1),
    )


def _products(module: Any, x: Tensor, output: Any) -> Any:
    """Inputs of a connection layer, each with what sums the products of a mask of inputs and the weights' mask."""

    def mask(weight: Tensor, dense: bool) -> Tensor:
        return torch.ones_like(weight) if dense else (weight != 0).float()

    if isinstance(module, nn.Linear):
        yield x, lambda m, dense: linear(m, mask(module.weight, dense))
    elif isinstance(module, nn.Conv2d):
        yield x, lambda m, dense: module._conv_forward(m, mask(module.weight, dense), None)
    elif isinstance(module, SpatialReceptiveField2d):
        groups = 1 if module.aggregate else module.in_channels
        yield x.flatten(0, -4), lambda m, dense: conv2d(m, mask(module.weights, dense), groups=groups, **module.conv)
    elif isinstance(module, DelayLinear):
        yield x, lambda m, dense: m.sum((0, 1)) @ mask(module.weight, dense).sum(0)
    elif getattr(module, "input_weights", None) is not None:
        yield x, lambda m, dense: linear(m, mask(module.input_weights, dense))
        if module.recurrent:
            y = output[0]
            before = torch.cat([torch.zeros_like(y[:1]), y[:-1]])
            there = torch.ones_like(module.recurrent_weights)
            there = there if module.autapses else there.fill_diagonal_(0)
            yield before, lambda m, dense: linear(m, mask(module.recurrent_weights, dense) * there)
