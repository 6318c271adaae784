"""What the pages of the reference are written with: headings, tables, and things described, as reStructuredText."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
import types
from collections.abc import Iterable, Mapping
from typing import Any

from eventsnn.forms.build import ModelForm


def heading(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n\n"


def table(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"   * - {left}\n     - {right}\n" for left, right in rows)
    return f".. list-table::\n   :widths: auto\n   :class: names\n\n{body}\n" if body else ""


def toctree(pages: Iterable[str]) -> str:
    """Links to pages in the sidebar."""
    return ".. toctree::\n   :hidden:\n\n" + "".join(f"   {page}\n" for page in pages) + "\n"


def is_data(thing: Any) -> bool:
    """True for constants and names of types."""
    return not (callable(thing) or inspect.ismodule(thing)) or isinstance(thing, types.GenericAlias)


def summary(thing: Any, length: int = 150) -> str:
    """The first paragraph of a docstring, as reStructuredText; of a constant, its value or its keys."""
    if is_data(thing):
        return f"``{textwrap.shorten(', '.join(thing) if isinstance(thing, Mapping) else repr(thing), length)}``"
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()).replace("``", "`")
    parts = text.split("`")  # every second one is code
    parts[::2] = (re.sub(r"([*|_])", r"\\\1", part) for part in parts[::2])
    return "``".join(parts)


def described(path: str) -> str:
    """The directive that describes a thing."""
    room, _, name = path.rpartition(".")
    thing = getattr(importlib.import_module(room), name)
    if is_data(thing):
        return f".. py:data:: {path}\n\n   {summary(thing, 2_000)}\n\n"
    if inspect.isclass(thing):
        plain = issubclass(thing, ModelForm) or hasattr(thing, "broadcast") or hasattr(thing, "function")  # all alike
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
