"""Filters: events per second on one core against other libraries, which first have to keep the same events.

    python benchmarks/filters.py [--events 20000000] [--python OTHER/bin/python ...]

Sensors of 1280x720 and 346x260, moving edges with a fifth of noise, and uniformly random pixels. A filter gets events
and gives events; the median of three runs counts. Peers run in processes of their own, on a part of the recording where
they are slow; the ratio is that of ours on the same part. tonic's Denoise looks at four neighbours instead of eight, so
it is only asked that ours keeps what it keeps. ``--python`` names interpreters that have dv-processing and evutils.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

TAU = 2_000
Columns = tuple[Any, Any, Any, Any]
Run = Callable[[], Any]


def recording(kind: str, sensor: tuple[int, int], count: int) -> Columns:
    """Events at 20 a microsecond and megapixel: edges that sweep over the sensor among noise, or any pixel."""
    random = np.random.default_rng(1)
    width, height = sensor
    span = int(count / (20 * width * height / 1e6))
    t = 1_000_000 + np.sort(random.integers(0, span, count))
    x, y, p = (random.integers(0, high, count) for high in (width, height, 2))
    if kind == "edges":
        edges = random.random(count) < 0.8
        x = np.where(edges, (t * width // 200_000 + width // 12 * (x % 12) + random.integers(0, 2, count)) % width, x)
    return t, x.astype(np.int16), y.astype(np.int16), p.astype(np.uint8)


def tonic_array(columns: Columns) -> Any:
    array = np.empty(len(columns[0]), [("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])
    for name, column in zip("txyp", columns, strict=True):
        array[name] = column
    return array


def tonic_denoise(columns: Columns, _: tuple[int, int]) -> Run:
    from tonic.transforms import Denoise

    array = tonic_array(columns)
    return lambda: Denoise(TAU)(array)["t"]


def dv_background(columns: Columns, sensor: tuple[int, int]) -> Run:
    from datetime import timedelta

    import dv_processing

    store = dv_processing.EventStore()
    for event in zip(*(column.tolist() for column in columns), strict=True):
        store.push_back(*event[:3], bool(event[3]))

    def run() -> Any:
        clean = dv_processing.noise.BackgroundActivityNoiseFilter(
            sensor, backgroundActivityDuration=timedelta(microseconds=TAU + 1)
        )
        clean.accept(store)
        return clean.generateEvents()

    return run


def evutils_refractory(columns: Columns, _: tuple[int, int]) -> Run:
    from evutils.transforms.functional import refractory_period
    from evutils.types import EventArray

    events = EventArray(*columns)
    return lambda: refractory_period(events, TAU)


PEERS: dict[str, tuple[str, int, Callable[[Columns, tuple[int, int]], Run]]] = {
    "tonic Denoise": ("background", 50_000, tonic_denoise),
    "dv-processing BackgroundActivityNoiseFilter": ("background", 500_000, dv_background),
    "evutils refractory_period": ("refractory", 4_000_000, evutils_refractory),
}


def times(result: Any) -> Any:
    """The time stamps of what a peer gave back."""
    return np.asarray(result.timestamps() if hasattr(result, "timestamps") else getattr(result, "t", result))


def peer(name: str, path: str) -> None:
    """Run in the peer's interpreter: its time stamps and rate."""
    data = np.load(path)
    run = PEERS[name][2](tuple(data[k] for k in "txyp"), tuple(data["sensor"].tolist()))
    kept = times(run())
    np.save(path + ".npy", kept)
    print(json.dumps({"rate": len(data["t"]) / median(run)}))


def median(run: Run, repeats: int = 3) -> float:
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def ours(sensor: tuple[int, int]) -> dict[str, Any]:
    from eventsnn.filters import (
        BackgroundActivityFilter,
        FlickerFilter,
        HotPixelFilter,
        RateLimiter,
        RefractoryFilter,
        SpatioTemporalCorrelationFilter,
    )

    return {
        "background": BackgroundActivityFilter(sensor, TAU),
        "correlation": SpatioTemporalCorrelationFilter(sensor, TAU, support=2),
        "correlation, same polarity": SpatioTemporalCorrelationFilter(sensor, TAU, support=2, same_polarity=True),
        "refractory": RefractoryFilter(sensor, TAU),
        "hot": HotPixelFilter(sensor, "100ms"),
        "flicker": FlickerFilter(sensor),
        "rate": RateLimiter(sensor, 1_000),
    }


def supported(columns: Columns, support: int) -> Any:
    """The plain loop that the correlation filter is held to."""
    last: dict[tuple[int, int], int] = {}
    keep = []
    for t, x, y, _ in zip(*(column.tolist() for column in columns), strict=True):
        near = [last.get((x + dx, y + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
        keep.append(sum(s is not None and s >= t - TAU for s in near) >= support)
        last[x, y] = t
    return np.array(keep)


def anew(clean: Any, events: Any) -> Any:
    """The events a filter keeps of a new recording."""
    clean.reset()
    return clean(events)


def compared(
    name: str, columns: Columns, sensor: tuple[int, int], pythons: list[str], filters: Any
) -> tuple[str, float, float]:
    """Whether a peer keeps what ours keeps, its rate, and the ratio of ours to it."""
    from eventsnn import Events

    match, count, _ = PEERS[name]
    part = tuple(column[:count] for column in columns)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/events.npz"
        np.savez(path, sensor=sensor, **dict(zip("txyp", part, strict=True)))
        for python in pythons:
            done = subprocess.run([python, __file__, "--peer", name, path], capture_output=True, text=True)
            if done.returncode == 0:
                break
        else:
            return "not installed", 0.0, 0.0
        theirs = np.load(path + ".npy")
    events = Events(*part, sensor=sensor)
    kept = anew(filters[match], events).t
    late = theirs[theirs > part[0][0] + TAU]
    equal = np.array_equal(kept, theirs)
    answer = "equal" if equal else "part of ours" if np.isin(late, kept).all() else f"{len(theirs):,} for {len(kept):,}"
    rate = json.loads(done.stdout)["rate"]
    return answer, rate, len(part[0]) / median(lambda: anew(filters[match], events)) / rate


def main(arguments: argparse.Namespace) -> None:
    from eventsnn import Events

    print("| recording | filter | kept | M events/s | ours / peer |")
    print("|---|---|---|---|---|")
    for sensor, count in (((1280, 720), arguments.events), ((346, 260), arguments.events // 5)):
        for kind in ("edges", "random"):
            columns = recording(kind, sensor, count)
            events, filters = Events(*columns, sensor=sensor), ours(sensor)
            head = tuple(column[:30_000] for column in columns)
            for support, name in ((1, "background"), (2, "correlation")):
                assert np.array_equal(filters[name].keep(events[:30_000]), supported(head, support)), name
            where = f"{kind} {sensor[0]}x{sensor[1]}, {count / 1e6:g} M"
            for name, clean in filters.items():
                part = len(anew(clean, events)) / count
                rate = count / median(lambda: anew(clean, events))  # noqa: B023
                print(f"| {where} | {name} | {part:.1%} | {rate / 1e6:.0f} | |", flush=True)
            for name in PEERS:
                answer, rate, ratio = compared(name, columns, sensor, [sys.executable, *arguments.python], filters)
                print(f"| {where} | {name} | {answer} | {rate / 1e6:.3g} | {ratio:.3g} |", flush=True)
            copies = [np.empty_like(column) for column in columns]
            rate = count / median(lambda: [np.copyto(a, b) for a, b in zip(copies, columns, strict=True)])  # noqa: B023
            print(f"| {where} | copy of the columns | | {rate / 1e6:.0f} | |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--python", nargs="*", default=[])
    parser.add_argument("--peer", nargs=2)
    given = parser.parse_args()
    if given.peer:
        sys.path.pop(0)  # this folder, whose files have names of packages
        peer(*given.peer)
    else:
        main(given)
