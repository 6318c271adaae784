"""The page of what comes ready: recipes of ``eventsnn train`` and chains of ``eventsnn batch``, as they are."""

from __future__ import annotations

import tomllib
from pathlib import Path

from rst import heading

from eventsnn import pipelines
from eventsnn.pipelines import chain


def shown(folder: Path, command: str) -> str:
    """Each file under the command that runs it: what it says about itself, and the file."""
    text = ""
    for path in sorted(folder.glob("*.toml")):
        source = path.read_text()
        lines = "".join(f"   {line}\n" for line in source.splitlines() if not line.startswith("about"))
        text += heading(command.format(path.stem), "~")
        text += f"{tomllib.loads(source)['about']}\n\n.. code-block:: toml\n\n{lines}\n"
    return text


def recipes_page() -> str:
    return (
        heading("Recipes and ready chains")
        + heading("The words of a network", "-")
        + ".. automodule:: eventsnn.train.network\n   :no-index:\n\n"
        + heading("Recipes", "-")
        + shown(Path(pipelines.__file__).parent, "eventsnn train {}")
        + heading("Chains", "-")
        + shown(Path(chain.__file__).parent, "eventsnn batch {}")
    )
