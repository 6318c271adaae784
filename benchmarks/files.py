"""Event files: decoding rate of eventsnn against other readers, each in a process of its own.

    python benchmarks/files.py [--events 20000000] [--python OTHER/bin/python ...] [--formats EVT2 DAT]

Two synthetic recordings (rows of moving edges, uniformly random pixels) are written in each format by eventsnn. Every
reader first has to give the same columns; then the best of five passes over the file counts, with no work done on the
events. The ratio is that of eventsnn's events per second of CPU time to the reader's. ``--python`` names further
interpreters that have peers installed: expelliarmus, evutils, evt3, faery, aedat, dv-processing, evlib, tonic.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = {"EVT2": ".evt2.raw", "EVT3": ".raw", "DAT": ".dat", "AEDAT4": ".aedat4", "ES": ".es", "N-MNIST": ".bin"}
Columns = tuple[Any, Any, Any, Any]


def ours(path: str, _: str) -> Iterator[Columns]:
    import eventsnn.io

    for events in eventsnn.io.open(path):
        yield events.columns


def ours_whole(path: str, _: str) -> Iterator[Columns]:
    import eventsnn.io

    yield eventsnn.io.read(path).columns


def records(array: Any) -> Columns:
    return array["t"], array["x"], array["y"], array["on" if "on" in array.dtype.names else "p"]


def expelliarmus(path: str, format: str) -> Iterator[Columns]:
    from expelliarmus import Wizard

    yield records(Wizard(encoding=format.lower()).read(path))


def evutils(path: str, _: str) -> Iterator[Columns]:
    from evutils.io import EventReader

    for events in EventReader(path, n_events=1_000_000, reuse_buffers=True):
        yield events["t"], events["x"], events["y"], events["p"]


def evt3(path: str, _: str) -> Iterator[Columns]:
    import evt3

    events = evt3.decode_file(path)
    yield events.timestamp, events.x, events.y, events.polarity


def faery(path: str, _: str) -> Iterator[Columns]:
    import faery

    yield from map(records, faery.events_stream_from_file(path))


def aedat(path: str, _: str) -> Iterator[Columns]:
    import aedat

    yield from (records(packet["events"]) for packet in aedat.Decoder(path))


def dv_processing(path: str, _: str) -> Iterator[Columns]:
    import dv_processing

    recording = dv_processing.io.MonoCameraRecording(path)
    while recording.isRunning() and (batch := recording.getNextEventBatch()) is not None:
        array = batch.numpy()
        yield array["timestamp"], array["x"], array["y"], array["polarity"]


def evlib(path: str, _: str) -> Iterator[Columns]:
    import evlib

    table = evlib.load_events(path).collect()
    t, x, y, p = (table[name].to_numpy() for name in ("t", "x", "y", "polarity"))
    yield t.astype("timedelta64[us]").astype(np.int64), x, y, p > 0


def tonic(path: str, _: str) -> Iterator[Columns]:
    from tonic.io import read_mnist_file

    yield records(read_mnist_file(path, np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])))


READERS: dict[str, tuple[Callable[[str, str], Iterator[Columns]], tuple[str, ...]]] = {
    "eventsnn": (ours, tuple(SUFFIXES)),
    "eventsnn read": (ours_whole, tuple(SUFFIXES)),
    "expelliarmus": (expelliarmus, ("EVT2", "EVT3", "DAT")),
    "evutils": (evutils, ("EVT2", "EVT3", "DAT", "AEDAT4")),
    "evt3": (evt3, ("EVT3",)),
    "faery": (faery, ("EVT2", "EVT3", "DAT", "AEDAT4", "ES")),
    "aedat": (aedat, ("AEDAT4",)),
    "dv_processing": (dv_processing, ("AEDAT4",)),
    "evlib": (evlib, ("EVT2", "EVT3", "AEDAT4")),
    "tonic": (tonic, ("N-MNIST",)),
}


def synthetic(kind: str, count: int) -> Iterator[Any]:
    """Events on 200x200 pixels in chunks: edges that sweep over rows of pixels, or any pixel, 2 events a us."""
    from eventsnn.events import Events

    rng = np.random.default_rng(1)
    for begin in range(0, count, 1_000_000):
        n = np.arange(begin, min(begin + 1_000_000, count))
        if kind == "rows":
            t, x, y, p = n // 40 * 20, n // 4000 % 160 + n % 40, n // 40 % 200, n // 4000 % 2
        else:
            t, (x, y), p = n // 2, rng.integers(0, 200, (2, len(n))), rng.integers(0, 2, len(n))
        yield Events(t, x.astype(np.int16), y.astype(np.int16), p.astype(np.uint8), sensor=(640, 480))


def job(reader: str, format: str, path: str) -> dict[str, Any]:
    """Measures one reader on one file in this process."""
    read = READERS[reader][0]
    sums = [hashlib.sha256() for _ in range(4)]
    count = 0
    for columns in read(path, format):
        count += len(columns[0])
        for digest, column, kind in zip(sums, columns, ("<i8", "<i4", "<i4", "u1"), strict=True):
            digest.update(np.ascontiguousarray(column, kind).tobytes())
    cpu = wall = float("inf")
    for _ in range(5):
        begun, started = time.process_time(), time.perf_counter()
        for _ in read(path, format):
            pass
        cpu, wall = min(cpu, time.process_time() - begun), min(wall, time.perf_counter() - started)
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return {
        "cpu": cpu,
        "wall": wall,
        "count": count,
        "columns": [digest.hexdigest()[:12] for digest in sums],
        "peak": peak,
    }


def measure(pythons: list[str], reader: str, format: str, path: Path) -> dict[str, Any] | None:
    """The job in the first interpreter that has the reader."""
    for python in pythons:
        command = [python, __file__, "--job", reader, format, str(path)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode == 0:
            return json.loads(run.stdout.splitlines()[-1])  # type: ignore[no-any-return]
        if "ModuleNotFoundError" not in run.stderr:
            print(f"{reader} on {path.name}: {run.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--python", nargs="*", default=[])
    parser.add_argument("--formats", nargs="*", default=list(SUFFIXES))
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(job(*arguments.job)))
        return
    import eventsnn.io

    print("| format | events | reader | M events/s CPU | M events/s wall | peak MB | columns | eventsnn / reader |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for format in arguments.formats:
            for kind in ("rows", "random"):
                path = Path(folder) / f"{kind}{SUFFIXES[format]}"
                eventsnn.io.write(path, synthetic(kind, arguments.events), format=format)
                truth = None
                for reader, (_, known) in READERS.items():
                    found = (
                        measure([sys.executable, *arguments.python], reader, format, path) if format in known else None
                    )
                    if found is None:
                        continue
                    truth = truth or found
                    wrong = [n for n, a, b in zip("txyp", found["columns"], truth["columns"], strict=True) if a != b]
                    rates = [found["count"] / found[clock] / 1e6 for clock in ("cpu", "wall")]
                    ratio = truth["count"] / truth["cpu"] / 1e6 / rates[0]
                    print(
                        f"| {format} | {kind} | {reader} | {rates[0]:.0f} | {rates[1]:.0f} | {found['peak']:.0f} "
                        f"| {'differ in ' + ', '.join(wrong) if wrong else 'equal'} | {ratio:.2f} |",
                        flush=True,
                    )
                path.unlink()


if __name__ == "__main__":
    main()
