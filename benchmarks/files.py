"""Event files: decoding rate of eventsnn against other readers, each in a process of its own.

    python benchmarks/files.py [--events 20000000] [--python OTHER/bin/python ...] [--formats EVT2 DAT]
    python benchmarks/files.py --large FILE
    python benchmarks/files.py --floors FILE EVENTS

Two synthetic recordings (rows of moving edges, uniformly random pixels) are written in each format by eventsnn. Every
reader first has to give the same columns; then the best of five passes over the file counts, with no work done on the
events. Readers give the events either in parts, in memory that is used again, or whole, in memory of their own; a ratio
is that of eventsnn in the same manner on one core, in events per second of CPU time, except for the rows "both cores",
which compare wall time and stand against the fastest row of others. Peak memory is what reading adds to the process.
``--python`` names further interpreters that have peers installed: expelliarmus, evutils, evt3, faery, aedat,
dv-processing, evlib, tonic. ``--large`` goes through one file and tells memory, time to the first events and what
the reading leaves of torch's speed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
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
    names = getattr(getattr(array, "dtype", None), "names", None) or ()
    return array["t"], array["x"], array["y"], array["on" if "on" in names else "p"]


def expelliarmus(path: str, format: str) -> Iterator[Columns]:
    from expelliarmus import Wizard

    yield records(Wizard(encoding=format.lower()).read(path))


def evutils(path: str, _: str) -> Iterator[Columns]:
    from evutils.io import EventReader

    for events in EventReader(path, n_events=1_000_000):
        yield records(events)


def evutils_reuse(path: str, _: str) -> Iterator[Columns]:
    from evutils.io import EventReader

    for events in EventReader(path, delta_t=500_000, reuse_buffers=True):  # 10^6 events in our files
        yield records(events)


def evutils_whole(path: str, _: str) -> Iterator[Columns]:
    from evutils.io import EventReader

    yield records(EventReader(path, mode="all", max_events=1 << 28).read_all())


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


EVT = ("EVT2", "EVT3", "DAT")
READERS: dict[str, tuple[Callable[[str, str], Iterator[Columns]], str, tuple[str, ...]]] = {
    "eventsnn": (ours, "parts", tuple(SUFFIXES)),
    "eventsnn, both cores": (ours, "both cores", ("EVT2", "DAT")),
    "evutils": (evutils, "parts", (*EVT, "AEDAT4")),
    "evutils, buffers reused": (evutils_reuse, "parts", (*EVT, "AEDAT4")),
    "faery": (faery, "parts", (*EVT, "AEDAT4", "ES")),
    "aedat": (aedat, "parts", ("AEDAT4",)),
    "dv_processing": (dv_processing, "parts", ("AEDAT4",)),
    "eventsnn whole": (ours_whole, "whole", tuple(SUFFIXES)),
    "evutils whole": (evutils_whole, "whole", (*EVT, "AEDAT4")),
    "expelliarmus": (expelliarmus, "whole", EVT),
    "evt3": (evt3, "whole", ("EVT3",)),
    "evlib": (evlib, "whole", ("EVT2", "EVT3", "AEDAT4")),
    "tonic": (tonic, "whole", ("N-MNIST",)),
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


def memory(field: str) -> float:
    """A field of the process's status in MB."""
    return int(Path("/proc/self/status").read_text().partition(field)[2].split()[0]) / 1024


def job(reader: str, format: str, path: str) -> dict[str, Any]:
    """Measures one reader on one file in this process."""
    read, manner, _ = READERS[reader]
    if reader.startswith("eventsnn") and manner != "both cores":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    importlib.import_module({"eventsnn": "eventsnn.io"}.get(name := re.split(r"[, ]", reader)[0], name))
    before = memory("VmRSS:")
    for _ in read(path, format):
        pass
    peak = memory("VmHWM:") - before
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
        if wall > 2:
            break
    return {
        "cpu": count / cpu / 1e6,
        "wall": count / wall / 1e6,
        "columns": [digest.hexdigest()[:12] for digest in sums],
        "peak": peak,
    }


def large(path: str) -> None:
    """Memory, time to the first events, and torch's speed before, beside and after the reading of one file."""
    import threading

    import torch

    import eventsnn.io

    with eventsnn.io.open(path) as recording:  # compiles the kernels
        next(iter(recording))
    values = torch.rand(1 << 22)

    def torch_time() -> float:
        times = []
        for _ in range(30):
            started = time.perf_counter()
            values.sin().sum()
            times.append(time.perf_counter() - started)
        return float(np.median(times)) * 1e3

    before = memory("VmRSS:")
    rates = [torch_time()]
    started = time.perf_counter()
    parts = iter(eventsnn.io.open(path))
    next(parts)
    first = time.perf_counter() - started
    del parts
    begun, started, count = time.process_time(), time.perf_counter(), 0
    for events in eventsnn.io.open(path):
        count += len(events)
    cpu, wall = time.process_time() - begun, time.perf_counter() - started
    peak = memory("VmHWM:") - before
    rates.append(torch_time())
    stop = threading.Event()

    def reading() -> None:
        while not stop.is_set():
            for _ in eventsnn.io.open(path):
                if stop.is_set():
                    return

    beside = threading.Thread(target=reading)
    beside.start()
    rates.append(torch_time())
    stop.set()
    beside.join()
    print(f"{Path(path).stat().st_size / 1e9:.2f} GB, {count:,} events: {count / wall / 1e6:.0f} M events/s wall,")
    print(
        f"{count / cpu / 1e6:.0f} M events/s CPU; first events after {first * 1e3:.1f} ms; {peak:.0f} MB more memory;"
    )
    print(
        "torch, {} threads: {:.2f} ms before, {:.2f} ms after, {:.2f} ms beside the reading".format(
            torch.get_num_threads(), *rates
        )
    )


def floors(path: str, count: int) -> None:
    """What no reader can be faster than: reading the bytes, writing the columns, and expanding LZ4 packets."""
    columns = [np.dtype(name) for name in ("<i8", "<i2", "<i2", "u1")]
    warm = [np.zeros(1 << 16, dtype) for dtype in columns]
    buffer = bytearray(1 << 20)

    def copy() -> None:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    def write_warm() -> None:
        for _ in range(count >> 16):
            for column in warm:
                column.fill(1)

    def write_fresh() -> None:
        for dtype in columns:
            np.empty(count, dtype).fill(1)

    works: dict[str, Callable[[], object]] = {
        "reading the bytes": copy,
        "writing warm columns": write_warm,
        "writing fresh columns": write_fresh,
    }
    if path.endswith(".aedat4"):
        import lz4.frame

        packets = [part for part in Path(path).read_bytes().split(bytes.fromhex("04224d18"))][1:]
        frames = [bytes.fromhex("04224d18") + part for part in packets]
        works["expanding LZ4"] = lambda: [lz4.frame.LZ4FrameDecompressor().decompress(frame) for frame in frames]
    for name, work in works.items():
        best = float("inf")
        for _ in range(5):
            started = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - started)
        print(f"{Path(path).name}: {name}: {count / best / 1e6:.0f} M events/s")


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
    parser.add_argument("--large", metavar="FILE")
    parser.add_argument("--floors", nargs=2, metavar=("FILE", "EVENTS"))
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(job(*arguments.job)))
    elif arguments.large:
        large(arguments.large)
    elif arguments.floors:
        floors(arguments.floors[0], int(arguments.floors[1]))
    else:
        compare(arguments.events, [sys.executable, *arguments.python], arguments.formats)


def compare(events: int, pythons: list[str], formats: list[str]) -> None:
    import eventsnn.io

    print("| format | events | reader | gives | M events/s CPU | M events/s wall | MB | columns | eventsnn / reader |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for format, kind in product(formats, ("rows", "random")):
            path = Path(folder) / f"{kind}{SUFFIXES[format]}"
            eventsnn.io.write(path, synthetic(kind, events), format=format)
            found = {
                reader: result
                for reader, (_, _, known) in READERS.items()
                if format in known and (result := measure(pythons, reader, format, path))
            }
            path.unlink()
            truth, whole = found["eventsnn"], found["eventsnn whole"]
            others = [result["cpu"] for reader, result in found.items() if not reader.startswith("eventsnn")]
            for reader, result in found.items():
                manner = READERS[reader][1]
                wrong = [n for n, a, b in zip("txyp", result["columns"], truth["columns"], strict=True) if a != b]
                ratio = (whole if manner == "whole" else truth)["cpu"] / result["cpu"]
                if manner == "both cores":
                    ratio = result["wall"] / max(others)
                print(
                    f"| {format} | {kind} | {reader} | {manner} | {result['cpu']:.0f} | {result['wall']:.0f} "
                    f"| {result['peak']:.0f} | {'differ in ' + ', '.join(wrong) if wrong else 'equal'} | {ratio:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
