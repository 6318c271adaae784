"""What the spatial modules share: kernels as a function of parameters, their cache, the convolution."""

import math
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from .bank import build, require_keywords
from .cache import KernelCache
from .derivatives import MAX_ORDER, require_orders
from .kernels import take, truncation_deviations
from .norse import adopt
from .values import on_host, require_fields

SAMPLED_DOMAIN = 8.0


class FieldBank(torch.nn.Module):
    """A bank of n receptive fields applied as one convolution. Subclasses say what the parameters are: `_fields`.

    Weights are built from the parameters whenever gradients flow; otherwise they are kept until a parameter changes.
    """

    is_stateful = False
    derivatives: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        size: int,
        derivatives: Tensor,
        *,
        aggregate: bool = True,
        domain: float | None = None,
        kernel: str = "discrete",
        normalization: str = "gamma",
        gamma: float = 1.0,
        flip: bool = False,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        require_keywords(size, domain, kernel, normalization)
        if isinstance(in_channels, bool) or not isinstance(in_channels, int) or in_channels < 1:
            raise ValueError(f"in_channels must be a whole number, at least 1, got {in_channels!r}")
        self.in_channels, self.size, self.aggregate, self.flip = in_channels, size, aggregate, flip
        self.kernel, self.normalization, self.gamma = kernel, normalization, gamma
        self.domain = SAMPLED_DOMAIN if kernel == "sampled" and domain is None else domain
        self.conv: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
        orders = on_host(derivatives)
        if orders is None:
            self._top = min(MAX_ORDER, size - 1) if kernel == "discrete" else MAX_ORDER
        else:
            dx, dy = orders.unbind(1)
            self._top = require_orders(dx, dy, size, orders.device, window=kernel == "discrete")[1]
        self.register_buffer("derivatives", derivatives.detach().to(torch.int64, copy=True))
        self.out_channels = len(derivatives) * (1 if aggregate else in_channels)
        if isinstance(bias, torch.nn.Parameter):
            self.bias = torch.nn.Parameter(bias.detach().clone(), bias.requires_grad)
        else:
            self.register_buffer("bias", None if bias is None else bias.detach().clone())
        if bias is not None and bias.shape != (self.out_channels,):
            raise ValueError(f"bias must have shape ({self.out_channels},), one an output, got {tuple(bias.shape)}")
        self._cache = KernelCache()

    def _fields(self) -> Tensor:
        """(k, 5): scale, angle, ratio, x, y of every field in natural units, before differentiation."""
        raise NotImplementedError

    def _shared(self) -> Tensor | None:
        """(n,): the field that each kernel derives, or None for one field a kernel, k = n."""
        return None

    def _rows(self) -> Tensor:
        fields, shared = self._fields(), self._shared()
        return fields if shared is None else take(fields, shared)

    @property
    def rf_parameters(self) -> Tensor:
        """The table (n, 7): scale, angle, ratio, x, y in natural units, and the derivative orders dx, dy."""
        fields = self._rows()
        return torch.cat([fields, self.derivatives.to(fields.dtype)], 1)

    @property
    def weights(self) -> Tensor:
        """The weights of the convolution: (n, C, size, size) if aggregated, else grouped (C n, 1, size, size)."""
        fields = self._oriented(self.kernels())[:, None]
        if self.aggregate:
            return fields.expand(-1, self.in_channels, -1, -1)
        return fields.repeat(self.in_channels, 1, 1, 1)

    def kernels(self) -> Tensor:
        """The receptive fields (n, size, size) as functions of the offset, [row, column]; never flipped."""
        sources = [
            tensor
            for named in (self._parameters, self._buffers)
            for name, tensor in named.items()
            if tensor is not None and name != "bias"
        ]
        return self._cache(sources, self._build)

    def refresh(self) -> None:
        """Drop the kept kernels, after an edit of the parameters that torch does not count (through `.data`)."""
        self._cache.drop()

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C, H, W), for example [T, B, C, H, W] -> (..., out_channels, H', W'), in x's dtype."""
        if x.ndim < 3 or x.shape[-3] != self.in_channels:
            raise ValueError(f"expected input (..., {self.in_channels}, height, width), got {tuple(x.shape)}")
        fields = self._oriented(self.kernels())[:, None]
        if not x.is_floating_point():
            x = x.to(fields.dtype)
        image = x.flatten(0, -4) if x.ndim > 3 else x[None]
        if self.aggregate:
            groups, image = 1, image.sum(1, keepdim=True)
        else:
            groups, fields = self.in_channels, fields.repeat(self.in_channels, 1, 1, 1)
        bias = None if self.bias is None else self.bias.to(x)
        out = conv2d(image, fields.to(x), bias, groups=groups, **self.conv)
        return out.unflatten(0, x.shape[:-3]) if x.ndim > 3 else out[0]

    def _build(self) -> Tensor:
        return build(
            self._fields(),
            self.derivatives,
            self.size,
            self._top,
            self.domain,
            self.kernel,
            self.normalization,
            self.gamma,
            shared=self._shared(),
        )

    def _oriented(self, kernels: Tensor) -> Tensor:
        return kernels.flip(-1, -2) if self.flip else kernels

    def _check(self) -> None:
        """Refuse parameters that make no field; warn once where the window is too small for them."""
        fields = on_host(self._rows())
        orders = on_host(self.derivatives)
        if fields is None or orders is None:
            return
        require_fields(fields)
        scale, _, ratio, x, y = fields.double().unbind(1)
        pitch = 1.0 if self.domain is None else 2 * self.domain / (self.size - 1)
        deviation = scale.sqrt() * torch.maximum(ratio, 1 / ratio) / pitch
        margin = torch.maximum(x.abs(), y.abs()) / pitch + torch.ceil(orders.sum(1) / 2)
        needed = deviation * truncation_deviations() + margin
        worst = int(needed.argmax())
        wanted = 2 * math.ceil(float(needed[worst])) + 1
        if wanted > self.size:
            room = max(0.0, (self.size - 1) / 2 - float(margin[worst])) / float(deviation[worst])
            missing = 1 - math.erf(room / math.sqrt(2)) ** 2
            warnings.warn(
                f"a window of {self.size} px misses {missing:.1%} of the widest receptive field "
                f"(standard deviation {float(deviation[worst]):.3g} px); size={wanted} holds 99 % of it",
                stacklevel=4,
            )

    def train(self, mode: bool = True) -> "FieldBank":
        self._cache.drop()
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> "FieldBank":
        self._cache.drop()
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        self._cache.drop()
        adopt(self, state_dict, prefix, self.derivatives)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        path = "one convolution of the channels' sum" if self.aggregate else "one grouped convolution"
        settings = {"kernel": self.kernel, "normalization": self.normalization, **self.conv, "path": path}
        sizes = f"{self.in_channels}, {self.out_channels}, size={self.size}, aggregate={self.aggregate}, "
        return sizes + ", ".join(f"{name}={value!r}" for name, value in settings.items())
