"""What becomes of events between the pixel and the file: thinning, refractory pixels, a cap on their number."""

from __future__ import annotations

import torch
from torch import Tensor


def rested(pixel: Tensor, t: Tensor, refractory_us: int) -> Tensor:
    """Which events ``[n]`` a pixel that rests after each event lets through; events in any order.

    An event is dropped if it comes sooner than ``refractory_us`` after the last one of its pixel that was kept. The
    kept ones are those that can be reached from the first by going from each to the next one late enough; the ways are
    doubled in length until all are found, so that there is no loop over events.

    >>> rested(torch.zeros(5, dtype=torch.int64), torch.tensor([0, 4, 6, 10, 11]), 5).tolist()
    [True, False, True, False, True]
    """
    n = len(t)
    if not n or refractory_us <= 0:
        return torch.ones(n, dtype=torch.bool, device=t.device)
    first = t.min()
    span = int(t.max() - first) + refractory_us + 1
    key, order = (pixel * span + (t - first)).sort(stable=True)
    follower = torch.searchsorted(key, key + refractory_us)
    jump = torch.cat([follower, follower.new_tensor([n])])
    kept = torch.zeros(n + 1, dtype=torch.bool, device=t.device)
    kept[0] = True
    for _ in range(max(1, n.bit_length())):
        kept[jump[kept]] = True
        jump = jump[jump]
    out = torch.empty(n, dtype=torch.bool, device=t.device)
    out[order] = kept[:n]
    return out


def ranks(group: Tensor) -> Tensor:
    """The number of earlier members of the same group ``[n]``, in the order given.

    >>> ranks(torch.tensor([7, 3, 7, 7, 3])).tolist()
    [0, 0, 1, 2, 1]
    """
    ordered, order = group.sort(stable=True)
    place = torch.arange(len(group), device=group.device)
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    out = torch.empty_like(place)
    out[order] = place - torch.where(fresh, place, 0).cummax(0).values if len(group) else place
    return out
