"""When the values behind a tensor may be looked at, and the checks that do so.

Building a bank of kernels must not wait for an accelerator and must run while torch traces, so a value is read only
where reading is free: a CPU tensor, outside any tracing, transform or dispatch mode.
"""

import numpy as np
import torch
from torch import Tensor

from ..constant import eager


def readable(tensor: Tensor) -> bool:
    """True if reading the tensor's values is possible and free."""
    return eager() and type(tensor) in (Tensor, torch.nn.Parameter) and tensor.device.type == "cpu"


def on_host(tensor: Tensor) -> Tensor | None:
    """A detached CPU copy to look at, worth a wait for the device; None where there are no values."""
    if not eager() or type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.device.type == "meta":
        return None
    return tensor.detach().cpu()


def work_dtype(device: torch.device) -> torch.dtype:
    """The dtype kernels are built in: float64 where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def tensors(*values: Tensor | float) -> list[Tensor]:
    """The values as floating tensors of one dtype on one device; numbers take the tensors' dtype, or the default."""
    given = [value for value in values if isinstance(value, Tensor)]
    device = next((t.device for t in given if t.ndim), given[0].device if given else torch.get_default_device())
    floating = [t.dtype for t in given if t.is_floating_point()]
    dtype = floating[0] if floating else torch.get_default_dtype()
    for other in floating[1:]:
        dtype = torch.promote_types(dtype, other)
    return [
        value.to(device, dtype)
        if isinstance(value, Tensor)
        else torch.full((), float(value), dtype=dtype, device=device)
        for value in values
    ]


def require(name: str, rule: str, value: Tensor, holds: Tensor) -> None:
    """Raise ValueError with the first value for which `holds` is False; silent where values can't be read."""
    if readable(value) and readable(holds) and not bool(holds.all()):
        raise ValueError(f"{name} must be {rule}, got {value[~holds].flatten()[0].item()}")


def require_fields(fields: Tensor) -> None:
    """Refuse fields (..., 5) whose scale or ratio is not positive, and anything that is not finite."""
    if not readable(fields):
        return
    values = fields.detach().double().numpy()
    fine = np.isfinite(values)
    fine[..., [0, 2]] &= values[..., [0, 2]] > 0
    if not fine.all():
        *_, column = where = tuple(np.argwhere(~fine)[0])
        rule = "positive and finite" if column in (0, 2) else "finite"
        raise ValueError(f"{('scale', 'angle', 'ratio', 'x', 'y')[column]} must be {rule}, got {values[where]:g}")


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
