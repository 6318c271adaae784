"""Batch norms taken into the layers before them, for what has no batch norm."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from ..containers import SequentialState


def without_norms(net: SequentialState) -> SequentialState:
    """The network in evaluation mode, with each batch norm multiplied into the convolution or linear layer before it.

    Outputs are the same up to rounding. Raises ValueError for a batch norm elsewhere.

    >>> import torch
    >>> from eventsnn.train.network import build
    >>> net = build(["conv 4", "norm", "LIFBox"], (2, 8, 8), 3).eval()
    >>> [type(layer).__name__ for layer in without_norms(net)]
    ['Conv2d', 'LIFBox']
    """
    modules: list[nn.Module] = []
    for module in net.eval():
        if not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            modules.append(module)
        elif modules and isinstance(modules[-1], nn.Conv2d):
            modules[-1] = fuse_conv_bn_eval(modules[-1], module)
        elif modules and isinstance(modules[-1], nn.Linear):
            modules[-1] = fuse_linear_bn_eval(modules[-1], module)
        else:
            raise ValueError(f"{module} follows no convolution or linear layer, so it cannot be taken into one")
    return SequentialState(*modules).eval()
