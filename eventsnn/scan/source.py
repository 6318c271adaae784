"""Programs printed as source text, and the text loaded as a module from the user's cache folder."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Container, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from .operations import Node, Program, Value


def emit(
    program: Program,
    names: Mapping[str, str],
    templates: Mapping[str, str],
    constant: Callable[[float], str],
    prefix: str,
    exact: tuple[Container[Node], Mapping[str, str]] = ((), {}),
) -> tuple[list[str], list[str]]:
    """One assignment a node, and the expressions of the outputs. Inputs are called as in `names`, nodes get the prefix.

    `exact` is a set of nodes and templates for the nodes that are not in it.
    """
    called: dict[Value, str] = {name: names.get(name, name) for name in program.inputs}

    def written(value: Value) -> str:
        return called[value] if isinstance(value, str) else constant(value)

    lines = []
    for node in program.nodes:
        called[node.name] = prefix + node.name
        template = templates[node.op] if node in exact[0] else exact[1].get(node.op, templates[node.op])
        lines.append(f"{called[node.name]} = " + template.format(*map(written, node.args)))
    return lines, [written(value) for value in program.outputs]


def indent(lines: list[str], depth: int) -> list[str]:
    return ["    " * depth + line for line in lines]


def load(name: str, text: str) -> ModuleType:
    """The module with this text. The file is kept, so that what compilers cache beside or by it is found next time."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = folder() / f"{name}_{digest}.py"
    if not path.exists() or path.read_text() != text:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as part:
            part.write(text)
        os.replace(part.name, path)  # two processes may write the same text at once
    spec = importlib.util.spec_from_file_location(f"eventsnn_generated_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # what is cached on disk asks for its module by name
    spec.loader.exec_module(module)
    return module


@cache
def folder() -> Path:
    """`$EVENTSNN_CACHE`, else the user's cache folder, else (where that cannot be written) one for this process."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(os.environ.get("EVENTSNN_CACHE") or Path(home) / "eventsnn")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if os.access(path, os.W_OK):
            return path
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="eventsnn-"))
