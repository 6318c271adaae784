"""Training on N-MNIST: time of an epoch with its data, peak memory and accuracy; eventsnn and others, in one run.

    python benchmarks/training.py nmnist.zip [--device cuda] [--samples 60000] [--batches 40] [--json out.json]

The network is the same for all: conv 32, conv 64, each with LIF and mean pooling, linear 256 and linear 10 with LIF, 30
frames of a recording's 34x34 pixels, cross entropy on ten times the output rates, AdamW, bfloat16 on a GPU. eventsnn
trains with ``eventsnn.train.fit``, log and checkpoints included, from a packed split on the device; norse and snnTorch
with a plain loop and tonic's memory cache behind a DataLoader, SpikingJelly with its multi-step mode, its fused neurons
and its files of frames behind a DataLoader. All do ``--batches`` steps, then the test accuracy is taken, and peers'
time of an epoch is that of the last three quarters of these steps, scaled; eventsnn's is that of a whole
epoch. The archive (a small part of N-MNIST will do) is repeated until there are ``--samples``. First the networks of
eventsnn, norse and SpikingJelly must give the same spikes; snnTorch's neuron loses its input at a reset, so its do not.
Peers that cannot be imported are left out. "step" is a training step on one batch that stays on the device.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

import eventsnn
from eventsnn import frames
from eventsnn.datasets import Packed, load, pack
from eventsnn.train import Data, Recipe, Run, fit

BINS, GAIN, LR = 30, 10.0, 1e-3
LIF = "LIFBox tau_mem_inv=500"
RECIPE = Recipe(
    "nmnist",
    ("conv 32", LIF, "pool 2", "conv 64", LIF, "pool 2", "flatten", "linear 256", LIF, "linear classes", LIF),
    n_bins=BINS, readout="rate", gain=GAIN, lr=LR, schedule="constant", clip=0.0, validation=0.0, epochs=1,
    save_every=10**9,
)  # fmt: skip
Forward = Callable[[Tensor], Tensor]  # frames [T, B, 2, 34, 34] -> mean rates [B, 10]


def layers() -> list[nn.Module]:
    return [nn.Conv2d(2, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1), nn.Linear(4096, 256), nn.Linear(256, 10)]


class Ours(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Run.start(RECIPE, {"shape": (2, 34, 34), "classes": range(10)}).net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[0].float().mean(0)


class Norse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        import norse.torch as n

        p = n.LIFBoxParameters(tau_mem_inv=500.0, method="super", alpha=10.0)
        lif = partial(n.LIFBoxCell, p)
        one, two, three, four = layers()
        pool = partial(nn.AvgPool2d, 2)
        self.net = n.Lift(
            n.SequentialState(one, lif(), pool(), two, lif(), pool(), nn.Flatten(), three, lif(), four, lif())
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[0].float().mean(0)


class SnnTorch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        import snntorch

        spike = snntorch.surrogate.atan(2.0)
        self.layers = nn.ModuleList(layers())
        self.neurons = nn.ModuleList(
            snntorch.Leaky(beta=0.5, threshold=2.0, reset_mechanism="zero", spike_grad=spike) for _ in range(4)
        )
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        state, total = [neuron.init_leaky() for neuron in self.neurons], 0.0
        for z in x:
            for k, (layer, neuron) in enumerate(zip(self.layers, self.neurons, strict=True)):
                z, state[k] = neuron(layer(z), state[k])
                z = self.pool(z) if k < 2 else z
                z = z.flatten(1) if k == 1 else z
            total = total + z.float()
        return total / len(x)


class SpikingJelly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from spikingjelly.activation_based import functional, layer, neuron, surrogate

        def lif() -> nn.Module:
            return neuron.LIFNode(tau=2.0, v_threshold=1.0, surrogate_function=surrogate.ATan(2.0))

        self.net = nn.Sequential(
            layer.Conv2d(2, 32, 3, padding=1), lif(), layer.AvgPool2d(2), layer.Conv2d(32, 64, 3, padding=1), lif(),
            layer.AvgPool2d(2), layer.Flatten(), layer.Linear(4096, 256), lif(), layer.Linear(256, 10), lif(),
        )  # fmt: skip
        functional.set_step_mode(self.net, "m")
        self.reset = partial(functional.reset_net, self.net)

    def forward(self, x: Tensor) -> Tensor:
        self.reset()
        return self.net(x).float().mean(0)


class Files(Dataset[tuple[np.ndarray, int]]):
    """Frames of a recording in a compressed npz file, as SpikingJelly writes and reads them."""

    def __init__(self, folder: Path, packed: Packed) -> None:
        folder.mkdir()
        self.paths, self.labels = [], packed.labels.tolist()
        for k in range(len(packed)):
            counts = eventsnn.to_frames(packed[k].events, n_bins=BINS, dtype=torch.int16).numpy()
            self.paths.append(folder / f"{k}.npz")
            np.savez_compressed(self.paths[-1], frames=counts.astype(np.uint8))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.load(self.paths[index])["frames"].astype(np.float32), self.labels[index]


def tonic_frames(folder: Path, packed: Packed) -> Dataset[Any]:
    """tonic's N-MNIST as frames, all in its memory cache."""
    import tonic

    class Here(tonic.datasets.NMNIST):
        """tonic's N-MNIST, also with few files; it looks in a folder of this name."""

        def _check_exists(self) -> bool:
            return True

    place = folder.parent / "tonic"
    place.mkdir(exist_ok=True)
    if not (place / "Here").exists():
        (place / "Here").symlink_to(folder.parent / "files")
    cached = tonic.MemoryCachedDataset(
        Here(str(place), train=True, transform=tonic.transforms.ToFrame((34, 34, 2), n_time_bins=BINS))
    )
    for k in range(len(cached)):
        cached[k]
    return cached


@torch.no_grad()
def drawn(net: nn.Module) -> nn.Module:
    """The network with weights that are the same for all and large enough for neurons without batch norm."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter).mul_(6)
        else:
            parameter.zero_()
    return net


def step_of(net: nn.Module, device: str) -> Callable[[Tensor, Tensor], None]:
    optimiser = torch.optim.AdamW(net.parameters(), LR, weight_decay=0.0, fused=True)

    def step(x: Tensor, y: Tensor) -> None:
        optimiser.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            rates = net(x)
        nn.functional.cross_entropy(GAIN * rates, y).backward()
        optimiser.step()

    return step


def wait(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def fresh(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(device: str) -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else float("nan")


@torch.no_grad()
def tested(net: nn.Module, test: Packed, device: str) -> float:
    net.eval()
    right = 0
    for x, y in test.batches(50, n_bins=BINS):
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            right += int((net(x.to(device)).argmax(1) == y.to(device)).sum())
    net.train()
    return right / len(test)


def step_seconds(net: nn.Module, batch: tuple[Tensor, Tensor], device: str, repeats: int) -> float:
    """Median time of a step on one batch."""
    step, times = step_of(net, device), []
    for _ in range(repeats + 2):
        start = wait(device)
        step(*batch)
        times.append(wait(device) - start)
    return statistics.median(times[2:])


def peer(net: nn.Module, dataset: Dataset[Any], test: Packed, a: argparse.Namespace) -> dict[str, float]:
    """Train for some batches; the time of an epoch of so many samples at that pace."""
    net, step = net.to(a.device), None
    fresh(a.device)
    step = step_of(net, a.device)
    sampler = RandomSampler(dataset, replacement=True, num_samples=a.batches * a.batch)  # type: ignore[arg-type]
    loader: Iterable[Any] = DataLoader(
        dataset, a.batch, sampler=sampler, num_workers=a.workers, pin_memory=a.device == "cuda"
    )
    begin = count = 0
    for k, (x, y) in enumerate(loader):
        x, y = x.to(a.device, non_blocking=True), y.to(a.device, non_blocking=True)
        step(x.transpose(0, 1).float(), y)
        if k + 1 == a.batches // 4:
            begin, count = wait(a.device), a.batches - k - 1
    seconds = (wait(a.device) - begin) / (count * a.batch) * a.samples
    return {"epoch_s": seconds, "peak_GiB": peak(a.device), "accuracy": tested(net, test, a.device)}


def ours(store: Packed, test: Packed, a: argparse.Namespace, folder: Path) -> dict[str, float]:
    """A short training, then a whole epoch of ``fit``, which counts. Accuracy after as many steps as the peers do."""
    facts, some = {"shape": [2, 34, 34], "classes": list(range(10))}, dataclasses.replace(RECIPE, batch_size=a.batch)
    data = Data.of(store, some, a.device)
    part = dataclasses.replace(data, indices=torch.randperm(len(store))[: a.batches * a.batch])
    none = dataclasses.replace(data, indices=part.indices[:0])
    run = Run.start(some, facts, a.device)
    drawn(run.net)
    fit(run, part, none, folder)
    holder = Ours().to(a.device)
    holder.net = run.net
    accuracy = tested(holder, test, a.device)
    del run, holder
    fresh(a.device)
    held = torch.cuda.memory_allocated() / 2**30 if a.device == "cuda" else 0.0
    run = Run.start(some, facts, a.device)
    drawn(run.net)
    whole = part if a.device == "cpu" else data
    start = wait(a.device)
    fit(run, whole, none, folder)
    seconds = (wait(a.device) - start) * a.samples / len(whole)
    return {"epoch_s": seconds, "peak_GiB": peak(a.device), "of_it_events_GiB": held, "accuracy": accuracy}


def repeated(packed: Packed, samples: int) -> Packed:
    """A packed split whose recordings come again, as copies of their own, until there are so many."""
    times = -(-samples // len(packed))
    columns, begin, end = packed.store.events.columns, packed.store.begin, packed.store.end
    many = [c.repeat(times) if isinstance(c, torch.Tensor) else np.tile(c, times) for c in columns]
    shifts = (torch.arange(times, device=begin.device) if isinstance(begin, torch.Tensor) else np.arange(times))[
        :, None
    ]
    sides = [(side + shifts * len(packed.store.events)).reshape(-1)[:samples] for side in (begin, end)]
    packed.store = frames.Packed(eventsnn.Events(*many, sensor=packed.sensor), *sides, is_sorted=True)
    packed.labels = packed.labels.repeat(times)[:samples]
    return packed


def same_spikes(batch: Tensor, nets: dict[str, nn.Module]) -> Iterator[tuple[str, float]]:
    """Mean difference of the output rates to ours, all with the same weights, in float32."""
    torch.backends.cudnn.allow_tf32 = False
    with torch.no_grad():
        expected = nets["eventsnn"](batch)
        assert expected.mean() > 0.01, "the network is silent"
        for name in nets.keys() & {"norse", "SpikingJelly"}:
            yield name, (nets[name](batch) - expected).abs().mean().item()
    torch.backends.cudnn.allow_tf32 = True


NETS: dict[str, tuple[type[nn.Module], Callable[..., Any]]] = {
    "snnTorch + tonic": (SnnTorch, tonic_frames),
    "norse + tonic": (Norse, tonic_frames),
    "SpikingJelly + its files": (SpikingJelly, Files),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    where = (
        torch.cuda.get_device_name()
        if a.device == "cuda"
        else f"{platform.machine()}, {torch.get_num_threads()} threads"
    )
    torch.backends.cudnn.benchmark = True  # for all
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        with zipfile.ZipFile(a.archive) as archive:
            archive.extractall(room / "files")
        train = pack(load("nmnist", room / "files"), room / "train.packed")
        test = Packed.open(pack(load("nmnist", room / "files", "test"), room / "test.packed"))
        host = Packed.open(train)
        nets: dict[str, nn.Module] = {"eventsnn": drawn(Ours())}
        data: dict[Any, Any] = {}
        for title, (kind, source) in NETS.items():
            try:
                nets[title.split()[0]] = drawn(kind())
                if source not in data:
                    data[source] = source(room / "frames", host)
            except ImportError as error:
                print(f"{title} is left out: {error}")
                nets.pop(title.split()[0], None)
        x, y = next(iter(host.batches(a.batch, n_bins=BINS, shuffle=True)))
        x, y = x.to(a.device), y.to(a.device)
        nets = {title: net.to(a.device) for title, net in nets.items()}
        for title, most in same_spikes(x, nets):
            print(f"{title}: mean rates differ from ours by {most:.2g} on average")
            assert most <= 0.03, "the networks are not the same"  # on a GPU rounding turns single spikes
        repeats = 10 if a.device == "cuda" else 2
        for title, net in nets.items():
            fresh(a.device)
            steps = step_seconds(net, (x, y), a.device, repeats)
            rows[title] = {"step_ms": 1e3 * steps, "step_GiB": peak(a.device)}
            print(f"{title}: {rows[title]}", flush=True)
        del nets, net
        fresh(a.device)
        for title, hold in {"eventsnn": a.device, "eventsnn, events on the host": "cpu"}.items():
            if title == "eventsnn" or a.device != "cpu":
                (room / title).mkdir()
                store = repeated(Packed.open(train, hold), a.samples)
                rows[title] = rows["eventsnn"] | ours(store, test, a, room / title)
                del store
                print(f"{title}: {rows[title]}", flush=True)
        for title, (kind, source) in NETS.items():
            if source in data and title.split()[0] in rows:
                rows[title.split()[0]] |= peer(drawn(kind()), data[source], test, a)
                print(f"{title}: {rows[title.split()[0]]}", flush=True)
    report(rows, where, a)


def report(rows: dict[str, dict[str, float]], where: str, a: argparse.Namespace) -> None:
    print(
        f"\n{where}, torch {torch.__version__}, {a.samples:,} samples, T = {BINS}, batch {a.batch}, {a.workers} workers"
    )
    print("| | epoch [s] | ratio | peak [GiB] | step [ms] | ratio | step peak [GiB] | accuracy |")
    print("|---|---|---|---|---|---|---|---|")
    mine = rows["eventsnn"]
    for name, row in rows.items():
        epoch, step = row.get("epoch_s", float("nan")), row["step_ms"]
        print(
            f"| {name} | {epoch:.3g} | {epoch / mine['epoch_s']:.2g} | {row.get('peak_GiB', 0):.2f} | {step:.3g} "
            f"| {step / mine['step_ms']:.2g} | {row['step_GiB']:.2f} | {row.get('accuracy', 0):.0%} |"
        )
    if a.json:
        a.json.write_text(
            json.dumps({"device": where, "arguments": {k: str(v) for k, v in vars(a).items()}, "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
