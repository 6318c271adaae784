"""Two recordings mixed into one: the first inside a cloud in space and time, the second outside it.

    g(u) = sum_k exp(-|(u - m_k) / s_k|^2 / 2),  u = (x, y, t) in the unit cube;  first where g >= c, second where g < c

Shen et al., EventMix: an efficient data augmentation strategy for event-based learning (2022). The threshold c is such
that the first recording keeps a given share of its events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eventsnn.events import Events
from eventsnn.frames.packed import Packed
from eventsnn.structured import from_structured

from .augmentation import Augmentation, check_ratio
from .batch import Batch


def _unit(batch: Batch, sensor: tuple[int, int]) -> Tensor:
    """Place and time of each event in the unit cube ``[n, 3]``."""
    first, last = batch.span
    t = (batch.events.t - first[batch.recording]) / (last - first + 1)[batch.recording]
    return torch.stack([(batch.events.x + 0.5) / sensor[0], (batch.events.y + 0.5) / sensor[1], t], -1)


def _mixed(
    one: Batch, two: Batch, sensor_size: Sequence[int] | None, share: float | tuple[float, float], clouds: int
) -> tuple[Batch, Tensor]:
    """The mixture, which begins when the first did, and the first's part of its events ``[B]``."""
    sensor, shape = one.sensor(sensor_size), (len(one), clouds, 3)
    middle = one.draw(len(one) * clouds * 3).view(shape)
    width = one.draw(len(one) * clouds * 3, 0.1, 0.5).view(shape)

    def density(batch: Batch) -> Tensor:
        u = _unit(batch, sensor)
        away = (((u - middle[batch.recording, k]) / width[batch.recording, k]).square().sum(-1) for k in range(clouds))
        return sum(((-a / 2).exp() for a in away), start=torch.zeros_like(u[:, 0])) / clouds

    inside, outside = density(one), density(two)
    kept = (one.between(share) * one.lengths).round().long()
    stay = one.rank(1 - inside) < kept[one.recording]
    threshold = torch.full_like(kept, 2, dtype=inside.dtype)
    threshold = threshold.scatter_reduce(0, one.recording[stay], inside[stay], "amin")
    shift = (one.span[0] - two.span[0])[two.recording]
    other = two.replaced(t=two.events.t + shift, sensor=sensor).kept(outside < threshold[two.recording])
    mixed = one.replaced(sensor=sensor).kept(stay).joined(other)
    return mixed, kept / mixed.lengths.clamp(min=1)


def _check_mix(share: float | tuple[float, float], clouds: int) -> None:
    check_ratio("share", share)
    if clouds < 1:
        raise ValueError(f"clouds must be at least 1, got {clouds}")


def event_mix(
    packed: Packed,
    sensor_size: Sequence[int] | None = None,
    share: float | tuple[float, float] = (0.0, 1.0),
    clouds: int = 3,
    *,
    generator: torch.Generator | None = None,
) -> tuple[Packed, Tensor, Tensor]:
    """Every recording of a batch mixed with another of it; also the other's number and the first's part of the events.

    Labels mix as ``part * label + (1 - part) * label[other]``; both are ``[B]``. The first keeps ``share`` of its
    events (a range is drawn from); ``clouds`` is the number of Gaussians. Columns of the result are torch, on their
    device. Raises ValueError for a share outside 0..1 or no clouds.

    >>> batch = Packed.join([Events([0, 5], [1, 2], [0, 3], [1, 0], sensor=(4, 4))] * 3)
    >>> mixed, other, part = event_mix(batch, share=1.0)
    >>> len(mixed), sorted(other.tolist()), bool((part > 0.4).all())
    (3, [0, 1, 2], True)
    """
    _check_mix(share, clouds)
    store = packed if isinstance(packed.events.t, torch.Tensor) else packed.to("cpu")
    one = Batch.of(store, generator)
    other = one.draw(len(one)).argsort()
    mixed, part = _mixed(one, Batch.of(store[other], generator), sensor_size, share, clouds)
    return Packed.from_offsets(mixed.events, mixed.offsets), other, part


@dataclass(frozen=True)
class EventMix(Augmentation):
    """Each recording mixed with one drawn from ``others``, as ``event_mix`` mixes those of a batch.

    ``others`` is a ``Packed`` store, or any sequence of Events or record arrays, of recordings of the same sensor.

    >>> one, two = Events([0, 5], [1, 2], [0, 3], [1, 0], sensor=(4, 4)), Events([7], [3], [3], [1], sensor=(4, 4))
    >>> len(EventMix([two], share=1.0)(one)) >= 2
    True
    """

    others: Packed | Sequence[Events | NDArray[np.void]]
    sensor_size: Sequence[int] | None = None
    share: float | tuple[float, float] = (0.5, 1.0)
    clouds: int = 3

    def __post_init__(self) -> None:
        _check_mix(self.share, self.clouds)
        if not len(self.others):
            raise ValueError("others has no recording to mix with")

    def _apply(self, batch: Batch) -> Batch:
        number = batch.draw(len(batch), 0, len(self.others)).long()
        if isinstance(self.others, Packed):
            chosen = self.others[number.to(torch.as_tensor(self.others.begin).device)]
        else:
            drawn = (self.others[i] for i in number.tolist())
            chosen = Packed.join([each if isinstance(each, Events) else from_structured(each) for each in drawn])
        two = Batch.of(chosen.to(batch.offsets.device), batch.generator)
        return _mixed(batch, two, self.sensor_size, self.share, self.clouds)[0]
