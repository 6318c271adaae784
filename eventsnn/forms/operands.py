"""What enters a step: input, state, parameters and reset mask, checked and brought to one shape, dtype and device.

Arithmetic is done in the input's dtype, in float32 where that is a half type. Errors are raised here, with the name
of what was given, the rule that it broke and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..constant import constant
from ..neurons.state import map_state


class Site(NamedTuple):
    """Where one step happens: the shape of its state, the dtype of its arithmetic, its device."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


def dense(x: Any, owner: str, sparse: bool = False) -> Tensor:
    """The input as a dense floating tensor; sparse COO only where the model takes it."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{owner}: the input must be a tensor, not {type(x).__name__}")
    if x.layout == torch.sparse_coo:
        if not sparse:
            raise TypeError(
                f"{owner} does not take sparse input: pass input.to_dense(), or use the LIF or LIFRefrac family"
            )
        x = densify(x)
    if x.is_complex():
        raise TypeError(f"{owner}: the input must be real, not {x.dtype}: pass its real part or its absolute value")
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def densify(x: Tensor) -> Tensor:
    """Dense, with a gradient for every entry and not only for the stored ones."""
    return x.to_dense(masked_grad=False) if x.layout == torch.sparse_coo else x


def positive_time(dt: Any) -> float:
    if not (isinstance(dt, (int, float)) and 0 < dt < math.inf):
        raise ValueError(f"dt is the time step in seconds and must be a number > 0, not {dt!r}")
    return dt


class Matrices(NamedTuple):
    """Input weights (H, I), recurrent weights (H, H) and coupling (H, H), where there are any."""

    input: Tensor | None = None
    recurrent: Tensor | None = None
    coupling: Tensor | None = None


def site_of(x: Tensor, owner: str, over_time: bool, matrices: Matrices) -> Site:
    """Where a step on x happens: the last axis goes through the input weights, or is coupled."""
    matrix = matrices.coupling if matrices.input is None else matrices.input
    rank = over_time + (matrix is not None)
    if x.ndim < rank:
        axes = "(T, ..., features)" if rank == 2 else "(T, ...), time first" if over_time else "(..., features)"
        raise ValueError(f"{owner}: the input has shape {tuple(x.shape)}, but its axes must be {axes}")
    shape = x.shape[over_time:]
    if matrix is not None:
        hidden, features = matrix.shape
        if shape[-1] != features:
            raise ValueError(f"{owner}: the last axis of the input must be {features} wide, not {shape[-1]}")
        shape = torch.Size((*shape[:-1], hidden))
    return Site(shape, torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype, x.device)


def fits(value: Tensor, site: Site, name: str) -> Tensor:
    """The value, if its shape broadcasts to the state's shape; else a ValueError that names it."""
    pairs = zip(reversed(value.shape), reversed(site.shape), strict=False)
    if value.ndim > len(site.shape) or any(a not in (1, b) for a, b in pairs):
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}, which does not broadcast to the state shape {tuple(site.shape)}"
        )
    return value


def named_map(f: Callable[[str, Any], Any], fields: Any, path: str) -> Any:
    """The (nested) named tuple of `f("path.field", value)`."""
    return type(fields)(
        *(
            named_map(f, value, f"{path}.{name}") if isinstance(value, tuple) else f(f"{path}.{name}", value)
            for name, value in zip(fields._fields, fields, strict=True)
        )
    )


def is_number(value: Any) -> bool:
    return isinstance(value, (Real, Tensor))


def parameters_at(p: Any, site: Site) -> Any:
    """Parameters as tensors of the arithmetic dtype; names and callables as they are."""

    def at(name: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.ndim == 0 and value.dtype is site.dtype and value.device == site.device:
                return value
            return fits(value, site, name).to(device=site.device, dtype=site.dtype)
        return number(value, dtype=site.dtype, device=site.device) if is_number(value) else value

    return named_map(at, p, "p") if hasattr(p, "_fields") else p


def full(value: Any, site: Site, name: str) -> Tensor:
    """A new tensor of the state's shape, dtype and device, cut from the graph."""
    if not isinstance(value, Tensor):
        return torch.full(site.shape, value, dtype=site.dtype, device=site.device)
    value = fits(value.detach(), site, name).to(device=site.device, dtype=site.dtype)
    return value.broadcast_to(site.shape).clone()


def initial_at(template: Any, site: Site) -> Any:
    """The initial state in full shape: the template holds numbers or tensors."""
    return named_map(lambda name, value: full(value, site, name), template, "state")


def initial_view(template: Any, site: Site) -> Any:
    """The initial state as read-only views in full shape, for a scan, which only reads it."""

    def view(name: str, value: Any) -> Tensor:
        if isinstance(value, Tensor):
            value = fits(value.detach(), site, name).to(device=site.device, dtype=site.dtype)
        else:
            value = number(value, dtype=site.dtype, device=site.device)
        return value.expand(site.shape)

    return named_map(view, template, "state")


@constant
def number(value: float, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.full((), value, dtype=dtype, device=device)


def state_at(state: Any, template: Any, site: Site, half: torch.dtype) -> Any:
    """A passed state in full shape; it must be of the template's type, and of the arithmetic dtype or `half`."""

    def same_type(a: Any, b: Any) -> bool:
        return type(a) is type(b) and all(
            same_type(x, y) for x, y in zip(a, b, strict=True) if isinstance(x, tuple) or isinstance(y, tuple)
        )

    if template is not None and not same_type(state, template):
        wanted = f"{type(template).__name__}({', '.join(template._fields)})"
        raise TypeError(f"the state must be a {wanted}, not {type(state).__name__}: take what the module returned")

    def at(name: str, value: Any) -> Tensor:
        if not isinstance(value, Tensor):
            return full(value, site, name)
        value = densify(value)
        if value.ndim and value.dtype not in (site.dtype, half):
            raise TypeError(f"{name} is {value.dtype}, but the input is {half}: pass state.to({half})")
        if value.ndim and value.device != site.device:
            raise ValueError(f"{name} is on {value.device}, but the input is on {site.device}: pass state.to(device)")
        value = fits(value, site, name).to(device=site.device, dtype=site.dtype)
        return value if value.shape == site.shape else value.broadcast_to(site.shape).clone()

    return named_map(at, state, "state")


def mask_at(reset: Any, site: Site, steps: int | None) -> Tensor:
    """A boolean reset mask viewed so that it broadcasts to the state (over time: to all states)."""
    shape = (*site.shape,) if steps is None else (steps, *site.shape)
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
        raise TypeError(f"reset must be a boolean tensor, not {getattr(reset, 'dtype', type(reset).__name__)}")
    if tuple(reset.shape) != shape[: reset.ndim] or (steps is not None and reset.ndim == 0):
        raise ValueError(f"reset has shape {tuple(reset.shape)}, which is not a leading part of {shape}")
    return reset.reshape(reset.shape + (1,) * (len(shape) - reset.ndim))


def round_to(state: Any, dtype: torch.dtype) -> Any:
    return map_state(lambda value: value.to(dtype), state)
