"""Ends of a chain, and files on its way: each writes its items and passes them on."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

import eventsnn.io
from eventsnn.events import Events, microseconds
from eventsnn.frames import windows

from .flow import Flow


def write_events(
    items: Iterable[Events], flow: Flow, path: Path, *, compression: str | None = None, last: bool = False
) -> Iterator[Events]:
    """Events into a file whose name tells the format; what comes after, if anything, reads them from there."""
    eventsnn.io.write(path, _of_sensor(items, flow), compression=compression)
    if last:
        return
    with eventsnn.io.open(path, sensor=flow.sensor) as recording:
        yield from recording


def _of_sensor(items: Iterable[Events], flow: Flow) -> Iterator[Events]:
    yield Events.empty(flow.sensor)
    yield from items


def write_frames(items: Iterable[Any], flow: Flow, path: Path, *, dtype: str | None = None) -> Iterator[Any]:
    """Frames into .h5, .npy, .npz or .pt, one after the other; ``dtype`` is that of the file."""
    from ..frame_files import writer

    kind: torch.dtype = getattr(torch, dtype or flow.dtype or "float32")
    told: dict[str, Any] = {"unit": flow.units} | ({} if flow.sensor is None else {"sensor": flow.sensor})
    told |= {"labels": flow.labels} if flow.labels else {}
    with writer(path, kind, told, flow.shape or ()) as write:
        for begin, frame in items:
            shown = frame.detach().to("cpu")
            stored = (shown.to_dense() if shown.is_sparse else shown).to(kind)
            if dtype and not kind.is_floating_point and not torch.equal(stored.to(shown.dtype), shown):
                raise ValueError(f"the frame at {begin} us has values that {dtype} does not hold; choose another dtype")
            write(begin, stored.contiguous())
            yield begin, frame


def write_vectors(items: Iterable[Any], flow: Flow, path: Path) -> Iterator[Any]:
    """Frames ``[n]``, such as what a network gives, into a table: the time [us], and a column for each number."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        for number, (begin, frame) in enumerate(items):
            if not number:
                if frame.ndim != 1:
                    raise ValueError(
                        f"a table holds frames [n], got {list(frame.shape)}; to_hdf5 and to_npy write those"
                    )
                table.writerow(["t_us", *(flow.labels or range(len(frame)))])
            table.writerow([begin, *(f"{value:.6g}" for value in frame.tolist())])
            yield begin, frame


def write_tracks(items: Iterable[Any], flow: Flow, path: Path) -> Iterator[Any]:
    """Rows of tracks into a table."""
    from eventsnn.track.records import COLUMNS, as_text

    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in items:
            table.writerow(as_text(row))
            yield row


def write_video(
    items: Iterable[Events],
    flow: Flow,
    path: Path,
    *,
    style: str = "polarity",
    fps: float = 30.0,
    slowdown: float = 1.0,
    fade: str | None = None,
    contrast: float | None = None,
) -> Iterator[Events]:
    """An MP4 of the events; ``slowdown`` is seconds of video per second of recording. See ``eventsnn render``."""
    from eventsnn.draw import zoom_for
    from eventsnn.styles import Painter
    from eventsnn.video import Video

    if fps <= 0 or slowdown <= 0:
        raise ValueError(f"fps and slowdown must be positive, got {fps} and {slowdown}")
    sensor = flow.sensor or (1, 1)
    interval, zoom = max(1, round(1e6 / fps / slowdown)), zoom_for(sensor)
    paint = Painter(sensor, style, fade=3 * interval if fade is None else microseconds(fade), contrast=contrast)
    nothing = True
    with Video(path, fps) as video:
        for begin, events in windows(items, interval):
            nothing = False
            video.add(paint.paint(events, begin + interval).repeat(zoom, 0).repeat(zoom, 1))
            yield events
        if nothing:  # that is to be seen
            video.add(paint.paint(Events.empty(sensor), interval).repeat(zoom, 0).repeat(zoom, 1))
