"""How events look in a picture: by polarity, as grey, as a time surface, or fading away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eventsnn.events import Events

__all__ = ["STYLES", "Painter"]

Image = NDArray[np.uint8]
PAPER, ON, OFF = (255, 255, 255), (38, 110, 200), (214, 74, 46)
_NEVER = -1e18
_HEAT = np.array([(8, 8, 20), (70, 20, 100), (170, 45, 90), (240, 115, 45), (252, 200, 80), (255, 255, 220)])
_SLOWLY = 0.95


def _ramp(anchors: NDArray[np.generic]) -> Image:
    """256 colours that go through the anchors ``[n, 3]``."""
    where = np.linspace(0, 255, len(anchors))
    return np.stack([np.interp(np.arange(256), where, channel) for channel in anchors.T], -1).round().astype(np.uint8)


_TABLES = {
    "signed": _ramp(np.array([OFF, PAPER, ON])),
    "grey": _ramp(np.array([(0, 0, 0), (128, 128, 128), (255, 255, 255)])),
    "heat": _ramp(_HEAT),
}


class Painter:
    """Pictures of consecutive stretches of events, ``paint(events, end)`` for each, ``[H, W, 3]`` RGB.

    Styles: "polarity" shows each pixel's latest event of the stretch, ON blue and OFF red on white; "grey" the signed
    count of the stretch, brighter or darker than middle grey; "surface" exp(-age / fade), how long ago a pixel last
    fired, on a scale from dark to bright; "decay" the signed sum of all events, each weighted exp(-age / fade), blue or
    red. ``fade`` is in us. ``contrast`` is the count that gives the full colour in grey and decay; None adapts it to
    what is seen: the 95th percentile of the pixels that show, which rises at once and falls slowly.

    Raises ValueError for an unknown style, or a fade or contrast that is not positive.

    >>> painter = Painter((3, 2), "grey", contrast=1)
    >>> painter.paint(Events([0, 5], [0, 1], [0, 0], [1, 0]), end=10)[0, :, 0].tolist()
    [255, 0, 128]
    """

    def __init__(
        self, sensor: Sequence[int], style: str = "polarity", *, fade: float = 50_000, contrast: float | None = None
    ) -> None:
        if style not in STYLES:
            raise ValueError(f"unknown style {style!r}; known are {', '.join(STYLES)}")
        if not fade > 0 or not (contrast is None or contrast > 0):
            raise ValueError(f"fade and contrast must be positive, got {fade} and {contrast}")
        self.width, self.height = sensor[0], sensor[1]
        self.fade, self._paint, self._fixed = fade, STYLES[style], contrast
        self._full = contrast or 1.0
        self._sum = np.zeros((self.height, self.width), np.float32)
        self._latest = np.full((self.height, self.width), _NEVER)
        self._end: int | None = None

    def paint(self, events: Events, end: int) -> Image:
        """The picture at the time ``end`` [us], to which the stretch reaches."""
        events = Events(*events.numpy().columns, sensor=(self.width, self.height))
        if events.outside().any():
            raise ValueError(f"events lie outside the {self.width}x{self.height} sensor; crop them first")
        image = self._paint(self, events, end)
        self._end = end
        return image

    def _polarity(self, events: Events, end: int) -> Image:
        image = np.full((self.height, self.width, 3), PAPER, np.uint8)
        image[events.y, events.x] = np.array([OFF, ON], np.uint8)[events.p.astype(np.int64)]
        return image

    def _grey(self, events: Events, end: int) -> Image:
        return self._toned(self._counted(events, np.ones(len(events))), "grey")

    def _decay(self, events: Events, end: int) -> Image:
        if self._end is not None:
            self._sum *= np.exp(min(self._end - end, 0) / self.fade)
        self._sum += self._counted(events, np.exp(np.minimum(events.t - end, 0) / self.fade))
        return self._toned(self._sum, "signed")

    def _surface(self, events: Events, end: int) -> Image:
        np.maximum.at(self._latest, (events.y, events.x), events.t)
        return _TABLES["heat"][(255 * np.exp(np.minimum(self._latest - end, 0) / self.fade)).astype(np.uint8)]

    def _counted(self, events: Events, weights: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sum of the weights of each pixel's events, those of OFF events negative ``[H, W]``."""
        place = events.y.astype(np.int64) * self.width + events.x
        signed = np.where(events.p > 0, weights, -weights)
        sums = np.bincount(place, signed, self.width * self.height)
        return sums.reshape(self.height, self.width).astype(np.float32)

    def _toned(self, values: NDArray[np.float32], table: str) -> Image:
        """Values as colours: 0 in the middle of the table, the full contrast at its ends."""
        shown = np.abs(values[np.abs(values) > 0.1])
        if self._fixed is None and len(shown):
            seen = float(np.percentile(shown, 95))
            self._full = max(seen, _SLOWLY * self._full, 1.0)
        return _TABLES[table][np.rint(127.5 + 127.5 * (values / self._full).clip(-1, 1)).astype(np.uint8)]


STYLES: dict[str, Callable[[Painter, Events, int], Image]] = {
    "polarity": Painter._polarity,
    "grey": Painter._grey,
    "surface": Painter._surface,
    "decay": Painter._decay,
}
