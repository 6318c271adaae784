"""Batches [30, 256, 2, 34, 34] of N-MNIST: a packed split against tonic with a torch DataLoader.

    python benchmarks/datasets.py nmnist.zip [--device cuda] [--samples 60000] [--peer-samples 4096] [--json out.json]

The archive holds N-MNIST as it is laid out (a small part of it will do); its training samples are repeated until an
epoch has ``--samples``: ours in memory, each a copy of its own, tonic's by drawing samples more than once. tonic reads
the files, its disk cache or its memory cache (filled before, in the parent process) with two workers; its frames are
left as they come, int16 [B, T, C, H, W], while ours are made float32 [T, B, C, H, W]. First all must count the same
events. Then the median of the passes counts; peers make ``--peer-samples`` a pass. tonic is left out where it cannot be
imported. "zeros alone" only allocates and clears what a batch fills. "every number read" sums up each batch: on the CPU
pages that hold no event are handed out by the system unfilled, and cost their time only then.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, RandomSampler

import eventsnn
from eventsnn import frames
from eventsnn.augment import Compose, DropEvent, RandomFlipLR
from eventsnn.datasets import Packed, load, pack

BINS, BATCH, SENSOR = 30, 256, (34, 34, 2)
Rows = dict[str, float]


def seconds(run: Callable[[], object], device: str) -> float:
    start = time.perf_counter()
    run()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def drain(batches: Iterable[Any], read: bool = False) -> None:
    """Go through all batches, and through all that is in them."""
    for batch, _ in batches:
        if read:
            batch.sum()


def rate(make: Callable[[], Iterable[Any]], samples: int, device: str, passes: int = 3, read: bool = False) -> float:
    """Samples per second: the median of some passes, after some batches that warm up."""
    drain(islice(make(), 8), read)
    return samples / statistics.median(seconds(lambda: drain(make(), read), device) for _ in range(passes))


def peers(root: Path, count: int, device: str) -> Rows:
    """tonic's samples per second: from its files, from its disk cache, from its memory cache."""
    import tonic

    class Here(tonic.datasets.NMNIST):
        """tonic's N-MNIST, also with few files; it looks in a folder of this name."""

        def _check_exists(self) -> bool:
            return True

    (root / "tonic").mkdir()
    (root / "tonic/Here").symlink_to(root / "files")
    files = Here(str(root / "tonic"), train=True, transform=tonic.transforms.ToFrame(SENSOR, n_time_bins=BINS))
    plain = load("nmnist", root / "files")
    for k in range(0, len(files), max(len(files) // 20, 1)):
        events = plain[k].events
        dt = int(events.t[-1] - events.t[0]) // BINS  # tonic's bins are whole us long and leave the rest out
        mine = eventsnn.to_frames(events, dt=dt, duration=dt * BINS, dtype=torch.int16)
        assert np.array_equal(files[k][0], mine.numpy()), "tonic and eventsnn count differently"

    disk = tonic.DiskCachedDataset(files, str(root / "cache"))
    memory = tonic.MemoryCachedDataset(files)
    for cached in (disk, memory):
        for k in range(len(files)):
            cached[k]
    rows = {}
    for name, dataset in (("tonic, files", files), ("tonic, disk cache", disk), ("tonic, memory cache", memory)):
        sampler = RandomSampler(dataset, replacement=True, num_samples=count)
        loader = DataLoader(dataset, BATCH, sampler=sampler, num_workers=2, persistent_workers=True)

        def epoch(loader: Any = loader) -> Iterable[Any]:
            return ((batch.to(device), labels.to(device)) for batch, labels in loader)

        rows[f"{name}, 2 workers"] = rate(epoch, count, device)
    return rows


def repeated(packed: Packed, samples: int) -> Packed:
    """A packed split whose recordings come again, as copies of their own, until there are so many."""
    times = -(-samples // len(packed))
    columns, offsets = packed.store.events.columns, np.array([*packed.store.begin.tolist(), len(packed.store.events)])
    many = [c.repeat(times) if isinstance(c, torch.Tensor) else np.tile(c, times) for c in columns]
    shifts = np.arange(times)[:, None] * offsets[-1]
    begin, end = ((side + shifts).reshape(-1)[:samples] for side in (offsets[:-1], offsets[1:]))
    packed.store = frames.Packed(eventsnn.Events(*many, sensor=packed.sensor), begin, end, is_sorted=True)
    packed.labels = packed.labels.repeat(times)[:samples]
    return packed


def ours(path: Path, samples: int, device: str) -> Rows:
    packed = repeated(Packed.open(path, device), samples)
    variants: dict[str, dict[str, Any]] = {"packed": {}, "packed, int16": {"dtype": torch.int16}}
    if device != "cpu":
        variants |= {"packed, unchecked": {"check": False}}
        variants |= {"packed, uint8, unchecked": {"dtype": torch.uint8, "check": False}}
    rows = {}
    for name, settings in variants.items():
        batches = packed.batches(BATCH, n_bins=BINS, shuffle=True, **settings)
        rows[name] = rate(lambda batches=batches: batches, samples, device)
    batches = packed.batches(BATCH, n_bins=BINS, shuffle=True)
    rows["packed, every number read"] = rate(lambda: batches, samples, device, read=True)
    some = 40 * BATCH
    augment = Compose([RandomFlipLR(), DropEvent((0.0, 0.3))])
    order = RandomSampler(packed, num_samples=some // 4)
    changed = packed.batches(BATCH, n_bins=BINS, order=order, augment=augment)
    rows["packed, flipped and thinned"] = rate(lambda: changed, some // 4, device)
    if device == "cpu":
        sampler = RandomSampler(packed, num_samples=some)
        loader = packed.loader(BATCH, n_bins=BINS, sampler=sampler, workers=2, dtype=torch.int16)
        rows["packed, int16, DataLoader, 2 workers"] = rate(lambda: loader, some, device)
    shape = (BINS, BATCH, SENSOR[2], *SENSOR[:2])
    zeros = ((lambda: ((torch.zeros(shape, device=device), None) for _ in range(40))), some)
    rows["zeros alone"] = rate(*zeros, device)
    rows["zeros alone, every number read"] = rate(*zeros, device, read=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--peer-samples", type=int, default=4_096)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    name = torch.cuda.get_device_name() if given.device != "cpu" else f"{platform.processor() or platform.machine()}"
    about = (
        f"{name}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}, Python {platform.python_version()}"
    )
    print(about)
    rows: Rows = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with zipfile.ZipFile(given.archive) as archive:
            archive.extractall(root / "files")
        try:
            rows |= peers(root, given.peer_samples, given.device)
        except ImportError as error:
            print(f"tonic is left out: {error}")
        dataset = load("nmnist", root / "files")
        spent = seconds(lambda: pack(dataset, root / "train.packed"), "cpu")
        print(f"packed {len(dataset):,} samples in {spent:.2f} s, {(root / 'train.packed').stat().st_size >> 20} MiB")
        rows |= ours(root / "train.packed", given.samples, given.device)
    base = rows.get("tonic, disk cache, 2 workers")
    print(f"| {'way':<40} | samples/s | epoch of 60,000 [s] | x tonic with disk cache |\n|---|---:|---:|---:|")
    for way, value in rows.items():
        ratio = f"{value / base:.1f}" if base else "-"
        print(f"| {way:<40} | {value:>11,.0f} | {60_000 / value:.3g} | {ratio} |")
    if given.json:
        given.json.write_text(json.dumps({"about": about, "samples/s": rows}, indent=1))


if __name__ == "__main__":
    main()
