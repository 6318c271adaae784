"""What the neurons of a network do before it is trained, and the gains that make them do enough.

A layer that is silent is trained by the tails of its surrogate gradient alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from .field_network import FieldNetwork

QUIET, LOUD = 0.001, 0.5
_LEAST, _MOST, _STEPS = 1e-3, 1e4, 24


@torch.no_grad()
def activity(net: FieldNetwork, frames: Tensor) -> list[list[float]]:
    """Mean output of each layer's neurons, by temporal channel: for spiking neurons, spikes per neuron and frame.

    >>> from eventsnn.track.field_network import NetworkConfig
    >>> activity(FieldNetwork(NetworkConfig(scales=(1.0,), taus=(4.0, 16.0))), torch.zeros(5, 1, 2, 8, 8))
    [[0.0, 0.0], [0.0, 0.0]]
    """
    answer, _ = net(frames)
    return [[round(rate, 6) for rate in layer.tolist()] for layer in answer.activity]


def complaints(net: FieldNetwork, rates: list[list[float]], target: float = 0.05) -> Iterator[str]:
    """What is wrong with which layer and temporal channel of spiking neurons, and what to do."""
    if net.config.neuron != "lif":
        return
    for layer, row in enumerate(rates):
        for channel, rate in enumerate(row):
            if not QUIET <= rate <= LOUD:
                what = "nearly silent" if rate < QUIET else "firing at nearly every step"
                yield (
                    f"layer {layer + 1}, temporal channel {channel + 1} is {what} ({rate:.3%} spikes per neuron and "
                    f"frame): calibrate(net, frames, rate={target:g}) finds the gain that makes it {target:.0%}"
                )


def check(net: FieldNetwork, frames: Tensor) -> list[list[float]]:
    """The activity; a warning for each spiking layer and channel under 0.1 % or over 50 %."""
    rates = activity(net, frames)
    for text in complaints(net, rates):
        warnings.warn(text, stacklevel=2)
    return rates


@torch.no_grad()
def calibrate(
    net: FieldNetwork, frames: Tensor, rate: float = 0.05, std: float = 0.02, maps: float = 0.02
) -> list[list[float]]:
    """Set the gains, layer by layer, so that each temporal channel does as much at the start; returns the gains.

    Spiking neurons get a mean output of ``rate``, others an output of standard deviation ``std``, and the maps a
    standard deviation of ``maps``. The gain is found by halving an interval; the neurons of one channel share theirs.
    Raises ValueError for frames without events, which no gain helps, for a rate outside 0..1, and for other measures
    that are not positive.

    >>> from eventsnn.track.field_network import NetworkConfig
    >>> net = FieldNetwork(NetworkConfig(scales=(1.0,), taus=(4.0, 16.0)))
    >>> frames = (torch.rand(20, 2, 2, 16, 16, generator=torch.manual_seed(0)) < 0.02).float()
    >>> gains = calibrate(net, frames, rate=0.1)
    >>> [[round(r, 1) for r in row] for row in activity(net, frames)]
    [[0.1, 0.1], [0.1, 0.1]]
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate must lie between 0 and 1, got {rate}")
    if min(std, maps) <= 0:
        raise ValueError(f"std and maps must be positive, got {std} and {maps}")
    if not frames.any():
        raise ValueError("frames without events cannot calibrate a network; give frames in which something moves")
    spiking, start = net.config.neuron == "lif", net._start(frames)
    x, _ = net._stack(frames, start.frames)
    for layer in range(2):
        net.gains[layer] = 1.0
        plain = net.drive(layer, x).expand(-1, -1, net.gains.shape[1], -1, -1, -1)
        low, high = (torch.full_like(net.gains[layer], edge).log() for edge in (_LEAST, _MOST))
        for _ in range(_STEPS):
            middle = (low + high) / 2
            output, _ = net.neurons(layer, plain * middle.exp().reshape(-1, 1, 1, 1))
            channels = output.transpose(0, 2).flatten(1)
            less = channels.mean(1) < rate if spiking else channels.std(1) < std
            low, high = torch.where(less, middle, low), torch.where(less, high, middle)
        net.gains[layer] = ((low + high) / 2).exp()
        x, _ = net.neurons(layer, net.drive(layer, x))
    net.map_gain.fill_(1.0)
    net.map_gain.copy_(maps / net.maps(x, start.out)[0][:, :, 0].std())
    return [[round(gain, 4) for gain in row] for row in net.gains.tolist()]
