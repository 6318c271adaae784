"""Spatial receptive fields as modules: a table of fields, fields from shared generators, one generator set a kernel."""

from typing import Any

import torch
from torch import Tensor

from .bank import require_rows
from .module import FieldBank
from .parameters import Derivatives, derivative_pairs, generator, parameter_index
from .values import require_fields

GENERATORS = ("scales", "angles", "ratios", "x", "y")


class SpatialReceptiveField2d(FieldBank):
    """Receptive fields given as a table `rf_parameters` (n, 7) of rows (scale, angle, ratio, x, y, dx, dy).

    x (..., C, H, W) -> (..., n, H', W'), or (..., C n, H', W') with `aggregate=False` (channel c n + j is input
    channel c under field j). Scale is a variance [px^2], angles in radians from +x towards +y, x and y the centre [px].
    The convolution is a correlation: odd derivative orders respond with the opposite sign unless `flip=True`.

    `optimize_fields` makes the first five columns learnable as `log_rf_parameters` (log scale, angle, log ratio, x, y),
    or in natural units as `raw_rf_parameters` with `optimize_log=False`; derivative orders never change. Keywords:
    kernel ("discrete", "sampled"), normalization ("gamma", "l1", "none", "norse"), gamma, flip, stride, padding,
    dilation, bias. Warns if the window is too small for the widest field. Pedersen, Conradt, Lindeberg 2025, Covariant
    spatio-temporal receptive fields for spiking neural networks, doi 10.1038/s41467-025-63493-0.

    >>> rows = torch.tensor([[2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [2.0, 0.5, 1.0, 0.0, 0.0, 1.0, 0.0]])
    >>> fields = SpatialReceptiveField2d(2, 11, rows, padding=5)
    >>> fields(torch.zeros(3, 1, 2, 16, 20)).shape  # [T, B, C, H, W]
    torch.Size([3, 1, 2, 16, 20])
    """

    log_rf_parameters: Tensor
    raw_rf_parameters: Tensor

    def __init__(
        self,
        in_channels: int,
        size: int,
        rf_parameters: Tensor,
        aggregate: bool = True,
        domain: float | None = None,
        optimize_fields: bool = True,
        optimize_log: bool = True,
        **options: Any,
    ) -> None:
        rows = require_rows(rf_parameters).detach()
        if rows.ndim != 2 or not len(rows):
            raise ValueError(f"rf_parameters must have shape (n, 7) with n at least 1, got {tuple(rows.shape)}")
        super().__init__(in_channels, size, rows[:, 5:], aggregate=aggregate, domain=domain, **options)
        rows = rows[:, :5] if rows.is_floating_point() else rows[:, :5].to(torch.get_default_dtype())
        require_fields(rows)
        self.optimize_log = optimize_log
        scale, angle, ratio, x, y = rows.unbind(1)
        stored = torch.stack([scale.log(), angle, ratio.log(), x, y], 1) if optimize_log else rows.clone()
        name = "log_rf_parameters" if optimize_log else "raw_rf_parameters"
        if optimize_fields:
            self.register_parameter(name, torch.nn.Parameter(stored))
        else:
            self.register_buffer(name, stored)
        self._check()

    def _fields(self) -> Tensor:
        if not self.optimize_log:
            return self.raw_rf_parameters
        scale, angle, ratio, x, y = self.log_rf_parameters.unbind(1)
        return torch.stack([scale.exp(), angle, ratio.exp(), x, y], 1)

    @property
    def scales(self) -> Tensor:
        """The scale of every kernel [px^2], (n,)."""
        return self._fields()[:, 0]

    @property
    def ratios(self) -> Tensor:
        """The ratio of every kernel, (n,)."""
        return self._fields()[:, 2]


class _Generated(FieldBank):
    """Fields whose five parameters are vectors named after GENERATORS (`log_scales` and `log_ratios` in logs)."""

    index: Tensor | None  # (k, 5): which scale, angle, ratio, x, y each field takes

    def __init__(
        self,
        in_channels: int,
        size: int,
        scales: Tensor,
        angles: Tensor,
        ratios: Tensor,
        derivatives: Derivatives,
        x: Tensor | None = None,
        y: Tensor | None = None,
        optimize_scales: bool = True,
        optimize_angles: bool = True,
        optimize_ratios: bool = True,
        optimize_x: bool = True,
        optimize_y: bool = True,
        optimize_log: bool = True,
        **options: Any,
    ) -> None:
        first = generator("scales", scales)
        others = (angles, ratios, x, y)
        given = [first, *(generator(name, v, first) for name, v in zip(GENERATORS[1:], others, strict=True))]
        index = parameter_index(given[2], len(first), len(given[1]), len(given[3]), len(given[4]))
        pairs = derivative_pairs(derivatives).to(first.device)
        super().__init__(in_channels, size, pairs.repeat(len(index), 1), **options)
        self.optimize_log = optimize_log
        values, kept = self._store(given, index, len(pairs))
        self.register_buffer("index", kept)
        learned = (optimize_scales, optimize_angles, optimize_ratios, optimize_x, optimize_y)
        for name, value, learn in zip(GENERATORS, values, learned, strict=True):
            if optimize_log and name in ("scales", "ratios"):
                name, value = f"log_{name}", value.log()
            value = value.detach().clone()
            # past register_parameter, which refuses a name that is also a property
            if learn:
                self._parameters[name] = torch.nn.Parameter(value)
            else:
                self._buffers[name] = value
        self._check()

    def _store(self, generators: list[Tensor], index: Tensor, n_pairs: int) -> tuple[list[Tensor], Tensor | None]:
        """What to keep of the generators, and of the index of the fields, each derived `n_pairs` times."""
        raise NotImplementedError

    def _natural(self, name: str) -> Tensor:
        stored = self._parameters.get(name, self._buffers.get(name))
        return getattr(self, f"log_{name}").exp() if stored is None else stored

    def _fields(self) -> Tensor:
        columns = [self._natural(name) for name in GENERATORS]
        if self.index is not None:
            columns = [column[which] for column, which in zip(columns, self.index.unbind(1), strict=True)]
        return torch.stack(columns, 1)

    @property
    def scales(self) -> Tensor:
        """The scales in natural units [px^2]."""
        return self._natural("scales")

    @property
    def ratios(self) -> Tensor:
        """The ratios in natural units."""
        return self._natural("ratios")


class SampledSpatialReceptiveField2d(_Generated):
    """Fields from every combination of generators, which all kernels share: learning moves whole families of fields.

    Parameters `log_scales`, `angles`, `log_ratios`, `x`, `y` (`scales`, `ratios` with `optimize_log=False`), each the
    length of its argument; those not optimised are buffers. The table's rows are fixed at construction, also when a
    ratio later leaves 1. `derivatives` as in `spatial_parameters`; further keywords as in `SpatialReceptiveField2d`.

    >>> one = torch.ones(1)
    >>> fields = SampledSpatialReceptiveField2d(1, 13, torch.tensor([1.0, 2.0]), torch.zeros(1), one, 1)
    >>> fields.out_channels, fields.scales.shape
    (6, torch.Size([2]))
    """

    def _store(self, generators: list[Tensor], index: Tensor, n_pairs: int) -> tuple[list[Tensor], Tensor | None]:
        return generators, index

    def _shared(self) -> Tensor | None:
        assert self.index is not None
        n, k = len(self.derivatives), len(self.index)
        return torch.arange(k, device=self.derivatives.device).repeat_interleave(n // k)


class ParameterizedSpatialReceptiveField2d(_Generated):
    """Fields that start from every combination of generators and are learned one by one.

    Parameters `log_scales`, `angles`, `log_ratios`, `x`, `y` (`scales`, `ratios` with `optimize_log=False`) with one
    entry a kernel; those not optimised are buffers. `derivatives` as in `spatial_parameters`; further keywords as in
    `SpatialReceptiveField2d`.

    >>> one = torch.ones(1)
    >>> fields = ParameterizedSpatialReceptiveField2d(1, 13, torch.tensor([1.0, 2.0]), torch.zeros(1), one, 1)
    >>> fields.out_channels, fields.scales.shape
    (6, torch.Size([6]))
    """

    def _store(self, generators: list[Tensor], index: Tensor, n_pairs: int) -> tuple[list[Tensor], Tensor | None]:
        index = index.repeat_interleave(n_pairs, 0)
        return [values[which] for values, which in zip(generators, index.unbind(1), strict=True)], None
