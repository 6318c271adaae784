"""Chains from TOML: a file, or the name of one that comes with the package.

about = "..."
chain = ["open", {denoise = {tau = "5ms"}}, {frames = {dt = "10ms"}}, "to_hdf5"]
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from .pipeline import Pipeline
from .stages import nearest

_KEYS = ("about", "chain")


def ready() -> tuple[str, ...]:
    """The names of the chains that come with the package.

    >>> ready()
    ('convert-to-hdf5', 'denoise', 'frames-for-training', 'track-and-report', 'video-preview')
    """
    folder = files(__package__)
    return tuple(sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml")))


def read_chain(source: str | Path) -> Pipeline:
    """The chain of a TOML file, or a ready one by its name. Raises ValueError for what is not known in it.

    >>> print(read_chain("denoise"))
    open, hot_pixels(late='hold'), denoise(late='hold'), to_raw
    """
    path = Path(source)
    if str(source) in ready():
        text = (files(__package__) / f"{source}.toml").read_text()
    elif path.suffix == ".toml" or path.exists():
        text = path.read_text()
    else:
        raise ValueError(f"{nearest('chain', str(source), ready())} (a chain of your own is a file that ends in .toml)")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source}: {error}") from None
    try:
        return _chain(found).named(path.stem)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{source}: {error}") from None


def _chain(found: dict[str, Any]) -> Pipeline:
    for key in found:
        if key not in _KEYS:
            raise ValueError(nearest("key", key, _KEYS))
    stages = found.get("chain")
    if not isinstance(stages, list):
        raise ValueError('a chain is a list of stages: chain = ["open", {denoise = {tau = "5ms"}}, "to_hdf5"]')
    chain = Pipeline()
    for stage in stages:
        name, settings = next(iter(stage.items())) if isinstance(stage, dict) and len(stage) == 1 else (stage, {})
        if not isinstance(name, str) or not isinstance(settings, dict):
            raise ValueError(f"a stage is a name, or {{name = {{setting = value}}}}, got {stage!r}")
        chain = chain.then(name, **settings)
    return chain
