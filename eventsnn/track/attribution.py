"""Which events belong to which target, and where in the target's box they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.jit import compiled

Array = NDArray[Any]
BINS = 128


@dataclass(frozen=True)
class Shares:
    """What the events say of n targets.

    ``events [n]`` counts a target's own, ``clear [n]`` those of them that lie in no other target of its crowd; of these
    are the mean offsets ``mean [n, 2]`` from the predicted place and the 5 % and 95 % quantiles ``low``, ``high``.
    """

    events: Array
    clear: Array
    mean: Array
    low: Array
    high: Array


def attribute(
    x: Any, y: Any, age: Any, state: Array, half: Array, reach: Array, here: Array, crowd: Array, gate: Array
) -> Shares:
    """Give each event, at its own time, to the target it is nearest to in units of its size, if within its reach.

    ``x, y [m]`` in px and ``age [m]`` in windows are NumPy arrays or torch tensors on any device; ``state [n, 4]``,
    ``half``, ``reach`` and ``gate [n, 2]``, ``here [n]`` and ``crowd [n, n]`` describe the targets.
    """
    n = len(state)
    events, clear = np.zeros(n, np.int64), np.zeros(n, np.int64)
    total, counts = np.zeros((n, 2)), np.zeros((n, 2, BINS), np.int64)
    if n and len(x):
        if isinstance(x, torch.Tensor):
            events, clear, total, counts = _on_device(x, y, age, state, half, reach, here, crowd, gate)
        else:
            _on_cpu(x, y, age, state, half, reach, here, crowd, gate, events, clear, total, counts)
    low, high = np.zeros((n, 2)), np.zeros((n, 2))
    for share, place in ((0.05, low), (0.95, high)):
        _quantile(counts, clear, share, reach, place)
    return Shares(events, clear, total / np.maximum(clear, 1)[:, None], low, high)


@compiled
def _on_cpu(
    x: Any,
    y: Any,
    age: Any,
    state: Any,
    half: Any,
    reach: Any,
    here: Any,
    crowd: Any,
    gate: Any,
    events: Any,
    clear: Any,
    total: Any,
    counts: Any,
) -> None:
    n, bins = len(state), counts.shape[2]
    for i in range(len(x)):
        owner, least = -1, np.inf
        for k in range(n):
            dx = x[i] - (state[k, 0] - state[k, 2] * age[i])
            dy = y[i] - (state[k, 1] - state[k, 3] * age[i])
            if here[k] and abs(dx) < reach[k, 0] and abs(dy) < reach[k, 1]:
                apart = (dx / half[k, 0]) ** 2 + (dy / half[k, 1]) ** 2
                if apart < least:
                    owner, least = k, apart
        if owner < 0:
            continue
        events[owner] += 1
        alone = True
        for k in range(n):
            if crowd[owner, k]:
                dx = x[i] - (state[k, 0] - state[k, 2] * age[i])
                dy = y[i] - (state[k, 1] - state[k, 3] * age[i])
                alone = alone and not (abs(dx) <= gate[k, 0] and abs(dy) <= gate[k, 1])
        if alone:
            clear[owner] += 1
            dx = x[i] - (state[owner, 0] - state[owner, 2] * age[i])
            dy = y[i] - (state[owner, 1] - state[owner, 3] * age[i])
            total[owner, 0] += dx
            total[owner, 1] += dy
            counts[owner, 0, int((dx / reach[owner, 0] + 1) / 2 * bins)] += 1
            counts[owner, 1, int((dy / reach[owner, 1] + 1) / 2 * bins)] += 1


def _on_device(
    x: torch.Tensor, y: torch.Tensor, age: torch.Tensor, *targets: Array
) -> tuple[Array, Array, Array, Array]:
    n = len(targets[0])
    packed = np.concatenate([part.reshape(n, -1) for part in targets], 1)
    columns = torch.from_numpy(packed).to(x.device).T[:, :, None]
    px, py, vx, vy, half_x, half_y, reach_x, reach_y, here = columns[:9]
    crowd, (gate_x, gate_y) = columns[9 : 9 + n, :, 0].T, columns[9 + n :]
    dx, dy = x - (px - vx * age), y - (py - vy * age)  # [n, m]
    inside = (dx.abs() < reach_x) & (dy.abs() < reach_y) & (here > 0)
    apart = torch.where(inside, (dx / half_x) ** 2 + (dy / half_y) ** 2, torch.inf)
    least, owner = apart.min(0)
    mine = torch.isfinite(least)
    gated = ((dx.abs() <= gate_x) & (dy.abs() <= gate_y)).to(crowd)
    alone = mine & ((crowd[owner].T * gated).sum(0) == 0)
    own_x, own_y = dx.gather(0, owner[None])[0], dy.gather(0, owner[None])[0]
    at_x = ((own_x / reach_x[owner, 0] + 1) / 2 * BINS).nan_to_num(0).clamp(0, BINS - 1).long()
    at_y = ((own_y / reach_y[owner, 0] + 1) / 2 * BINS).nan_to_num(0).clamp(0, BINS - 1).long()
    result = torch.zeros(n, 4 + 2 * BINS, dtype=torch.float64, device=x.device)
    flat, row = result.view(-1), owner * result.shape[1]
    for column, value in ((0, mine.double()), (1, alone.double()), (2, own_x * alone), (3, own_y * alone)):
        flat.scatter_add_(0, row + column, value)
    flat.scatter_add_(0, row + 4 + at_x, alone.double())
    flat.scatter_add_(0, row + 4 + BINS + at_y, alone.double())
    found = result.cpu().numpy()
    return found[:, 0].astype(int), found[:, 1].astype(int), found[:, 2:4], found[:, 4:].reshape(n, 2, BINS)


@compiled
def _quantile(counts: Any, total: Any, share: float, reach: Any, place: Any) -> None:
    """Where a share of the counts ``[n, 2, BINS]`` over -reach..reach lies below, into ``place [n, 2]``."""
    bins = counts.shape[2]
    for k in range(len(counts)):
        wanted = share * max(total[k], 1)
        for axis in range(2):
            at, below = 0, 0
            while at < bins - 1 and below + counts[k, axis, at] < wanted:
                below += counts[k, axis, at]
                at += 1
            within = min(max((wanted - below) / max(counts[k, axis, at], 1), 0.0), 1.0)
            place[k, axis] = ((at + within) / bins * 2 - 1) * reach[k, axis]
