"""Configs by name: the data of two papers at reduced size, and recordings to track in.

nice2023: Pedersen, Singhal, Conradt 2023; covariant2025: Pedersen, Conradt, Lindeberg 2025, arXiv 2405.00318; the scene
is that of GERD, Pedersen, Korakovounis, Conradt 2024, arXiv 2412.03259.
"""

from __future__ import annotations

from dataclasses import replace

from .config import ShapesConfig

_SMALL = ShapesConfig(width=64, height=64, frames=61, n_objects=1, direction="diagonal", max_per_frame=1)
_TRACKING = ShapesConfig(frames=1000, margin=3, max_per_frame=1)

PRESETS: dict[str, ShapesConfig] = {
    "nice2023-small": ShapesConfig(
        width=64,
        height=64,
        frames=80,
        size=40.0,
        speed=0.0,
        brownian=0.15,
        event_density=0.8,
        max_per_frame=1,
        texture=20,
    ),
    "covariant2025-spatial-small": replace(_SMALL, size=[10.0, 14.0, 18.0, 24.0], speed=0.2),
    "covariant2025-temporal-small": replace(_SMALL, size=(10.0, 24.0), speed=[0.08, 0.16, 0.32, 0.64]),
    "ci-32": replace(
        _SMALL,
        width=32,
        height=32,
        frames=33,
        shapes=("circle",),
        size=(7.0, 13.0),
        speed=[0.08, 0.16, 0.32, 0.64],
        margin=2,
    ),
    "tracking-single": replace(_TRACKING, n_objects=1, shapes=("circle",), size=(16.0, 32.0)),
    "tracking-lanes": replace(_TRACKING, speed=(0.05, 0.25), lanes=True, margin=5),
    "tracking-crossing": replace(_TRACKING, size=(12.0, 20.0)),
    "tracking-benchmark": ShapesConfig(
        width=346,
        height=260,
        frames=2000,
        n_objects=5,
        size=(12.0, 40.0),
        speed=(0.05, 0.25),
        composition="occlude",
        signal="log",
        hot_pixels=1e-4,
    ),
    "realistic": ShapesConfig(
        width=240,
        height=180,
        frames=2000,
        n_objects=(1, 5),
        composition="occlude",
        size=(16.0, 60.0),
        aspect=(0.6, 1.6),
        speed=(0.05, 0.8),
        spin=(-0.01, 0.01),
        growth=(-0.05, 0.05),
        shear_rate=(-0.002, 0.002),
        signal="log",
        threshold_jitter=0.15,
        refractory_us=500,
        leak_rate=0.1,
        hot_pixels=1e-4,
    ),
}


def preset(name: str) -> ShapesConfig:
    """The config of a name. Raises ValueError for a name that there is not.

    >>> preset("ci-32").width
    32
    """
    if name not in PRESETS:
        raise ValueError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
