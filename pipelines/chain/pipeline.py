"""Pipeline: a chain of stages, checked as it is built, run as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from eventsnn.events import Events
from eventsnn.structured import either

from . import running
from .explaining import digest, flows, table
from .flow import SYMBOLS, Flow
from .made import Made, Where
from .stages import STAGES, Row, nearest, parameters
from .ways import WAYS, kinds_of, of_object


@dataclass(frozen=True)
class Stage:
    """A stage of a chain: its name, what it is made from (a row of ``STAGES``, or an object), its settings."""

    name: str
    row: Row
    settings: Mapping[str, Any] = field(default_factory=dict)
    thing: Any = None

    def __str__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.settings.items())
        return f"{self.name}({given})" if given else self.name

    def made(self, flow: Flow, where: Where) -> Made:
        """The step for one stream."""
        if self.thing is not None:
            return of_object(self.thing, where)
        return WAYS[self.row.way](self.row, {**dict(self.row.preset), **self.settings}, flow, where)

    @property
    def ending(self) -> str:
        """What comes after a recording's name in that of the file it writes; "" if it writes none."""
        return str(self.settings.get("suffix", "")) + self.row.ending if self.row.ending else ""


class Pipeline:
    """A chain of stages, from a recording to files; a stage is added by its name, and checked against the one before.

    The stages are those of ``STAGES`` by name, each with the settings of the function or class that it stands for, and
    objects given to ``then``: a filter, a representation with its ``dt``, a module (over frames ``[T, 1, C, H, W]``,
    its state carried on), any function of Events that keeps the sensor. A chain does not change; every stage that is
    added gives another one, and every recording begins anew, so one chain serves any number of them, in any process.

    >>> chain = Pipeline().open().denoise(tau="5ms").frames(dt="10ms").to_hdf5()
    >>> chain.explain((346, 260))
    stage               gives                         numbers       memory
    open                events 346x260                t us, x y px  -
    denoise(tau='5ms')  events 346x260                t us, x y px  729 kB of state
    frames(dt='10ms')   frames [2, 260, 346] float32  events        720 kB a frame
    to_hdf5             file NAME.h5                  -             -
    >>> Pipeline().frames(dt="10ms")(Events([0, 12_000], [0, 1], [0, 0], [1, 0], sensor=(2, 1))).shape
    torch.Size([2, 2, 1, 2])
    """

    def __init__(self, stages: tuple[Stage, ...] = (), name: str = "chain") -> None:
        self.stages, self.name = stages, name

    def named(self, name: str) -> Pipeline:
        """The same chain under another name."""
        return Pipeline(self.stages, name)

    def __getattr__(self, name: str) -> Callable[..., Pipeline]:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in STAGES:
            raise AttributeError(nearest("stage", name, STAGES))
        return lambda *given, **settings: self.then(name, *given, **settings)

    def then(self, what: Any, *given: Any, **settings: Any) -> Pipeline:
        """The chain with one more stage. Raises ValueError for an unknown stage or setting, and one that does not fit.

        >>> Pipeline().frames(dt="10ms").to_raw()
        Traceback (most recent call last):
            ...
        ValueError: stage 2, to_raw, takes events, but stage 1, frames(dt='10ms'), gives frames [C, H, W] (events)
        """
        kind = self.gives
        if not isinstance(what, str):
            stage = Stage(type(what).__name__, kinds_of(what), thing=what)
            return self._with(stage, (stage.row,), kind)
        if what not in STAGES:
            raise ValueError(nearest("stage", what, STAGES))
        rows = STAGES[what]
        row = next((each for each in rows if each.takes == kind), rows[0])
        known = parameters(row)
        settings |= dict(zip(known, given, strict=False))
        for key in settings:
            if key not in known and row.way != "call":
                raise ValueError(f"{what}: {nearest('setting', key, known)}")
        missing = [name for name, each in known.items() if each.default is each.empty and name not in settings
                   and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]  # fmt: skip
        if missing:
            raise ValueError(f"{what} needs {' and '.join(missing)}")
        if row.way == "representation" and not {"dt", "count"} & settings.keys():
            raise ValueError(f"{what} of a stream needs dt, the length of a window, or count, its events")
        if "dtype" in settings and not isinstance(getattr(torch, str(settings["dtype"]), None), torch.dtype):
            raise ValueError(f"{what}: {nearest('dtype', settings['dtype'], _DTYPES)}")
        return self._with(Stage(what, row, settings), rows, kind)

    def _with(self, stage: Stage, rows: tuple[Row, ...], kind: str) -> Pipeline:
        number = len(self.stages) + 1
        if stage.row.way == "source" and self.stages:
            raise ValueError(f"stage {number}, {stage}, reads a recording, so it can only be the first")
        if kind != stage.row.takes and stage.row.way != "source":
            takes = " or ".join(SYMBOLS[row.takes] for row in rows)
            before = f"stage {number - 1}, {self.stages[-1]}, gives" if self.stages else "a recording gives"
            units = Flow(kind, unit=self._unit).units
            raise ValueError(f"stage {number}, {stage}, takes {takes}, but {before} {SYMBOLS[kind]} ({units})")
        twice = [n for n, each in enumerate(self.stages, 1) if each.ending and each.ending == stage.ending]
        if twice:
            raise ValueError(f"stages {twice[0]} and {number} would both write NAME{stage.ending}; give one a suffix")
        return Pipeline((*self.stages, stage), self.name)

    @property
    def gives(self) -> str:
        """The kind of what comes out at the end: events, frames or tracks."""
        return self.stages[-1].row.gives if self.stages else "events"

    @property
    def _unit(self) -> str:
        return next((stage.row.unit for stage in reversed(self.stages) if stage.row.way != "sink"), "")

    @property
    def opening(self) -> dict[str, Any]:
        """How recordings are opened: the settings of the stage open."""
        return dict(self.stages[0].settings) if self.stages and self.stages[0].row.way == "source" else {}

    @property
    def endings(self) -> tuple[str, ...]:
        """What follows a recording's name in those of the files that are written for it."""
        return tuple(stage.ending for stage in self.stages if stage.ending)

    @property
    def digest(self) -> str:
        """A hash of the stages, their settings, and the files that these name."""
        return digest(self)

    def flows(self, sensor: tuple[int, int] | None = None) -> tuple[tuple[Stage, Flow, int | None], ...]:
        """Each stage with what it gives and the bytes of its state; found out by giving it one event or frame.

        Raises ValueError where the stages cannot work with that sensor.
        """
        return flows(self, sensor)

    def explain(self, sensor: tuple[int, int] | None = None) -> None:
        """Print the stages with the shapes, units and memory of what they give, for a sensor (width, height)."""
        print(table(self, sensor))

    def stream(self, source: running.Source, *, device: str = "cpu") -> Iterator[Any]:
        """What comes out at the end: Events, pairs (time in us, frame) or rows of tracks; files are not written."""
        return running.stream(self, source, device=device)

    def run(self, source: running.Source, out: str | Path = ".", *, device: str = "cpu") -> list[Path]:
        """The files written for a recording: a path, Events or a stream of them. They appear together, when whole."""
        return running.run(self, source, out, device=device)

    def batch(self, inputs: Iterable[str | Path], out: str | Path, **options: Any) -> Any:
        """All recordings of files, folders and patterns; the options are those of ``eventsnn batch``."""
        from ..batch import batch

        return batch(self, [str(each) for each in inputs], Path(out), **options)

    @either
    def __call__(self, events: Events) -> Any:
        """One recording, as in a training loader: Events, all frames ``[T, ...]`` in one tensor, or ``Tracks``."""
        return running.collect(self, events)

    def __str__(self) -> str:
        return ", ".join(str(stage) for stage in self.stages)


_DTYPES = ("uint8", "int16", "uint16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
