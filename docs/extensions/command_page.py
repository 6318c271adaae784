"""The page of the commands, from what each says with ``--help``."""

from __future__ import annotations

import contextlib
import importlib
import io

from rst import heading, summary, table

from eventsnn.cli import COMMANDS, main


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
