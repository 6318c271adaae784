"""A chain at work: one stream through all stages, in memory bounded by a chunk and what the stages hold."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain as joined
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import eventsnn.io
from eventsnn.events import Events
from eventsnn.io.atomic import whole
from eventsnn.track import Tracks

from ..ahead import read_ahead
from .explaining import check
from .made import Where

if TYPE_CHECKING:
    from .pipeline import Pipeline

Source = str | Path | Events | Iterable[Events]
Watch = Callable[[str, Iterable[Any]], Iterable[Any]]


@contextmanager
def opened(chain: Pipeline, source: Source) -> Iterator[tuple[Iterable[Events], tuple[int, int] | None]]:
    """The chunks of a source and its sensor; that of a stream of Events is told by its first chunk or by open."""
    if isinstance(source, str | Path):
        with eventsnn.io.open(source, **chain.opening) as recording:
            yield recording, recording.sensor
        return
    chunks = iter([source] if isinstance(source, Events) else source)
    first = next(chunks, Events.empty())
    sensor = Events.empty(first.sensor or chain.opening.get("sensor")).sensor
    yield (Events(*part.columns, sensor=part.sensor or sensor) for part in joined([first], chunks)), sensor


def stream(
    chain: Pipeline,
    source: Source,
    paths: dict[str, Path] | None = None,
    device: str = "cpu",
    watch: Watch | None = None,
) -> Iterator[Any]:
    """What comes out at the end; sinks write to ``paths[ending]`` and are left out without them.

    ``watch(kind, items)`` sees the events that are read and the tracks that are found.
    """
    with opened(chain, source) as (chunks, sensor):
        steps = list(zip(chain.stages, check(chain, sensor), strict=True))
        items: Iterable[Any] = read_ahead(chunks) if device.startswith("cuda") else chunks
        items = watch("events", items) if watch else items
        for number, (stage, flow) in enumerate(steps, 1):
            if stage.row.way == "source" or (stage.ending and paths is None):
                continue
            path = (paths or {}).get(stage.ending)
            items = stage.made(flow, Where(device, path, number == len(steps))).step(items)
            items = watch("tracks", items) if watch and stage.row.way == "tracker" else items
        yield from items


def run(
    chain: Pipeline, source: Source, out: str | Path, name: str = "", device: str = "cpu", watch: Watch | None = None
) -> list[Path]:
    """Run to the end and give the files; under their names they appear when all of them are complete.

    Random encoders draw the same for the same chain and name.
    """
    folder = Path(out)
    name = name or (Path(source).stem if isinstance(source, str | Path) else "events")
    targets = {ending: folder / (name + ending) for ending in chain.endings}
    seed = hashlib.sha256(f"{chain} {name}".encode(errors="surrogateescape")).digest()[:4]
    torch.manual_seed(int.from_bytes(seed))
    with ExitStack() as files:
        for target in targets.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        paths = {ending: files.enter_context(whole(target)) for ending, target in targets.items()}
        deque(stream(chain, source, paths, device, watch), maxlen=0)
    return list(targets.values())


def collect(chain: Pipeline, events: Events) -> Any:
    """All that comes out, in one: Events, a tensor of all frames, or Tracks."""
    items = list(stream(chain, events))
    if chain.gives == "tracks":
        return Tracks.of(items)
    if chain.gives == "events":
        return Events.concatenate(items)
    if items:
        return torch.stack([frame for _, frame in items])
    sensor = Events.empty(events.sensor or chain.opening.get("sensor")).sensor
    flow = chain.flows(sensor)[-1][1]  # which says what frames there would be
    return torch.empty(0, *(flow.shape or ()), dtype=getattr(torch, flow.dtype or "float32"))
