"""Tables of receptive-field parameters: Cartesian products of scales, angles, ratios, centres and derivative orders."""

from collections.abc import Sequence

import torch
from torch import Tensor

Derivatives = int | Sequence[tuple[int, int]] | Tensor


def derivative_orders(order: int) -> list[tuple[int, int]]:
    """All pairs (along, across) with at most `order` derivatives together, in lexicographic order.

    >>> derivative_orders(2)
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise ValueError(f"order must be a whole number, at least 0, got {order!r}")
    return [(m, n) for m in range(order + 1) for n in range(order + 1 - m)]


def derivative_pairs(derivatives: Derivatives) -> Tensor:
    """The pairs (n, 2) meant by `derivatives`: pairs as they are, or d for all of (0..d)^2 without (d, d), d > 0."""
    if isinstance(derivatives, int) and not isinstance(derivatives, bool) and derivatives >= 0:
        pairs = [(m, n) for m in range(derivatives + 1) for n in range(derivatives + 1)]
        return torch.tensor(pairs[:-1] or pairs)
    if isinstance(derivatives, Tensor | Sequence) and not isinstance(derivatives, str) and len(derivatives):
        orders = torch.as_tensor(derivatives)
        if orders.ndim == 2 and orders.shape[1] == 2:
            return orders
    raise ValueError(
        "derivatives must be a whole number at least 0, a list of pairs (along, across) or a tensor (n, 2), "
        f"got {derivatives!r}"
    )


def parameter_index(
    ratios: Tensor, n_scales: int, n_angles: int, n_x: int, n_y: int, include_replicas: bool = False
) -> Tensor:
    """(rows, 5): which scale, angle, ratio, x and y each row of the table takes.

    Ratios of exactly 1 look the same at every angle: they keep the first angle only and come last.
    """
    which = torch.arange(len(ratios), device=ratios.device)
    round_ = torch.zeros_like(which, dtype=torch.bool) if include_replicas else ratios.detach() == 1

    def product(angles: int, chosen: Tensor) -> Tensor:
        axes = [torch.arange(count, device=ratios.device) for count in (n_scales, angles, n_x, n_y)]
        return torch.cartesian_prod(axes[0], axes[1], chosen, axes[2], axes[3])

    return torch.cat([product(n_angles, which[~round_]), product(1, which[round_])])


def generator(name: str, values: Tensor | Sequence[float] | None, like: Tensor | None = None) -> Tensor:
    """One column's values as a floating tensor (k,), in the dtype and on the device of `like`; None means [0]."""
    tensor = torch.as_tensor([0.0] if values is None else values)
    if tensor.ndim != 1 or not len(tensor):
        raise ValueError(f"{name} must be one row of at least one number, got shape {tuple(tensor.shape)}")
    if like is not None:
        return tensor.to(like)
    return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())


def spatial_parameters(
    scales: Tensor | Sequence[float],
    angles: Tensor | Sequence[float],
    ratios: Tensor | Sequence[float],
    derivatives: Derivatives,
    x: Tensor | Sequence[float] | None = None,
    y: Tensor | Sequence[float] | None = None,
    include_replicas: bool = False,
) -> Tensor:
    """The table (n, 7) of rows (scale, angle, ratio, x, y, dx, dy): every combination, scale slowest.

    Each row is repeated for every derivative pair: `derivatives` is a list of pairs, a tensor (n, 2), or d for all
    pairs of (0..d)^2 but (d, d); for all pairs up to a total order give `derivative_orders(d)`. Ratios of exactly 1
    keep the first angle only, and their rows come last, unless `include_replicas`.

    >>> spatial_parameters([1.0, 2.0], [0.0, 1.0], [0.5, 1.0], 1).shape
    torch.Size([18, 7])
    """
    scales = generator("scales", scales)
    columns = [scales] + [
        generator(name, values, scales) for name, values in (("angles", angles), ("ratios", ratios), ("x", x), ("y", y))
    ]
    _, angles, ratios, x, y = columns
    index = parameter_index(ratios, len(scales), len(angles), len(x), len(y), include_replicas)
    rows = torch.stack([column[which] for column, which in zip(columns, index.unbind(1), strict=True)], 1)
    return with_derivatives(rows, derivative_pairs(derivatives))


def with_derivatives(rows: Tensor, pairs: Tensor) -> Tensor:
    """Every row followed by every derivative pair, the pairs fastest."""
    return torch.cat([rows.repeat_interleave(len(pairs), 0), pairs.to(rows).repeat(len(rows), 1)], 1)


def spatio_temporal_parameters(
    scales: Tensor | Sequence[float],
    angles: Tensor | Sequence[float],
    ratios: Tensor | Sequence[float],
    derivatives: Derivatives,
    temporal_scales: Tensor | Sequence[float],
    include_replicas: bool = False,
    *,
    x: Tensor | Sequence[float] | None = None,
    y: Tensor | Sequence[float] | None = None,
) -> Tensor:
    """The table (n k, 8) of every spatial row (slowest) with every one of k temporal scales (last column).

    >>> spatio_temporal_parameters([1.0], [0.0], [1.0], 1, [1.0, 2.0]).shape
    torch.Size([6, 8])
    """
    rows = spatial_parameters(scales, angles, ratios, derivatives, x, y, include_replicas)
    return with_derivatives(rows, generator("temporal_scales", temporal_scales, rows)[:, None])
