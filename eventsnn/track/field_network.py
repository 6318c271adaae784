"""A network of spatio-temporal receptive fields that says where an object is.

    average pool 2, convolution, neurons | average pool 2, convolution, neurons | convolution | mean over temporal
    channels | leaky integrator | dsnt

The convolutions are shared by temporal channels, which differ in the time constants of their neurons. Pedersen,
Singhal, Conradt 2023, doi 10.1145/3584954.3584996; Pedersen, Conradt, Lindeberg 2025, doi 10.1038/s41467-025-63493-0.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from eventsnn.fields import spatial_receptive_fields_with_derivatives
from eventsnn.neurons import li_box, lif_box
from eventsnn.scan import scan

from .dsnt import dsnt

SIZES = (9, 7, 5)
MAPS = 3
STRIDE = 4


@dataclass(frozen=True)
class NetworkConfig:
    """Times in frames. Raises ValueError for what does not go together."""

    neuron: Literal["lif", "li", "relu"] = "lif"
    """Leaky integrate-and-fire; leaky integrator with rectified output; or rectified without memory."""
    init: Literal["rf", "rf-mixed", "uniform"] = "rf"
    """Kernels at the start: receptive fields, as published; those with random signs; or uniform, time constants too."""
    gain: Literal["dc", "unit"] = "dc"
    """What a neuron makes of its input x: v += (x - v) / tau, or v += x - v / tau."""
    threshold: float = 0.1
    alpha: float = 10.0
    """Steepness of the surrogate gradient, 1 / (1 + alpha |u|)^2."""
    taus: tuple[float, ...] = (5.5, 22.0, 44.0)
    """Time constants of the temporal channels."""
    output_tau: float = 5.5
    scales: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    """Variances of the receptive fields [cells^2]; seven fields each. The windows of 9, 7 and 5 cells hold these."""
    stacked: int = 1
    """Consecutive frames that are the input of a step."""
    mixing: Literal["mean", "learned", "own"] = "mean"
    """Temporal channels share all weights and become their mean; or have own weights behind them, or in all layers."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.taus or min(*self.taus, self.output_tau) <= 1:
            raise ValueError(f"time constants must be longer than a frame, got {self.taus} and {self.output_tau}")
        if self.stacked < 1 or not self.scales or min(self.scales) <= 0:
            raise ValueError(f"stacked must be at least 1, scales positive, got {self.stacked} and {self.scales}")

    @property
    def channels(self) -> int:
        return 7 * len(self.scales)

    @property
    def temporal(self) -> int:
        """Temporal channels."""
        return 1 if self.neuron == "relu" else len(self.taus)


def receptive_fields(scales: tuple[float, ...], size: int) -> Tensor:
    """Kernels ``[7 * scales, size, size]``: for each scale a Gaussian, its two derivatives, and derivatives across
    elongated Gaussians of ratio 1.5 at four angles.

    >>> receptive_fields((1.0, 3.0), 9).shape
    torch.Size([14, 9, 9])
    """
    rows = []
    for scale in scales:
        rows += [(scale, 0.0, 1.0, 0.0, 0.0, *order) for order in ((0, 0), (1, 0), (0, 1))]
        rows += [(scale, k * math.pi / 4, math.sqrt(1.5), 0.0, 0.0, 0, 1) for k in range(4)]
    return spatial_receptive_fields_with_derivatives(torch.tensor(rows), size)


def initial_weights(config: NetworkConfig) -> list[Tensor]:
    """Weights ``[out, in, size, size]`` of the three convolutions."""
    draw = torch.Generator().manual_seed(config.seed)
    n, own, behind = config.channels, config.mixing == "own", config.mixing != "mean"
    m = n * config.temporal if own else n
    weights = []
    for layer, (out, into, size) in enumerate(zip((m, m, MAPS), (2 * config.stacked, n, n), SIZES, strict=True)):
        shape = (out, into, size, size)
        if config.init == "uniform":
            bound = 1 / math.sqrt(into * size * size)
            weights.append((2 * torch.rand(shape, generator=draw) - 1) * bound)
            continue
        kernels = receptive_fields(config.scales, size)
        first = kernels.repeat(out // n if layer == 0 else 1, 1, 1)
        weight = first[:, None].expand(shape) if layer == 0 else kernels[None].expand(shape)
        if layer and config.init == "rf-mixed":
            weight = weight * (2.0 * torch.randint(2, (out, into, 1, 1), generator=draw) - 1)
        weights.append(weight.clone())
    groups = config.temporal if behind else 1
    weights[2] = weights[2].repeat(1, groups, 1, 1) / groups
    return weights


def initial_taus(config: NetworkConfig) -> Tensor:
    """Time constants ``[2, channels]`` of the two layers of neurons [frames]."""
    taus = torch.tensor(config.taus).expand(2, -1).clone()
    if config.init == "uniform" and len(config.taus) > 1:
        draw = torch.Generator().manual_seed(config.seed + 1)
        low, high = min(config.taus), max(config.taus)
        taus = low + (high - low) * torch.rand(taus.shape, generator=draw)
    return taus


class Answer(NamedTuple):
    """What the network says of frames [T, B]: ``centre`` [T, B, 2] in [-1, 1], its ``spread`` [T, B], the ``size``
    [T, B, 2] in px, the distribution ``probability`` [T, B, H / 4, W / 4], and ``activity``: of each layer of neurons
    the mean output [temporal channels]."""

    centre: Tensor
    spread: Tensor
    size: Tensor
    probability: Tensor
    activity: list[Tensor]


class NetworkState(NamedTuple):
    """The last frames of stacked input, and voltages of the neurons and of the integrator behind them."""

    frames: Tensor
    v: tuple[Tensor | None, ...]
    out: Tensor


class FieldNetwork(nn.Module):
    """``forward(frames [T, B, 2, H, W], state=None) -> (Answer, NetworkState)``, H and W multiples of 4.

    ``gains`` [2, temporal channels] multiply what goes into the neurons, ``map_gain`` the maps; ``calibrate`` sets
    them.

    >>> net = FieldNetwork(NetworkConfig(scales=(1.0,), taus=(4.0, 16.0)))
    >>> answer, state = net(torch.zeros(5, 3, 2, 16, 24))
    >>> answer.centre.shape, answer.probability.shape
    (torch.Size([5, 3, 2]), torch.Size([5, 3, 4, 6]))
    """

    is_stateful = True

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        self.weights = nn.ParameterList(initial_weights(self.config))
        taus = initial_taus(self.config)
        self.log_taus = nn.Parameter(taus.log()) if self.config.neuron != "relu" else None
        self.log_output_tau = nn.Parameter(torch.tensor(math.log(self.config.output_tau)))
        self.register_buffer("gains", torch.ones(2, len(self.config.taus) if self.log_taus is not None else 1))

        self.register_buffer("map_gain", torch.ones(()))

    gains: Tensor
    map_gain: Tensor

    def forward(self, frames: Tensor, state: NetworkState | None = None) -> tuple[Answer, NetworkState]:
        if frames.ndim != 5 or frames.shape[2] != 2 or frames.shape[3] % STRIDE or frames.shape[4] % STRIDE:
            raise ValueError(
                f"frames must have the shape [T, B, 2, H, W], H and W multiples of {STRIDE}, got {tuple(frames.shape)}"
            )
        state = self._start(frames) if state is None else state
        x, kept = self._stack(frames, state.frames)
        voltages, activity = [], []
        for layer in range(2):
            x, v = self.neurons(layer, self.drive(layer, x), state.v[layer])
            voltages.append(v)
            activity.append(x.mean((0, 1, 3, 4, 5)))
        maps, out = self.maps(x, state.out)
        centre, spread, probability = dsnt(maps[:, :, 0])
        logs = (maps[:, :, 1:] * probability[:, :, None]).sum((-2, -1))
        size = 2 * STRIDE * logs.clamp(-5, 5).exp()
        return Answer(centre, spread, size, probability, activity), NetworkState(kept, tuple(voltages), out)

    def drive(self, layer: int, x: Tensor) -> Tensor:
        """What goes into a layer's neurons, ``[T, B, temporal channels, C, H, W]``."""
        pooled = x.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2)).mean((-3, -1))
        own = self.config.temporal if self.config.mixing == "own" else 0
        return _convolve(pooled, self.weights[layer], own) * self.gains[layer].reshape(-1, 1, 1, 1)

    def neurons(self, layer: int, drive: Tensor, v: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Output over time of a layer's neurons, and their last voltage."""
        if self.log_taus is None:
            return drive.relu(), None
        rate = (-self.log_taus[layer]).exp().clamp(max=1.0).reshape(-1, 1, 1, 1)
        if self.config.gain == "unit":
            drive = drive / rate
        v = torch.zeros_like(drive[0]) if v is None else v
        zero = torch.zeros_like(rate[0])
        if self.config.neuron == "li":
            p = li_box.LIBoxParameters(tau_mem_inv=rate, v_leak=zero)
            y, state = scan(functools.partial(li_box.step, dt=1.0), drive, li_box.LIBoxState(v=v), p)
            return y.relu(), state.v
        q = lif_box.LIFBoxParameters(
            tau_mem_inv=rate, v_leak=zero, v_th=zero + self.config.threshold, v_reset=zero, alpha=self.config.alpha
        )
        z, fired = scan(functools.partial(lif_box.step, dt=1.0), drive, lif_box.LIFBoxFeedForwardState(v=v), q)
        return z, fired.v

    def maps(self, x: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """The maps ``[T, B, 3, H / 4, W / 4]`` of what the neurons say, and the integrator's last voltage."""
        if self.config.mixing != "mean":
            x = x.flatten(2, 3)[:, :, None]
        rate = (-self.log_output_tau).exp().clamp(max=1.0)
        maps, state = scan(
            functools.partial(li_box.step, dt=1.0),
            _convolve(x, self.weights[2]).mean(2) * self.map_gain,
            li_box.LIBoxState(v=out),
            li_box.LIBoxParameters(tau_mem_inv=rate, v_leak=torch.zeros_like(rate)),
        )
        return maps, state.v

    def _start(self, frames: Tensor) -> NetworkState:
        _, batch, _, height, width = frames.shape
        before = frames.new_zeros(self.config.stacked - 1, batch, 2, height, width)
        return NetworkState(before, (None, None), frames.new_zeros(batch, MAPS, height // STRIDE, width // STRIDE))

    def _stack(self, frames: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Each frame with those before it as channels, ``[T, B, 1, 2 * stacked, H, W]``."""
        n, steps = self.config.stacked, len(frames)
        if n == 1:
            return frames[:, :, None], before
        every = torch.cat([before, frames])
        return torch.cat([every[k : k + steps] for k in range(n)], 2)[:, :, None], every[steps:]


def _convolve(x: Tensor, weight: Tensor, own: int = 0) -> Tensor:
    """All steps, samples and temporal channels at once: ``[T, B, K, C, H, W] -> [T, B, K, out, H, W]``; with as many
    ``own`` temporal channels as there are, each has weights of its own."""
    if not own:
        return conv2d(x.flatten(0, 2), weight, padding="same").float().unflatten(0, x.shape[:3])
    x = x.flatten(2, 3)
    y = conv2d(x.flatten(0, 1), weight, padding="same", groups=x.shape[2] // weight.shape[1])
    return y.float().unflatten(0, x.shape[:2]).unflatten(2, (own, -1))
