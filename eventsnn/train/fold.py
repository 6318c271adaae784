"""Networks of plain layers: batch norms taken into the layers before them, receptive fields as convolutions."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval, fuse_linear_bn_weights

from ..containers import SequentialState
from ..containers.delays import DelayLinear
from ..fields import SpatialReceptiveField2d


def without_norms(net: SequentialState) -> SequentialState:
    """The network in evaluation mode, with each batch norm multiplied into the convolution or linear layer before it;
    receptive fields in space are convolutions too.

    Outputs are the same up to rounding. Raises ValueError for a batch norm elsewhere.

    >>> import torch
    >>> from eventsnn.train.network import build
    >>> net = build(["conv 4", "norm", "LIFBox"], (2, 8, 8), 3).eval()
    >>> [type(layer).__name__ for layer in without_norms(net)]
    ['Conv2d', 'LIFBox']
    """
    modules: list[nn.Module] = []
    for module in net.eval():
        if isinstance(module, SpatialReceptiveField2d):
            modules.append(_convolution(module))
        elif not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            modules.append(module)
        elif modules and isinstance(modules[-1], nn.Conv2d):
            modules[-1] = fuse_conv_bn_eval(modules[-1], module)
        elif modules and isinstance(modules[-1], nn.Linear):
            modules[-1] = fuse_linear_bn_eval(modules[-1], module)
        elif modules and isinstance(modules[-1], DelayLinear):
            modules[-1] = _delayed(modules[-1], module)
        else:
            raise ValueError(f"{module} follows no convolution or linear layer, so it cannot be taken into one")
    return SequentialState(*modules).eval()


def _delayed(layer: DelayLinear, norm: Any) -> DelayLinear:
    """Connections with delays, their weights and bias those that a norm behind them leaves."""
    fused, facts = copy.deepcopy(layer), (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    fused.weight, fused.bias = fuse_linear_bn_weights(layer.weight, layer.bias, *facts)
    return fused


def _convolution(fields: SpatialReceptiveField2d) -> nn.Conv2d:
    """Receptive fields with the values they have now, as a convolution that has no parameters of theirs."""
    weight, groups = fields.weights.detach(), 1 if fields.aggregate else fields.in_channels
    conv = nn.Conv2d(fields.in_channels, len(weight), fields.size, groups=groups, bias=False, **fields.conv)
    conv.weight.data = weight.clone()
    if fields.bias is not None:
        conv.bias = nn.Parameter(fields.bias.detach().clone())
    return conv.eval()
