"""The shapes that there are, each in units of its half size, and what a matrix makes of them.

    A = Rot(theta) [[1, kappa], [0, 1]] diag(w, h) / 2;    q = A^-1 (p - centre)

theta runs from +x to +y, which points down; all origins are centroids; w = h = size for an aspect of 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .edges import covered, distance, straight

CIRCLE, SQUARE, RING, CROSS, POLYGON, OWN = range(6)
Point = tuple[float, float]
CORNERS = {"triangle": 3, "diamond": 4, "pentagon": 5, "hexagon": 6}


@dataclass(frozen=True)
class Form:
    """A unit shape: its kind, the hull that bounds it (empty: the unit circle), its edges ``[n, 5]``, its area.

    ``own`` is a user's function from q ``[..., 2]`` to F(q), which must not be larger than the distance to the edge;
    it lies within the unit circle. Its area may be None.
    """

    name: str
    kind: int
    hull: tuple[Point, ...] = ()
    area: float | None = None
    own: Callable[[Tensor], Tensor] | None = None

    @property
    def edges(self) -> Tensor:
        start = torch.tensor(self.hull if self.kind == POLYGON else (), dtype=torch.float64).reshape(-1, 2)
        way = start.roll(-1, 0) - start
        return torch.cat([start, way, 1 / (way**2).sum(1, keepdim=True)], 1)


def _around(n: int, radii: tuple[float, ...] = (1.0,)) -> tuple[Point, ...]:
    angles = [2 * math.pi * k / n - math.pi / 2 for k in range(n)]
    return tuple(
        (radii[k % len(radii)] * math.cos(a), radii[k % len(radii)] * math.sin(a)) for k, a in enumerate(angles)
    )


def form(shape: str | Form) -> Form:
    """The unit shape of a name. Raises ValueError for a name that there is not.

    >>> form("triangle").area, len(form("polygon(7)").hull)
    (1.299038105676658, 7)
    """
    if isinstance(shape, Form):
        return shape
    square = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))
    bars = tuple((sx * x, sy * y) for x, y in ((1.0, 1 / 3), (1 / 3, 1.0)) for sx in (-1, 1) for sy in (-1, 1))
    fixed = {
        "circle": Form("circle", CIRCLE, area=math.pi),
        "ellipse": Form("ellipse", CIRCLE, area=math.pi),
        "square": Form("square", SQUARE, square, 4.0),
        "rectangle": Form("rectangle", SQUARE, square, 4.0),
        "ring": Form("ring", RING, area=math.pi * 0.75),
        "cross": Form("cross", CROSS, bars, 20 / 9),
        "star": Form("star", POLYGON, _around(10, (1.0, 0.5)), 2.5 * math.sin(math.pi / 5)),
    }
    if shape in fixed:
        return fixed[shape]
    match = re.fullmatch(r"polygon\((\d+)\)", shape)
    n = CORNERS.get(shape, int(match[1]) if match else 0)
    if n < 3:
        names = ", ".join([*fixed, *CORNERS])
        raise ValueError(f"no shape is called {shape!r}; there are {names} and polygon(n) with n of 3 or more")
    return Form(shape, POLYGON, _around(n), n / 2 * math.sin(2 * math.pi / n))


def matrix(size: Tensor, aspect: Tensor, angle: Tensor, shear: Tensor) -> Tensor:
    """A ``[..., 2, 2]``; the aspect w / h keeps the area: w = size sqrt(aspect), h = size / sqrt(aspect)."""
    w, h = size * aspect.sqrt() / 2, size / aspect.sqrt() / 2
    cos, sin = angle.cos(), angle.sin()
    upper = torch.stack([cos * w, (cos * shear - sin) * h], -1)
    lower = torch.stack([sin * w, (sin * shear + cos) * h], -1)
    return torch.stack([upper, lower], -2)


def extent(a: Tensor, shape: Form) -> tuple[Tensor, Tensor]:
    """Least and largest (x, y) ``[..., 2]`` of the shape under the matrix ``[..., 2, 2]``, from its centre.

    >>> low, high = extent(torch.tensor([[12.0, 2.4], [0.0, 6.0]]), form("circle"))
    >>> [round(v, 6) for v in high.tolist()]
    [12.237647, 6.0]
    """
    if not shape.hull:
        reach = a.norm(dim=-1)
        return -reach, reach
    corners = torch.tensor(shape.hull, dtype=a.dtype, device=a.device) @ a.transpose(-1, -2)
    return corners.amin(-2), corners.amax(-2)


def inverse(a: Tensor) -> tuple[Tensor, Tensor]:
    """A^-1 by rows ``[..., 4]`` and the distance F from which on a pixel is not cut by the edge ``[...]``."""
    determinant = a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
    entries = torch.stack([a[..., 1, 1], -a[..., 0, 1], -a[..., 1, 0], a[..., 0, 0]], -1)
    inverted = entries / determinant[..., None]
    return inverted, 0.7072 * inverted.norm(dim=-1)


def coverage(shape: str | Form, a: Tensor, centre: Point, width: int, height: int, *, exact: bool = True) -> Tensor:
    """Share of each pixel ``[H, W]`` that a shape with matrix ``a`` [2, 2] and a centre [px] covers.

    The image spans [0, W] x [0, H]: pixel (i, j) has its centre at (i + 0.5, j + 0.5). Exact for straight edges; with
    ``exact=False`` it is 1/2 - distance, from 0 to 1, and off by 0.043 at most.

    >>> disc = coverage("circle", torch.eye(2, dtype=torch.float64) * 10, (15.3, 14.6), 30, 30)
    >>> bool(abs(disc.sum() - math.pi * 100) < 0.6)
    True
    """
    unit = form(shape)
    (xx, xy, yx, yy), skin = (v.tolist() for v in inverse(a))
    y = torch.arange(height, dtype=a.dtype, device=a.device)[:, None] + 0.5 - centre[1]
    x = torch.arange(width, dtype=a.dtype, device=a.device)[None, :] + 0.5 - centre[0]
    if unit.own is None:
        edges = unit.edges.flatten().tolist()
        return covered(x + 0 * y, y + 0 * x, xx, xy, yx, yy, skin, unit.kind, 0, len(edges) // 5, edges, exact)[0]  # type: ignore[no-any-return]
    own = unit.own

    def at(dx: float, dy: float) -> Tensor:
        return own(torch.stack([xx * (x + dx) + xy * (y + dy), yx * (x + dx) + yy * (y + dy)], -1))

    return straight(at(0, 0), at(0.5, 0) - at(-0.5, 0), at(0, 0.5) - at(0, -0.5), exact)  # type: ignore[no-any-return]


__all__ = ["Form", "coverage", "distance", "extent", "form", "inverse", "matrix"]
