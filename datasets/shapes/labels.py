"""The truth about each object at the end of each frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .config import ShapesConfig
from .geometry import coverage
from .motion import Scene


@dataclass(frozen=True, eq=False)
class Labels:
    """For frames T, clips B, objects O, in image coordinates: pixel i spans [i, i + 1].

    ``centre``, ``size`` (w, h of the shape before it is turned), ``velocity`` (px per frame) [T, B, O, 2]; ``angle``
    (as matrix) in ``matrix`` [T, B, O, 2, 2]; ``box`` (x0, y0, x1, y1) of the whole shape [T, B, O, 4]; ``present``
    [B, O]; ``identity`` [B, O], 1, 2, ... and 0 for none; ``shape`` [B, O], index into the config's shapes; ``depth``
    [B, O], larger is nearer; ``speed_class`` and ``size_class`` [B, O], which one of a list; ``t_us`` [T].
    """

    config: ShapesConfig
    scene: Scene
    t_us: Tensor
    centre: Tensor
    velocity: Tensor
    matrix: Tensor
    box: Tensor
    present: Tensor

    @property
    def size(self) -> Tensor:
        w = 2 * self.matrix[..., 0].norm(dim=-1)
        area = 4 * torch.linalg.det(self.matrix)
        return torch.stack([w, area / w], -1)

    @property
    def angle(self) -> Tensor:
        return torch.atan2(self.matrix[..., 1, 0], self.matrix[..., 0, 0])

    @property
    def shear(self) -> Tensor:
        cross = (self.matrix[..., 0] * self.matrix[..., 1]).sum(-1)
        return cross / torch.linalg.det(self.matrix)

    @property
    def identity(self) -> Tensor:
        return torch.where(self.present, torch.arange(1, self.scene.labelled + 1, device=self.present.device), 0)

    @property
    def depth(self) -> Tensor:
        return torch.arange(self.scene.labelled, device=self.present.device).expand_as(self.present)

    @property
    def shape(self) -> Tensor:
        return self.depth % len(self.config.shapes)

    @property
    def speed_class(self) -> Tensor:
        return self.scene.picks["speed"][:, : self.scene.labelled]

    @property
    def size_class(self) -> Tensor:
        return self.scene.picks["size"][:, : self.scene.labelled]

    @property
    def box_visible(self) -> Tensor:
        """The box cut at the border of the image."""
        limit = self.box.new_tensor([self.config.width, self.config.height] * 2)
        return torch.minimum(self.box.clamp(min=0), limit)

    @cached_property
    def visibility(self) -> Tensor:
        """Share of each object's area [T, B, O] that is in the image and, where objects hide one another, in view.

        An object that is whole in the image and whose box meets no box before it has 1; else the shares of pixels are
        added up, found at the first use.
        """
        config, box, last = self.config, self.box, self.scene.labelled
        inside = (box[..., :2] >= 0).all(-1) & (box[..., 2] <= config.width) & (box[..., 3] <= config.height)
        here, others = box[..., None, :], box[..., None, :, :]
        meets = ((here[..., :2] < others[..., 2:]) & (here[..., 2:] > others[..., :2])).all(-1)
        front = torch.ones(last, last, dtype=torch.bool, device=box.device).triu(1) & self.present[:, None]
        hidden = meets & front if config.composition == "occlude" else torch.zeros_like(meets)
        seen = (torch.ones_like(box[..., 0]) * self.present).clone()
        for t, b, o in ((~inside | hidden.any(-1)) & self.present).nonzero().tolist():
            seen[t, b, o] = self._share(t, b, o, hidden[t, b, o].nonzero().flatten().tolist())
        return seen

    def _share(self, t: int, b: int, o: int, before: list[int]) -> float:
        left, top, right, bottom = self.box_visible[t, b, o].tolist()
        x0, y0, wide, high = int(left), int(top), int(right) + 1 - int(left), int(bottom) + 1 - int(top)
        wide, high = min(wide, self.config.width - x0), min(high, self.config.height - y0)
        if wide <= 0 or high <= 0:
            return 0.0

        def over(k: int) -> Tensor:
            x, y = self.centre[t, b, k].tolist()
            return coverage(self.scene.forms[k], self.matrix[t, b, k], (x - x0, y - y0), wide, high)

        mine = over(o)
        unit = self.scene.forms[o].area
        area = float(torch.linalg.det(self.matrix[t, b, o])) * unit if unit is not None else float(mine.sum())
        for k in before:
            mine = mine * (1 - over(k))
        return min(1.0, float(mine.sum()) / max(area, 1e-9))


def labels(config: ShapesConfig, scene: Scene) -> Labels:
    """Labels of a scene: poses at the ends of its frames, without those before the clip begins."""
    device, last = scene.centre.device, scene.labelled
    frames = torch.arange(config.frames, device=device)
    steps = (config.pre_roll + frames + 1) * config.substeps

    def at(values: Tensor, when: Tensor) -> Tensor:
        return values[:, when if values.shape[1] > 1 else torch.zeros_like(when), :last].movedim(1, 0)

    centre = at(scene.centre, steps)
    box = torch.cat([centre + at(scene.low, steps), centre + at(scene.high, steps)], -1)
    return Labels(
        config,
        scene,
        (frames + 1) * config.dt_us,
        centre,
        centre - at(scene.centre, steps - config.substeps),
        at(scene.matrix, steps),
        box,
        scene.present[:, :last],
    )
