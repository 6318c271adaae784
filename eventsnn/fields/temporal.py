"""Temporal receptive fields: banks of causal filters over a range of temporal scales."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..forms import LIBoxCell
from ..neurons.li_box import LIBoxState
from .cache import KernelCache
from .integrators import choose_update, coefficients, integrate, poles, require_temporal_orders, responses
from .scales import stored_scales, temporal_scale_distribution, time_constants_of
from .spiking import cell_parameters, run_cell


class TemporalReceptiveField(torch.nn.Module):
    """`n_scales` causal filters of every input value, each of a temporal scale of its own.

    One step, x (..., *shape) -> (..., n_scales, *shape), or with `over_time` a whole sequence, time first:
    x (T, ..., *shape) -> (T, ..., n_scales, *shape); the result equals stepping. `shape[0]` counts the channels, each
    with time constants of its own.

    - mode "parallel": independent filters; update "exp" (default, exact), "variance" or "euler". Mode "cascade":
      filters in series, the time-causal limit kernel for many scales; update "variance" (default for levels) or "exact"
      (default for events).
    - signal "levels": DC gain 1, for intensities and other integrators' output; "events": unit gain on impulses, so the
      response does not depend on the speed of what moves.
    - scales: `temporal_scale_distribution(n_scales, min_scale, max_scale, c)` in steps, or `taus`, time constants in
      seconds, or `time_constants`, inverse ones in 1/s, one a scale or of shape (n_scales, C, 1, ...). In a cascade
      they are the standard deviations of the levels, ascending.
    - derivatives: temporal orders; on the scale axis the level is slowest and the order fastest. Order n is multiplied
      by tau^(n/2); it is exact from level n of a cascade on, earlier ones take the input as constant.

    `log_tau` is learnable (unless `learnable=False`): logs of the time constants in steps, in a cascade of the first
    level's variance and the increments. The state is `LIBoxState(v)`, v (..., n_scales, *shape). Any other `activation`
    gets the parameters `activation_state_map(1/tau)`, by default its own with that `tau_mem_inv`; a cell is stepped, a
    layer with `over_time` runs the whole sequence.

    >>> field = TemporalReceptiveField((2, 8, 8), n_scales=4, signal="events", over_time=True)
    >>> y, state = field(torch.ones(10, 1, 2, 8, 8))
    >>> y.shape, state.v.shape
    (torch.Size([10, 1, 4, 2, 8, 8]), torch.Size([1, 4, 2, 8, 8]))
    """

    is_stateful = True

    def __init__(
        self,
        shape: Sequence[int],
        n_scales: int = 4,
        activation: type[torch.nn.Module] = LIBoxCell,
        activation_state_map: Callable[[Tensor], Any] | None = None,
        min_scale: float = 1,
        max_scale: float | None = None,
        c: float = math.sqrt(2),
        time_constants: Tensor | Sequence[float] | None = None,
        dt: float = 0.001,
        *,
        taus: Tensor | Sequence[float] | None = None,
        mode: str = "parallel",
        signal: str = "levels",
        update: str | None = None,
        derivatives: Sequence[int] = (0,),
        learnable: bool = True,
        over_time: bool = False,
    ) -> None:
        super().__init__()
        if not shape or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in shape):
            raise ValueError(f"shape must hold at least the number of channels, whole numbers >= 1, got {shape!r}")
        self.update = choose_update(mode, update, signal)
        self.mode, self.signal, self.dt, self.over_time = mode, signal, require_dt(dt), over_time
        self.derivatives = require_temporal_orders(derivatives, mode, self.update)
        self.shape = tuple(shape)
        if taus is not None and time_constants is not None:
            raise ValueError("give taus (seconds) or time_constants (1/s), not both")
        if taus is not None:
            mu = torch.as_tensor(taus) / dt
        elif time_constants is not None:
            mu = 1 / (torch.as_tensor(time_constants) * dt)
        else:
            mu = temporal_scale_distribution(n_scales, min_scale, max_scale, c)
        mu = mu if mu.is_floating_point() else mu.to(torch.get_default_dtype())
        mu = mu.reshape(mu.shape + (1,) * (len(shape) + 1 - mu.ndim))
        rest = (shape[0],) + (1,) * (len(shape) - 1) if mu.shape[1:].numel() == 1 else mu.shape[1:]
        stored = stored_scales(mu.expand(mu.shape[0], *rest), mode, 0)
        self.n_scales = mu.shape[0]
        self.axis = -stored.ndim  # of the scales in outputs and states
        self._cache = KernelCache()
        if learnable:
            self.log_tau = torch.nn.Parameter(stored)
        else:
            self.register_buffer("log_tau", stored)
        self.activation_state_map: Callable[[Tensor], Any] | None = None
        self.neurons: torch.nn.Module | None = None
        if activation is not LIBoxCell or activation_state_map is not None:
            if mode != "parallel" or self.derivatives != (0,) or signal != "levels" or update is not None:
                raise ValueError(
                    "mode, signal, update and derivatives are those of the linear filters; with activation "
                    f"{activation.__name__} or activation_state_map leave them at their defaults"
                )
            self.activation_state_map = activation_state_map or cell_parameters(activation)
            self.neurons = activation(p=self.activation_state_map(self._rates().detach()), dt=dt)

    @property
    def time_constants(self) -> Tensor:
        """mu, the filters' time constants in steps, (n_scales, C, 1, ...)."""
        return time_constants_of(self.log_tau, self.mode)

    @property
    def poles(self) -> Tensor:
        """The factor by which each filter decays in one step, (n_scales, C, 1, ...)."""
        return poles(self.time_constants, self.update)

    def _coefficients(self) -> Tensor:
        return coefficients(self.time_constants, self.mode, self.update, self.signal, self.axis)

    def _rates(self) -> Tensor:
        return 1 / (self.time_constants * self.dt)

    def forward(self, x: Tensor, state: Any = None, *, reset: Tensor | None = None) -> tuple[Tensor, Any]:
        """x (..., *shape), time first if `over_time` -> (output, state); where `reset` (over time: one row a step, else
        a leading part of the state's shape) is True the state starts anew before the step.
        """
        rank = len(self.shape)
        if x.ndim < rank + self.over_time or x.shape[x.ndim - rank] != self.shape[0]:
            time = "T, " if self.over_time else ""
            raise ValueError(f"expected input ({time}..., {', '.join(map(str, self.shape))}), got {tuple(x.shape)}")
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())
        if self.neurons is not None and self.activation_state_map is not None:
            p = self.activation_state_map(self._rates())
            spread = x.unsqueeze(self.axis).expand(*x.shape[: x.ndim - rank], self.n_scales, *x.shape[x.ndim - rank :])
            return run_cell(self.neurons, p, spread, state, reset, self.over_time)
        steps = x if self.over_time else x[None]
        rows = reset if reset is None or self.over_time else reset[None]
        v = levels_before(steps, self.n_scales, self.axis, state)
        rates = self._cache([self.log_tau], self._coefficients)
        levels, v = integrate(steps, v, rates, self.mode, self.update, self.signal, self.axis, rows)
        facts = (self.mode, self.update, self.signal, self.derivatives, self.axis)
        y = responses(steps, levels, lambda: self.time_constants, *facts).to(x.dtype)
        return y if self.over_time else y[0], LIBoxState(v)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        rates = state_dict.pop(prefix + "ps", None)  # norse's inverse time constants, 1/s
        if rates is not None:
            state_dict[prefix + "log_tau"] = stored_scales(1 / (rates * self.dt), self.mode, 0)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        names = ("shape", "n_scales", "mode", "signal", "update", "derivatives", "dt", "over_time")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


def levels_before(x: Tensor, n_scales: int, axis: int, state: Any) -> Tensor:
    """The state v of one step for x (T, ..., rest) with the levels at `axis`: zeros, in float32 for half types."""
    shape = list(x.shape[1:])
    shape.insert(len(shape) + 1 + axis, n_scales)
    if state is None:
        dtype = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
        return torch.zeros(shape, dtype=dtype, device=x.device)
    if list(state.v.shape) != shape:
        raise ValueError(f"the state's v must have shape {tuple(shape)} for this input, got {tuple(state.v.shape)}")
    return state.v


def require_dt(dt: float) -> float:
    """Refuse a step that is no positive time."""
    if not 0 < dt < math.inf:
        raise ValueError(f"dt is the step in seconds and must be positive and finite, got {dt}")
    return dt
