"""Detections: where something was seen in one frame, as equal-length columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from .regions import Region

Column = Any  # a NumPy array or a torch tensor


@dataclass(frozen=True, eq=False)
class Detections:
    """Centres ``x, y`` and sizes ``w, h`` [px], and ``score``; columns ``[n]``, all NumPy or all torch on one device.

    Raises ValueError for columns of unequal length, numbers that are not finite, or sizes that are not positive.

    >>> found = Detections(np.array([10.0]), np.array([8.0]), np.array([4.0]), np.array([6.0]), np.array([25.0]))
    >>> len(found), found.boxes.tolist()
    (1, [[8.0, 5.0, 4.0, 6.0]])
    """

    x: Column
    y: Column
    w: Column
    h: Column
    score: Column

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in vars(self).items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of detections differ in length: {lengths}")
        if not len(self.w):
            return
        if not bool(((self.w > 0) & (self.h > 0)).all()):
            raise ValueError("sizes of detections must be positive; leave out boxes without area")
        if not bool((abs(self.x) + abs(self.y) + self.w + self.h + abs(self.score) < math.inf).all()):
            raise ValueError("centres, sizes and scores of detections must be finite numbers; leave out the others")

    @classmethod
    def of_boxes(cls, boxes: Column, score: Column | None = None) -> Self:
        """From boxes ``[n, 4]`` as left, top, width, height, else ValueError; without scores these are 1."""
        if not isinstance(boxes, torch.Tensor):
            boxes = np.asarray(boxes, float) if len(boxes) else np.zeros((0, 4))
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes must have shape [n, 4]: left, top, width, height; got {tuple(boxes.shape)}")
        left, top, w, h = (boxes[:, k] for k in range(4))
        return cls(left + w / 2, top + h / 2, w, h, w * 0 + 1 if score is None else score)

    @classmethod
    def of_regions(cls, regions: Sequence[Region]) -> Self:
        """From the regions of a leaky map; the score is the largest response in standard deviations of the noise.

        >>> from eventsnn.track import Region
        >>> Detections.of_regions([Region(np.array([10.0, 20.0]), np.array([30.0, 30.0]), 40, 25.0)]).boxes
        array([[ 9.5 , 19.75, 21.  , 10.5 ]])
        """
        low, high = (np.array([getattr(r, name) for r in regions], float).reshape(-1, 2) for name in ("low", "high"))
        centre, size = (low + high) / 2, np.maximum((high - low) * 1.05, 1.0)
        return cls(centre[:, 0], centre[:, 1], size[:, 0], size[:, 1], np.array([r.z for r in regions], float))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> Self:
        """Some of the rows, by slice, mask or index array."""
        return type(self)(*(column[index] for column in vars(self).values()))

    @property
    def boxes(self) -> Column:
        """Boxes ``[n, 4]`` as left, top, width, height [px]."""
        columns = [self.x - self.w / 2, self.y - self.h / 2, self.w, self.h]
        return torch.stack(columns, 1) if isinstance(self.x, torch.Tensor) else np.stack(columns, 1)

    def to(self, device: torch.device | str) -> Self:
        """The same detections as torch columns on a device."""
        return type(self)(*(torch.as_tensor(column).to(device) for column in vars(self).values()))

    def numpy(self) -> Self:
        """The same detections with NumPy columns."""
        columns = vars(self).values()
        return type(self)(*(c.cpu().numpy() if isinstance(c, torch.Tensor) else c for c in columns))

    def to_supervision(self) -> Any:
        """A ``supervision.Detections``. Raises ImportError if the package supervision is not installed."""
        return as_supervision(self.numpy().boxes, np.asarray(self.numpy().score))


def as_supervision(boxes: NDArray[Any], score: NDArray[Any], number: NDArray[Any] | None = None) -> Any:
    """``supervision.Detections`` of boxes (left, top, width, height), with the ids of tracks where there are some.

    All are of class 0, as its annotators choose colours by class.
    """
    try:
        import supervision
    except ImportError:
        raise ImportError("to_supervision needs the package supervision: pip install supervision") from None
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    classes = np.zeros(len(corners), int)
    return supervision.Detections(xyxy=corners, confidence=score, class_id=classes, tracker_id=number)
