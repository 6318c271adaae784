"""Pages of the reference, written while the site is built: a page for each room, neuron model, and for the commands.

What a room lists in ``__all__`` is on its page; a public name that is on no page is an error.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from command_page import commands_page
from neuron_pages import model_page, neurons_page
from recipe_page import recipes_page
from rst import heading, listed, summary, table, toctree
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import eventsnn
from eventsnn.neurons import MODELS

ROOMS = {
    "Recordings": {
        "events": "Events",
        "io": "Reading and writing",
        "filters": "Filters",
        "frames": "Frames and other representations",
        "structured": "Structured arrays",
        "styles": "Styles",
        "draw": "Pictures",
    },
    "Networks": {
        "surrogate": "Spike functions",
        "encode": "Encoders and decoders",
        "fields": "Receptive fields",
        "containers": "Containers",
        "nir": "NIR graphs",
    },
    "Tracking": {
        "pipelines.track": "Track a recording",
        "track": "Trackers and tracks",
        "track.metrics": "Metrics",
    },
    "Data and training": {
        "datasets": "Datasets",
        "datasets.shapes": "Moving shapes",
        "camera": "The pixels of an event camera",
        "augment": "Augmentations",
        "train": "Training",
    },
    "Many recordings": {"pipelines.chain": "Chains"},
}


def names_of(module: Any) -> list[str]:
    """The public names of a module: those it lists, else those it defines."""
    own = (name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__)
    return list(getattr(module, "__all__", None) or [name for name in own if not name.startswith("_")])


def full_name(room: str, name: str) -> str:
    """The shortest name that a thing can be imported under."""
    here = getattr(importlib.import_module(room), name)
    place = "eventsnn" if getattr(eventsnn, name, None) is here else room
    return f"{place}.{name}"


def room_page(room: str, title: str) -> str:
    module = importlib.import_module(f"eventsnn.{room}")
    names = sorted(names_of(module), key=lambda name: name[0].isupper())  # functions before classes
    paths = [full_name(module.__name__, name) for name in names]
    return heading(title) + f".. automodule:: {module.__name__}\n\n" + listed(paths)


def pages() -> Iterator[tuple[str, str]]:
    """Names and texts of all pages."""
    yield "commands", commands_page()
    yield "recipes", recipes_page()
    yield "neurons", neurons_page()
    for model in MODELS:
        yield f"neurons/{model.prefix}", model_page(model)
    contents = heading("Reference")
    for group, rooms in ROOMS.items():
        modules = {room: importlib.import_module(f"eventsnn.{room}") for room in rooms}
        for room, title in rooms.items():
            yield room, room_page(room, title)
        rows = [(f":doc:`{title} <{room}>`", summary(modules[room])) for room, title in rooms.items()]
        if group == "Networks":
            rows.insert(0, (":doc:`Neurons <neurons>`", summary(eventsnn.forms)))
        listing = [*(["neurons"] if group == "Networks" else []), *rooms]
        contents += heading(group, "-") + table(rows) + toctree(listing)
    rows = [
        (":doc:`Commands <commands>`", "All commands and their options."),
        (":doc:`Recipes and ready chains <recipes>`", "What ``eventsnn train`` and ``eventsnn batch`` know by name."),
    ]
    yield "index", contents + heading("Command line", "-") + table(rows) + toctree(["commands", "recipes"])


def write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference"
    everything = dict(pages())
    for name, text in everything.items():
        path = folder / f"{name}.rst"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    all_text = "".join(everything.values())
    lacking = [name for name in eventsnn.__all__ if f":: eventsnn.{name}\n" not in all_text]
    if lacking:
        raise ExtensionError(f"public names that are on no page of the reference: {', '.join(lacking)}")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write, priority=100)
    return {"parallel_read_safe": True}
