"""Classify recordings with a checkpoint: the probability of each class after each frame, as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro


@dataclass(frozen=True)
class Config:
    """Classify recordings of any known format: a table of class probabilities over time."""

    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Checkpoint of eventsnn train."""
    recordings: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Event files."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """CSV file to write: file, t_us (end of the frame, from the first event), a column for each class. Default: the
    table goes to the terminal."""
    device: str = "auto"
    """Where to compute: cpu, cuda, ..., or auto."""


def run(config: Config) -> None:
    """Write the table, and say what each recording is taken for."""
    from eventsnn.devices import device_named
    from eventsnn.io.atomic import whole
    from eventsnn.train import load, network

    if not config.recordings:
        raise ValueError("name the recordings to classify")
    saved, device = load(config.checkpoint), device_named(config.device)
    for path in config.recordings:
        if not path.exists():
            raise FileNotFoundError(2, "there is no such recording", str(path))
    net = network(saved, device)
    with ExitStack() as stack:
        target: Any = sys.stdout
        if config.out is not None:
            target = stack.enter_context(stack.enter_context(whole(config.out)).open("w", newline=""))
        table = csv.writer(target)
        table.writerow(["file", "t_us", *saved.facts["classes"]])
        for path in config.recordings:
            final: list[float] = []
            for end, final in probabilities(net, saved, path, device):
                table.writerow([path, end, *(f"{value:.6f}" for value in final)])
            best = max(range(len(final)), key=final.__getitem__)
            print(f"{path}: {saved.facts['classes'][best]} ({final[best]:.1%})", file=sys.stderr)


def probabilities(net: Any, saved: Any, path: Path, device: Any) -> Iterator[tuple[int, list[float]]]:
    """The end of each frame, in us from the first event, and the probabilities of the classes by then."""
    import torch

    import eventsnn.io
    from eventsnn.events import microseconds
    from eventsnn.frames import Packed, to_frames
    from eventsnn.train import over_time

    recipe, facts = saved.recipe, saved.facts
    sensor = (facts["sensor"][0], facts["sensor"][1])
    with eventsnn.io.open(path) as recording:
        given = recording.sensor or sensor
    if given[0] > sensor[0] or given[1] > sensor[1]:
        seen, known = (f"{width}x{height}" for width, height in (given, sensor))
        raise ValueError(
            f"{path}: its {seen} pixels lie outside the {known} that the network knows; crop or downsample"
        )
    events = eventsnn.io.read(path, sensor=sensor).numpy().sort()
    if not len(events):
        raise ValueError(f"{path}: there are no events to classify")
    packed = Packed.join([events])
    spikes = sensor[1] == 1
    frames = to_frames(
        packed, recipe.dt, recipe.n_bins, sensor=sensor, channels=1 if spikes else 2, downsample=recipe.downsample,
        binary=recipe.binary, duration=recipe.duration,
    )  # fmt: skip
    frames = (frames[:, :, 0, 0] if spikes else frames).to(device)
    with torch.no_grad():
        found = over_time(net(frames)[0], len(facts["classes"]), recipe.readout, recipe.gain)
    length = (events.t[-1] - events.t[0] + 1) / len(frames) if recipe.dt is None else microseconds(recipe.dt)
    for number, row in enumerate(found[:, 0].tolist(), 1):
        yield round(number * float(length)), row
