"""Ground truth of a clip as a table, in the coordinates of ``eventsnn.track``, and as MOTChallenge text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events, microseconds

from .generate import ShapesBatch, generate
from .presets import preset


@dataclass(frozen=True, eq=False)
class Truth:
    """One row for each object and label time; columns ``[n]``, in order of time and then id.

    ``frame`` counts label times from 1, ``t_us`` is the time, ``id`` counts objects from 1; ``x, y`` is the middle of
    the box and ``w, h`` its size [px] (of the whole shape, also where it is hidden), ``vx, vy`` the velocity [px/s],
    ``visibility`` the share of the object in view, ``kind`` the shape's index. As in ``Tracks``, a pixel's index is
    the place of its centre: x = 0 is the centre of the first pixel.
    """

    frame: NDArray[np.int64]
    t_us: NDArray[np.int64]
    id: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    w: NDArray[np.float64]
    h: NDArray[np.float64]
    vx: NDArray[np.float64]
    vy: NDArray[np.float64]
    visibility: NDArray[np.float64]
    kind: NDArray[np.int64]

    @classmethod
    def of(cls, batch: ShapesBatch, clip: int = 0) -> Self:
        """The truth of one clip of a batch, at the end of every frame."""
        labels, per_second = batch.labels, 1e6 / batch.config.dt_us
        box, here = labels.box[:, clip].cpu(), labels.present[clip].cpu()
        frames, objects, _ = box.shape
        middle, size = (box[..., :2] + box[..., 2:]) / 2 - 0.5, box[..., 2:] - box[..., :2]
        speed = labels.velocity[:, clip].cpu() * per_second
        numbers = np.arange(frames).repeat(objects)
        which = np.tile(np.arange(objects), frames)
        keep = here.numpy()[which]
        floats: Any = [v.numpy().reshape(-1, 2)[keep, k] for v in (middle, size, speed) for k in (0, 1)]
        seen = labels.visibility[:, clip].cpu().numpy().reshape(-1)[keep]
        when = labels.t_us.cpu().numpy()[numbers]
        kind = which % len(batch.config.shapes)
        columns = numbers[keep] + 1, when[keep], which[keep] + 1, *floats, seen, kind[keep]
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, index: slice | NDArray[np.generic]) -> Self:
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))

    def every(self, dt: int | str) -> Self:
        """The rows at the times dt, 2 dt, ..., with frames numbered anew: those at the ends of windows of this length.

        Raises ValueError if the labels are not at these times.
        """
        length = microseconds(dt)
        step = int(self.t_us.min()) if len(self) else length
        if length < 1 or length % step:
            raise ValueError(f"labels are {step} us apart: dt must be a multiple of that, got {dt!r}")
        part = self[self.t_us % length == 0]
        return replace(part, frame=part.t_us // length)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Boxes ``[n, 4]`` as left, top, width, height [px]."""
        return np.stack([self.x - self.w / 2, self.y - self.h / 2, self.w, self.h], 1)

    def rows(self) -> Iterator[tuple[int, int, int, float, float, float, float, float, float, float, int, int]]:
        """Rows of ``eventsnn.track.Tracks``, with the visibility as score: ``Tracks.of(truth.rows())``."""
        names = ("frame", "t_us", "id", "x", "y", "w", "h", "vx", "vy", "visibility")
        for row in zip(*(getattr(self, name).tolist() for name in names), strict=True):
            yield (*row, 0, 0)  # type: ignore[misc]

    def to_mot(self, path: str | Path) -> None:
        """Write MOTChallenge ground truth: ``frame,id,left,top,width,height,1,class,visibility``."""
        columns = zip(self.frame, self.id, self.boxes, self.kind, self.visibility, strict=True)
        lines = (
            f"{frame},{number},{x:.2f},{y:.2f},{w:.2f},{h:.2f},1,{kind + 1},{seen:.3f}\n"
            for frame, number, (x, y, w, h), kind, seen in columns
        )
        Path(path).write_text("".join(lines))


def tracking_benchmark(seed: int, duration: int | str = "2s") -> tuple[Events, Truth]:
    """Clip ``seed`` of the tracking benchmark: five shapes of 12 to 40 px that cross before a 346x260 sensor.

    There is noise of 1 Hz a pixel, and hot pixels. Clips 0 to 19 are the benchmark. Labels are 1 ms apart.

    >>> events, truth = tracking_benchmark(0, "5ms")
    >>> events.sensor, len(truth), truth.every("5ms").frame.tolist()
    ((346, 260), 25, [1, 1, 1, 1, 1])
    """
    config = preset("tracking-benchmark")
    frames = microseconds(duration) // config.dt_us
    batch = generate(replace(config, frames=frames), first=seed, frames=False)
    events = batch.events
    return (events or [Events.empty()])[0], Truth.of(batch)
