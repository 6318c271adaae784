"""Train a network of receptive fields to follow an object, on clips of moving shapes that are made meanwhile.

Nothing is read from files: batch i of a seed is always the same, so a training that goes on from a checkpoint ends as
one that was never stopped.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from eventsnn.devices import device_named
from eventsnn.io.atomic import whole
from eventsnn.track.calibration import activity, calibrate, complaints
from eventsnn.track.dsnt import divergence, target_maps
from eventsnn.track.field_network import Answer, FieldNetwork, NetworkConfig
from eventsnn.track.network_file import read_network, write_network

from . import moving_clips
from .moving_clips import SCENES, Clips
from .moving_errors import Errors, measure, told

VALIDATION, TEST = 1_000_001, 1_000_002


@dataclass(frozen=True)
class Config:
    """Train a network that follows an object, for track --tracker learned: network.safetensors, log.jsonl, report.json.

    Clips of moving shapes are made while it learns. Interrupted, it goes on with --resume as if it never stopped.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("learned-tracker")
    """Folder for the results."""
    network: NetworkConfig = field(
        default_factory=lambda: NetworkConfig(mixing="own", taus=(2.0, 5.5, 22.0), output_tau=3.0)
    )
    scenes: Literal["varied", "speeds-and-sizes", "speeds-and-sizes-32"] = "varied"
    """What moves: varied shapes in noise; or, for comparisons, a circle in 64 x 64 px, or in 32 x 32 px."""
    iterations: int = 600
    """Batches to learn from."""
    batch_size: int = 32
    """Clips in a batch."""
    warmup: int = 30
    """Frames of each clip before those that the loss is taken of, without gradient."""
    lr: float = 5e-3
    """Learning rate of Adam at the start."""
    tau_lr: float = 8.0
    """How many times as fast time constants learn."""
    decay: float = 0.9
    """Factor of the learning rate after each fifteenth of the iterations."""
    weight_decay: float = 1e-6
    """Of Adam."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    map_weight: float = 1e-4
    """Of the divergence between the map and a Gaussian about the object."""
    activity_weight: float = 0.05
    """Of the squared distance of the spike rates from 5 %."""
    size_weight: float = 0.05
    """Of the error of the logarithm of the size; with 0 the network does not learn how large an object is."""
    calibrate: bool | None = None
    """Set gains before training, for 5 % spikes or an output of deviation 0.02. Default: of spiking neurons only."""
    seed: int = 0
    """Of the clips."""
    save_every: int = 100
    """Iterations after which the network is tested on validation clips, and written."""
    clips: int = 256
    """Held-out clips of the evaluation."""
    start: Path | None = None
    """A network, of the same kind, whose weights and gains are the first; none: those of its init."""
    resume: bool = False
    """Go on from the checkpoint in the folder."""
    device: str = "cpu"
    """Where it is trained: cpu, cuda, ..., or auto."""

    def __post_init__(self) -> None:
        if self.scenes not in SCENES:
            raise ValueError(f"no scenes are called {self.scenes!r}; there are {', '.join(SCENES)}")
        least = {"iterations": 1, "batch_size": 1, "warmup": 0, "save_every": 1, "clips": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, got {getattr(self, name)}")
        if self.warmup > SCENES[self.scenes][0].frames - 2:
            raise ValueError(f"warmup must leave frames of {SCENES[self.scenes][0].frames}, got {self.warmup}")


def batches(config: Config, start: int = 0) -> Iterator[Clips]:
    """What the iterations from ``start`` on learn from."""
    return moving_clips.batches(
        SCENES[config.scenes], config.iterations, config.batch_size, config.seed, config.device, start
    )


class Training:
    """A network, its optimiser, and how many iterations they have behind them."""

    def __init__(self, config: Config, net: FieldNetwork | None = None) -> None:
        self.config, self.iteration = config, 0
        self.net = (FieldNetwork(config.network) if net is None else net).to(config.device)
        taus = [parameter for name, parameter in self.net.named_parameters() if name.startswith("log_")]
        groups = [{"params": list(self.net.weights), "times": 1.0}, {"params": taus, "times": config.tau_lr}]
        self.optimiser = torch.optim.Adam(groups, lr=config.lr, weight_decay=config.weight_decay)

    def step(self, given: Clips) -> Tensor:
        """Learn from a batch; returns the loss."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = group["times"] * config.lr * config.decay ** (15 * self.iteration // config.iterations)
        self.net.train()
        frames = given.frames.float()
        with torch.no_grad():
            state = self.net(frames[: config.warmup])[1] if config.warmup else None
        answer, _ = self.net(frames[config.warmup :], state)
        value = loss(answer, given.centre[config.warmup :], given.size[config.warmup :], config)
        self.optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), config.clip)
        self.optimiser.step()
        self.iteration += 1
        return value.detach()

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        states = self.optimiser.state_dict()["state"]
        others = {f"optimiser/{k}/{name}": value for k, state in states.items() for name, value in state.items()}
        write_network(path, self.net, {"iteration": self.iteration, "training": _settings(self.config)}, others)

    @classmethod
    def load(cls, path: Path, config: Config) -> Training:
        """Go on from a checkpoint. Raises ValueError if it was written with other settings."""
        net, about, others = read_network(path)
        then, now = about["training"], _settings(config)
        changed = [f"{name} ({then.get(name)} then, {now[name]} now)" for name in now if then.get(name) != now[name]]
        if changed:
            raise ValueError(f"{path} was written with other settings: {'; '.join(changed)}. Go on with those it has")
        training = cls(config, net)
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in others.items():
            _, number, key = name.split("/")
            states.setdefault(int(number), {})[key] = value
        groups = training.optimiser.state_dict()["param_groups"]
        training.optimiser.load_state_dict({"state": states, "param_groups": groups})
        training.iteration = about["iteration"]
        return training


def loss(answer: Answer, centre: Tensor, size: Tensor, config: Config) -> Tensor:
    """Distance in [-1, 1], divergence of the map from a Gaussian, spike rates, and sizes, weighted."""
    value = (answer.centre - centre).norm(dim=-1).mean()
    if config.map_weight:
        wanted = target_maps(centre, *answer.probability.shape[-2:])
        value = value + config.map_weight * divergence(answer.probability, wanted).mean()
    if config.activity_weight and config.network.neuron == "lif":
        value = value + config.activity_weight * ((0.05 - torch.stack(answer.activity)) ** 2).sum()
    if config.size_weight:
        value = value + config.size_weight * (answer.size.log() - size.log()).abs().mean()
    return value


def evaluate(net: FieldNetwork, config: Config, seed: int = TEST) -> Errors:
    """Errors on clips that no training sees."""
    return measure(net, config.scenes, config.clips, config.warmup, seed, config.device)


def begin(config: Config) -> Training:
    """A training before its first iteration, gains calibrated, silent layers warned of."""
    if config.start is not None:
        net = read_network(config.start).net
        if net.config != config.network:
            raise ValueError(f"{config.start} holds {net.config}, but {config.network} is asked for")
        return Training(config, net)
    training = Training(config)
    frames = next(batches(config)).frames.float()
    if config.calibrate or (config.calibrate is None and config.network.neuron == "lif"):
        calibrate(training.net, frames)
    for text in complaints(training.net, activity(training.net, frames)):
        tqdm.write(f"before training {text}", sys.stderr)
    return training


def run(config: Config) -> Path:
    """Train, evaluate on held-out clips, and write network and report; returns the folder.

    Raises KeyboardInterrupt when interrupted, saying what is kept.
    """
    config = replace(config, device=str(device_named(config.device)))
    file = config.out / "network.safetensors"
    if file.exists() and not config.resume:
        raise ValueError(f"{config.out} has a network already; go on with --resume, or give another --out")
    if config.resume and not file.exists():
        raise ValueError(f"{config.out} holds no training to go on with: there is no {file.name}")
    training = Training.load(file, config) if config.resume else begin(config)
    config.out.mkdir(parents=True, exist_ok=True)
    try:
        _train(training, file, config.out / "log.jsonl")
    except KeyboardInterrupt:
        hint = f"{file} is kept, go on with --resume" if file.exists() else "nothing was saved yet"
        raise KeyboardInterrupt(f"interrupted after {training.iteration} iterations; {hint}") from None
    errors = evaluate(training.net, config)
    with whole(config.out / "report.json") as part:
        part.write_text(json.dumps({"errors": errors._asdict(), "training": _settings(config)}, indent=1) + "\n")
    print("\n".join(told(errors, config.scenes)))
    print(f"results in {config.out}; to use them: eventsnn track RECORDING --tracker learned --network {file}")
    return config.out


def _train(training: Training, file: Path, log: Path) -> None:
    """Go through the iterations that are left; now and then validate, warn of silent layers, and save."""
    config = training.config
    lines = log.read_text().splitlines() if config.resume and log.is_file() else []
    lines = [line for line in lines if json.loads(line)["iteration"] <= training.iteration]
    with tqdm(total=config.iterations, initial=training.iteration, unit=" batches", disable=None) as bar:
        for given in batches(config, training.iteration):
            value = training.step(given)
            bar.update()
            if training.iteration % config.save_every == 0 or training.iteration == config.iterations:
                errors = evaluate(training.net, config, VALIDATION)
                for text in complaints(training.net, errors.activity):
                    tqdm.write(f"after {training.iteration} iterations {text}", sys.stderr)
                lines.append(json.dumps({"iteration": training.iteration, "loss": float(value), **errors._asdict()}))
                training.save(file)
                with whole(log) as part:
                    part.write_text("\n".join(lines) + "\n")
                bar.set_postfix_str(f"{errors.mean:.2f} px")


def _settings(config: Config) -> dict[str, Any]:
    """What a training depends on, as JSON gives it back."""
    settings = dataclasses.asdict(config)
    for name in ("out", "start", "resume", "device", "save_every", "clips"):
        del settings[name]
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain
