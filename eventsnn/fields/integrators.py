"""First-order integrators over time, side by side or in cascade, run by the scan engine.

    events:  v = p v + x              impulse response p^n: the number of events counts, whatever their speed
    levels:  v = p v + (1 - p) x      response to a constant 1 is 1

In parallel every level is one filter of its own time constant mu (a standard deviation, in steps). A cascade feeds each
level with the one before; level k then has the variance tau_k = mu_1^2 + ... + mu_k^2. Two exact discretisations:

- "variance": y_k += (y_(k-1) - y_k) / (1 + m_k), m = (sqrt(1 + 4 mu^2) - 1) / 2; the variance at level k is exactly
  tau_k.
- "exact": the continuous cascade sampled, v = E v with E = matrix_exp(A), A_kk = -1/mu_k, A_(k,k-1) = 1/mu_k.

Lindeberg 2016, Time-causal and time-recursive spatio-temporal receptive fields, doi 10.1007/s10851-015-0613-9.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..scan import scan
from .values import require_choice

UPDATES = {"parallel": ("exp", "variance", "euler"), "cascade": ("variance", "exact")}
SIGNALS = ("events", "levels")


def choose_update(mode: str, update: str | None, signal: str) -> str:
    """The update meant by None: "exp" in parallel; in a cascade "variance" for levels, "exact" for events."""
    require_choice("mode", mode, tuple(UPDATES))
    require_choice("signal", signal, SIGNALS)
    if update is None:
        return "exp" if mode == "parallel" else "variance" if signal == "levels" else "exact"
    require_choice(f"update of mode {mode!r}", update, UPDATES[mode])
    return update


def require_temporal_orders(orders: Sequence[int], mode: str, update: str) -> tuple[int, ...]:
    """Refuse orders that are no whole numbers, or higher than the filters can tell from one state."""
    most, why = math.inf, ""
    if mode == "parallel":
        most, why = (
            (0, ", 0 with update 'euler'") if update == "euler" else (1, ", at most 1 in parallel (use a cascade)")
        )
    if not orders or any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= most for n in orders):
        raise ValueError(f"derivatives must be whole orders >= 0{why}, got {orders!r}")
    return tuple(orders)


def poles(mu: Tensor, update: str) -> Tensor:
    """The factor p by which a level decays in one step, for the time constant mu in steps."""
    if update in ("exp", "exact"):
        return torch.exp(-1 / mu)
    if update == "euler":
        return (1 - 1 / mu).clamp(min=0)
    return 1 - 1 / (1 + delays(mu))


def delays(mu: Tensor) -> Tensor:
    """m = p / (1 - p), the mean delay of the variance-matched filter: m (1 + m) = mu^2."""
    return ((1 + 4 * mu.square()).sqrt() - 1) / 2


def leak(x: Tensor, state: tuple[Tensor], p: Tensor) -> tuple[Tensor, tuple[Tensor]]:
    """One step of filters side by side, of unit gain on impulses."""
    v = p * state[0] + x
    return v, (v,)


def follow(x: Tensor, state: tuple[Tensor], p: Tensor) -> tuple[Tensor, tuple[Tensor]]:
    """One step of filters side by side, of DC gain 1."""
    v = p * state[0] + (1 - p) * x
    return v, (v,)


def relay(x: Tensor, state: tuple[Tensor, ...], params: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One step of a cascade whose levels follow the one before; params are the rates 1 / (1 + m)."""
    levels = []
    for y, rate in zip(state, params, strict=True):
        x = y + (x - y) * rate
        levels.append(x)
    return x, tuple(levels)


def propagate(x: Tensor, state: tuple[Tensor, ...], params: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One step of a sampled continuous cascade; params are the rows of E, up to the diagonal, and the input's gains."""
    rows, gains = params
    levels = []
    for row, gain in zip(rows, gains, strict=True):
        v = gain * x
        for entry, y in zip(row, state, strict=False):
            v = v + entry * y
        levels.append(v)
    return levels[-1], tuple(levels)


def reset_first(x: Any, state: tuple[Tensor, ...], params: Any, *, step: Callable[..., Any]) -> Any:
    """A step with the state cleared before it where the mask, which comes with the input, is True."""
    x, mask = x
    return step(x, tuple(v.masked_fill(mask, 0.0) for v in state), params)


def integrate(
    x: Tensor, v: Tensor, rates: Tensor, mode: str, update: str, signal: str, axis: int, reset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Filter x (T, S) from the state v (S with the levels at `axis`): states after every step, and the last.

    `rates` come from `coefficients`. `reset` (T, leading part of S) clears the state before a step.
    """
    step, params = step_of(rates.to(v.dtype), mode, update, signal, axis)
    inputs: Any = x
    if mode == "parallel":
        inputs = x.unsqueeze(axis).expand(x.shape[:1] + v.shape)
    if reset is not None:
        mask = reset.reshape(reset.shape + (1,) * (inputs.ndim - reset.ndim)).expand(inputs.shape)
        step, inputs = functools.partial(reset_first, step=step), (inputs, mask)
    if mode == "parallel":
        levels, (last,) = scan(step, inputs, (v,), params)
        return levels, last
    _, recorded = scan(step, inputs, v.unbind(axis), params, record_states=True)
    levels = torch.stack(recorded, axis)
    return levels, levels[-1] if len(levels) else v


def coefficients(mu: Tensor, mode: str, update: str, signal: str, axis: int) -> Tensor:
    """What the filters' steps need of their time constants `mu` (levels at `axis`, a negative one), in one tensor.

    In parallel the poles, in a cascade the rates 1 / (1 + m); for update "exact" (..., K, K + 1), the matrix E and the
    input's gains. In mu's dtype, which is to be float64 where the device has it.
    """
    if mode == "parallel":
        return poles(mu, update)
    if update == "variance":
        return 1 - poles(mu, update)
    inverse = (1 / mu).movedim(axis, -1)
    decay = torch.linalg.matrix_exp(torch.diag_embed(-inverse) + torch.diag_embed(inverse[..., 1:], -1))
    if signal == "events":
        gains = torch.cat([inverse[..., :1], torch.zeros_like(inverse[..., 1:])], -1)
    else:
        gains = 1 - decay.sum(-1)
    return torch.cat([decay, gains[..., None]], -1)


def step_of(rates: Tensor, mode: str, update: str, signal: str, axis: int) -> tuple[Callable[..., Any], Any]:
    """The step of the filters with these coefficients, and its parameters."""
    if mode == "parallel":
        return (leak if signal == "events" else follow), rates
    if update == "variance":
        return relay, rates.unbind(axis)
    rows = tuple(row[..., : k + 1].unbind(-1) for k, row in enumerate(rates[..., :-1].unbind(-2)))
    return propagate, (rows, rates[..., -1].unbind(-1))


def responses(
    x: Tensor,
    levels: Tensor,
    time_constants: Callable[[], Tensor],
    mode: str,
    update: str,
    signal: str,
    orders: Sequence[int],
    axis: int,
) -> Tensor:
    """The outputs: levels of unit gain for events and DC gain for levels, and their time derivatives.

    d_t y_k = (y_(k-1) - y_k) / mu_k, y_0 the input; higher orders by the same formula, the input's own derivatives
    counting as zero, so that order n is exact from level n on. Order n is normalised by tau_k^(n/2). On the level axis
    the order is fastest.
    """
    plain = mode == "parallel" or signal == "levels"
    if plain and max(orders) == 0:
        return levels if len(orders) == 1 else torch.stack([levels] * len(orders), axis).flatten(axis - 1, axis)
    mu = time_constants()
    variance = mu.square() if mode == "parallel" else mu.square().cumsum(axis)
    deviation = variance.sqrt().to(levels.dtype)
    derived = [levels]
    if max(orders) > 0:
        above = x.to(levels.dtype).unsqueeze(axis)
        if mode == "parallel":
            p = poles(mu, update).to(levels.dtype)
            lag, above = p / (1 - p), above / (1 - p) if signal == "events" else above
        else:
            lag = (delays(mu) if update == "variance" else mu).to(levels.dtype)
            above = _after(above, levels, axis)
        for _ in range(max(orders)):
            derived.append((above - derived[-1]) / lag)
            above = _after(torch.zeros_like(derived[-1].narrow(axis, 0, 1)), derived[-1], axis)
    unit = 1.0 if plain else deviation
    outputs = [derived[n] * (unit * deviation**n) if n or unit is deviation else levels for n in orders]
    return outputs[0] if len(outputs) == 1 else torch.stack(outputs, axis).flatten(axis - 1, axis)


def _after(first: Tensor, levels: Tensor, axis: int) -> Tensor:
    """For every level the one before it, `first` before the first."""
    return torch.cat([first, levels.narrow(axis, 0, levels.shape[axis] - 1)], axis)
