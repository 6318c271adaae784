"""Where the parameters of a module live: `module.p`, a holder with the tuple's field names as attributes.

| field | if learnable, stored as | value used |
|---|---|---|
| rates `tau_..._inv` | `raw_<field> = logit(dt rate)` | `sigmoid(raw) / dt`, so `0 < dt rate < 1` |
| delta_T, c_m_inv, g_l | `raw_<field> = log(value)` | `exp(raw)` |
| others | `<field>` | itself |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..surrogate import by_name
from .operands import is_number

POSITIVE = ("delta_T", "c_m_inv", "g_l")
FIXED = {
    "alpha": "it shapes the surrogate gradient and never receives one",
    "method": "it is a name",
    "reset_method": "it is a function",
    "rho_reset": "it counts steps, and the refractory mask has no gradient",
}


def is_rate(name: str) -> bool:
    return name.startswith("tau_") and name.endswith("inv")


def to_raw(name: str, value: Tensor, dt: float) -> Tensor:
    """The unbounded number that a learnable rate or positive value is stored as."""
    return torch.logit(value * dt, eps=1e-6) if is_rate(name) else torch.log(value)


def from_raw(name: str, raw: Tensor, dt: float) -> Tensor:
    return torch.sigmoid(raw) / dt if is_rate(name) else torch.exp(raw)


def field_names(p: Any, path: str = "") -> Iterator[str]:
    """Dotted names of all fields of a parameter tuple."""
    for name, value in zip(p._fields, p, strict=True):
        if isinstance(value, tuple):
            yield from field_names(value, f"{path}{name}.")
        else:
            yield path + name


def learnable_names(p: Any, learnable: Any) -> set[str]:
    """The dotted names that `learnable` means: each is dotted, or the bare last part."""
    names = set()
    for wanted in (learnable,) if isinstance(learnable, str) else learnable:
        found = [name for name in field_names(p) if wanted in (name, name.rsplit(".", 1)[-1])]
        if not found:
            raise ValueError(f"learnable: {type(p).__name__} has no field {wanted!r}, only {', '.join(field_names(p))}")
        reason = FIXED.get(found[0].rsplit(".", 1)[-1])
        if reason:
            raise ValueError(f"learnable: {wanted} cannot be learned, {reason}")
        names.update(found)
    return names


def exact(value: Any) -> Tensor:
    """A number as a tensor that holds it exactly: float32 if that does, so that usual parameters need no casts."""
    single = torch.tensor(value, dtype=torch.float32)
    return single if single.item() == value else torch.tensor(value, dtype=torch.float64)


def check_value(name: str, value: Tensor, dt: float, learnable: bool) -> None:
    """Raise a ValueError that names the field, the rule and the value."""
    low, high = value.min().item(), value.max().item()
    given = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    if name == "delta_T" and not low > 0:
        raise ValueError(f"delta_T must be > 0, not {given}: the limit 0 is the LIF model")
    if is_rate(name) and not (low >= 0 and high < math.inf):
        raise ValueError(f"{name} is an inverse time constant and must be finite and >= 0, not {given}")
    if is_rate(name) and name != "tau_inv" and dt * high > 2:
        raise ValueError(
            f"{name} is {given} and dt is {dt:g}: steps with dt * {name} > 2 are unstable, take a smaller dt"
        )
    if learnable and is_rate(name) and not (low > 0 and dt * high <= 1):
        raise ValueError(f"learnable {name}: dt * {name} must be in (0, 1], but {name} is {given} and dt is {dt:g}")
    if learnable and name in POSITIVE and not low > 0:
        raise ValueError(f"learnable {name} must be > 0, not {given}")


def _shown(value: Any) -> str:
    """A parameter for people: one number as itself, more of them by their shape."""
    if isinstance(value, Tensor):
        return f"{value.item():g}" if value.numel() == 1 and not value.is_meta else f"tensor of {tuple(value.shape)}"
    return value if isinstance(value, str) else getattr(value, "__name__", str(value))


class ParameterHolder(nn.Module):
    """A parameter tuple as a module: fixed numbers are buffers (copies), learnable ones torch Parameters."""

    def __init__(self, p: Any, dt: float, learnable: set[str]) -> None:
        super().__init__()
        self._kind, self._dt = type(p), dt
        for name, value in zip(p._fields, p, strict=True):
            if isinstance(value, tuple):
                inner = {rest for first, _, rest in (n.partition(".") for n in learnable) if first == name}
                self.add_module(name, ParameterHolder(value, dt, inner))
            elif is_number(value):
                self._hold(name, value, name in learnable)
            elif isinstance(value, str) or callable(value):
                if name == "method":
                    by_name(value)
                setattr(self, name, value)
            else:
                raise TypeError(f"{name} must be a number or a tensor, not {type(value).__name__}")

    def _hold(self, name: str, value: Any, learnable: bool) -> None:
        number = value if isinstance(value, Tensor) else exact(value)
        number = number if number.is_floating_point() else number.to(torch.get_default_dtype())
        check_value(name, number.detach(), self._dt, learnable)
        if isinstance(value, nn.Parameter):
            self.register_parameter(name, value)
        elif not learnable:
            self.register_buffer(name, number.detach().clone())
        else:
            dtype = number.dtype if isinstance(value, Tensor) else torch.get_default_dtype()
            raw = is_rate(name) or name in POSITIVE
            stored = to_raw(name, number.detach().double(), self._dt) if raw else number.detach().clone()
            self.register_parameter(f"raw_{name}" if raw else name, nn.Parameter(stored.to(dtype)))

    def __getattr__(self, name: str) -> Any:
        raw = self.__dict__.get("_parameters", {}).get(f"raw_{name}")
        return super().__getattr__(name) if raw is None else from_raw(name, raw, self._dt)

    def tuple(self) -> Any:
        """The plain parameter tuple, with the values used."""
        fixed, inner = self._buffers, self._modules  # read directly: the module's own search is slow
        values = [fixed[n] if n in fixed else getattr(self, n) for n in self._kind._fields]
        return self._kind(*([v.tuple() if isinstance(v, ParameterHolder) else v for v in values] if inner else values))

    def extra_repr(self) -> str:
        return ", ".join(
            f"{name}={_shown(value)}" + (" learnable" if isinstance(value, Tensor) and value.requires_grad else "")
            for name in self._kind._fields
            if not isinstance(value := getattr(self, name), ParameterHolder)
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        def apply(value: Tensor) -> Tensor:
            try:
                return fn(value)
            except TypeError:  # a device without float64
                return fn(value.float())

        return super()._apply(apply, recurse)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        if not any(key.startswith(prefix) for key in state_dict):
            return  # a dict without parameters: the values stay
        for name in self._kind._fields:
            fixed, raw = f"{prefix}{name}", f"{prefix}raw_{name}"
            if raw in state_dict and f"raw_{name}" not in self._parameters:
                state_dict[fixed] = from_raw(name, state_dict.pop(raw), self._dt)
            elif fixed in state_dict and f"raw_{name}" in self._parameters:
                state_dict[raw] = to_raw(name, state_dict.pop(fixed), self._dt)
        for inner in (f"{prefix}{name}" for name in self._modules):
            if not any(key.startswith(f"{inner}.") for key in state_dict):
                args[2].append(inner)  # missing keys
        super()._load_from_state_dict(state_dict, prefix, *args)


def norse_state_dict(module: nn.Module) -> Mapping[str, Tensor]:
    """The module's state dict in norse's form: weights only, no neuron parameters.

    >>> import eventsnn.forms as forms
    >>> list(norse_state_dict(forms.LIFRecurrentCell(2, 3)))
    ['input_weights', 'recurrent_weights']
    """
    holders = tuple(f"{name}." for name, child in module.named_modules() if isinstance(child, ParameterHolder))
    return {key: value for key, value in module.state_dict().items() if not key.startswith(holders or ("\0",))}
