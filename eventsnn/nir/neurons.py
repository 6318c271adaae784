"""The neuron models that NIR has, there and back.

NIR is in continuous time, the models here step by dt. What a step of the model adds for an input x decides the factors:

| model | step | NIR node | factors |
|---|---|---|---|
| LIF, LI | `i + x` | CubaLIF, CubaLI: `tau_syn di/dt = -i + w_in x` | `w_in = tau_syn / dt`, `r = 1` |
| LIFBox, LIBox | `v + (dt / tau) x` | LIF, LI: `tau dv/dt = v_leak - v + r x` | `r = 1` |
| IAF | `v + x` | IF: `dv/dt = r x` | `r = 1 / dt` |

Other factors in a node become a gain on the input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import forms, neurons
from ..neurons.lif_box import reset_value

EXPORTED = {"LIF": "CubaLIF", "LI": "CubaLI", "LIFBox": "LIF", "LIBox": "LI", "IAF": "IF"}
MODEL_OF = {node: model for model, node in EXPORTED.items()}


class Scale(nn.Module):
    """`x * scale`, element by element; the factors are learnable.

    >>> Scale(torch.tensor([1.0, 2.0]))(torch.ones(3, 2))[0].tolist()
    [1.0, 2.0]
    """

    is_stateful = False

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Threshold(nn.Module):
    """1 where x is above a threshold, else 0.

    >>> Threshold(torch.tensor(0.5))(torch.tensor([0.0, 1.0, 3.0])).tolist()
    [0.0, 1.0, 1.0]
    """

    is_stateful = False
    threshold: Tensor

    def __init__(self, threshold: Tensor) -> None:
        super().__init__()
        self.register_buffer("threshold", threshold.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return (x > self.threshold).to(x.dtype)


def node_fields(module: Any, name: str) -> dict[str, Any]:
    """The fields of the NIR node for a neuron module, in numbers and tensors; a ValueError where there is none."""
    model, p, dt = module.model.name, module.p, module.dt
    if model not in EXPORTED:
        known = ", ".join(EXPORTED)
        raise ValueError(f"{name}: NIR has no node for {type(module).__name__}, only for the models {known}")
    if getattr(p, "reset_method", reset_value) is not reset_value:
        raise ValueError(f"{name}: NIR resets to a value and has no {p.reset_method.__name__}: use reset_value")
    fields: dict[str, Any] = {} if model == "IAF" else {"v_leak": p.v_leak}
    if model in ("LIF", "LIFBox", "IAF"):
        fields |= {"v_threshold": p.v_th, "v_reset": p.v_reset}
    if model == "IAF":
        return fields | {"r": 1 / dt}
    if model in ("LIFBox", "LIBox"):
        return fields | {"tau": 1 / p.tau_mem_inv, "r": 1.0}
    rates = {"tau_syn": 1 / p.tau_syn_inv, "tau_mem": 1 / p.tau_mem_inv}
    return fields | rates | {"r": 1.0, "w_in": 1 / (dt * p.tau_syn_inv)}


def _value(array: Any) -> float | Tensor:
    """One number where all entries are equal, else a tensor."""
    array = np.asarray(array)
    return float(array.flat[0]) if array.size and (array == array.flat[0]).all() else torch.from_numpy(array.copy())


def neuron_of(node: Any, dt: float, over_time: bool) -> list[nn.Module]:
    """The modules for a NIR neuron node: the neuron, with a gain before it where the node has one."""
    model = MODEL_OF[type(node).__name__]
    fields: dict[str, Any] = {}
    gain = np.asarray(node.r, dtype=np.float64)
    if model == "IAF":
        gain = gain * dt
    else:
        fields["v_leak"] = _value(node.v_leak)
        fields["tau_mem_inv"] = _value(1 / np.asarray(getattr(node, "tau_mem", getattr(node, "tau", None))))
    if model in ("LIF", "LI"):
        fields["tau_syn_inv"] = _value(1 / np.asarray(node.tau_syn))
        gain = gain * np.asarray(node.w_in) * dt / np.asarray(node.tau_syn)
    if model in ("LIF", "LIFBox", "IAF"):
        fields |= {"v_th": _value(node.v_threshold), "v_reset": _value(node.v_reset)}
    parameters = getattr(neurons, f"{model}Parameters")(**fields)
    neuron = getattr(forms, model if over_time else f"{model}Cell")(parameters, dt)
    if np.allclose(gain, 1, rtol=1e-6, atol=0):
        return [neuron]
    return [Scale(torch.as_tensor(gain, dtype=torch.get_default_dtype())), neuron]
