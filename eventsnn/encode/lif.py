"""Values as the spikes of a leaky integrate-and-fire neuron that they drive."""

from __future__ import annotations

import functools
from typing import Any

from torch import Tensor

from ..forms.build import check_parameters
from ..forms.operands import Matrices, positive_time
from ..forms.run import Rule, run
from ..neurons import lif
from ..neurons.lif import LIFParameters
from ..neurons.lif_box import LIFBoxFeedForwardState as Membrane
from .arguments import count, floating
from .current import LIF, membrane_step
from .latency import spike_latency_encode
from .module import module_of


def constant_current_lif_encode(
    input_current: Tensor,
    seq_length: int,
    p: LIFParameters = LIF,
    dt: float = 0.001,
    *,
    initial_voltage: float | Tensor = 0.0,
) -> Tensor:
    """A constant current I as the regular spikes of a LIF membrane, `[T, *S]` for currents of any shape S.

    `v' = v + (dt / tau_mem) ((v_leak - v) + I)`; `v' > v_th`: spike, `v <- v_reset`. There is no synaptic current, and
    v starts at initial_voltage (with biological parameters pass v_leak). By default it fires iff I > 1. The surrogate
    gradient of `p.method` reaches I. dt in seconds. Raises ValueError for a negative seq_length and for dt <= 0.

    >>> import torch
    >>> constant_current_lif_encode(torch.tensor(2.0), 20).nonzero().flatten().tolist()
    [6, 13]
    """
    x = floating(input_current, "constant_current_lif_encode")
    rule = Rule(
        "constant_current_lif_encode",
        functools.partial(membrane_step, dt=positive_time(dt)),
        lambda _: Membrane(v=initial_voltage),  # type: ignore[arg-type]
    )
    steps: Any = x.expand(count("seq_length", seq_length), *x.shape)
    return run(rule, steps, None, check_parameters(lif.MODEL, p), Matrices(), over_time=True)[0]


def spike_latency_lif_encode(
    input_current: Tensor,
    seq_length: int,
    p: LIFParameters = LIF,
    dt: float = 0.001,
    *,
    initial_voltage: float | Tensor = 0.0,
) -> Tensor:
    """A constant current as the time of the first spike of `constant_current_lif_encode`, `[T, *S]`: stronger is
    earlier.

    The neuron goes on integrating and resetting unseen. `first_spike_decode` gives the times.

    >>> import torch
    >>> spike_latency_lif_encode(torch.tensor([1.0, 2.0, 16.0]), 20).sum(0).tolist()
    [0.0, 1.0, 1.0]
    """
    x = floating(input_current, "spike_latency_lif_encode")
    return spike_latency_encode(constant_current_lif_encode(x, seq_length, p, dt, initial_voltage=initial_voltage))


ConstantCurrentLIFEncoder = module_of("ConstantCurrentLIFEncoder", constant_current_lif_encode)
SpikeLatencyLIFEncoder = module_of("SpikeLatencyLIFEncoder", spike_latency_lif_encode)
