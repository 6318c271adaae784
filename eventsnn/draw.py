"""Pictures of events and tracks."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.jit import compiled
from eventsnn.styles import PAPER, Image, Painter

_PALETTE = ((0, 125, 72), (146, 60, 190), (205, 110, 0), (0, 120, 155), (190, 30, 95), (105, 105, 0), (70, 80, 200))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def colour(number: int) -> tuple[int, int, int]:
    """The colour (red, green, blue) that stands for a track's id."""
    return _PALETTE[(number - 1) % len(_PALETTE)]


def picture(events: Events, *, zoom: int = 1) -> Image:
    """Events on white paper, ON blue and OFF red, ``[H zoom, W zoom, 3]`` RGB; the latest event of a pixel shows.

    Raises ValueError if the sensor size is unknown.

    >>> picture(Events([0], x=[1], y=[0], p=[1], sensor=(3, 2))).shape
    (2, 3, 3)
    """
    if events.sensor is None:
        raise ValueError("the sensor size of these events is not known; make them with sensor=(width, height)")
    image = Painter(events.sensor).paint(events, 0)
    return image.repeat(zoom, 0).repeat(zoom, 1)


def zoom_for(sensor: tuple[int, int], least: int = 480) -> int:
    """The whole factor that brings the longer side of a sensor to ``least`` px or more."""
    return max(1, -(-least // max(sensor)))


class Overlay:
    """Draws boxes, ids and fading trails of tracks over pictures; one call for each frame, in order of time."""

    def __init__(self, zoom: int = 1, trail: int = 40) -> None:
        self.zoom = zoom
        self._trails: dict[int, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=trail))

    def follow(self, rows: Iterable[tuple[int, float, float]]) -> None:
        """Let the trails go on: ``(id, x, y)`` of each track in a frame; those of other tracks are dropped."""
        here = {number: (x, y) for number, x, y in rows}
        for number, place in here.items():
            self._trails[number].append(place)
        for number in self._trails.keys() - here.keys():
            del self._trails[number]

    def draw(self, image: Image, boxes: Iterable[tuple[int, float, float, float, float, bool]]) -> Image:
        """Boxes ``(id, x, y, width, height, seen)``, centre and size in px of the sensor; thin where not seen."""
        for number, x, y, w, h, seen in boxes:
            ink = colour(number)
            trail, wide = self._places(np.array(self._trails[number]).reshape(-1, 2)), 1 if self.zoom < 3 else 2
            for k in range(_SHADES):  # the older, the paler
                part = trail[len(trail) * k // _SHADES : len(trail) * (k + 1) // _SHADES + 1]
                pale = (_SHADES - 1 - k) / (_SHADES + 1)
                shade = [c + pale * (paper - c) for c, paper in zip(ink, PAPER, strict=True)]
                cv2.polylines(image, [part], False, shade, wide, cv2.LINE_AA, _SHIFT)
            (left, top), (right, bottom) = self._places(np.array([[x - w / 2, y - h / 2], [x + w / 2, y + h / 2]]))
            cv2.rectangle(image, (left, top), (right, bottom), ink, 2 if seen else 1, cv2.LINE_AA, _SHIFT)
            corner = max(int(left) >> _SHIFT, 2), max((int(top) >> _SHIFT) - 5, 14)
            cv2.putText(image, str(number), corner, _FONT, 0.5, ink, 1, cv2.LINE_AA)
        return image

    def _places(self, places: NDArray[np.float64]) -> NDArray[np.int32]:
        """Sensor pixels as points of the zoomed picture, in the fixed-point numbers of cv2."""
        return np.rint(((places + 0.5) * self.zoom - 0.5) * (1 << _SHIFT)).astype(np.int32)


_SHIFT = 4
_SHADES = 6


def caption(image: Image, text: str) -> Image:
    """Small grey text in the lower left corner, dark on a bright ground and bright on a dark one."""
    ink = (110,) * 3 if image[-24:, :80].mean() > 160 else (215,) * 3
    cv2.putText(image, text, (6, image.shape[0] - 7), _FONT, 0.45, ink, 1, cv2.LINE_AA)
    return image


class Trajectories:
    """One picture of all paths, drawn as they come: ``follow`` for each frame, in order of time, then ``image``.

    A path is broken off where its track is away: what happened there is not known.

    >>> paths = Trajectories((120, 80))
    >>> paths.follow([(1, 10.0, 40.0)])
    >>> paths.follow([(1, 30.0, 40.0)])
    >>> paths.image().shape
    (640, 960, 3)
    """

    def __init__(self, sensor: tuple[int, int]) -> None:
        self.zoom = zoom_for(sensor, 960)
        width, height = sensor
        self._events = np.zeros((height, width), np.float32)
        self._paths = np.full((height * self.zoom, width * self.zoom, 3), PAPER, np.uint8)
        self._last: dict[int, tuple[int, int]] = {}
        self._ends: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {}

    def shade(self, events: Events) -> None:
        """Add events to the grey background. Raises ValueError for events outside the sensor."""
        _, x, y, _ = events.numpy().columns
        if not _count(self._events, x, y):
            height, width = self._events.shape
            raise ValueError(f"events lie outside the {width}x{height} sensor; crop them first")

    def follow(self, rows: Iterable[tuple[int, float, float]]) -> None:
        """Lead paths on to the places of a frame: ``(id, x, y)`` [px] of each track that is there."""
        before, self._last = self._last, {}
        for number, x, y in rows:
            here = round((x + 0.5) * self.zoom), round((y + 0.5) * self.zoom)
            cv2.line(self._paths, before.get(number, here), here, colour(number), 2, cv2.LINE_AA)
            self._last[number] = here
            self._ends[number] = self._ends.get(number, (here, here))[0], here

    def image(self) -> Image:
        """The paths with their ids over a grey picture of where events were."""
        grey = np.log1p(self._events)
        grey = 255 - 90 * grey / max(float(grey.max()), 1e-9)
        ground = grey.astype(np.uint8)[..., None].repeat(3, 2).repeat(self.zoom, 0).repeat(self.zoom, 1)
        image = np.minimum(ground, self._paths)
        for number, (start, end) in self._ends.items():
            cv2.circle(image, start, 6, colour(number), 2, cv2.LINE_AA)
            cv2.circle(image, end, 6, colour(number), -1, cv2.LINE_AA)
            label = max(2, min(end[0] + 10, image.shape[1] - 30)), max(18, min(end[1] - 8, image.shape[0] - 6))
            cv2.putText(image, str(number), label, _FONT, 0.7, colour(number), 2, cv2.LINE_AA)
        return image


@compiled
def _count(counts: Any, x: Any, y: Any) -> bool:
    """Add one to the pixel of each event; False at the first off the sensor."""
    height, width = counts.shape
    for i in range(len(x)):
        if not (0 <= x[i] < width and 0 <= y[i] < height):
            return False
        counts[y[i], x[i]] += 1
    return True


def save(path: str | Path, image: Image) -> None:
    """Write an RGB picture as PNG. Raises OSError if it cannot be written."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    if not done:
        raise OSError(f"{path}: the picture could not be encoded as PNG")
    Path(path).write_bytes(data.tobytes())
