"""Pages of the reference, written while the site is built: a page for each room, neuron model, and for the commands.

What a room lists in ``__all__`` is on its page; a public name that is on no page is an error.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import eventsnn
from eventsnn.cli import COMMANDS, main
from eventsnn.forms.build import ModelForm
from eventsnn.neurons import MODELS
from eventsnn.neurons.izhikevich import IzhikevichSpikingBehavior
from eventsnn.neurons.model import Model

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
SHARED = ("SNN", "SNNCell", "SNNRecurrent", "SNNRecurrentCell", "norse_state_dict", "lift")


def names_of(module: Any) -> list[str]:
    """The public names of a module: those it lists, else those it defines."""
    own = (name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__)
    return list(getattr(module, "__all__", None) or [name for name in own if not name.startswith("_")])


def is_data(thing: Any) -> bool:
    """True for constants and names of types."""
    return not (callable(thing) or inspect.ismodule(thing)) or isinstance(thing, types.GenericAlias)


def summary(thing: Any) -> str:
    """The first paragraph of a docstring, as reStructuredText; of a constant, its value or its keys."""
    if is_data(thing):
        return f"``{textwrap.shorten(', '.join(thing) if isinstance(thing, dict) else repr(thing), 150)}``"
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return text.replace("``", "`").replace("`", "``").replace("*", r"\*").replace("|", r"\|")


def heading(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n\n"


def full_name(room: str, name: str) -> str:
    """The shortest name that a thing can be imported under."""
    here = getattr(importlib.import_module(room), name)
    place = "eventsnn" if getattr(eventsnn, name, None) is here else room
    return f"{place}.{name}"


def table(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"   * - {left}\n     - {right}\n" for left, right in rows)
    return f".. list-table::\n   :widths: auto\n   :class: names\n\n{body}\n" if body else ""


def toctree(pages: Iterable[str]) -> str:
    """Links to pages in the sidebar."""
    return ".. toctree::\n   :hidden:\n\n" + "".join(f"   {page}\n" for page in pages) + "\n"


def described(path: str) -> str:
    """The directive that describes a thing."""
    room, _, name = path.rpartition(".")
    thing = getattr(importlib.import_module(room), name)
    if is_data(thing):
        return f".. py:data:: {path}\n\n   {summary(thing)}\n\n"
    if inspect.isclass(thing):
        plain = issubclass(thing, ModelForm) or hasattr(thing, "broadcast")  # all neurons, and all states, are alike
        options = "" if plain else "   :members:\n   :special-members: __call__, __getitem__\n"
        if hasattr(thing, "__dataclass_fields__"):
            options += "   :undoc-members:\n"
        return f".. autoclass:: {path}\n{options}\n"
    return f".. autofunction:: {path}\n\n"


def listed(paths: list[str]) -> str:
    """A table of things and a description of each."""
    things = [getattr(importlib.import_module(path.rpartition(".")[0]), path.rpartition(".")[2]) for path in paths]
    rows = ((f":py:obj:`~{path}`", summary(thing)) for path, thing in zip(paths, things, strict=True))
    return table(rows) + "".join(map(described, paths))


def room_page(room: str, title: str) -> str:
    module = importlib.import_module(f"eventsnn.{room}")
    names = sorted(names_of(module), key=lambda name: name[0].isupper())  # functions before classes
    paths = [full_name(module.__name__, name) for name in names]
    return heading(title) + f".. automodule:: {module.__name__}\n\n" + listed(paths)


def names_of_model(model: Model) -> list[str]:
    """Layers and cells of a model, its parameters and states, its step functions."""
    source, prefixes = model.step.__module__, {each.prefix for each in MODELS}

    def owner(step: str) -> str:
        return max((prefix for prefix in prefixes if step.startswith(f"{prefix}_")), key=len, default="")

    groups: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name in eventsnn.__all__:
        thing = getattr(eventsnn, name)
        if getattr(thing, "model", None) is model:
            groups[0].append(name)
        elif callable(thing) and thing.__module__ in (source, f"{source}_behaviours"):
            groups[1].append(name)
        elif name.endswith(("_step", "_sparse", "_integral")) and owner(name) == model.prefix:
            groups[2].append(name)
    if model.prefix == "lsnn":
        groups[2].append("ada_lif_step")
    return [*groups[0], *groups[1], *groups[2]]


def model_page(model: Model) -> str:
    presets = [k for k in eventsnn.neurons.__all__ if isinstance(getattr(eventsnn, k), IzhikevichSpikingBehavior)]
    return (
        heading(model.name)
        + f".. automodule:: {model.step.__module__}\n\n"
        + listed([f"eventsnn.{name}" for name in names_of_model(model)])
        + (heading("Presets", "-") + "".join(map(preset, presets)) if model.presets else "")
    )


def preset(name: str) -> str:
    """A behaviour of Izhikevich's neuron, with the parameters in which behaviours differ."""
    p, start = getattr(eventsnn, name)
    values = ", ".join(f"{key} = {getattr(p, key):g}" for key in ("a", "b", "c", "d"))
    return f".. py:data:: eventsnn.{name}\n\n   {values}; starts at v = {start.v:g} mV, u = {start.u:g}\n\n"


def neurons_page() -> str:
    rows = [(f":doc:`{m.name} <neurons/{m.prefix}>`", summary(sys.modules[m.step.__module__])) for m in MODELS]
    return (
        heading("Neurons")
        + ".. automodule:: eventsnn.forms.modules\n\n"
        + "LIF, for example, comes as ``LIF``, ``LIFCell``, ``LIFRecurrent`` and ``LIFRecurrentCell``, and as the "
        + "functions ``lif_feed_forward_step`` and ``lif_step``.\n\n"
        + table(rows)
        + toctree([f"neurons/{model.prefix}" for model in MODELS])
        + heading("A neuron of your own, and what all share", "-")
        + listed([f"eventsnn.{name}" for name in SHARED])
    )


def help_of(*arguments: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*arguments, "--help"])
    return said.getvalue()


def commands_page() -> str:
    text = heading("Commands") + "``eventsnn COMMAND --help`` says the same in a terminal.\n\n"
    told = {name: importlib.import_module(f"eventsnn.pipelines.{name.replace('-', '_')}").Config for name in COMMANDS}
    text += table((f"`eventsnn {name}`_", summary(config)) for name, config in told.items())
    for name in COMMANDS:
        shown = "".join(f"   {line}\n" for line in help_of(name).rstrip().splitlines())
        text += heading(f"eventsnn {name}", "-") + f".. code-block:: text\n\n{shown}\n"
    return text


def pages() -> Iterator[tuple[str, str]]:
    """Names and texts of all pages."""
    yield "commands", commands_page()
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
            rows.insert(0, (":doc:`Neurons <neurons>`", summary(eventsnn.neurons)))
        listing = [*(["neurons"] if group == "Networks" else []), *rooms]
        contents += heading(group, "-") + table(rows) + toctree(listing)
    contents += heading("Command line", "-") + table(
        [(":doc:`Commands <commands>`", "All commands and their options.")]
    )
    yield "index", contents + toctree(["commands"])


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
