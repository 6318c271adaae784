"""The NIR nodes of modules without state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..containers import LConv2d
from .neurons import Scale, Threshold


def vector(x: Tensor, name: str, lead: int) -> Tensor:
    """x, if it has one axis after the `lead` first ones."""
    if x.ndim != lead + 1:
        raise ValueError(
            f"{name}: NIR's Linear takes a vector, not the shape {tuple(x.shape[lead:])}: flatten it first"
        )
    return x


def array(tensor: Tensor) -> np.ndarray:
    """A copy that NIR may keep."""
    return tensor.detach().cpu().numpy().copy()


def _pair(value: Any) -> np.ndarray:
    return np.array((value, value) if isinstance(value, int) else tuple(value))


def stateless_node(module: Any, name: str, x: Tensor, lead: int) -> tuple[str, dict[str, Any]]:
    """Kind and fields of the node for a module without state; a ValueError names one that NIR cannot express."""
    if isinstance(module, nn.Linear):
        vector(x, name, lead)
        weight = {"weight": array(module.weight)}
        return ("Linear", weight) if module.bias is None else ("Affine", weight | {"bias": array(module.bias)})
    if isinstance(module, (nn.Conv1d, nn.Conv2d, LConv2d)) and getattr(module, "padding_mode", "zeros") == "zeros":
        return _convolution(module, x.shape[lead + 1 :])
    if isinstance(module, nn.AvgPool2d) and not module.ceil_mode and module.count_include_pad:
        kind = {None: "AvgPool2d", 1: "SumPool2d"}.get(module.divisor_override)
        if kind:
            sizes = (module.kernel_size, module.stride, module.padding)
            return kind, dict(zip(("kernel_size", "stride", "padding"), map(_pair, sizes), strict=True))
    if isinstance(module, nn.LPPool2d) and module.norm_type == 1 and not module.ceil_mode:
        stride = module.stride or module.kernel_size
        return "SumPool2d", {"kernel_size": _pair(module.kernel_size), "stride": _pair(stride), "padding": _pair(0)}
    if isinstance(module, nn.Flatten):
        start, end = module.start_dim % x.ndim - lead, module.end_dim % x.ndim - lead
        if start < 0:
            raise ValueError(f"{name}: {module} would flatten time or batch: over time write Flatten(2)")
        return "Flatten", {"input_type": {"input": np.array(x.shape[lead:])}, "start_dim": start, "end_dim": end}
    if isinstance(module, Scale):
        return "Scale", {"scale": array(module.scale.broadcast_to(x.shape[lead:]))}
    if isinstance(module, Threshold):
        return "Threshold", {"threshold": array(module.threshold.broadcast_to(x.shape[lead:]))}
    if isinstance(module, nn.MaxPool2d):
        raise ValueError(f"{name}: NIR cannot express {module} of what is no spikes: put it behind a spiking neuron")
    raise ValueError(f"{name}: NIR cannot express {module}")


def spike_pool(module: nn.MaxPool2d) -> nn.Sequential | None:
    """Whether there is any spike in each window, as NIR can tell it: their sum, and whether it is above a half."""
    size, stride, padding = (getattr(module, key) for key in ("kernel_size", "stride", "padding"))
    if module.ceil_mode or module.return_indices or {module.dilation} - {1, (1, 1)}:
        return None
    return nn.Sequential(nn.AvgPool2d(size, stride, padding, divisor_override=1), Threshold(torch.tensor(0.5)))


def _convolution(module: Any, shape: Sequence[int]) -> tuple[str, dict[str, Any]]:
    flat = isinstance(module, nn.Conv1d)
    bias = getattr(module, "bias", None)
    weight = module.weight[..., 0] if isinstance(module, LConv2d) else module.weight
    sizes = {key: getattr(module, key) for key in ("stride", "padding", "dilation")}
    if flat:
        sizes = {key: value if isinstance(value, str) else value[0] for key, value in sizes.items()}
    return "Conv1d" if flat else "Conv2d", sizes | {
        "input_shape": shape[0] if flat else tuple(shape),
        "weight": array(weight),
        "groups": module.groups,
        "bias": array(weight.new_zeros(len(weight)) if bias is None else bias),
    }
