"""Networks from words: a word a layer, each a builder in the table below or a neuron of ``eventsnn.forms``.

| word | layer |
|---|---|
| conv C [size=3] [stride=] [padding=] [groups=] [bias=] | convolution of all steps at once |
| norm | batch norm over all steps |
| pool [size=2] / maxpool [size=2] | mean or largest of so many by so many |
| fields [scales=] [temporal=] [orders=] [size=13] [learnable=] | receptive fields in space; with temporal in time |
| flatten / dropout P | |
| linear N [bias=] | N a number, classes, or votes (ten a class) |
| delays N [max_delay=25] [bias=] | linear with learned delays |
| LIFBox, LIF, LSNN, LI, ... [parameter=] [learn=] | a neuron; parameters as in ``eventsnn.neurons``, dt = 1 ms |
| LSNNRecurrent N, ... | with weights and recurrent weights |

Layers before a norm have no bias unless they are told to: the norm takes it away again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from .. import forms
from ..containers.delays import DelayLinear
from ..containers.stateful import call
from ..fields import SpatialReceptiveField2d, SpatioTemporalReceptiveField2d, derivative_orders, spatial_parameters
from .convolve import Conv2d
from .layout import MeanPool2d, Network
from .norm import Norm1d, Norm2d
from .words import parse, unknown

VOTES = 10


class Place(NamedTuple):
    """Where a layer goes: the shape of its input after time and batch, and what is known of the whole."""

    shape: tuple[int, ...]
    classes: int
    surrogate: str
    alpha: float


def conv(
    at: Place, channels: int, size: int = 3, stride: int = 1, padding: int | None = None, **more: Any
) -> nn.Module:
    return Conv2d(at.shape[0], channels, size, stride, size // 2 if padding is None else padding, **more)


def norm(at: Place) -> nn.Module:
    return Norm2d(at.shape[0]) if len(at.shape) == 3 else Norm1d(at.shape[0])


def fields(
    at: Place,
    scales: Sequence[float] = (1.0, 2.0),
    temporal: Sequence[float] = (),
    orders: int = 1,
    size: int = 13,
    learnable: bool = True,
) -> nn.Module:
    rows = spatial_parameters([float(s) for s in scales], [0.0], [1.0], derivative_orders(orders))
    if temporal:
        return SpatioTemporalReceptiveField2d(
            at.shape[0], size, rows, temporal, padding=size // 2, learnable=learnable, optimize_fields=learnable
        )
    return SpatialReceptiveField2d(at.shape[0], size, rows, padding=size // 2, optimize_fields=learnable)


def width(at: Place, outputs: int | str) -> int:
    """A number, or the word classes or votes."""
    known = {"classes": at.classes, "votes": VOTES * at.classes}
    if isinstance(outputs, int) and outputs > 0:
        return outputs
    if outputs not in known:
        raise ValueError(f"outputs must be a number, classes or votes, got {outputs!r}")
    return known[str(outputs)]


def linear(at: Place, outputs: int | str, bias: bool = True) -> nn.Module:
    return nn.Linear(at.shape[-1], width(at, outputs), bias)


def delays(at: Place, outputs: int | str, max_delay: int = 25, bias: bool = True) -> nn.Module:
    return DelayLinear(at.shape[-1], width(at, outputs), max_delay, bias)


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "conv": conv,
    "norm": norm,
    "pool": lambda at, size=2: MeanPool2d(size),
    "maxpool": lambda at, size=2: nn.MaxPool2d(size),
    "fields": fields,
    "flatten": lambda at: nn.Flatten(2),
    "dropout": lambda at, p: nn.Dropout(p),
    "linear": linear,
    "delays": delays,
}
BIASED = ("conv", "linear", "delays")


def _is_layer(kind: Any) -> bool:
    model = getattr(kind, "model", None)
    return model is not None and kind.over_time and not (model.presets or model.coupled)


NEURONS = [name for name in forms.__all__ if _is_layer(getattr(forms, name))]


def neuron(name: str, at: Place, *sizes: Any, learn: Any = (), **values: Any) -> nn.Module:
    """A neuron by the name of its layer; its surrogate is that of the recipe where the parameters do not tell it."""
    kind = getattr(forms, name)
    names = kind.model.parameters._fields
    for key in values:
        if key not in names and key not in kind.__signature__.parameters:
            raise unknown(f"parameter of {name}", key, names)
    spike = {"method": at.surrogate, "alpha": at.alpha} if "method" in names else {}
    p = kind.model.parameters(**(spike | {key: value for key, value in values.items() if key in names}))
    options = {key: value for key, value in values.items() if key not in names}
    shape = [at.shape[-1], *(width(at, size) for size in sizes)] if kind.recurrent or sizes else []
    learn = (learn,) if isinstance(learn, str) else learn
    layer = kind(*shape, p=p, learnable=learn, **options)
    if kind.recurrent:
        scale_weights(layer)
    return layer


def scale_weights(layer: Any) -> None:
    """Draw the weights so that currents do not grow with the number of inputs: He et al. (2015) and orthogonal; the
    diagonal is left out where no neuron excites itself."""
    nn.init.kaiming_uniform_(layer.input_weights, a=math.sqrt(5))
    nn.init.orthogonal_(layer.recurrent_weights, 0.5)
    if not layer.autapses:
        with torch.no_grad():
            layer.recurrent_weights.fill_diagonal_(0)


def build(
    layers: Sequence[str], shape: Sequence[int], classes: int, surrogate: str = "atan", alpha: float = 2.0
) -> Network:
    """The network of these words for samples of ``shape`` a step, ``(C, H, W)`` or ``(channels,)``.

    Raises ValueError, which tells the layer, for a word that does not exist or does not fit.

    >>> net = build(["conv 4", "LIFBox", "pool", "flatten", "linear classes", "LI"], (2, 8, 8), 3)
    >>> net(torch.zeros(5, 1, 2, 8, 8))[0].shape
    torch.Size([5, 1, 3])
    """
    if not layers:
        raise ValueError("the network has no layers")
    modules, x = [], torch.zeros(1, 1, *shape)
    for number, text in enumerate(layers, 1):
        word, next_name = parse(text), "".join(layers[number : number + 1]).partition(" ")[0]
        if word.name not in LAYERS and word.name not in NEURONS:
            raise unknown(f"layer (number {number})", word.name, [*LAYERS, *NEURONS])
        at = Place(tuple(x.shape[2:]), classes, surrogate, alpha)
        try:
            if word.name in LAYERS:
                plain = {"bias": False} if next_name == "norm" and word.name in BIASED else {}
                module = LAYERS[word.name](at, *word.values, **plain | word.options)
            else:
                module = neuron(word.name, at, *word.values, **word.options)
            with torch.no_grad():
                x = call(module.eval(), x)[0]
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            raise ValueError(f"layer {number} ({text!r}) on an input of shape {at.shape}: {error}") from None
        modules.append(module.train())
    return Network(*modules)


def describe(net: nn.Sequential, layers: Sequence[str]) -> dict[str, str]:
    """The words of a network's children by their names, as messages name them: ``{"1": "2 LIFBox"}``."""
    return {
        name: f"{k} {parse(text).name}"
        for k, ((name, _), text) in enumerate(zip(net.named_children(), layers, strict=True), 1)
    }
