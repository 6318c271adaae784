"""How the gallery looks: the order of the examples, and their pictures."""

from __future__ import annotations

from typing import Any

ORDER = (
    "read_and_bin",
    "clean_noise",
    "track_shapes",
    "train_classifier",
    "chain",
    "receptive_fields",
    "neuron_dynamics",
    "izhikevich",
    "encoders",
)
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


def in_order(file: str) -> int:
    """The place of an example among the others; one that is not named above is an error."""
    return ORDER.index(file.removesuffix(".py"))


def set_look(gallery: Any, example: Any) -> None:
    """Before and after each example."""
    from matplotlib import pyplot

    pyplot.rcParams.update(_LOOK)
