"""What is to be opened, where it is named by more than a path: a URL of fsspec, the folder of a ROS 2 recording."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, BinaryIO

Origin = str | os.PathLike[str] | bytes | BinaryIO
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+(::[a-zA-Z0-9+.-]+)*://")


def located(origin: Origin) -> tuple[Origin, Any]:
    """The thing to read, and what has to be closed after it (or None). Raises ImportError where fsspec is missing."""
    if isinstance(origin, str) and _URL.match(origin):
        try:
            import fsspec
        except ImportError:
            raise ImportError(f"{origin}: URLs are opened by the package fsspec; pip install fsspec") from None
        file = fsspec.open(origin, "rb").open()
        return file, file
    if isinstance(origin, str | os.PathLike) and os.path.isdir(origin):
        parts = sorted(part for part in Path(origin).iterdir() if part.suffix in (".db3", ".mcap"))
        if len(parts) == 1 and (Path(origin) / "metadata.yaml").is_file():
            return parts[0], None
    return origin, None
