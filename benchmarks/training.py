"""Training: time of an epoch with its data, peak memory and accuracy; eventsnn and others, in one run.

    python benchmarks/training.py nmnist --root nmnist-small.zip [--device cuda] [--samples 60000] [--json out.json]
    python benchmarks/training.py dvsgesture [--device cuda]

The network is the same for all: convolutions, each with LIF and mean pooling, and two linear layers with LIF, cross
entropy on ten times the output rates, AdamW, bfloat16 on a GPU. N-MNIST: conv 32, conv 64, linear 256, 30 frames of
34x34. DVS-Gesture: five times conv 128, linear 512, 20 frames of 128x128. eventsnn trains with ``eventsnn.train.fit``,
log and checkpoints included, from a packed split on the device; norse and snnTorch with a plain loop and tonic's frames
in its memory cache behind a DataLoader, SpikingJelly with its multi-step mode, its fused neurons and its files of
frames behind a DataLoader. All do ``--batches`` steps, then the test accuracy is taken, and peers' time of an epoch is
that of the last three quarters of these steps, scaled; eventsnn's is that of the second of two whole epochs. The
recordings (a small part of the dataset will do; without ``--root`` noise in its layout) are repeated until there are
``--samples``. First the networks of eventsnn, norse and SpikingJelly must give the same spikes; snnTorch's neuron loses
its input at a reset, so its do not. Peers that cannot be imported are left out. "step" is a training step on one batch
that stays on the device. Memory on a GPU is that of tensors, and what PyTorch reserved for them. On a CPU seconds are
those that the process computed: take one thread and no workers.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import gc
import itertools
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

import eventsnn
from eventsnn import frames
from eventsnn.datasets import Packed, card_of, load, pack
from eventsnn.datasets.standin import StandIn
from eventsnn.frames.words import Words
from eventsnn.structured import to_structured
from eventsnn.train import Data, Recipe, Run, fit
from eventsnn.train.activity import Activity
from eventsnn.train.run import learn

GAIN, LR = 10.0, 1e-3
LIF = "LIFBox tau_mem_inv=500"


class Size(NamedTuple):
    """The dataset, and the network for it."""

    dataset: str
    side: int
    bins: int
    convolutions: tuple[int, ...]
    hidden: int
    classes: int
    samples: int
    batch: int
    generated: int
    """Recordings a class where there is no dataset."""

    @property
    def recipe(self) -> Recipe:
        words = [word for channels in self.convolutions for word in (f"conv {channels}", LIF, "pool 2")]
        return Recipe(
            self.dataset, (*words, "flatten", f"linear {self.hidden}", LIF, "linear classes", LIF),
            n_bins=self.bins, readout="rate", gain=GAIN, lr=LR, schedule="constant", clip=0.0, validation=0.0, epochs=1,
            save_every=10**9, batch_size=self.batch,
        )  # fmt: skip

    @property
    def facts(self) -> dict[str, Any]:
        return {"shape": [2, self.side, self.side], "classes": list(range(self.classes))}

    def layers(self) -> list[nn.Module]:
        sides = (2, *self.convolutions)
        width = self.convolutions[-1] * (self.side // 2 ** len(self.convolutions)) ** 2
        return [
            *(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(sides)),
            nn.Linear(width, self.hidden),
            nn.Linear(self.hidden, self.classes),
        ]


SIZES = {
    "nmnist": Size("nmnist", 34, 30, (32, 64), 256, 10, 60_000, 256, 10),
    "dvsgesture": Size("dvsgesture", 128, 20, (128,) * 5, 512, 11, 1_176, 16, 4),
}


class Ours(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.net = Run.start(size.recipe, size.facts).net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[0].float().mean(0)


class Norse(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        import norse.torch as n

        p = n.LIFBoxParameters(tau_mem_inv=500.0, method="super", alpha=10.0)
        lif = partial(n.LIFBoxCell, p)
        *convolutions, three, four = size.layers()
        first = [module for layer in convolutions for module in (layer, lif(), nn.AvgPool2d(2))]
        self.net = n.Lift(n.SequentialState(*first, nn.Flatten(), three, lif(), four, lif()))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[0].float().mean(0)


class SnnTorch(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        import snntorch

        spike = snntorch.surrogate.atan(2.0)
        self.layers = nn.ModuleList(size.layers())
        self.neurons = nn.ModuleList(
            snntorch.Leaky(beta=0.5, threshold=2.0, reset_mechanism="zero", spike_grad=spike) for _ in self.layers
        )
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        state, total = [neuron.init_leaky() for neuron in self.neurons], 0.0
        for z in x:
            for k, (layer, neuron) in enumerate(zip(self.layers, self.neurons, strict=True)):
                z = z.flatten(1) if isinstance(layer, nn.Linear) else z
                z, state[k] = neuron(layer(z), state[k])
                z = self.pool(z) if isinstance(layer, nn.Conv2d) else z
            total = total + z.float()
        return total / len(x)


class SpikingJelly(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        from spikingjelly.activation_based import functional, layer, neuron, surrogate

        def lif() -> nn.Module:
            return neuron.LIFNode(tau=2.0, v_threshold=1.0, surrogate_function=surrogate.ATan(2.0))

        modules: list[nn.Module] = []
        for plain in size.layers():
            if isinstance(plain, nn.Conv2d):
                modules += [
                    layer.Conv2d(plain.in_channels, plain.out_channels, 3, padding=1),
                    lif(),
                    layer.AvgPool2d(2),
                ]
            elif isinstance(plain, nn.Linear):
                modules += [layer.Linear(plain.in_features, plain.out_features), lif()]
        self.net = nn.Sequential(*modules)
        self.net.insert(len(self.net) - 4, layer.Flatten())
        functional.set_step_mode(self.net, "m")
        self.reset = partial(functional.reset_net, self.net)

    def forward(self, x: Tensor) -> Tensor:
        self.reset()
        return self.net(x).float().mean(0)


class Files(Dataset[tuple[np.ndarray, int]]):
    """Frames of a recording in a compressed npz file, as SpikingJelly writes and reads them."""

    def __init__(self, folder: Path, packed: Packed, size: Size) -> None:
        folder.mkdir()
        self.paths, self.labels = [], packed.labels.tolist()
        for k in range(len(packed)):
            counts = eventsnn.to_frames(packed[k].events, n_bins=size.bins, dtype=torch.int16).numpy()
            self.paths.append(folder / f"{k}.npz")
            np.savez_compressed(self.paths[-1], frames=counts.astype(np.uint8))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.load(self.paths[index])["frames"].astype(np.float32), self.labels[index]


class Recordings(Dataset[tuple[np.ndarray, int]]):
    """Recordings as tonic's transforms take them."""

    def __init__(self, packed: Packed, transform: Callable[[np.ndarray], np.ndarray]) -> None:
        self.packed, self.transform = packed, transform

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.transform(to_structured(self.packed[index].events)), self.packed[index].target


def tonic_frames(folder: Path, packed: Packed, size: Size) -> Dataset[Any]:
    """tonic's frames, all in its memory cache."""
    import tonic

    to_frame = tonic.transforms.ToFrame((size.side, size.side, 2), n_time_bins=size.bins)
    cached = tonic.MemoryCachedDataset(Recordings(packed, to_frame))
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
    """Seconds by the clock once a GPU has done all; on a CPU, which others may use too, those of this process."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def fresh(device: str) -> None:
    """From here on ``peak`` counts; what is not used is given back before."""
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    else:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that from now on
        BEFORE[:] = [resident("VmRSS")]


def peak(device: str) -> dict[str, float]:
    """Of tensors on a GPU, and what was reserved for them; of the process on a CPU, more than there was before."""
    if device != "cuda":
        return {"peak_GiB": resident("VmHWM") - BEFORE[0]}
    most = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return {"peak_GiB": most[0] / 2**30, "reserved_GiB": most[1] / 2**30}


BEFORE = [0.0]


def resident(name: str) -> float:
    """Memory of the process, in GiB: VmRSS now, VmHWM its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 2**20


@torch.no_grad()
def tested(net: nn.Module, test: Packed, size: Size, device: str) -> float:
    net.eval()
    right = 0
    for x, y in test.batches(size.batch, n_bins=size.bins):
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            right += int((net(x.to(device)).argmax(1) == y.to(device)).sum())
    net.train()
    return right / len(test)


def step_of_ours(size: Size, device: str) -> Callable[[Tensor, Tensor], Any]:
    """The step of ``fit``."""
    run = Run.start(size.recipe, size.facts, device)
    drawn(run.net)
    run.total, activity = 1, Activity(run.net, counted=False)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    return lambda x, y: learn(run, x.to(dtype), y, activity)


def step_seconds(step: Callable[[Tensor, Tensor], Any], batch: tuple[Tensor, Tensor], device: str) -> float:
    """Median time of a step on one batch."""
    repeats, times = 10 if device == "cuda" else 2, []
    for _ in range(repeats + 4):
        start = wait(device)
        step(*batch)
        times.append(wait(device) - start)
    return statistics.median(times[4:])


def peer(net: nn.Module, dataset: Dataset[Any], test: Packed, size: Size, a: argparse.Namespace) -> dict[str, float]:
    """Train for some batches; the time of an epoch of so many samples at that pace."""
    net, step = net.to(a.device), None
    fresh(a.device)
    step = step_of(net, a.device)
    sampler = RandomSampler(dataset, replacement=True, num_samples=a.batches * size.batch)  # type: ignore[arg-type]
    loader: Iterable[Any] = DataLoader(
        dataset, size.batch, sampler=sampler, num_workers=a.workers, pin_memory=a.device == "cuda"
    )
    begin = count = 0
    for k, (x, y) in enumerate(loader):
        x, y = x.to(a.device, non_blocking=True), y.to(a.device, non_blocking=True)
        step(x.transpose(0, 1).float(), y)
        if k + 1 == a.batches // 4:
            begin, count = wait(a.device), a.batches - k - 1
    seconds = (wait(a.device) - begin) / (count * size.batch) * size.samples
    return {"epoch_s": seconds, **peak(a.device), "accuracy": tested(net, test, size, a.device)}


def ours(store: Packed, test: Packed, size: Size, a: argparse.Namespace, folder: Path) -> dict[str, float]:
    """A short training, for the accuracy after as many steps as the peers do; then two epochs, the second counts."""
    data = Data.of(store, size.recipe, a.device)
    part = dataclasses.replace(data, indices=torch.randperm(len(store))[: a.batches * size.batch])
    none = dataclasses.replace(data, indices=part.indices[:0])
    run = Run.start(size.recipe, size.facts, a.device)
    drawn(run.net)
    fit(run, part, none, folder)
    holder = Ours(size).to(a.device)
    holder.net = run.net
    accuracy = tested(holder, test, size, a.device)
    del run, holder
    fresh(a.device)
    held = torch.cuda.memory_allocated() / 2**30 if a.device == "cuda" else 0.0
    run = Run.start(size.recipe, size.facts, a.device)
    drawn(run.net)
    begin = wait(a.device)
    fit(run, data, none, folder)
    first = wait(a.device)
    run.recipe = dataclasses.replace(size.recipe, epochs=2)
    fit(run, data, none, folder)
    return {
        "epoch_s": wait(a.device) - first,
        "first_epoch_s": first - begin,
        **peak(a.device),
        "of_it_events_GiB": held,
        "accuracy": accuracy,
    }


def repeated(packed: Packed, samples: int, hold: str) -> Packed:
    """A packed split whose recordings come again, as copies of their own, until there are so many; words on a GPU."""
    times = -(-samples // len(packed))
    columns, begin, end = packed.store.events.columns, packed.store.begin, packed.store.end
    shifts = np.arange(times)[:, None] * len(packed.store.events)
    sides = [(side + shifts).reshape(-1) for side in (begin, end)]
    events = eventsnn.Events(*(np.tile(column, times) for column in columns), sensor=packed.sensor)
    store = frames.Packed(events, *sides, is_sorted=True)
    packed.store = Words.of(store, hold) if hold != "cpu" else store
    packed.labels = packed.labels.repeat(times)[:samples].to(hold)
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


NETS: dict[str, tuple[Callable[[Size], nn.Module], Callable[..., Any]]] = {
    "snnTorch + tonic": (SnnTorch, tonic_frames),
    "norse + tonic": (Norse, tonic_frames),
    "SpikingJelly + its files": (SpikingJelly, Files),
}


def splits(size: Size, root: Path | None, room: Path) -> tuple[Path, Path]:
    """The training and the test split, packed."""
    if root is None:
        card = card_of(size.dataset)
        parts: list[Any] = [StandIn(card, "train", size.generated), StandIn(card, "test", 2)]
    else:
        parts = [load(size.dataset, root), load(size.dataset, root, "test")]
    train, test = (pack(part, room / f"{part.split}.packed") for part in parts)
    return train, test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    size = SIZES[a.size]
    size = size._replace(samples=a.samples or size.samples, batch=a.batch or size.batch)
    where = (
        torch.cuda.get_device_name()
        if a.device == "cuda"
        else f"{platform.machine()}, {torch.get_num_threads()} threads"
    )
    torch.backends.cudnn.benchmark = True  # for all
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        train, held_out = splits(size, a.root, room)
        test, host = Packed.open(held_out), Packed.open(train)
        nets: dict[str, nn.Module] = {"eventsnn": drawn(Ours(size))}
        data: dict[Any, Any] = {}
        for title, (kind, source) in NETS.items():
            try:
                nets[title.split()[0]] = drawn(kind(size))
                if source not in data:
                    data[source] = source(room / "frames", host, size)
            except ImportError as error:
                print(f"{title} is left out: {error}")
                nets.pop(title.split()[0], None)
        x, y = next(iter(host.batches(size.batch, n_bins=size.bins, shuffle=True)))
        x, y = x.to(a.device), y.to(a.device)
        nets = {title: net.to(a.device) for title, net in nets.items()}
        for title, most in same_spikes(x, nets):
            print(f"{title}: mean rates differ from ours by {most:.2g} on average")
            assert most <= 0.03, "the networks are not the same"  # on a GPU rounding turns single spikes
        for title, net in nets.items():
            fresh(a.device)
            step = step_of_ours(size, a.device) if title == "eventsnn" else step_of(net, a.device)
            steps = step_seconds(step, (x, y), a.device)
            rows[title] = {"step_ms": 1e3 * steps, "step_GiB": peak(a.device)["peak_GiB"]}
            print(f"{title}: {rows[title]}", flush=True)
        del nets, net, step
        fresh(a.device)
        for title, hold in {"eventsnn": a.device, "eventsnn, events on the host": "cpu"}.items():
            if title == "eventsnn" or a.device != "cpu":
                (room / title).mkdir()
                store = repeated(Packed.open(train), size.samples, hold)
                rows[title] = rows["eventsnn"] | ours(store, test, size, a, room / title)
                del store
                print(f"{title}: {rows[title]}", flush=True)
        for title, (kind, source) in NETS.items():
            if source in data and title.split()[0] in rows:
                rows[title.split()[0]] |= peer(drawn(kind(size)), data[source], test, size, a)
                print(f"{title}: {rows[title.split()[0]]}", flush=True)
    report(rows, where, size, a)


def report(rows: dict[str, dict[str, float]], where: str, size: Size, a: argparse.Namespace) -> None:
    print(
        f"\n{size.dataset}, {where}, torch {torch.__version__}, {size.samples:,} samples, T = {size.bins}, "
        f"batch {size.batch}, {a.workers} workers"
    )
    print("| | epoch [s] | ratio | peak [GiB] | reserved [GiB] | step [ms] | ratio | step peak [GiB] | accuracy |")
    print("|---|---|---|---|---|---|---|---|---|")
    mine = rows["eventsnn"]
    for name, row in rows.items():
        epoch, step = row.get("epoch_s", float("nan")), row["step_ms"]
        print(
            f"| {name} | {epoch:.3g} | {epoch / mine['epoch_s']:.2g} | {row.get('peak_GiB', 0):.2f} "
            f"| {row.get('reserved_GiB', 0):.2f} | {step:.3g} "
            f"| {step / mine['step_ms']:.2g} | {row['step_GiB']:.2f} | {row.get('accuracy', 0):.0%} |"
        )
    if a.json:
        a.json.write_text(
            json.dumps({"device": where, "arguments": {k: str(v) for k, v in vars(a).items()}, "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
