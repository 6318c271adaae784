"""How kernels are compiled: by numba, running without the interpreter's lock, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F, **options: Any) -> F:
    """The function compiled at its first call; where no folder can be written it is compiled anew in every process.

    A kernel kept on disk is renewed when its own file changes, not when another file does: what a kernel calls stands
    in the same file. ``options`` go to numba.
    """
    try:
        return cast(F, njit(**{"nogil": True, "cache": True, **options})(function))
    except RuntimeError:  # numba found no place for its cache
        return cast(F, njit(**{"nogil": True, **options})(function))


def brief(function: F) -> F:
    """The same for what takes some microseconds: it keeps the lock, which other threads would not give back at once."""
    return compiled(function, nogil=False)
