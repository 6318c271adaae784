"""The package nir, which is imported when it is first needed."""

from __future__ import annotations

from typing import Any


def nir_package() -> Any:
    """The package nir; an ImportError says how to install it."""
    try:
        import nir
    except ImportError as error:
        raise ImportError("NIR graphs need the package nir: pip install 'eventsnn[nir]'") from error
    return nir
