"""Video files: MP4 and GIF."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.filter import Graph

from eventsnn.styles import Image


class Video:
    """A video written picture by picture, ``with Video(path, fps) as video``.

    A GIF where the path ends in .gif, else an MP4 that browsers play (H.264, yuv420p). Raises ValueError for a number
    of pictures per second that the format does not show.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        gif = Path(path).suffix.lower() == ".gif"
        most = 50 if gif else 240
        if not 0 < fps <= most:
            raise ValueError(f"fps must lie in (0, {most}] for {'a GIF' if gif else 'an MP4'}, got {fps}")
        self._fps = Fraction(fps).limit_denominator(1000)
        self._gif, self._count = gif, 0
        self._container: Any = av.open(str(path), "w", format="gif" if gif else "mp4")
        self._stream: Any = None
        self._palette: Any = None

    def add(self, image: Image) -> None:
        """Append an RGB picture ``[H, W, 3]``; an MP4 needs even sizes, so an odd last row or column is doubled."""
        if not self._gif:
            image = np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._begin(*image.shape[:2])
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
        frame.pts, frame.time_base, self._count = self._count, 1 / self._fps, self._count + 1
        if self._palette is not None:
            self._palette.push(frame)
            frame = self._palette.pull()
            frame.pict_type = 0
        self._write(frame)

    def _begin(self, height: int, width: int) -> None:
        self._stream = self._container.add_stream("gif" if self._gif else "libx264", rate=self._fps)
        self._stream.height, self._stream.width = height, width
        if self._gif:
            self._stream.pix_fmt, self._palette = "pal8", _palette(height, width, self._fps)
        else:
            self._stream.pix_fmt, self._stream.options = "yuv420p", {"crf": "20", "preset": "veryfast"}

    def _write(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None and kind is None:
            self._write(None)
        self._container.close()


def _palette(height: int, width: int, fps: Fraction) -> Any:
    """A graph that gives every picture the 256 colours that suit it."""
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / fps)
    split, use, sink = graph.add("split"), graph.add("paletteuse", "new=1:dither=none"), graph.add("buffersink")
    colours = graph.add("palettegen", "stats_mode=single")
    source.link_to(split)
    split.link_to(colours, 0, 0)
    split.link_to(use, 1, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph
