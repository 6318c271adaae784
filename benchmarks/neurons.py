"""Neuron models over time, against the copy rate of the same run, the eager loop and other libraries.

    python benchmarks/neurons.py --device cpu
    python benchmarks/neurons.py --device cuda --widths 65536 1048576 --out benchmarks/results/neurons-h100.md

Every time is the median of repeats; every ratio is within one run. Fused results are compared with the eager loop's on
a small input before anything is timed. Peers (norse, snntorch, spikingjelly) are timed where they can be imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

import eventsnn
from eventsnn.scan import backend

MODELS = [
    "LI",
    "LIBox",
    "IAF",
    "LIF",
    "LIFBox",
    "LIFRefrac",
    "LIFEx",
    "LIFAdEx",
    "LIFAdExRefrac",
    "LSNN",
    "CobaLIF",
    "Izhikevich",
]
STREAMS = {"forward": 2, "training": 5}  # the fewest passes over memory: x -> z; and x, dz -> dx on top


def layer(name: str) -> torch.nn.Module:
    if name == "Izhikevich":
        return eventsnn.Izhikevich(eventsnn.tonic_spiking)
    return getattr(eventsnn, name)()


def norse_lif(device: str) -> Callable[[torch.Tensor], Any]:
    cell = importlib.import_module("norse.torch").LIFCell().to(device)

    def run(x: torch.Tensor) -> torch.Tensor:
        outputs, state = [], None
        for step in x.unbind(0):
            z, state = cell(step, state)
            outputs.append(z)
        return torch.stack(outputs)

    return run


def norse_layer(device: str) -> Callable[[torch.Tensor], Any]:
    module = importlib.import_module("norse.torch").LIF().to(device)
    return lambda x: module(x)[0]


def snntorch_leaky(device: str) -> Callable[[torch.Tensor], Any]:
    leaky = importlib.import_module("snntorch").Leaky(beta=0.9).to(device)

    def run(x: torch.Tensor) -> torch.Tensor:
        outputs, state = [], leaky.init_leaky()
        for step in x.unbind(0):
            z, state = leaky(step, state)
            outputs.append(z)
        return torch.stack(outputs)

    return run


def spikingjelly(kind: str, device: str) -> Callable[[torch.Tensor], Any]:
    base = importlib.import_module("spikingjelly.activation_based")
    neuron, functional = (
        importlib.import_module(f"{base.__name__}.neuron"),
        importlib.import_module(f"{base.__name__}.functional"),
    )
    surrogate = importlib.import_module(f"{base.__name__}.surrogate")
    node = getattr(neuron, kind)(step_mode="m", surrogate_function=surrogate.ATan()).to(device)

    def run(x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(node)
        return node(x)

    return run


PEERS: dict[str, tuple[str, Callable[[str], Callable[[torch.Tensor], Any]]]] = {
    "norse LIF, step in an unbind loop": ("LIF", norse_lif),
    "norse LIF, its layer": ("LIF", norse_layer),
    "snnTorch Leaky": ("LIFBox", snntorch_leaky),
    "SpikingJelly LIFNode": ("LIFBox", partial(spikingjelly, "LIFNode")),
    "SpikingJelly IzhikevichNode": ("Izhikevich", partial(spikingjelly, "IzhikevichNode")),
}


class Bench:
    def __init__(self, device: str, repeats: int) -> None:
        self.device, self.repeats = device, repeats
        self.flush = torch.empty(2**26, device=device) if device == "cuda" else None

    def time(self, run: Callable[[], Any], repeats: int | None = None) -> float:
        """Median milliseconds. On a GPU the second-level cache is emptied before each run."""
        repeats = repeats or self.repeats
        run()
        if self.flush is None:
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                run()
                times.append(1e3 * (time.perf_counter() - start))
            return statistics.median(times)
        run()
        marks = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
        for start, end in marks:
            self.flush.zero_()
            start.record()
            run()
            end.record()
        torch.cuda.synchronize()
        return statistics.median(start.elapsed_time(end) for start, end in marks)

    def memory(self, run: Callable[[], Any]) -> float:
        """Peak MiB above what was held before."""
        if self.device != "cuda":
            return float("nan")
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20


def training(run: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, grad: torch.Tensor) -> Callable[[], Any]:
    x = x.detach().requires_grad_()
    return lambda: torch.autograd.grad(run(x), x, grad)


def inference(run: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> Callable[[], Any]:
    def call() -> Any:
        with torch.no_grad():
            return run(x)

    return call


def graphed(call: Callable[[], Any]) -> Callable[[], Any]:
    """The replay of a CUDA graph of the call: what remains is what the GPU does."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        call()
        call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        graph.results = call()
    return graph.replay


def drive(name: str, shape: tuple[int, ...], device: str, dtype: torch.dtype) -> torch.Tensor:
    scale = {"Izhikevich": 20.0, "LIFBox": 5.0}.get(name, 1.0)
    return torch.rand(shape, device=device).mul_(scale).to(dtype)


def agree(name: str, device: str) -> str:
    """How far spikes (share that differs; for LI the largest error) and gradients are from the eager loop's."""
    module = layer(name).to(device)
    x, results = drive(name, (53, 3, 301), device, torch.float32), []
    for forced in ("loop", "triton" if device == "cuda" else "cpu"):
        own = x.clone().requires_grad_()
        with backend(forced):
            z, _ = module(own)
        results.append(
            (
                z.detach(),
                torch.autograd.grad((z * torch.linspace(0, 1, 53, device=device)[:, None, None]).sum(), own)[0],
            )
        )
    (z, g), (other, h) = results
    error = (z - other).abs().max() if name in ("LI", "LIBox") else (z != other).float().mean()
    return f"outputs {error.item():.1e}, gradient error {((g - h).abs().max() / g.abs().max()).item():.1e}"


def tables(args: argparse.Namespace) -> Iterator[str]:
    bench = Bench(args.device, args.repeats)
    for dtype in args.dtypes:
        kind = getattr(torch, dtype)
        for steps in args.steps:
            for width in args.widths:
                yield from table(args, bench, kind, steps, width)


def table(args: argparse.Namespace, bench: Bench, dtype: torch.dtype, steps: int, width: int) -> Iterator[str]:
    shape = (steps, width) if args.device == "cuda" else (steps, 16, width)
    x = drive("", shape, args.device, dtype)
    grad = torch.rand_like(x)
    copy, clone = bench.time(partial(torch.empty_like(x).copy_, x)), bench.time(x.clone)
    size = x.numel() * x.element_size()
    yield f"\n### T = {steps}, {' x '.join(map(str, shape[1:]))} neurons, {str(dtype)[6:]}\n"
    rate = 2 * size / copy / 1e6
    yield f"x is {size / 2**20:.0f} MiB; copy {copy:.3f} ms ({rate:.0f} GB/s), with a fresh result {clone:.3f} ms\n"
    yield "| what | forward, ms | of copy rate | x a copy | training, ms | of copy rate | x a copy | extra MiB |"
    yield "|---|---|---|---|---|---|---|---|"

    small = args.device == "cuda" and x.numel() <= args.slow

    def row(
        what: str,
        run: Callable[[torch.Tensor], Any],
        data: torch.Tensor,
        repeats: int | None = None,
        graph: bool = False,
    ) -> str:
        cells = []
        for mode, call in (("forward", inference(run, data)), ("training", training(run, data, grad))):
            ms = bench.time(graphed(call) if graph else call, repeats)
            cells.append(f"{ms:.3f} | {copy * STREAMS[mode] / 2 / ms:.0%} | {ms / clone:.2f}")
        return f"| {what} | {' | '.join(cells)} | {bench.memory(training(run, data, grad)):.0f} |"

    for name in args.models:
        module = layer(name).to(args.device)
        data = drive(name, shape, args.device, dtype)
        yield row(name, lambda x, m=module: m(x)[0], data)
        if small:
            yield row(f"{name}, CUDA graph", lambda x, m=module: m(x)[0], data, graph=True)
    if dtype != torch.float32 or x.numel() > args.slow:
        chosen = {k: v for k, v in PEERS.items() if k.startswith("Spiking") and args.device == "cuda"}
    else:
        chosen = PEERS
        for name in args.loops:
            module = layer(name).to(args.device)

            def eager(x: torch.Tensor, module: Any = module) -> Any:
                with backend("loop"):
                    return module(x)[0]

            yield row(f"{name}, eager loop", eager, drive(name, shape, args.device, dtype), 3)
    for what, (like, make) in chosen.items() if args.peers else ():
        if "layer" in what and x.numel() > args.slow / 4:  # its backward grows with the square of T
            continue
        try:
            run, data, fused = make(args.device), drive(like, shape, args.device, dtype), "Spiking" in what
            yield row(what, run, data, None if fused else 3)
            if small and fused:
                yield row(f"{what}, CUDA graph", run, data, graph=True)
        except Exception as error:
            yield f"| {what} | {type(error).__name__}: {str(error)[:80]} |||||||"


def recurrent(args: argparse.Namespace) -> Iterator[str]:
    bench = Bench(args.device, args.repeats)
    yield f"\n### Recurrent LIF, batch 64, T = {args.recurrent_steps}, inputs as many as hidden, weights learn\n"
    yield "| hidden | what | spikes | forward, ms | training, ms |\n|---|---|---|---|---|"
    for hidden in args.hidden:
        x = (torch.rand(args.recurrent_steps, 64, hidden, device=args.device) < 0.1).float()
        ours = eventsnn.LIFRecurrent(hidden, hidden).to(args.device)
        candidates = {"eventsnn": ours}
        if args.peers:
            peer = importlib.import_module("norse.torch").LIFRecurrent(hidden, hidden).to(args.device)
            peer.load_state_dict(eventsnn.norse_state_dict(ours))
            candidates["norse"] = peer
        for what, module in candidates.items():
            weights = [module.input_weights, module.recurrent_weights]
            grad = torch.rand_like(x)
            forward = bench.time(inference(lambda x, m=module: m(x)[0], x), 3)
            train = bench.time(lambda m=module, w=weights, x=x, g=grad: torch.autograd.grad(m(x)[0], w, g), 3)
            with torch.no_grad():
                spikes = module(x)[0].sum().item()
            yield f"| {hidden} | {what} | {spikes:.0f} | {forward:.1f} | {train:.1f} |"


FIRST = """
import sys, time, torch, eventsnn
sys.path.insert(0, {folder!r})
from neurons import layer
from eventsnn.scan import backend
torch.ones(1, device={device!r}).sum().item()
import {compiler}
start = time.perf_counter()
x = torch.rand(20, 4096, device={device!r}, requires_grad=True)
with backend({backend!r}):
    layer({name!r}).to({device!r})(x)[0].sum().backward()
x.grad.sum().item()
print(time.perf_counter() - start)
"""


def first_calls(args: argparse.Namespace) -> Iterator[str]:
    yield "\n### First call, forward and backward, seconds: empty caches, then a second process\n"
    yield "| model | first | second process |\n|---|---|---|"
    chosen = ("triton", "triton") if args.device == "cuda" else ("cpu", "numba")
    for name in args.models:
        with tempfile.TemporaryDirectory() as cache:
            values = {"EVENTSNN_CACHE": cache, "TRITON_CACHE_DIR": cache}
            text = FIRST.format(
                folder=str(Path(__file__).parent), device=args.device, name=name, backend=chosen[0], compiler=chosen[1]
            )
            run = partial(
                subprocess.run,
                [sys.executable, "-c", text],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, **values},
            )
            yield f"| {name} | {float(run().stdout):.1f} | {float(run().stdout):.1f} |"


def versions(args: argparse.Namespace) -> str:
    device = (
        torch.cuda.get_device_name()
        if args.device == "cuda"
        else f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    )
    found = [f"torch {torch.__version__}"]
    for package in ("triton", "numba", "norse", "snntorch", "spikingjelly"):
        try:
            found.append(f"{package} {importlib.import_module(package).__version__}")
        except (ImportError, AttributeError):
            continue
    return f"{device}; python {platform.python_version()}, {', '.join(found)}\n\n`python {' '.join(sys.argv)}`"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--loops", nargs="*", default=["LIF"], help="models whose eager loop is timed too")
    parser.add_argument("--steps", nargs="+", type=int, default=[100, 500, 1000])
    parser.add_argument("--widths", nargs="+", type=int, default=[1024, 4096])
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--hidden", nargs="*", type=int, default=[256, 1024])
    parser.add_argument("--recurrent-steps", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument(
        "--slow", type=int, default=2**26, help="largest input for which loops and slow peers are timed"
    )
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--first", action="store_true", help="time first calls as well")
    parser.add_argument("--out", type=Path, help="also write the report to this file")
    args = parser.parse_args()
    torch.manual_seed(0)
    lines = ["# Neuron models over time\n", versions(args), "\n### Agreement with the eager loop\n"]
    print("\n".join(lines), flush=True)

    def say(parts: Iterator[str]) -> None:
        for line in parts:
            print(line, flush=True)
            lines.append(line)

    say(f"- {name}: {agree(name, args.device)}" for name in args.models)
    say(tables(args))
    if args.hidden:
        say(recurrent(args))
    if args.first:
        say(first_calls(args))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
