"""Fuzzing of the readers, apart from the tests: mutated files end in events or in an EventFormatError.

    python tests/fuzz_readers.py [--files 100000] [--format EVT3 ...] [--seed 0]

Seeds are the small files of test_io.py and those the writers make. A mutation turns bits, sets bytes and numbers to
extremes, cuts, doubles, splices in another seed, edits the header or truncates. What counts as a failure: an exception
that is no EventFormatError, an allocation of more than 8 times the file and 64 MB, more than 5 s, the end of the
process. The file that failed is kept in the working folder as fuzz-FORMAT-N.bin.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import mmap
import os
import random
import re
import resource
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import eventsnn.io
from eventsnn.events import Events
from eventsnn.io import EventFormatError

SECONDS, ROOM = 5, 64 << 20
OUT_OF_MEMORY = re.compile(r"out of memory|memory alloc|can(no|')t alloc|unable to alloc|MemoryError", re.IGNORECASE)
EXTREMES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x01000000]


def seeds() -> dict[str, list[bytes]]:
    """Small files of every format."""
    place = Path(__file__).with_name("test_io.py")
    spec = importlib.util.spec_from_file_location("test_io", place)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    found: dict[str, list[bytes]] = {}
    for format, data in made.fuzz_seeds():
        found.setdefault(format, []).append(data)
    return found


def mutated(rng: random.Random, pool: list[bytes], others: list[bytes]) -> bytes:
    """A seed with some of its bytes changed, moved, doubled, cut, or taken from another one."""
    data = bytearray(rng.choice(pool))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6, 20))):
        size = len(data)
        at = rng.randrange(size) if size else 0
        at = rng.choice((at, at, at % 128, size - 1 - at % min(max(size, 1), 64) if size else 0))
        what = rng.randrange(8)
        if what == 0 and size:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1 and size:
            data[at] = rng.choice((0, 9, 10, 32, 48, 57, 127, 128, 255, rng.randrange(256)))
        elif what == 2:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice((*EXTREMES, rng.randrange(1 << 32), size)) & ((1 << 8 * width) - 1)
            data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif what == 3:
            del data[at : at + rng.choice((1, 1, 2, 3, 8, 40))]
        elif what == 4:
            data[at:at] = rng.randbytes(rng.choice((1, 1, 2, 3, 8, 40)))
        elif what == 5:
            other = rng.choice(others)
            begin = rng.randrange(len(other))
            data[at : at + rng.choice((0, 16))] = other[begin : begin + rng.randrange(1, 200)]
        elif what == 6:
            begin = rng.randrange(size) if size else 0
            data[at:at] = data[begin : begin + rng.randrange(1, 100)]
        elif rng.random() < 0.4:
            del data[at:]
    return bytes(data)


def use(data: bytes, rng: random.Random, format: str) -> str:
    """Reads the file in one of the ways there are; says how it went."""
    named = rng.choice((format, None, None))
    skip = rng.choice(("raise", "skip"))
    with eventsnn.io.open(data, format=named, on_error=skip) as recording:
        way = rng.randrange(8)
        if way == 0:
            parts = Events.concatenate(recording.chunks(rng.choice((1, 7, 1000))))
        elif way == 1:
            parts = recording.between(*rng.choice(((0, 10), ("1us", "3us"), (None, None), (5, None))))
        elif way == 2:
            recording.extent()
            parts = Events.concatenate(recording)
        elif way == 3 and recording.has:
            what = rng.choice(sorted(recording.has))
            found = getattr(recording, what)()
            return f"{len(list(found)) and what}"
        else:
            parts = recording.read()
        if recording.sensor is not None and len(parts) and parts.outside().any():
            raise AssertionError("events outside the sensor")
        return "events" if len(parts) else "none"


def allocated() -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[5]) * mmap.PAGESIZE


def touched(data: bytes, format: str, number: int, seed: int, found: dict[str, list[bytes]]) -> int:
    """Bytes of memory that reading the file really takes, where a library asked for more than the limit.

    HDF5 asks for what a damaged heap claims to hold before it looks whether the file has it, and never touches it.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    Path("/proc/self/clear_refs").write_text("5")
    before = resident()
    with contextlib.suppress(EventFormatError):
        use(data, case(number, seed, format, found)[1], format)
    return resident() - before


def resident() -> int:
    """The most memory that was in use since it was last cleared."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10


def case(number: int, seed: int, format: str, found: dict[str, list[bytes]]) -> tuple[bytes, random.Random]:
    rng = random.Random(f"{format} {seed} {number}")
    others = found[rng.choice(list(found))] if rng.random() < 0.2 else found[format]
    return mutated(rng, found[format], others), rng


def run(format: str, files: int, seed: int, found: dict[str, list[bytes]], shared: mmap.mmap, begin: int) -> None:
    """In a process of its own: all files from ``begin`` on, the number at work kept in shared memory."""
    tally: Counter[str] = Counter()
    unlimited = resource.RLIM_INFINITY
    for number in range(begin, files):
        shared[:8] = struct.pack("<q", number)
        data, rng = case(number, seed, format, found)
        try:
            resource.setrlimit(resource.RLIMIT_DATA, (allocated() + 8 * len(data) + ROOM, unlimited))
            tally[use(data, rng, format)] += 1
        except EventFormatError as error:
            if OUT_OF_MEMORY.search(str(error)) and touched(data, format, number, seed, found) > 8 * len(data) + ROOM:
                failed(format, number, data, traceback.format_exc(), tally)
            tally["EventFormatError"] += 1
        except BaseException:
            resource.setrlimit(resource.RLIMIT_DATA, (unlimited, unlimited))
            failed(format, number, data, traceback.format_exc(), tally)
    resource.setrlimit(resource.RLIMIT_DATA, (unlimited, unlimited))
    shared[:8] = struct.pack("<q", files)
    print(f"{format}: {dict(tally)}", flush=True)


def failed(format: str, number: int, data: bytes, why: str, tally: Counter[str]) -> None:
    tally["failed"] += 1
    if tally["failed"] <= 5:
        place = Path(f"fuzz-{format}-{number}.bin")
        place.write_bytes(data)
        print(f"FAILED {format} file {number}, kept as {place}:\n{why}", flush=True)


def computed(process: int) -> float:
    """Seconds of processor time that a process has used; on a busy machine it may be held up for longer."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(format: str, files: int, seed: int, found: dict[str, list[bytes]]) -> bool:
    """Runs the files of a format and watches; True if none hung or ended the process."""
    shared, begin, good, hung = mmap.mmap(-1, 16), 0, True, 0
    while begin < files:
        child = os.fork()
        if not child:
            run(format, files, seed, found, shared, begin)
            sys.stdout.flush()
            os._exit(0)
        last, since, spent, status = -1, time.monotonic(), 0.0, None
        while status is None:
            done, code = os.waitpid(child, os.WNOHANG)
            (now,) = struct.unpack("<q", shared[:8])
            if done:
                status = code
            elif now != last:
                last, since, spent = now, time.monotonic(), computed(child)
            elif computed(child) - spent > SECONDS or time.monotonic() - since > 60 * SECONDS:
                os.kill(child, signal.SIGKILL)
                status = os.waitpid(child, 0)[1]
            time.sleep(0.05)
        (now,) = struct.unpack("<q", shared[:8])
        if status or now < files:
            good = False
            how = "hung" if status == signal.SIGKILL else f"ended the process with {status}"
            Path(f"fuzz-{format}-{now}.bin").write_bytes(case(now, seed, format, found)[0])
            print(f"FAILED {format} file {now} {how}, kept as fuzz-{format}-{now}.bin", flush=True)
            hung += 1
        begin = now + 1
        if hung == 3:
            return False
    return good


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=100_000)
    options.add_argument("--format", nargs="*", default=[])
    options.add_argument("--seed", type=int, default=0)
    config: Any = options.parse_args()
    found = seeds()
    for format in config.format or found:
        for data in found[format]:  # compiles what will be used, before memory is limited
            for number in range(60):
                rng = random.Random(number)
                try:
                    use(data, rng, format)
                except EventFormatError:
                    continue
        start = time.monotonic()
        watch(format, config.files, config.seed, found)
        print(f"{format}: {config.files:,} files in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
