"""Binning against tonic, NumPy and torch, and against the rate of a plain copy; equality first.

    python benchmarks/frames.py [--device cuda] [--scale 1.0] [--repeats 5]

Events of moving edges with a fifth of noise, in order: 20 M of 1280x720 and 4 M of 346x260, over 200 ms, in bins of 10
and 1 ms; on a GPU also a batch of 256 recordings of N-MNIST's size. What must move: each event once (13 bytes), the
frames once, and on a GPU one sector of 32 bytes read and written an event.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from eventsnn import Events, Packed, to_frames, to_voxel_grid
from eventsnn.structured import to_structured

CASES = ((20_000_000, 1280, 720), (4_000_000, 346, 260))
SPAN = 200_000


def scene(n: int, width: int, height: int, seed: int = 0, span: int = SPAN) -> Events:
    """Twelve edges that move at different speeds, and noise."""
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, span, n))
    edge, y = random.integers(0, 12, n), random.integers(0, height, n)
    x = (edge * width / 12 + (200 + 150 * (edge % 4)) * t / 1e6 + 0.3 * y + random.normal(0, 1.5, n)) % width
    noise = random.random(n) < 0.2
    x = np.where(noise, random.integers(0, width, n), x).clip(0, width - 1)
    p = np.where(noise, random.integers(0, 2, n), edge % 2)
    columns = x.astype(np.int16), y.astype(np.int16), p.astype(np.uint8)
    return Events(t + 1_700_000_000_000, *columns, sensor=(width, height))


def clock(call: Callable[[], Any], repeats: int, device: str) -> float:
    """Median seconds of a call."""
    times = []
    for _ in range(repeats + (repeats > 1)):
        if device == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            begin.record()
            call()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end) / 1e3)
        else:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    return statistics.median(times[repeats > 1 :])


def sustained(call: Callable[[], Any], number: int = 30) -> float:
    """Seconds a call on a GPU where calls follow one another."""
    call()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(number):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / number


def row(name: str, seconds: float, ours: float, note: str = "") -> None:
    print(f"| {name} | {seconds * 1e3:.3f} | {seconds / ours:.2f} | {note} |", flush=True)


def copy_times(moved: int, repeats: int) -> dict[str, float]:
    """Seconds to read and write so many bytes in all."""
    source = np.ones(moved // 2, np.uint8)
    target = np.zeros_like(source)
    return {
        "copy of the bytes, memory in use": clock(lambda: np.copyto(target, source), repeats, "cpu"),
        "copy of the bytes, fresh memory": clock(lambda: source.copy(), repeats, "cpu"),
    }


def others(events: Events, dt: int, n: int, edges: Any) -> dict[str, Callable[[], Any]]:
    """The peers that are installed, each a call that gives ``[T, 2, H, W]``."""
    width, height = events.sensor or (0, 0)
    found: dict[str, Callable[[], Any]] = {}
    with contextlib.suppress(ImportError):
        from tonic.transforms import ToFrame

        array = to_structured(events)
        theirs = ToFrame((width, height, 2), time_window=dt, include_incomplete=True)
        found["tonic ToFrame"] = lambda: theirs(array)
    with contextlib.suppress(ImportError):
        from evutils.dense import histogram
        from evutils.types import Event_dtype

        records = to_structured(events, np.dtype(Event_dtype))

        def per_bin() -> Any:
            parts = [histogram(records[a:z], width, height) for a, z in itertools.pairwise(edges)]
            return np.stack(parts)[..., [2, 0]].transpose(0, 3, 1, 2)

        found["evutils histogram per bin, uint8"] = per_bin
    with contextlib.suppress(ImportError):
        import evlib
        import polars

        table = polars.DataFrame(dict(zip(("t", "x", "y", "polarity"), events.columns, strict=True)))

        def stacked() -> Any:
            cells = evlib.create_stacked_histogram(table, height, width, n, dt / 1e3)
            out = np.zeros((n, 2, height, width), np.float32)
            out[tuple(cells[key].to_numpy() for key in ("time_bin", "polarity", "y", "x"))] = cells["count"].to_numpy()
            return out

        found["evlib stacked histogram, then dense"] = stacked
    return found


def on_cpu(events: Events, dt: int, repeats: int) -> None:
    width, height = events.sensor or (0, 0)
    start = int(events.t[0])
    n = -(-(int(events.t[-1]) + 1 - start) // dt)
    cells = 2 * height * width
    edges = np.searchsorted(events.t, start + dt * np.arange(n + 1))

    def index(part: slice) -> Any:
        x, y, p = (c[part].astype(np.int64) for c in (events.x, events.y, events.p))
        return (p * height + y) * width + x

    def per_bin() -> Any:
        out = np.empty((n, cells), np.float32)
        for k in range(n):
            out[k] = np.bincount(index(slice(edges[k], edges[k + 1])), minlength=cells)
        return out

    def plain() -> Any:
        key = (events.t - start) // dt * cells + index(slice(None))
        return np.bincount(key, minlength=n * cells).astype(np.float32)

    def torch_add() -> Any:
        key = torch.from_numpy((events.t - start) // dt * cells + index(slice(None)))
        return torch.zeros(n * cells).index_add_(0, key, torch.ones(len(key)))

    peers: dict[str, Callable[[], Any]] = {
        "numpy, bincount per bin": per_bin,
        "numpy, one bincount": plain,
        "torch, index_add": torch_add,
    }
    peers |= others(events, dt, n, edges)
    moved = 13 * len(events) + 4 * n * cells
    copies = copy_times(moved, repeats)
    print(f"\n### {len(events) / 1e6:g} M events {width}x{height}, {n} bins of {dt / 1e3:g} ms, {moved / 1e6:.0f} MB\n")
    print("| what | ms | times ours | |\n|---|---|---|---|")
    mine = to_frames(events, dt)
    ours = clock(lambda: to_frames(events, dt), repeats, "cpu")
    row(f"ours, {torch.get_num_threads()} threads", ours, ours)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    row("ours, 1 thread", clock(lambda: to_frames(events, dt), repeats, "cpu"), ours)
    torch.set_num_threads(threads)
    short = clock(lambda: to_frames(events, dt, dtype=torch.int16), repeats, "cpu")
    row("ours, int16, as tonic's", short, ours)
    fresh = clock(lambda: to_frames(Events(*events.columns, sensor=events.sensor), dt), repeats, "cpu")
    row("ours, order not yet known", fresh, ours)
    for name, seconds in copies.items():
        row(name, seconds, ours, f"ours reaches {seconds / ours:.0%}")
    for name, peer in peers.items():
        result = torch.as_tensor(np.asarray(peer())).view(mine.shape)
        assert torch.equal(result.to(mine.dtype), mine), name
        del result
        seconds = clock(peer, 1 if name.startswith(("tonic", "ev")) else min(repeats, 3), "cpu")
        row(name, seconds, ours, f"int16: {seconds / short:.1f} times ours of int16" if "tonic" in name else "")


def voxel_grids(events: Events, repeats: int, n: int = 10) -> None:
    """tonic's grid has points in time 0..n on the span and leaves the last out: ours of n + 1 points, less that one.

    Its polarities must have room for -1: as bool, OFF events count as ON.
    """
    width, height = events.sensor or (0, 0)
    ours = clock(lambda: to_voxel_grid(events, n), repeats, "cpu")
    print(f"\n### voxel grid of {n} points, {len(events) / ours / 1e6:.0f} M events/s\n")
    print("| what | ms | times ours | |\n|---|---|---|---|")
    row("ours", ours, ours)
    with contextlib.suppress(ImportError):
        from tonic.transforms import ToVoxelGrid

        signed = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])
        array, theirs = to_structured(events, signed), ToVoxelGrid((width, height, 2), n_time_bins=n)
        result = torch.as_tensor(np.asarray(theirs(array)))
        away = (to_voxel_grid(events, n + 1)[:n] - result).abs().max().item()
        assert away < 1e-3, away
        bright = array[array["p"] > 0]
        lost = 1 - float(theirs(bright).sum()) / len(bright)
        note = f"equal but for {away:.0e} where both have points; loses {lost:.1%} of the weight"
        row("tonic ToVoxelGrid", clock(lambda: theirs(array), 1, "cpu"), ours, note)


def on_gpu(events: Events, dt: int, rate: float, repeats: int) -> None:
    width, height = events.sensor or (0, 0)
    first, n, cells = int(events.t[0]), SPAN // dt, 2 * height * width
    there = events.to("cuda")
    assert there.is_sorted
    time = {"start": first, "stop": first + SPAN}

    def key() -> torch.Tensor:
        y, x, p = there.y.long(), there.x.long(), there.p.long()
        return (((there.t - first) // dt * 2 + p) * height + y) * width + x

    weights, known = torch.ones(len(events), device="cuda"), key()
    peers: dict[str, Callable[[], Any]] = {}
    for note, place in (("", key), (", index known", lambda: known)):
        peers |= {
            f"torch index_add{note}": lambda p=place: torch.zeros(n * cells, device="cuda").index_add_(0, p(), weights),
            f"torch scatter_add{note}": lambda p=place: torch.zeros(n * cells, device="cuda").scatter_add_(
                0, p(), weights
            ),
            f"torch bincount{note}": lambda p=place: torch.bincount(p(), minlength=n * cells),
        }
    print(f"\n### {len(events) / 1e6:g} M events {width}x{height}, {n} bins of {dt / 1e3:g} ms\n")
    print("| what | ms | times ours | |\n|---|---|---|---|")
    ours = 0.0
    for dtype in (torch.float32, torch.uint8, torch.float16):
        moved = 77 * len(events) + dtype.itemsize * n * cells

        def call(dtype: torch.dtype = dtype, check: bool = False) -> torch.Tensor:
            return to_frames(there, dt, **time, dtype=dtype, check=check)

        assert torch.equal(call().cpu(), to_frames(events, dt, **time, dtype=dtype))
        once, many, checked = clock(call, repeats, "cuda"), sustained(call), sustained(lambda: call(check=True))
        ours = ours or many
        for name, seconds in (("", many), (", checked", checked), (", one call alone", once)):
            row(f"ours, {str(dtype)[6:]}{name}", seconds, ours, f"{moved / rate / seconds:.0%} of the copy rate")
    for name, peer in peers.items():
        assert torch.equal(peer().view(-1).float(), to_frames(there, dt, **time).view(-1)), name
        row(name, sustained(peer), ours)


def batches(repeats: int) -> None:
    """256 recordings of N-MNIST's size out of a store of 2,048 on the device."""
    lengths = np.random.default_rng(0).integers(2_000, 6_500, 2_048)
    events = scene(int(lengths.sum()), 34, 34, span=300_000_000)
    store = Packed.from_offsets(events, np.concatenate([[0], lengths.cumsum()])).to("cuda")
    order = torch.randperm(2_048, device="cuda")
    batch = store[order[:256]]
    host = batch.numpy()
    assert torch.equal(to_frames(batch, n_bins=30).cpu(), to_frames(host, n_bins=30))
    number = int(batch.lengths.sum())
    print(f"\n### 256 recordings, {number:,} events, to [30, 256, 2, 34, 34]\n\n| what | ms | |\n|---|---|---|")
    for dtype in (torch.float32, torch.uint8):
        for check in (False, True):

            def call(dtype: torch.dtype = dtype, check: bool = check) -> torch.Tensor:
                return to_frames(batch, n_bins=30, dtype=dtype, check=check)

            name = f"{str(dtype)[6:]}{', checked' * check}"
            print(f"| {name} | {sustained(call, 100) * 1e3:.3f} | alone {clock(call, repeats, 'cuda') * 1e3:.3f} |")
    place = iter(range(10**9))

    def drawn() -> torch.Tensor:
        k = next(place) % 8 * 256
        return to_frames(store[order[k : k + 256]], n_bins=30, check=False)

    print(f"| float32, drawn from the store | {sustained(drawn, 100) * 1e3:.3f} | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of events")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case", type=int, choices=[0, 1], help="the larger or the smaller sensor only")
    given = parser.parse_args()
    print(f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}, device ", end="")
    print(torch.cuda.get_device_name() if given.device == "cuda" else f"CPU, {torch.get_num_threads()} threads")
    rate = 0.0
    if given.device == "cuda":
        source = torch.empty(2**29, dtype=torch.uint8, device="cuda").random_()
        target = torch.empty_like(source)
        rate = 2 * len(source) / clock(lambda: target.copy_(source), 20, "cuda")
        del source, target
        print(f"copy {rate / 1e9:.0f} GB/s, read and written")
        batches(given.repeats)
    for n, width, height in CASES if given.case is None else CASES[given.case : given.case + 1]:
        events = scene(round(n * given.scale), width, height)
        for dt in (10_000, 2_000, 1_000) if given.device == "cuda" else (10_000, 1_000):
            (on_gpu(events, dt, rate, given.repeats) if rate else on_cpu(events, dt, given.repeats))
        if not rate:
            voxel_grids(events, given.repeats)


if __name__ == "__main__":
    main()
