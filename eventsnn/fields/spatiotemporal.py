"""Spatio-temporal receptive fields: the product of space and time, at rest or moving along with what they see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..neurons.li_box import LIBoxState
from ..neurons.state import state_type
from .cache import KernelCache
from .integrators import choose_update, coefficients, integrate, require_temporal_orders, responses
from .parameters import generator
from .scales import stored_scales, time_constants_of
from .spatial import SpatialReceptiveField2d
from .temporal import levels_before, require_dt

LEVELS = -3  # the level axis, between the fields and the image


@state_type
class MovingState(NamedTuple):
    """Levels v (..., n, K, V, H', W') of fields that move, and the number of steps seen, which says where they are."""

    v: Tensor
    step: Any


class SpatioTemporalReceptiveField2d(torch.nn.Module):
    """Spatial fields `rf_parameters` (n, 7) times temporal scales `temporal_scales` (K,), standard deviations in steps.

    x [T, B, C, H, W] -> ([T, B, n K, H', W'], state): every spatial field (slowest) at every temporal scale, the row
    order of `spatio_temporal_parameters`. The convolution runs over all steps at once, then the filters over time;
    `aggregate=False` has C n fields. `mode`, `signal`, `update` and `derivatives` (temporal orders, fastest within a
    scale) are those of `TemporalReceptiveField`; the default signal "events" suits event frames. Further keywords are
    those of `SpatialReceptiveField2d`.

    `velocities` (V, 2), (x, y) in px/s, adapts the fields to motion, the velocity fastest among the channels: before
    step t the state moves along, by whole pixels `round(v dt t) - round(v dt (t - 1))`, zeros coming in. Then the state
    is `MovingState(v, step)`, else `LIBoxState(v)`, v (B, n, K, H', W'). Lindeberg 2021, Normative theory of visual
    receptive fields, Heliyon 7:e05897.

    >>> rows = torch.tensor([[2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]])
    >>> fields = SpatioTemporalReceptiveField2d(2, 11, rows, [2.0, 4.0, 8.0], padding=5)
    >>> y, state = fields(torch.zeros(6, 1, 2, 16, 20))
    >>> y.shape, state.v.shape
    (torch.Size([6, 1, 6, 16, 20]), torch.Size([1, 2, 3, 16, 20]))
    """

    is_stateful = True

    def __init__(
        self,
        in_channels: int,
        size: int,
        rf_parameters: Tensor,
        temporal_scales: Tensor | Sequence[float],
        *,
        mode: str = "parallel",
        signal: str = "events",
        update: str | None = None,
        derivatives: Sequence[int] = (0,),
        velocities: Tensor | Sequence[tuple[float, float]] | None = None,
        dt: float = 0.001,
        aggregate: bool = True,
        learnable: bool = True,
        **spatial: Any,
    ) -> None:
        super().__init__()
        self.update = choose_update(mode, update, signal)
        self.mode, self.signal, self.dt = mode, signal, require_dt(dt)
        self.derivatives = require_temporal_orders(derivatives, mode, self.update)
        self.spatial = SpatialReceptiveField2d(in_channels, size, rf_parameters, aggregate, **spatial)
        scales = generator("temporal_scales", temporal_scales)
        self.n_scales = len(scales)
        self._cache = KernelCache()
        stored = stored_scales(scales, mode, 0).expand(self.spatial.out_channels, -1)[..., None, None].clone()
        if learnable:
            self.log_tau = torch.nn.Parameter(stored)
        else:
            self.register_buffer("log_tau", stored)
        self.routes: list[tuple[float, float]] | None = None  # output pixels a step, (x, y)
        self.out_channels = self.spatial.out_channels * self.n_scales * len(self.derivatives)
        if velocities is not None:
            v = torch.as_tensor(velocities, dtype=torch.float64)
            if v.ndim != 2 or v.shape[1] != 2 or not len(v) or not v.isfinite().all():
                raise ValueError(f"velocities must be finite pairs (x, y) in px/s of shape (V, 2), got {velocities!r}")
            stride = self.spatial.conv["stride"]
            rows, columns = stride if isinstance(stride, tuple) else (stride, stride)
            self.routes = [(x * dt / columns, y * dt / rows) for x, y in v.tolist()]
            self.out_channels *= len(self.routes)

    @property
    def time_constants(self) -> Tensor:
        """mu, the filters' time constants in steps, (n, K, 1, 1)."""
        return time_constants_of(self.log_tau, self.mode)

    def forward(self, x: Tensor, state: Any = None, *, reset: Tensor | None = None) -> tuple[Tensor, Any]:
        """x [T, B, C, H, W] -> ([T, B, out_channels, H', W'], state); where a row of `reset` (T, B) is True the state
        is cleared before that step.
        """
        if x.ndim < 4:
            raise ValueError(f"expected input (T, ..., {self.spatial.in_channels}, H, W), got {tuple(x.shape)}")
        y = self.spatial(x)
        if self.routes is None:
            v = levels_before(y, self.n_scales, LEVELS, state)
            out, v = self._filter(y, v, reset)
            return out.flatten(-4, -3), LIBoxState(v)
        start = 0 if state is None else int(state.step)
        before = [None] * len(self.routes) if state is None else [LIBoxState(v) for v in state.v.unbind(LEVELS)]
        if len(before) != len(self.routes):
            raise ValueError(f"the state holds {len(before)} velocities, this field {len(self.routes)}")
        outputs, ends = [], []
        for route, held in zip(self.routes, before, strict=True):
            v = levels_before(y, self.n_scales, LEVELS, held)
            out, v = self._follow(y, v, reset, route, start)
            outputs.append(out)
            ends.append(v)
        moved = torch.stack(outputs, LEVELS)  # (T, B, n, K, V, H', W')
        return moved.flatten(-5, -3), MovingState(torch.stack(ends, LEVELS), start + len(y))

    def _coefficients(self) -> Tensor:
        return coefficients(self.time_constants, self.mode, self.update, self.signal, LEVELS)

    def _filter(self, y: Tensor, v: Tensor, reset: Tensor | None) -> tuple[Tensor, Tensor]:
        rates = self._cache([self.log_tau], self._coefficients)
        levels, v = integrate(y, v, rates, self.mode, self.update, self.signal, LEVELS, reset)
        facts = (self.mode, self.update, self.signal, self.derivatives, LEVELS)
        out = responses(y, levels, lambda: self.time_constants, *facts)
        return out.to(y.dtype), v

    def _follow(
        self, y: Tensor, v: Tensor, reset: Tensor | None, route: tuple[float, float], start: int
    ) -> tuple[Tensor, Tensor]:
        """Filter while moving: between two moves the state rests, so each such stretch is one run."""
        moves = [tuple(_at(r, start + t) - _at(r, start + t - 1) for r in route) for t in range(len(y))]
        ends = [t for t in range(1, len(y)) if any(moves[t])] + [len(y)]
        outputs, begin = [], 0
        for end in ends:
            if len(y):
                v = _shift(v, *moves[begin])
            out, v = self._filter(y[begin:end], v, None if reset is None else reset[begin:end])
            outputs.append(out)
            begin = end
        return torch.cat(outputs), v

    def extra_repr(self) -> str:
        names = ("n_scales", "mode", "signal", "update", "derivatives", "dt")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


def _at(velocity: float, step: int) -> int:
    """Where a field is after `step` steps, in whole pixels."""
    return math.floor(velocity * step + 0.5)


def _shift(v: Tensor, right: int, down: int) -> Tensor:
    """v (..., H, W) moved by whole pixels, zeros coming in."""
    if not right and not down:
        return v
    if abs(right) >= v.shape[-1] or abs(down) >= v.shape[-2]:
        return torch.zeros_like(v)
    return pad(v, (right, -right, down, -down))
