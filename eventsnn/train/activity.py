"""What spiking layers do: their rates, silent and saturated neurons, and the penalty that keeps rates in bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from ..forms.modules import Form

SATURATED = 0.95


def spiking_layers(net: nn.Module) -> Iterator[tuple[str, Form]]:
    """Names and layers whose output is spikes.

    >>> from eventsnn.train.network import build
    >>> [name for name, _ in spiking_layers(build(["linear 4", "LIF", "linear classes", "LI"], (3,), 2))]
    ['1']
    """
    for name, module in net.named_modules():
        model: Any = getattr(module, "model", None)
        if isinstance(module, Form) and model is not None and model.feedback.endswith("z"):
            yield name, module


class Rates(NamedTuple):
    """Of one layer: mean spikes per neuron and step, share of neurons that never fire, and of those that fire at 95 %
    of the steps or more."""

    rate: float
    silent: float
    saturated: float


class Activity:
    """Watches the spiking layers of a network while the block lasts.

    With ``penalised`` the rates of each sample are kept with their gradients, for ``penalty``.

    >>> from eventsnn.train.network import build
    >>> net = build(["LIFBox", "flatten", "linear classes", "LI"], (1, 2, 2), 2)
    >>> with Activity(net) as activity:
    ...     _ = net(torch.zeros(5, 3, 1, 2, 2))
    >>> activity.rates()
    {'0': Rates(rate=0.0, silent=1.0, saturated=0.0)}
    """

    def __init__(self, net: nn.Module, *, counted: bool = True, penalised: bool = False) -> None:
        self.counted, self.penalised = counted, penalised
        self.spikes: dict[str, Tensor] = {}
        self.samples: dict[str, int] = {}
        self.by_sample: list[Tensor] = []
        self._layers = list(spiking_layers(net)) if counted or penalised else []
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        self._hooks = [layer.register_forward_hook(self._seer(name)) for name, layer in self._layers]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _seer(self, name: str) -> Any:
        def see(module: nn.Module, inputs: Any, output: Any) -> None:
            z = output[0]
            if self.penalised:
                self.by_sample.append(z.movedim(1, 0).flatten(1).mean(1, dtype=torch.float32))
            if self.counted:
                count = z.detach().flatten(0, 1).sum(0, dtype=torch.float32)
                self.spikes[name] = self.spikes[name] + count if name in self.spikes else count
                self.samples[name] = self.samples.get(name, 0) + z.shape[0] * z.shape[1]

        return see

    def penalty(self, low: float, high: float) -> Tensor:
        """Mean over layers and samples of the squared distance of a sample's rate from ``low``..``high``."""
        rates = torch.stack(self.by_sample)
        return ((low - rates).relu() ** 2 + (rates - high).relu() ** 2).mean()

    def rates(self) -> dict[str, Rates]:
        """The rates of each layer by its name."""
        found = {}
        for name, count in self.spikes.items():
            rate = count / self.samples[name]
            values = torch.stack([rate.mean(), (count == 0).float().mean(), (rate >= SATURATED).float().mean()])
            found[name] = Rates(*(round(value, 6) for value in values.tolist()))
        return found


def complaints(
    rates: dict[str, Rates], gradients: dict[str, float], names: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """What is wrong with which layer, ``(layer, message)``: silent, saturated, or without gradient."""
    for key, (_, silent, saturated) in rates.items():
        layer = names.get(key, key)
        if silent > 0.95:
            yield layer, f"{silent:.0%} of its neurons are silent: let more current in (norm before it, lower v_th)"
        if saturated > 0.5:
            yield layer, f"{saturated:.0%} of its neurons fire at nearly every step: set rate_weight, or raise v_th"
    for key, norm in gradients.items():
        if norm == 0:
            yield (
                names.get(key, key),
                "no gradient reaches it: a layer behind it is silent, or its surrogate too narrow",
            )
