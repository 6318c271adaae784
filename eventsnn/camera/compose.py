"""Equations and a kernel that uses them, put into one module for numba or Triton.

Equations are ordinary functions of tensors, written in the names of ``arithmetic``. Their text, with the same names
taken from ``numbers`` or ``blocks`` instead, is what the kernels are compiled with: every equation is written once.
"""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from eventsnn.scan.source import load


@cache
def compose(target: str, *modules: str) -> ModuleType:
    """The texts of modules without their imports, after everything from ``eventsnn.camera.<target>``."""
    text = f"from eventsnn.camera.{target} import *\n"
    for name in modules:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"there is no module {name}")
        tree = ast.parse(Path(spec.origin).read_text())
        tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        text += ast.unparse(_bare(tree)) + "\n\n\n"
    return load(f"{target}_{modules[-1].split('.')[-1]}", text)


def _bare(tree: ast.Module) -> ast.Module:
    """Without type annotations, whose names are not there, but for those of Triton, as in ``x: tl.constexpr``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = node.annotation if isinstance(node.annotation, ast.Attribute) else None
    tree.body = [node for node in tree.body if not isinstance(node, ast.Assign)]
    return tree
