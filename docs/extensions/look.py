"""How the pictures of the examples look."""

from typing import Any

_LOOK = {
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": "#aaaaaa",
    "image.cmap": "magma",
    "image.interpolation": "nearest",
    "lines.linewidth": 1.2,
    "legend.frameon": False,
}


def set_look(gallery: Any, example: Any) -> None:
    """Before and after each example."""
    from matplotlib import pyplot

    pyplot.rcParams.update(_LOOK)
