"""Docstrings are Markdown, with examples as in a Python session: they are shown as such."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.utils import new_document
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import object_description

_SESSION, _INDENTED = re.compile(r"\s*>>> "), re.compile(r"    ")


def fenced(lines: list[str]) -> Iterator[str]:
    """The lines with fences about sessions and about what is indented (equations, layouts).

    >>> list(fenced(["It doubles:", "", "    y = 2 x", "", ">>> 2 * 2", "4"]))
    ['It doubles:', '', '```text', 'y = 2 x', '```', '', '```pycon', '>>> 2 * 2', '4', '```']
    """
    kind, margin = "", 0
    for k, line in enumerate(lines):
        fresh = k == 0 or not lines[k - 1].strip()
        if not kind and (_SESSION.match(line) or (fresh and _INDENTED.match(line))):
            kind = "pycon" if _SESSION.match(line) else "text"
            margin = len(line) - len(line.lstrip())
            yield f"```{kind}"
        elif kind and not line.strip() and not _goes_on(lines[k + 1 :], kind):
            yield "```"
            kind = ""
        yield from _equations(line[margin:]) if kind == "text" else [line[margin:] if kind else line]
    if kind:
        yield "```"


def _equations(line: str) -> list[str]:
    """Equations that stand side by side, each on a line."""
    parts = re.split(" {5,}", line)
    return parts if re.search(" = |: ", parts[0]) else [line]


def _goes_on(rest: list[str], kind: str) -> bool:
    following = next((line for line in rest if line.strip()), "")
    return bool((_SESSION if kind == "pycon" else _INDENTED).match(following))


class Markdown(SphinxDirective):
    """The content as Markdown, within reStructuredText."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        document = new_document(self.get_source_info()[0], self.state.document.settings)
        MystParser().parse("\n".join(self.content), document)
        return document.children


def as_markdown(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings as Markdown; those of a neuron's classes without the equations, which stand once on its page."""
    if hasattr(thing, "model") and lines:
        del lines[1:]
    if lines:
        lines[:] = [".. markdown::", "", *("   " + line for line in fenced(lines)), ""]


def is_field(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Fields of named tuples stand in the signature, so they are left out below it."""
    return True if str(getattr(thing, "__doc__", "")).startswith("Alias for field number") else None


def with_named_parameters(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """A signature in which a neuron's parameters are by their name, not a row of numbers."""
    if signature is None or what not in ("class", "function"):
        return None
    p = inspect.signature(thing).parameters.get("p")
    if p is None or not hasattr(p.default, "_fields"):
        return None
    return signature.replace(object_description(p.default), f"{type(p.default).__name__}()"), returns


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("markdown", Markdown)
    app.connect("autodoc-process-docstring", as_markdown, priority=900)
    app.connect("autodoc-skip-member", is_field)
    app.connect("autodoc-process-signature", with_named_parameters)
    return {"parallel_read_safe": True}
