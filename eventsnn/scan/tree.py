"""Trees of tensors: nested (named) tuples, lists and dicts, taken apart into leaves and a hashable form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

LEAF = "*"


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The tensors and numbers of `tree`, and its form, which keeps the rest (strings, functions, booleans, None).

    >>> flatten((1.0, ("super", 2.0)))[0]
    [1.0, 2.0]
    """
    if isinstance(tree, (Tensor, int, float)) and not isinstance(tree, bool):
        return [tree], LEAF
    if not isinstance(tree, (tuple, list, dict)):
        return [], ("static", tree)
    leaves: list[Any] = []
    forms: list[Any] = []
    for child in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(child, Tensor):  # the usual case
            leaves.append(child)
            forms.append(LEAF)
            continue
        child_leaves, child_form = flatten(child)
        leaves.extend(child_leaves)
        forms.append(child_form)
    keys = tuple(tree) if isinstance(tree, dict) else None
    return leaves, (type(tree), keys, tuple(forms))


def unflatten(leaves: Sequence[Any], form: Any) -> Any:
    """The tree of that form with these leaves.

    >>> unflatten([3, 4], flatten([1, {"a": 2}])[1])
    [3, {'a': 4}]
    """
    return _build(iter(leaves), form)


def _build(leaves: Iterator[Any], form: Any) -> Any:
    if form == LEAF:
        return next(leaves)
    if form[0] == "static":
        return form[1]
    kind, keys, forms = form
    children = [_build(leaves, child) for child in forms]
    if keys is not None:
        return dict(zip(keys, children, strict=True))
    return kind(*children) if hasattr(kind, "_fields") else kind(children)
