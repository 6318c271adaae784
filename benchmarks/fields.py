"""Receptive fields against norse 1.1.0 and a bare conv2d: building a bank, a whole sequence through it, filters over
time.

    python benchmarks/fields.py [--device cuda] [--peer PYTHON] [--save FILE.json]

`--peer` is the interpreter of an environment with norse 1.1.0 (without it the norse rows are left out). Times are
medians in milliseconds; every row ends with its ratio to the row it is compared with. On a GPU the sizes are those of a
real network, on a CPU they are smaller; `--full` uses the large ones anywhere.
"""

import argparse
import ctypes
import json
import math
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SIZE = 9
Shapes = dict[str, tuple[int, ...]]
LARGE: Shapes = {"bank": (40, 8, 2, 128, 128), "time": (500, 8, 4, 64, 64)}
SMALL: Shapes = {"bank": (4, 2, 2, 48, 48), "time": (100, 2, 4, 24, 24)}
GENERATORS = (torch.tensor([1.0, 1.4, 2.0, 2.8]), torch.arange(4) * math.pi / 4, torch.tensor([0.8, 1.0, 1.5]))
ORDERS = [(0, 0), (0, 1), (1, 0), (1, 1)]
Case = Callable[[], Any]


def keep_memory() -> None:
    """Let the C library keep freed memory, so that on a CPU fresh pages are not what is timed."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD, at its largest
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def median_ms(case: Case, device: str, repeats: int) -> float:
    """Median time of a call in ms, after warm-up; on a GPU by its own clock, calls one behind the other as in training,
    the second-level cache emptied before each."""
    for _ in range(3):
        case()
    times = []
    if device == "cuda":
        flush = torch.empty(2**26, device=device)
        marks = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
        for start, end in marks:
            flush.zero_()
            start.record()
            case()
            end.record()
        torch.cuda.synchronize()
        times = [start.elapsed_time(end) for start, end in marks]
    else:
        for _ in range(repeats):
            begin = time.perf_counter()
            case()
            times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


def rows(columns: int, device: str) -> Tensor:
    """144 fields: 4 scales, 4 angles, 3 ratios, 4 pairs of orders; 7 columns, or 5 as in norse 1.1.0."""
    orders = torch.tensor([0.0, 1.0])
    table = torch.cartesian_prod(*GENERATORS, *([torch.zeros(1)] * (columns - 5)), orders, orders)
    return table[(table[:, 2] != 1) | (table[:, 1] == 0)].to(device)  # round fields at one angle only


def backward(output: Tensor, grad: dict[str, Tensor]) -> None:
    """Back-propagate a fixed gradient, made once."""
    if grad.get("at") is None or grad["at"].shape != output.shape:
        grad["at"] = torch.randn_like(output)
    output.backward(grad["at"])


def ours(device: str, shapes: Shapes) -> dict[str, Case]:
    from eventsnn.fields import (
        SampledSpatialReceptiveField2d,
        SpatialReceptiveField2d,
        TemporalReceptiveField,
        spatial_receptive_fields_with_derivatives,
    )

    table = rows(7, device).requires_grad_()
    x = (torch.rand(shapes["bank"], device=device) < 0.05).float()
    stream = (torch.rand(shapes["time"], device=device) < 0.05).float()
    bank = SpatialReceptiveField2d(2, SIZE, table).to(device)
    scales, angles, ratios = (v.to(device) for v in GENERATORS)
    family = SampledSpatialReceptiveField2d(2, SIZE, scales, angles, ratios, ORDERS)
    field = TemporalReceptiveField(shapes["time"][2:], over_time=True).to(device)
    cascade = TemporalReceptiveField(shapes["time"][2:], mode="cascade", over_time=True).to(device)
    weights = torch.randn(len(table), 2, SIZE, SIZE, device=device, requires_grad=True)
    moved = torch.empty(stream.numel() * 5 // 2, device=device)  # x is read, y written, four times x: half of it
    arrived = torch.empty_like(moved)
    grads: list[dict[str, Tensor]] = [{} for _ in range(5)]

    def no_grad(case: Case) -> Case:
        return torch.no_grad()(case)

    return {
        "build": lambda: backward(spatial_receptive_fields_with_derivatives(table, SIZE), grads[0]),
        "build, shared generators": lambda: backward(family.kernels(), grads[0]),
        "bank": lambda: backward(bank(x), grads[1]),
        "bank, conv2d": lambda: backward(torch.nn.functional.conv2d(x.flatten(0, 1), weights), grads[2]),
        "bank, no gradient": no_grad(lambda: bank(x)),
        "bank, conv2d, no gradient": no_grad(lambda: torch.nn.functional.conv2d(x.flatten(0, 1), weights)),
        "time": lambda: backward(field(stream)[0], grads[3]),  # gradients of the time constants alone, as x needs none
        "time, no gradient": no_grad(lambda: field(stream)),
        "time, copy": no_grad(lambda: arrived.copy_(moved)),
        "cascade": lambda: backward(cascade(stream)[0], grads[4]),
        "cascade, no gradient": no_grad(lambda: cascade(stream)),
    }


def norse(device: str, shapes: Shapes) -> dict[str, Case]:
    """The same with norse 1.1.0: kernels one by one, the sequence step by step."""
    from norse.torch import SpatialReceptiveField2d, TemporalReceptiveField
    from norse.torch.functional.receptive_field import spatial_receptive_fields_with_derivatives

    table = rows(5, device).requires_grad_()
    x = (torch.rand(shapes["bank"], device=device) < 0.05).float()
    stream = (torch.rand(shapes["time"], device=device) < 0.05).float()
    bank = SpatialReceptiveField2d(2, SIZE, table.detach().clone())
    field = TemporalReceptiveField(shapes["time"][2:]).to(device)
    grads: list[dict[str, Tensor]] = [{} for _ in range(3)]

    def sequence() -> Tensor:
        with torch.no_grad():  # as an optimiser's step would: without it norse cannot go backward a second time
            bank.rf_parameters.mul_(1 + 1e-6)
        bank.has_updated = True
        return torch.stack([bank(step) for step in x])

    def steps() -> Tensor:
        outputs, state = [], None
        for step in stream:
            y, state = field(step, state)
            outputs.append(y)
        return torch.stack(outputs)

    return {
        "build": lambda: backward(spatial_receptive_fields_with_derivatives(table, SIZE), grads[0]),
        "bank": lambda: backward(sequence(), grads[1]),
        "time": lambda: backward(steps(), grads[2]),
        "time, no gradient": torch.no_grad()(steps),
    }


def measure(cases: dict[str, Case], device: str, repeats: int) -> dict[str, float]:
    return {name: median_ms(case, device, repeats) for name, case in cases.items()}


RATIOS = (  # name, slower side, faster side: (environment, case)
    ("building 144 kernels with gradient, norse / eventsnn", ("norse", "build"), ("eventsnn", "build")),
    (
        "the same from shared generators, norse / eventsnn",
        ("norse", "build"),
        ("eventsnn", "build, shared generators"),
    ),
    (
        "bank, whole sequence, forward + backward, eventsnn / bare conv2d",
        ("eventsnn", "bank"),
        ("eventsnn", "bank, conv2d"),
    ),
    (
        "bank, forward, eventsnn / bare conv2d",
        ("eventsnn", "bank, no gradient"),
        ("eventsnn", "bank, conv2d, no gradient"),
    ),
    ("bank, norse step by step / eventsnn whole sequence", ("norse", "bank"), ("eventsnn", "bank")),
    ("temporal field, forward + backward, norse / eventsnn", ("norse", "time"), ("eventsnn", "time")),
    ("temporal field, forward, norse / eventsnn", ("norse", "time, no gradient"), ("eventsnn", "time, no gradient")),
    (
        "temporal field, forward, copy / eventsnn (share of the copy rate)",
        ("eventsnn", "time, copy"),
        ("eventsnn", "time, no gradient"),
    ),
    (
        "cascade, forward, copy / eventsnn (share of the copy rate)",
        ("eventsnn", "time, copy"),
        ("eventsnn", "cascade, no gradient"),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--peer", help="interpreter of an environment with norse 1.1.0")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="the large sizes also on a CPU")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory()
    shapes = LARGE if options.full or options.device == "cuda" else SMALL
    warnings.simplefilter("ignore")  # 9 x 9 is small for the widest fields: all sides share that
    if options.as_peer:
        print(json.dumps(measure(norse(options.device, shapes), options.device, max(1, options.repeats // 3))))
        return
    times = {"eventsnn": measure(ours(options.device, shapes), options.device, options.repeats)}
    if options.peer:
        again = [options.peer, __file__, "--as-peer", *sys.argv[1:]]
        times["norse"] = json.loads(
            subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, {options.threads} thread(s)"
    print(f"{where}; torch {torch.__version__}; bank {shapes['bank']}, time {shapes['time']}")
    for side, cases in times.items():
        for name, ms in cases.items():
            print(f"  {side:9} {name:28} {ms:10.3f} ms")
    ratios = {
        name: times[a][case_a] / times[b][case_b]
        for name, (a, case_a), (b, case_b) in RATIOS
        if a in times and b in times
    }
    for name, ratio in ratios.items():
        print(f"{ratio:8.2f}  {name}")
    if options.save:
        words = ["PYTHON" if word == options.peer else word for word in sys.argv[1:]]
        command = " ".join(["python", "benchmarks/fields.py", *words])
        record = {"command": command, "where": where, "torch": torch.__version__, "shapes": shapes}
        options.save.write_text(json.dumps({**record, "ms": times, "ratios": ratios}, indent=1) + "\n")


if __name__ == "__main__":
    main()
