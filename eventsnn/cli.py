"""The command ``eventsnn``: one sub-command for each pipeline, its options derived from the pipeline's Config."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tyro

from . import __version__

COMMANDS = (
    "demo",
    "info",
    "convert",
    "generate",
    "simulate",
    "denoise",
    "track",
    "evaluate-tracks",
    "learn-to-track",
    "frames",
    "batch",
    "render",
    "datasets",
    "train",
    "evaluate",
    "predict",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 after one line that says what was wrong, or what the result says.

    >>> main(["--version"])  # doctest: +ELLIPSIS
    eventsnn ...
    0
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments == ["--version"]:
        print(f"eventsnn {__version__}")
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files may be no UTF-8
    wanted = [name for name in COMMANDS if arguments[:1] == [name]] or COMMANDS
    modules = {name: importlib.import_module(f"eventsnn.pipelines.{name.replace('-', '_')}") for name in wanted}
    try:
        config = tyro.extras.subcommand_cli_from_dict(
            {name: module.Config for name, module in modules.items()},
            prog="eventsnn",
            description="Event cameras and spiking networks: recordings, datasets, tracking, training.",
            args=arguments,
            config=(tyro.conf.OmitSubcommandPrefixes,),
        )
        with _ended_as_interrupted():
            result = next(module.run for module in modules.values() if isinstance(config, module.Config))(config)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        print(f"eventsnn: {stop.args[0] if stop.args else 'interrupted, nothing was written'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads what is printed has had enough, as head has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, MemoryError, ImportError) as error:  # an import: of an extra that is not installed
        print(f"eventsnn: {_one_line(error)}", file=sys.stderr)
        return 2
    return int(getattr(result, "exit_code", 0))


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """What a cluster or a closed terminal ends takes back what is half written, as after Ctrl-C; nohup goes on."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        kinds = []
    kinds = [kind for kind in kinds if signal.getsignal(kind) is signal.SIG_DFL]
    for kind in kinds:
        signal.signal(kind, end)
    try:
        yield
    finally:
        for kind in kinds:
            signal.signal(kind, signal.SIG_DFL)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    raise SystemExit(main())
