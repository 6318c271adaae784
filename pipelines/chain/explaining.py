"""A chain before it runs: what each stage gives for a sensor, as a table, and a hash of all that is set."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .flow import Flow, size
from .made import Where
from .ways import memory

if TYPE_CHECKING:
    from .pipeline import Pipeline, Stage


@lru_cache(64)
def flows(chain: Pipeline, sensor: tuple[int, int] | None) -> tuple[tuple[Stage, Flow, int | None], ...]:
    """Each stage with what it gives and the bytes of its state. Raises ValueError where it cannot do with what comes.

    Without a sensor, shapes stay unknown.
    """
    flow = Flow("events", sensor)
    found: list[tuple[Stage, Flow, int | None]] = []
    for number, stage in enumerate(chain.stages, 1):
        if stage.row.vectors and flow.shape is not None and len(flow.shape) != 1:
            raise ValueError(
                f"stage {number}, {stage}, writes a line of numbers for each frame, as networks give them, but stage "
                f"{number - 1}, {found[-1][0]}, gives {flow} ({flow.units}); to_hdf5 and to_npy write those"
            )
        if stage.row.way in ("source", "sink", "call"):
            found.append((stage, flow, None))
            continue
        if (stage.row.sensor and flow.sensor is None) or (flow.kind == "frames" and flow.shape is None):
            flow = Flow(stage.row.gives, unit=stage.row.unit or flow.unit)
            found.append((stage, flow, None))
            continue
        before = f"stage {number - 1}, {found[-1][0]}" if found else "the recording"
        try:
            made = stage.made(flow, Where())
            item = None if stage.row.gives == "tracks" else next(iter(made.step([flow.example()])))
            given = flow.after(stage.row.gives, item, stage.row.unit or flow.unit)
            if made.labels and given.shape == (len(made.labels),):
                given = replace(given, labels=made.labels)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            raise ValueError(
                f"stage {number}, {stage}, does not fit what {before} gives, {flow} ({flow.units}): {error}"
            ) from error
        flow = given
        found.append((stage, flow, memory(made.holder)))
    return tuple(found)


def check(chain: Pipeline, sensor: tuple[int, int] | None, name: str = "the recording") -> list[Flow]:
    """What comes to each stage. Raises ValueError where a stage lacks the sensor or cannot do with it."""
    found = [(None, Flow("events", sensor), None), *flows(chain, sensor)]
    coming = [flow for _, flow, _ in found[:-1]]
    for number, (stage, flow) in enumerate(zip(chain.stages, coming, strict=True), 1):
        if stage.row.sensor and flow.sensor is None:
            raise ValueError(
                f"{name} does not name its sensor, and stage {number}, {stage}, must know it; "
                "give it to the first stage: {open = {sensor = [width, height]}}"
            )
    return coming


def table(chain: Pipeline, sensor: tuple[int, int] | None) -> str:
    """The stages with what they give, what its numbers are, and what memory that takes."""
    lines = [("stage", "gives", "numbers", "memory")]
    for stage, flow, state in flows(chain, sensor):
        if stage.row.way == "sink":
            lines.append((str(stage), f"file NAME{stage.ending}", "-", "-"))
            continue
        parts = [f"{size(state)} of state"] if state else []
        parts += [f"{size(flow.nbytes)} a frame"] if flow.nbytes else []
        lines.append((str(stage), str(flow), flow.units or "-", ", ".join(parts) or "-"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip() for line in lines)


def digest(chain: Pipeline) -> str:
    """SHA-256 of names, settings, and the content of the files that settings name.

    Raises ValueError for an object that other processes could not be given.
    """
    told = hashlib.sha256()
    for number, stage in enumerate(chain.stages, 1):
        try:
            told.update(json.dumps([stage.name, dict(stage.settings)], sort_keys=True, default=_pickled).encode())
            if stage.thing is not None:
                told.update(pickle.dumps(stage.thing))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"stage {number}, {stage}, cannot be given to other processes ({error}); use a function with a name, "
                "in a file that can be imported"
            ) from None
        for value in stage.settings.values():
            if isinstance(value, str) and "." in value and Path(value).is_file():
                told.update(Path(value).read_bytes())
    return told.hexdigest()


def _pickled(value: Any) -> str:
    return pickle.dumps(value).hex()
