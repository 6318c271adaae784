"""Read-outs: from what the last layer gives over time to one number a class, and the losses on these."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..encode import spikes_to_times


def _softmax_sum(v: Tensor) -> Tensor:
    return v.softmax(-1).sum(0)


def _time_to_first_spike(z: Tensor) -> Tensor:
    """Minus the time of the first spike, as a part of all steps; -1 for none."""
    times = spikes_to_times(z, 1, convert_indices_to_times=False)[0]
    return -torch.where(times.isfinite(), times, len(z)) / len(z)


READOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "rate": lambda z: z.mean(0),
    "membrane_max": lambda v: v.amax(0),
    "membrane_mean": lambda v: v.mean(0),
    "softmax_sum": _softmax_sum,
    "ttfs": _time_to_first_spike,
}


def logits(outputs: Tensor, classes: int, readout: str = "membrane_max", gain: float = 1.0) -> Tensor:
    """One number a class, ``[B, classes]`` of outputs ``[T, B, classes k]``: class c has the k from c k, voting.

    | readout | of the last layer | |
    |---|---|---|
    | rate | spikes | their mean; the votes are averaged |
    | membrane_max | voltages | the largest over time |
    | membrane_mean | voltages | the mean over time |
    | softmax_sum | voltages | the softmax of each step, summed; Bittar and Garner (2022) |
    | ttfs | spikes | the earlier the first spike the larger; Mostafa (2017) |

    ``gain`` multiplies them. Raises ValueError for outputs that the classes do not divide.

    >>> logits(torch.tensor([[[0.0, 1.0, 0.0, 0.0]], [[1.0, 1.0, 0.0, 1.0]]]), 2, "rate").tolist()
    [[0.75, 0.25]]
    """
    if outputs.shape[-1] % classes:
        raise ValueError(
            f"the network has {outputs.shape[-1]} outputs, which {classes} classes do not divide; end it with "
            "'linear classes' or 'linear votes'"
        )
    votes = READOUTS[readout](outputs.float())
    return gain * votes.unflatten(-1, (classes, -1)).mean(-1)


def loss(values: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross entropy of the softmax of the numbers ``[B, classes]``."""
    return cross_entropy(values, labels, label_smoothing=label_smoothing)


def over_time(outputs: Tensor, classes: int, readout: str, gain: float = 1.0) -> Tensor:
    """Class probabilities ``[T, B, classes]`` after each step, of the outputs up to it.

    >>> over_time(torch.tensor([[[0.0, 0.0]], [[9.0, 0.0]]]), 2, "membrane_max").argmax(-1).tolist()
    [[0], [0]]
    """
    steps = [logits(outputs[: t + 1], classes, readout, gain).softmax(-1) for t in range(len(outputs))]
    return torch.stack(steps)
