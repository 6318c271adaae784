"""Detection in scale space: position and size of what moves, from maxima of receptive-field energy.

With U = ON + OFF the leaky map of events, m its mean where nothing moves and V its Poisson variance per pixel, T_s the
discrete Gaussian of variance s, and R a radius [px],

    z_L = sqrt(2 pi / V) s^(3/2) (-laplacian T_s * (U - m)),  s = (R / 0.662)^2        blobs and outlines
    z_D = sqrt(8 pi / V) s |grad T_s * (ON - OFF)|,           s = R^2 / 2              the two sides of what moves
    z = sqrt(max(z_L, 0)^2 + z_D^2)

in standard deviations of the noise; |grad| is the energy of the first derivative over all orientations. Of maps that
fade at different speeds, the temporal channels, the largest z counts. A detection is a maximum of z over place and
radius. Lindeberg, Feature detection with automatic scale selection (1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from eventsnn.events import sensor_size
from eventsnn.fields.line import line_operators

from .detections import Detections

_LEAST_VARIANCE = 1e-3
_MOST_PER_PIXEL = 2.0


class ScaleSpaceDetector:
    """``detector(frame)``: detections in the leaky map of frames ``[2, H, W]`` (OFF, ON), strongest first.

    Radii are geometric from ``min_size / 2`` to ``max_size / 2``; ``decay`` is the factor by which the map fades from
    one frame to the next, or one for each of several temporal channels, for what is fast and what is slow; ``least``
    the bound for z. Raises ValueError unless 0 < min_size <= max_size and 0 <= decay < 1, and for frames of another
    shape.

    >>> y, x = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    >>> ring = ((torch.hypot(x - 30, y - 20) - 8).abs() < 0.7).float()
    >>> found = ScaleSpaceDetector((64, 48), 12.0, 24.0)(torch.stack([ring * 0, ring]))
    >>> [round(float(value)) for value in (found.x[0], found.y[0])], bool(abs(found.w[0] - 16) < 4)
    ([30, 20], True)
    """

    def __init__(
        self,
        sensor: tuple[int, int],
        min_size: float = 12.0,
        max_size: float = 40.0,
        *,
        radii: int = 6,
        decay: float | Sequence[float] = 0.4346,
        least: float = 20.0,
        most: int = 50,
        device: torch.device | str = "cpu",
    ) -> None:
        if not 0 < min_size <= max_size:
            raise ValueError(f"sizes must satisfy 0 < min_size <= max_size, got {min_size} and {max_size}")
        width, height = sensor_size(sensor)
        self.radius = torch.logspace(math.log10(min_size / 2), math.log10(max_size / 2), radii, device=device)
        decays = [float(d) for d in (decay if isinstance(decay, Sequence) else [decay])]
        if not decays or not all(0 <= d < 1 for d in decays):
            raise ValueError(f"decay must lie in 0 <= decay < 1, got {decay}")
        self.decay, self.least, self.most = torch.tensor(decays, device=device)[:, None, None], least, most
        self.blob = [(r / 0.662) ** 2 for r in self.radius.tolist()]
        self.pair = [r * r / 2 for r in self.radius.tolist()]
        self._blob_y, self._blob_x = (line_operators(n, self.blob, device) for n in (height, width))
        self._pair_y, self._pair_x = (line_operators(n, self.pair, device) for n in (height, width))
        self.map = torch.zeros(len(decays), 2, height, width, device=device)

    def reset(self) -> None:
        """Forget all events."""
        self.map.zero_()

    def __call__(self, frame: torch.Tensor) -> Detections:
        if frame.shape != self.map.shape[1:]:
            raise ValueError(f"the frame must have shape {[*self.map.shape[1:]]} (OFF, ON), got {[*frame.shape]}")
        self.map.mul_(self.decay[..., None]).add_(frame.to(self.map).clamp(max=_MOST_PER_PIXEL))
        z = self.response()
        peak = torch.nn.functional.max_pool3d(z[None, None], (3, 5, 5), 1, (1, 2, 2))[0, 0]
        level, y, x = torch.nonzero((z == peak) & (z >= self.least), as_tuple=True)
        order = z[level, y, x].argsort(descending=True)[: self.most * 4]
        return _apart(level[order], y[order], x[order], z[level, y, x][order], self.radius, self.most)

    def response(self) -> torch.Tensor:
        """z ``[radii, H, W]``."""
        off, on = self.map.unbind(1)  # [channels, H, W]
        total, contrast = on + off, on - off
        block = min(8, *total.shape[1:])
        mean = torch.nn.functional.avg_pool2d(total[:, None], block).flatten(1).median(1).values[:, None, None]
        variance = (mean / (1 + self.decay)).clamp(min=_LEAST_VARIANCE)[:, None]
        centred, contrast = (total - mean)[:, None], contrast[:, None]  # [channels, radii, H, W] from here on
        s = torch.tensor(self.blob, device=total.device)[:, None, None]
        (smooth_y, _, second_y), (smooth_x, _, second_x) = self._blob_y, self._blob_x
        laplacian = second_y @ centred @ smooth_x.mT + smooth_y @ centred @ second_x.mT
        blob = (2 * math.pi / variance).sqrt() * s**1.5 * -laplacian
        s = torch.tensor(self.pair, device=total.device)[:, None, None]
        (smooth_y, first_y, _), (smooth_x, first_x, _) = self._pair_y, self._pair_x
        slope = torch.hypot(first_y @ contrast @ smooth_x.mT, smooth_y @ contrast @ first_x.mT)
        pair = (8 * math.pi / variance).sqrt() * s * slope
        return torch.hypot(blob.clamp(min=0), pair).amax(0)


def _apart(
    level: torch.Tensor, y: torch.Tensor, x: torch.Tensor, z: torch.Tensor, radius: torch.Tensor, most: int
) -> Detections:
    """The strongest maxima, none inside a stronger one's circle."""
    r = radius[level]
    near = torch.hypot((x[:, None] - x).double(), (y[:, None] - y).double()) < torch.maximum(r[:, None], r) * 1.3
    blocked = near.cpu().tolist()
    kept: list[int] = []
    for k in range(len(blocked)):
        if len(kept) < most and not any(blocked[k][j] for j in kept):
            kept.append(k)
    size = 2 * r[kept]
    return Detections(x[kept].to(size), y[kept].to(size), size, size, z[kept])
