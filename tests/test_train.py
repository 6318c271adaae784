"""Training: recipes, networks, the loop's laws, checkpoints, two processes, the commands, and bad input."""

import csv
import dataclasses
import importlib.util
import logging
import math
import os
import signal
import subprocess
import sys
import tomllib
import types
import warnings
from collections import defaultdict
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import eventsnn
from eventsnn.cli import main
from eventsnn.datasets import Packed, card_of, load, pack
from eventsnn.datasets.moving import Moving
from eventsnn.datasets.sample import Sample
from eventsnn.datasets.standin import TYPICAL, StandIn
from eventsnn.events import Events, microseconds
from eventsnn.nir import from_nir
from eventsnn.pipelines.classify import RECIPES, recipe_of
from eventsnn.train import (
    Data,
    DelayLinear,
    Diverged,
    Recipe,
    Run,
    accuracy,
    build,
    checkpoint,
    confusion,
    cost,
    evaluate,
    fit,
    network,
    over_time,
    restore,
)
from eventsnn.train import load as load_checkpoint
from eventsnn.train import logits as logits_of
from eventsnn.train.activity import Activity, Rates, complaints
from eventsnn.train.charts import confusion_matrix, curves
from eventsnn.train.convolve import Conv2d
from eventsnn.train.fold import without_norms
from eventsnn.train.log import records
from eventsnn.train.readout import READOUTS, loss
from eventsnn.train.rehearse import rehearse
from eventsnn.train.replay import Replay
from eventsnn.train.run import learn
from eventsnn.train.schedule import SCHEDULES, factor

LIF = "LIFBox tau_mem_inv=500 v_th=0.3"
LAYERS = ("flatten", "linear 12", LIF, "linear classes", "LI")
ROOT = Path(__file__).parents[1]


class Toy(list):
    """Blobs at a place for each class: what a network learns within some steps."""

    name, split_hash, sensor, classes = "toy", "0", (8, 6), ("left", "middle", "right")

    def __init__(self, split="train", n=30, sensor=(8, 6)):
        draw = np.random.default_rng(len(split))
        self.split, self.sensor, self.ids = split, sensor, tuple(f"{split}{k}" for k in range(n))
        for k in range(n):
            t = np.sort(draw.integers(0, 5_000, 60))
            x = np.clip(draw.normal(1 + 2.5 * (k % 3), 0.7, 60), 0, 7).astype(np.int16)
            events = Events(t, x, draw.integers(0, sensor[1], 60), draw.integers(0, 2, 60), sensor=sensor)
            super().append(Sample(events, k % 3, {}))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    return Packed.open(pack(Toy(), folder / "train")), Packed.open(pack(Toy("test"), folder / "test"))


def recipe(**changes):
    settings = {"n_bins": 5, "epochs": 2, "batch_size": 10, "lr": 0.02, "gain": 20.0, "save_every": 100}
    return Recipe("toy", **({"layers": LAYERS} | settings | changes))


def begun(store, made):
    data = Data.of(store, made)
    facts = {"dataset": "toy", "classes": list(store.classes), "sensor": list(store.sensor), "shape": list(data.shape)}
    return Run.start(made, facts), *data.parted(made.validation)


def fitted(store, folder, made):
    run, training, validation = begun(store, made)
    folder.mkdir(exist_ok=True)
    fit(run, training, validation, folder)
    return run


def weights(run):
    return torch.cat([value.flatten().double() for value in run.net.state_dict().values()])


# recipes and words


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_recipe_makes_a_network_for_its_dataset(name):
    made = recipe_of(name)
    data = Moving if name == "shapes" else card_of(made.dataset)
    assert name == "shapes" or made.dataset in TYPICAL
    classes, sensor = data.classes or range(101), data.sensor
    width, height = (-(-side // made.downsample) for side in sensor)
    shape = (width,) if sensor[1] == 1 else (2, height, width)
    net = build(made.layers, shape, len(classes), made.surrogate, made.alpha)
    outputs = net(torch.zeros(2, 1, *shape))[0]
    assert logits_of(outputs, len(classes), made.readout).shape == (1, len(classes))
    assert ("not measured here" in made.about) == (name not in ("shapes", "nmnist-small", "pokerdvs"))
    assert Recipe.of(dataclasses.asdict(made)) == made


def test_recipes_lie_in_the_package():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "*.toml" in listed["eventsnn.pipelines"]


def test_settings_replace_values_as_toml_has_them():
    made = recipe().replaced(["epochs=3", "lr=1", "layers=['flatten', 'linear classes']", "surrogate=tanh", "dt=2ms"])
    assert (made.epochs, made.lr, made.surrogate) == (3, 1.0, "tanh")
    assert (made.dt, made.n_bins) == ("2ms", None)
    assert made.layers == ("flatten", "linear classes")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["epoch=3"], "no recipe key 'epoch'; did you mean 'epochs'"),
        (["epochs"], "write key=value"),
        (["epochs=many"], "epochs must be int, got 'many'"),
        (["epochs=0"], "epochs must be at least 1"),
        (["downsample=0"], "downsample must be at least 1"),
        (["tbptt=-1"], "tbptt must be at least 0"),
        (["rate_weight=-1"], "rate_weight must be at least 0"),
        (["rate_low=0.5", "rate_high=0.1"], "rate_low=0.5 must not lie above rate_high=0.1"),
        (["gain=0"], "gain must be positive"),
        (["amp=1"], "amp must be bool"),
        (["lr=-1"], "lr must be positive"),
        (["layers=3"], "a list of texts"),
        (["ema=1.0"], "ema must lie in 0..1"),
        (["schedule=cosin"], "did you mean 'cosine'"),
        (["readout=rates"], "did you mean 'rate'"),
        (["optimiser=adan"], "did you mean 'adam"),
        (["dt=1ms", "n_bins=3"], "not both"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        recipe().replaced(settings)


def test_a_recipe_file_that_is_none_names_itself(tmp_path):
    path = tmp_path / "mine.toml"
    for text, message in (("epochs =", "mine.toml"), ("epoch = 3", "epochs"), ("epochs = 3", "needs the key dataset")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            Recipe.read(path)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["konv 3"], r"layer \(number 1\) 'konv'; did you mean 'conv'"),
        (["conv"], r"layer 1 \('conv'\).*channels"),
        (["flatten", "conv 3"], "layer 2"),
        (["flatten", "linear some"], "classes or votes"),
        (["LIFBox tau_mem=3"], "did you mean 'tau_mem_inv'"),
        (["LIFBox learn=tau"], "has no field 'tau'"),
        (["fields size=4"], "layer 1"),
        ([""], "empty word"),
        ([], "no layers"),
    ],
)
def test_layers_that_cannot_be(layers, message):
    with pytest.raises(ValueError, match=message):
        build(layers, (2, 8, 8), 3)


# networks and read-outs


def test_a_layer_before_a_norm_has_no_bias_unless_it_is_told():
    words = [
        "conv 2",
        "norm",
        "conv 2 bias=True",
        "norm",
        "flatten",
        "linear 3",
        "norm",
        "delays 4",
        "norm",
        "linear 2",
    ]
    net = build(words, (2, 4, 4), 2)
    assert [net[k].bias is None for k in (0, 2, 5, 7, 9)] == [True, False, True, True, False]


def test_delays_are_the_sum_over_delayed_inputs():
    layer = DelayLinear(3, 2, max_delay=4)
    layer.anneal(0.1)
    x = torch.randn(9, 2, 3)
    y, _ = layer(x)
    expected = torch.zeros(9, 2, 2)
    for t in range(9):
        for k in range(5):
            if t - k >= 0:
                g = torch.exp(
                    -((torch.arange(5.0)[:, None, None] - layer.delay.clamp(0, 4)) ** 2) / (2 * layer.sigma**2)
                )
                expected[t] += x[t - k] @ (layer.weight * g[k] / g.sum(0)).T
    assert torch.allclose(y, expected + layer.bias, atol=1e-5)


@pytest.mark.parametrize(
    "layers", [LAYERS, ("flatten", "delays 6 max_delay=3", "LIF", "LSNNRecurrent 5", "linear classes")]
)
def test_a_recording_in_pieces_gives_what_the_whole_gives(layers):
    net, x = build(layers, (2, 4, 4), 3), torch.rand(7, 2, 2, 4, 4) * 20
    whole = net(x)[0]
    first, state = net(x[:3])
    assert torch.allclose(torch.cat([first, net(x[3:], state)[0]]), whole, atol=1e-5)


@pytest.mark.parametrize("name", READOUTS)
def test_read_outs_prefer_the_class_that_speaks(name):
    outputs = torch.zeros(6, 2, 6)
    outputs[2:, 0, 2:4] = 1  # class 1 of three, two votes each
    outputs[1:, 1, 4:6] = 1
    outputs.requires_grad_()
    values = logits_of(outputs, 3, name)
    assert values.argmax(1).tolist() == [1, 2]
    values[0, 1].backward()
    assert outputs.grad.abs().sum() > 0
    assert over_time(outputs.detach(), 3, name)[-1].argmax(1).tolist() == [1, 2]
    with pytest.raises(ValueError, match="4 classes do not divide"):
        logits_of(outputs, 4, name)


@given(st.sampled_from(sorted(SCHEDULES)), st.integers(1, 300), st.floats(0, 0.5))
def test_schedules_stay_within_the_rate_and_end_low(name, total, warmup):
    values = [factor(name, step, total, warmup) for step in range(total + 1)]
    assert all(0 <= value <= 1 + 1e-12 for value in values)
    assert name == "constant" or values[-1] <= 0.1


def test_costs_are_counted_as_neurobench_does():
    net = build(
        ["conv 3 3 bias=False", "LIFBox tau_mem_inv=900", "flatten", "linear 4", "LIFRecurrent 5"], (2, 5, 5), 2
    )
    x = (torch.rand(4, 3, 2, 5, 5) < 0.4).float()
    found = cost(net, [(x, torch.zeros(3))])
    with torch.no_grad():
        hidden = net[1](net[0](x.flatten(0, 1)).unflatten(0, (4, 3)))[0]
        y = net[4](net[3](hidden.flatten(2)))[0]
    acs = 0
    for t in range(4):
        for b in range(3):
            for _, i, j in x[t, b].nonzero().tolist():
                acs += 3 * sum(0 <= i + di < 5 and 0 <= j + dj < 5 for di in (-1, 0, 1) for dj in (-1, 0, 1))
            acs += 4 * int(hidden[t, b].sum())
            acs += 4 * int(y[t - 1, b].sum()) if t else 0  # no autapses
    assert found.effective_acs == pytest.approx(acs / 3)
    assert found.effective_macs == pytest.approx(4 * 4 * 5)  # the real outputs of linear into the recurrent layer
    assert found.spikes == pytest.approx(float(hidden.sum() + y.sum()) / 3)
    assert found.dense == pytest.approx(4 * ((13**2) * 2 * 3 + 75 * 4 + 4 * 5 + 5 * 4))


def test_receptive_fields_cost_what_the_convolution_does_that_they_are():
    net = build(["fields scales=(0.2,) orders=0 size=5", "LIFBox tau_mem_inv=500"], (2, 6, 6), 3)
    batch = ((torch.rand(4, 3, 2, 6, 6) < 0.4).float(), torch.zeros(3))
    fields, plain = cost(net, [batch]), cost(without_norms(net), [batch])
    assert fields[2:] == plain[2:]
    assert fields.effective_acs > 0


@pytest.mark.parametrize("first", ["conv 4", "conv 4 bias=True", "fields scales=(0.2,) orders=0 size=5"])
def test_batch_norms_are_taken_into_the_layers_before_them(first):
    net = build([first, "norm", "LIFBox tau_mem_inv=500", "flatten", "linear 3", "norm", "LI"], (2, 6, 6), 3)
    for _ in range(3):
        net(torch.rand(5, 4, 2, 6, 6))
    x, plain = torch.rand(5, 2, 2, 6, 6), without_norms(net)
    assert torch.allclose(plain(x)[0], net.eval()(x)[0], atol=1e-5)
    assert [type(layer).__name__ for layer in plain] == ["Conv2d", "LIFBox", "Flatten", "Linear", "LI"]
    with pytest.raises(ValueError, match="follows no convolution"):
        without_norms(build(["norm", "LIFBox"], (2, 6, 6), 3))


@pytest.mark.parametrize("side", [8, 9])
def test_channels_last_changes_no_number(side):
    layers = (
        "conv 4",
        "norm",
        "LIFBox tau_mem_inv=900 learn=tau_mem_inv",
        "pool",
        "conv 3",
        LIF,
        "pool",
        "flatten",
        "linear classes",
        "LI",
    )
    net, found = build(layers, (2, side, side), 3), []
    for last in (False, True):
        x = (torch.rand(6, 2, 2, side, side, generator=torch.Generator().manual_seed(0)) < 0.3).float() * 3
        x = x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3) if last else x
        x.requires_grad_()
        first, state = net(x[:4])
        y = torch.cat([first, net(x[4:], state)[0]])
        weights = [x, *net.parameters()]
        found.append([y, *torch.autograd.grad((y * torch.arange(3.0)).sum(), weights)])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)
    assert found[0][0].abs().sum() > 0


def test_mean_pooling_is_torchs():
    x = torch.rand(2, 3, 7, 9, dtype=torch.float64, requires_grad=True)
    pool = build(["pool 3"], (3, 7, 9), 2)[0]
    assert torch.equal(pool(x), torch.nn.functional.avg_pool2d(x, 3))
    assert torch.autograd.gradcheck(pool, (x,))
    assert torch.autograd.gradcheck(pool, (x.detach().to(memory_format=torch.channels_last).requires_grad_(),))


# data


def test_validation_is_held_out_of_each_class_alike_and_always_the_same(toy):
    data = Data.of(toy[0], recipe())
    training, validation = data.parted(0.2)
    assert sorted([*training.indices.tolist(), *validation.indices.tolist()]) == list(range(30))
    assert torch.bincount(toy[0].labels[validation.indices]).tolist() == [2, 2, 2]
    assert Data.of(toy[0], recipe(seed=5)).parted(0.2)[1].indices.equal(validation.indices)


def test_processes_share_an_epoch(toy):
    data = Data.of(toy[0], recipe())
    whole = data.order(3)
    assert sorted(whole) == list(range(30))
    assert whole != data.order(4)
    assert [data.order(3, rank, 2) for rank in (0, 1)] == [whole[0::2], whole[1::2]]


def test_spikes_in_channels_become_vectors(tmp_path):
    store = Packed.open(pack(StandIn(card_of("shd"), per_class=1), tmp_path / "shd"))
    data = Data.of(store, recipe(dt="10ms", n_bins=None, duration="1s", downsample=5))
    frames, labels = next(iter(data.batches(size=4)))
    assert frames.shape == (100, 4, 140)
    assert labels.tolist() == [0, 1, 2, 3]
    assert frames.sum() == 4 * 8_000


def test_labels_beyond_the_classes_are_refused(toy):
    store = Packed.__new__(Packed)
    store.__dict__.update(toy[0].__dict__, classes=("one", "two"))
    with pytest.raises(ValueError, match="labels 0 to 2, but 2 classes"):
        Data.of(store, recipe())


def test_augmentations_that_cannot_be(toy):
    for words, message in ((["RandomFlip"], "did you mean 'RandomFlip"), (["DropEvent q=1"], "unexpected")):
        with pytest.raises(ValueError, match=message):
            Data.of(toy[0], recipe(augment=words)).batches(augmented=True)


# the loop


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tbptt": 2, "schedule": "onecycle"},
        {"optimiser": "sgd", "lr": 0.003},
        {"ema": 0.9, "augment": ("DropEvent p=0.1",), "label_smoothing": 0.1, "warmup": 0.1},
        {"layers": ("flatten", "delays 12 max_delay=3", LIF, "linear votes", LIF), "readout": "rate"},
        {"layers": ("conv 4 padding=0", "norm", LIF, "flatten", "linear classes", "LI"), "optimiser": "adam"},
    ],
)
def test_networks_learn(toy, tmp_path, changes):
    made = recipe(epochs=12, **changes)
    run = fitted(toy[0], tmp_path / "run", made)
    values, labels = evaluate(run.averaged, Data.of(toy[1], made).batches(), made, 3)
    assert accuracy(values, labels) >= 0.8
    assert run.history[-1]["loss"] < 0.7 * run.history[0]["loss"]
    assert confusion(values, labels).sum(1).tolist() == [10, 10, 10]
    assert run.step == 12 * 3


def test_every_batch_starts_from_the_initial_state(toy):
    run, training, _ = begun(toy[0], recipe())
    frames, labels = next(iter(training.batches(size=5)))
    run.total, before = 10, weights(run)
    first = learn(run, frames, labels, Activity(run.net, counted=False))
    other = begun(toy[0], recipe())[0]
    other.total = 10
    with torch.no_grad():
        other.net(torch.rand(4, 5, 2, 6, 8) * 50)  # leaves no trace
    assert learn(other, frames, labels, Activity(other.net, counted=False)).equal(first)
    assert not weights(run).equal(before)


def test_truncation_cuts_the_gradient_not_the_state(toy):
    whole, cut = (begun(toy[0], recipe(tbptt=k, readout="membrane_mean", lr=1e-3))[0] for k in (0, 2))
    x, y = torch.rand(4, 3, 2, 6, 8) * 9, torch.tensor([0, 1, 2])
    for run in (whole, cut):
        run.total = 1
        learn(run, x, y, Activity(run.net, counted=False))
    grads = [torch.cat([p.grad.flatten() for p in run.net.parameters()]) for run in (whole, cut)]
    assert not torch.allclose(*grads, rtol=1e-3)
    assert torch.nn.functional.cosine_similarity(*grads, dim=0) > 0.3


def test_the_rate_penalty_brings_rates_into_bounds(toy, tmp_path):
    rates = []
    for weight in (0.0, 50.0):
        run = fitted(toy[0], tmp_path / str(weight), recipe(epochs=8, rate_weight=weight, rate_high=0.02))
        with Activity(run.net) as activity:
            evaluate(run.net, Data.of(toy[1], run.recipe).batches(), run.recipe, 3)
        rates.append(activity.rates()["2"].rate)
    assert rates[1] < 0.6 * rates[0]


def test_silent_and_saturated_layers_are_named(toy, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "eventsnn")
    made = recipe(layers=("flatten", "linear 12", "LIFBox v_th=1000.0", "linear classes", "LI"), surrogate="triangle")
    fitted(toy[0], tmp_path / "run", made)
    said = [record.getMessage() for record in caplog.records]
    assert [m for m in said if m.startswith("layer '3 LIFBox', epoch 1: 100% of its neurons are silent")]
    assert [m for m in said if m.startswith("layer '2 linear', epoch 1: no gradient")]
    assert len(said) == len({(m.split(",")[0], m.split(": ")[1][-20:]) for m in said})  # each once
    assert next(complaints({"1": Rates(0.99, 0.0, 0.9)}, {}, {}))[1].startswith("90% of its neurons fire")


def test_the_log_has_a_line_for_each_epoch(toy, tmp_path):
    run = fitted(toy[0], tmp_path / "run", recipe(validation=0.2))
    lines = records(tmp_path / "run/log.jsonl")
    assert [line["epoch"] for line in lines] == [1, 2]
    assert {"loss", "accuracy", "validation", "validation_loss", "lr", "seconds", "samples_per_s"} <= set(lines[0])
    assert set(lines[0]["rates"]["2"]) == {"rate", "silent", "saturated"}
    assert set(lines[0]["gradients"]) == {"1", "3"}
    assert run.best == max(line["validation"] for line in lines)
    assert sorted(os.listdir(tmp_path / "run")) == ["best.safetensors", "last.safetensors", "log.jsonl"]


def test_tensorboard_is_asked_for_by_name(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        fit(*begun(toy[0], recipe()), tmp_path, tensorboard=True)


def test_tensorboard_gets_every_number_of_the_log(toy, tmp_path, monkeypatch):
    scalars = {}

    class SummaryWriter:
        def __init__(self, folder):
            assert folder == str(tmp_path)

        def add_scalar(self, name, value, step):
            scalars[name, step] = value

        def flush(self):
            pass

        close = flush

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=SummaryWriter))
    fit(*begun(toy[0], recipe()), tmp_path, tensorboard=True)
    lines = records(tmp_path / "log.jsonl")
    assert scalars["loss", lines[1]["step"]] == lines[1]["loss"]
    assert scalars["rates/2/silent", lines[0]["step"]] == lines[0]["rates"]["2"]["silent"]
    assert {name for name, _ in scalars} >= {"lr", "validation", "gradients/1", "samples_per_s"}


def test_what_is_evaluated_is_the_moving_average_of_the_weights(toy):
    run, training, _ = begun(toy[0], recipe(ema=0.95))
    run.total, mean = 20, weights(run)
    for frames, labels in training.batches(size=5):
        learn(run, frames, labels, Activity(run.net, counted=False))
        decay = min(0.95, (1 + run.step) / (10 + run.step))
        mean = decay * mean + (1 - decay) * weights(run)
    averaged = torch.cat([value.flatten().double() for value in run.averaged.state_dict().values()])
    assert torch.allclose(averaged, mean, atol=1e-6)
    assert not torch.allclose(averaged, weights(run), atol=1e-3)


@given(st.floats(0, 0.9))
def test_label_smoothing_is_the_cross_entropy_with_a_share_for_all_classes(share):
    values, labels = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]]), torch.tensor([0, 2])
    target = torch.nn.functional.one_hot(labels, 3) * (1 - share) + share / 3
    expected = -(target * values.log_softmax(1)).sum(1).mean()
    assert torch.isclose(loss(values, labels, share), expected, atol=1e-6)


def test_label_smoothing_of_the_recipe_keeps_the_loss_above_the_entropy_of_the_targets(toy, tmp_path):
    sharp, smooth = (
        fitted(toy[0], tmp_path / str(share), recipe(epochs=10, label_smoothing=share)) for share in (0, 0.6)
    )
    floor = -(0.6 * math.log(0.6) + 2 * 0.2 * math.log(0.2))
    assert sharp.history[-1]["loss"] < floor < smooth.history[-1]["loss"]


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_the_rate_of_each_step_is_the_schedules_and_delays_have_their_own(toy, schedule):
    layers = ("flatten", "delays 6 max_delay=2", LIF, "linear classes", "LI")
    run, training, _ = begun(toy[0], recipe(layers=layers, schedule=schedule, warmup=0.25, lr=0.01, delay_lr=5.0))
    run.total, (frames, labels) = 8, next(iter(training.batches(size=4)))
    for step in range(8):
        learn(run, frames, labels, Activity(run.net, counted=False))
        rates = sorted({group["lr"] for group in run.optimiser.param_groups})
        now = 0.01 * factor(schedule, step, 8, 0.25)
        assert rates == pytest.approx([now, 5 * now])


def test_training_stops_when_validation_gets_no_better(toy, tmp_path):
    run = fitted(toy[0], tmp_path / "run", recipe(epochs=50, lr=1e-7, patience=3, validation=0.2))
    assert run.epoch == run.best_epoch + 3 < 50


# checkpoints

SCRIPT = """
import os, signal, sys
from pathlib import Path
import torch
sys.path.insert(0, {tests!r})
from test_train import begun, fit, load_checkpoint, recipe, restore
from eventsnn.datasets import Packed
from eventsnn.train import checkpoint
torch.set_num_threads(1)
store, folder, mode = Packed.open({store!r}), Path({folder!r}), sys.argv[1]
made = recipe(layers=("flatten", "linear 12", "LIFBox tau_mem_inv=500 learn=tau_mem_inv", "dropout 0.3",
    "delays classes max_delay=2", "LI"), epochs=3, batch_size=4, save_every=3, ema=0.9,
    augment=["DropEvent p=0.2"], warmup=0.1)
run, training, validation = begun(store, made)
if mode == "resume":
    restore(run, load_checkpoint(folder / "last.safetensors"))
    assert run.batch > 0, "it was to be killed within an epoch"
kept = checkpoint.save
def save(path, run):
    kept(path, run)
    if mode == "killed" and run.step == 10:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.save = save
fit(run, training, validation, folder)
"""


def test_a_killed_training_goes_on_bit_for_bit(toy, tmp_path):
    path = tmp_path / "toy.packed"
    pack(Toy(), path)
    for mode, folder, code in (("whole", "a", 0), ("killed", "b", -signal.SIGKILL), ("resume", "b", 0)):
        (tmp_path / folder).mkdir(exist_ok=True)
        script = SCRIPT.format(tests=str(ROOT / "tests"), store=str(path), folder=str(tmp_path / folder))
        done = subprocess.run([sys.executable, "-c", script, mode], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
    whole, resumed = (load_file(tmp_path / folder / "last.safetensors") for folder in "ab")
    assert whole.keys() == resumed.keys()
    assert all(value.equal(resumed[name]) for name, value in whole.items())
    logs = [records(tmp_path / folder / "log.jsonl") for folder in "ab"]
    for line in (*logs[0], *logs[1]):
        del line["seconds"], line["samples_per_s"]
    assert logs[0] == logs[1]


def test_what_is_loaded_gives_what_was_saved(toy, tmp_path):
    run = fitted(toy[0], tmp_path / "run", recipe(ema=0.9))
    x = torch.rand(5, 2, 2, 6, 8) * 9
    saved = load_checkpoint(tmp_path / "run/last.safetensors")
    assert network(saved)(x)[0].equal(run.averaged.eval()(x)[0])
    assert saved.recipe == run.recipe
    assert saved.facts == run.facts


def test_checkpoints_that_cannot_be_read(toy, tmp_path):
    fitted(toy[0], tmp_path / "run", recipe(epochs=1))
    good = (tmp_path / "run/last.safetensors").read_bytes()
    path = tmp_path / "bad.safetensors"
    for content, message in ((good[: len(good) // 2], "damaged"), (b"", "damaged"), (b"PK\3\4" * 99, "damaged")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="no checkpoint of eventsnn train"):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_another_recipe_is_refused_on_resume(toy, tmp_path):
    fitted(toy[0], tmp_path / "run", recipe())
    saved = load_checkpoint(tmp_path / "run/last.safetensors")
    with pytest.raises(ValueError, match=r"lr \(0.02 then, 0.5 now\); epochs|epochs .*; lr \(0.02 then, 0.5 now\)"):
        restore(begun(toy[0], recipe(lr=0.5, epochs=9))[0], saved)


def test_no_pickle_is_read():
    for path in (*(ROOT / "eventsnn/train").glob("*.py"), *(ROOT / "pipelines").glob("*.py")):
        assert "torch.load" not in path.read_text()
        assert "pickle" not in path.read_text()


# trouble


def test_a_loss_that_is_not_finite_stops_and_names_the_layer(toy, tmp_path, monkeypatch):
    import eventsnn.train.loop as loop

    def wrecked(run, *arguments):
        if run.step == 4:
            with torch.no_grad():
                run.net[3].bias[0] = float("nan")
        return learn(run, *arguments)

    monkeypatch.setattr(loop, "learn", wrecked)
    with pytest.raises(
        Diverged, match=r"nan at step 5 \(epoch 2\): layer '4 linear' gives numbers that are not finite"
    ):
        fitted(toy[0], tmp_path / "run", recipe())
    saved = load_checkpoint(tmp_path / "run/last.safetensors")
    assert saved.position["step"] == 3
    assert all(bool(value.isfinite().all()) for value in saved.tensors.values())


def test_a_step_that_is_not_finite_leaves_the_weights_alone(toy):
    run, _, _ = begun(toy[0], recipe())
    run.total, before = 5, weights(run)
    x = torch.full((3, 2, 2, 6, 8), float("nan"))
    learn(run, x, torch.tensor([0, 1]), Activity(run.net, counted=False))
    assert weights(run).equal(before)


def test_a_batch_that_does_not_fit_gets_advice(toy, tmp_path):
    made = recipe(epochs=1)
    run, training, validation = begun(toy[0], made)

    def small(module, inputs):
        if inputs[0].shape[1] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    run.net.register_forward_pre_hook(small)
    with pytest.raises(MemoryError, match="batch_size=10 does not fit into the memory of cpu; batch_size=2 fits"):
        fit(run, training, validation, tmp_path)


# two processes

PARALLEL = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, {tests!r})
from test_train import SHARED, begun, fit, recipe
from eventsnn.datasets import Packed
from eventsnn.train.parallel import spread, together
torch.set_num_threads(1)
def main():
    run, training, validation = begun(Packed.open({store!r}), recipe(**SHARED))
    spread(run)
    fit(run, training, validation, Path({folder!r}))
with together(torch.device("cpu")):
    main()
threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in threads if "gloo" in name], "threads of the process group outlive it"
"""

SHARED = {
    "layers": ("conv 4", "norm", LIF, "flatten", "linear 12", "norm", LIF, "linear classes", "LI"),
    "epochs": 3,
    "validation": 0.2,
    "rate_weight": 1.0,
    "rate_high": 0.05,
}


def test_two_processes_have_the_loss_of_one(toy, tmp_path):
    path = tmp_path / "toy.packed"
    pack(Toy(), path)
    (tmp_path / "two").mkdir()
    script = tmp_path / "two.py"
    script.write_text(PARALLEL.format(tests=str(ROOT / "tests"), store=str(path), folder=str(tmp_path / "two")))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    fitted(toy[0], tmp_path / "one", recipe(**SHARED))
    one, two = (records(tmp_path / name / "log.jsonl") for name in ("one", "two"))
    assert len(two) == 3
    for mine, theirs in zip(one, two, strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-5)
        assert theirs["accuracy"] == mine["accuracy"]
        assert theirs["validation_loss"] == pytest.approx(mine["validation_loss"], abs=1e-5)


# commands


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path


FILES = {"best.safetensors", "last.safetensors", "log.jsonl", "card.md", "curves.png", "confusion.png"}
SMALL = ["--set", "epochs=1", "batch_size=20", "layers=['flatten','linear 16','LIFBox','linear classes','LIBox']"]


def test_train_evaluate_predict(home, capsys):
    pytest.importorskip("matplotlib")
    assert main(["train", "nmnist", "--generated", "--device", "cpu", *SMALL]) == 0
    out = home / "runs/nmnist"
    assert set(os.listdir(out)) == FILES
    card = (out / "card.md").read_text()
    for words in (
        "generated2",
        "test accuracy, last checkpoint",
        "parameters",
        "ACs",
        "spikes per inference",
        "Trained on gen",
    ):
        assert words in card
    for name in ("curves.png", "confusion.png"):
        assert (out / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    before = (out / "last.safetensors").read_bytes()
    assert main(["train", "nmnist", "--generated", "--device", "cpu", *SMALL]) == 2
    assert "holds a training" in capsys.readouterr().err
    assert main(["train", "nmnist", "--generated", "--resume", "--device", "cpu", *SMALL, "lr=0.5"]) == 2
    said = capsys.readouterr().err
    assert "lr (0.001 then, 0.5 now). Go on with --set lr=0.001, or" in said
    assert (out / "last.safetensors").read_bytes() == before
    assert main(["evaluate", str(out / "last.safetensors"), "--device", "cpu", "--out", str(home)]) == 0
    assert "accuracy" in capsys.readouterr().out
    for k, name in enumerate(("a.h5", "b.raw")):
        eventsnn.write(home / name, StandIn(card_of("nmnist"), "test")[9 * k].events)
    assert main(["predict", str(out / "last.safetensors"), "a.h5", "b.raw", "-o", "p.csv", "--device", "cpu"]) == 0
    rows = list(csv.reader((home / "p.csv").read_text().splitlines()))
    assert rows[0] == ["file", "t_us", *"0123456789"]
    assert len(rows) == 1 + 2 * 10
    assert rows[10][:2] == ["a.h5", "300000"]
    assert all(abs(sum(map(float, row[2:])) - 1) < 1e-4 for row in rows[1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train nmnst", "did you mean 'nmnist'"),
        ("train ncars", "no recipe for N-CARS; write a TOML file"),
        ("train nmnist --set epoch=3", "did you mean 'epochs'"),
        ("train nmnist --root nowhere", "train.zip"),
        ("train mine.toml", "mine.toml"),
        ("train shapes --resume", "no training to go on with"),
        ("train shapes --device gpu7", "no device is called 'gpu7'"),
        ("train nmnist --generated --set layers=['konv']", "did you mean 'conv'"),
        ("train nmnist --generated --set validation=0.99 batch_size=2", "no training samples"),
        ("train pokerdvs --generated --set validation=0 patience=3", "set validation above 0"),
        ("evaluate none.safetensors", "no such checkpoint"),
        ("evaluate cache", "cache/last.safetensors"),
        ("predict none.safetensors a.raw", "no such checkpoint"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(home, monkeypatch, capsys, arguments, message):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("eventsnn.datasets.fetch._download", unreachable)
    assert main(arguments.split()) == 2
    assert message in capsys.readouterr().err
    assert set(os.listdir(home)) <= {"cache", "nowhere"}


def test_a_checkpoint_of_other_classes_is_refused(home, capsys):
    assert main(["train", "pokerdvs", "--generated", "--device", "cpu", *SMALL]) == 0
    path = home / "runs/pokerdvs/last.safetensors"
    saved = load_checkpoint(path)
    run = Run.start(saved.recipe, saved.facts | {"classes": ["one", "two"]})
    from eventsnn.train import save

    save(path, run)
    assert main(["evaluate", str(path), "--device", "cpu"]) == 2
    assert "knows 2 classes (one, two, ...), but pokerdvs test has 4" in capsys.readouterr().err
    eventsnn.write(home / "wide.h5", Events([0, 9], [80, 3], [0, 1], [1, 0], sensor=(90, 4)))
    assert main(["predict", str(path), "wide.h5", "--device", "cpu"]) == 2
    assert "outside" in capsys.readouterr().err
    eventsnn.write(home / "corner.h5", Events([0, 9], [8, 3], [0, 1], [1, 0], sensor=(90, 4)))  # which would fit
    assert main(["predict", str(path), "corner.h5", "--device", "cpu"]) == 2
    assert "corner.h5: its 90x4 pixels lie outside the 35x35" in capsys.readouterr().err


# every recipe on generated recordings

CUDA = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
)
SMALLER = {  # for speed
    "cifar10dvs": ["downsample=8", "n_bins=2"],
    "dvsgesture": ["downsample=4", "n_bins=4"],
    "dvsgesture-small": ["downsample=8", "n_bins=4"],
    "ncaltech101": ["downsample=11", "n_bins=2"],
    "shapes": ["batch_size=9"],
    "shd": ["dt=20ms"],
    "shd-delays": ["dt=50ms"],
    "ssc": ["dt=50ms"],
}


REFUSED = {
    "shd": "NIR has no node for LSNNRecurrent",
}


@pytest.fixture
def few(home, monkeypatch):
    """Generated datasets of four classes and of fewer events."""
    monkeypatch.setattr(
        "eventsnn.datasets.card_of", lambda name: dataclasses.replace(card_of(name), classes=tuple("abcd"))
    )
    for name in ("cifar10dvs", "dvsgesture", "ncaltech101"):
        monkeypatch.setitem(TYPICAL, name, (TYPICAL[name][0], TYPICAL[name][1] // 16))
    monkeypatch.setattr("eventsnn.datasets.moving._SAMPLES", {"train": 3, "test": 2})
    return home


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_recipe_runs_from_training_to_prediction(name, device, few, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    settings = ["epochs=1", "save_every=2", "validation=0.3", "batch_size=3", *SMALLER.get(name, [])]
    train = ["train", name, "--generated", "--device", device, "--set", *settings]
    assert main([*train, "--out", "whole"]) == 0
    kept = checkpoint.save
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", lambda path, run: (kept(path, run), signal.raise_signal(signal.SIGINT)))
        with pytest.raises(SystemExit, match="go on with --resume --out parts"):
            main([*train, "--out", "parts"])
    assert load_checkpoint("parts/last.safetensors").position["step"] == 2
    assert main([*train, "--out", "parts", "--resume"]) == 0
    whole, parts = (load_file(f"{folder}/last.safetensors") for folder in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert device != "cpu" or all(value.equal(parts[key]) for key, value in whole.items())
    lines, made = records(Path("parts/log.jsonl")), recipe_of(name, tuple(settings))
    assert [line["epoch"] for line in lines] == [1]
    assert all(0 < norm < np.inf for line in lines for norm in line["gradients"].values())
    assert next(iter(lines[-1]["rates"].values()))["rate"] > 0.001  # what goes in makes it spike
    assert set(os.listdir("parts")) == FILES
    assert f"# {made.dataset} classifier" in Path("parts/card.md").read_text()
    assert main(["evaluate", "parts/last.safetensors", "--device", device, "--out", "."]) == 0
    exported = ["evaluate", "parts/last.safetensors", "--device", device, "--nir", "net.nir"]
    if importlib.util.find_spec("nir") and name in REFUSED:
        assert main(exported) == 2
        assert REFUSED[name] in capsys.readouterr().err
    elif importlib.util.find_spec("nir"):
        assert main(exported) == 0
        saved = load_checkpoint("parts/last.safetensors")
        x = torch.rand(6, 2, *saved.facts["shape"]).round()
        assert torch.allclose(from_nir("net.nir")(x)[0], network(saved)(x)[0], atol=1e-3)
    sample = (Moving("test") if name == "shapes" else StandIn(card_of(made.dataset), "test"))[0]
    eventsnn.write("sample.h5", sample.events)
    assert main(["predict", "parts/last.safetensors", "sample.h5", "-o", "p.csv", "--device", device]) == 0
    rows = list(csv.reader(Path("p.csv").read_text().splitlines()))[1:]
    assert len(rows) == (made.n_bins or microseconds(made.duration) // microseconds(made.dt))
    assert all(abs(sum(map(float, row[2:])) - 1) < 1e-4 for row in rows)


def test_pictures_hold_what_they_show(tmp_path):
    pytest.importorskip("matplotlib")
    import cv2

    history = [
        {"epoch": k, "loss": 1 / k, "accuracy": k / 9, "validation": k / 9, "validation_loss": 1 / k} for k in (1, 2, 3)
    ]
    curves(history, 2, tmp_path / "curves.png")
    assert (cv2.imread(str(tmp_path / "curves.png")) < 250).any()
    confusion_matrix(torch.eye(12, dtype=torch.long) * 5, [f"class {k}" for k in range(12)], "test", tmp_path / "c.png")
    assert (cv2.imread(str(tmp_path / "c.png"))[:, :, 0] > 90).any()


def test_shapes_are_balanced_and_of_their_own_seeds():
    train, test = Moving("train"), Moving("test")
    assert (len(train), len(test), len(train.classes)) == (1200, 300, 12)
    assert test[0].events != train[0].events
    assert test[299].target == 11
    assert test[5].events == Moving("test")[5].events
    with pytest.raises(ValueError, match="there are train, test"):
        Moving("valid")


def test_the_small_nmnist_trains(recordings, tmp_path):
    root = recordings.parent / "nmnist-small.zip"
    if not root.is_file():
        pytest.skip(f"no {root}")
    made = recipe_of("nmnist-small", ("epochs=1",))
    store = Packed.open(pack(load("nmnist", root), tmp_path / "train"))
    run = fitted(store, tmp_path / "run", made)
    assert run.history[0]["accuracy"] > 0.25


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_what_a_cpu_gives(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    layers = (
        "conv 4",
        "norm",
        "LIBox tau_mem_inv=300",
        "pool",
        "conv 3",
        "LIBox",
        "pool",
        "flatten",
        "linear classes",
        "LI",
    )
    net, found = build(layers, (2, 9, 9), 3), []
    for device in ("cpu", "cuda"):
        net.to(device).zero_grad()
        y = net(torch.rand(6, 2, 2, 9, 9, generator=torch.Generator().manual_seed(0)).to(device))[0]
        (y * torch.arange(3.0, device=device)).sum().backward()
        found.append([value.detach().cpu() for value in (y, *(p.grad for p in net.parameters()))])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-3)


_CONVOLVED = """
import torch
from eventsnn.train import convolve_gpu

convolve_gpu.programs = lambda device: 3
for (n, c, side, out, size, stride, pad) in ((3, 2, 9, 20, 3, 1, 1), (2, 2, 12, 16, 5, 2, 2), (1, 1, 8, 150, 3, 1, 0)):
    x, w, b = torch.randn(n, c, side, side + 2), torch.randn(out, c, size, size), torch.randn(out)
    w.requires_grad_(), b.requires_grad_()
    y = torch.nn.functional.conv2d(x, w, b, stride, pad)
    grad = torch.randn_like(y).contiguous(memory_format=torch.channels_last)
    y.backward(grad)
    assert torch.allclose(convolve_gpu.forward(x, w.detach(), b.detach(), stride, pad), y, atol=1e-4)
    found = convolve_gpu.weight_gradient(x, grad, w.detach(), stride, pad)
    assert all(torch.allclose(a, p.grad, atol=1e-3) for a, p in zip(found, (w, b)))
"""


def test_convolution_of_few_channels_in_the_interpreter_of_its_kernels(interpreted):
    interpreted(_CONVOLVED)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 2}, {"bias": False}])
def test_convolution_of_few_channels_is_that_of_torch(options):
    torch.manual_seed(0)
    layer = Conv2d(2, 24, 5, **options).cuda()
    x = (torch.rand(40, 2, 21, 17, device="cuda") < 0.2).bfloat16()
    with torch.autocast("cuda", torch.bfloat16):
        y = layer(x)
    assert layer.is_for_few(x.bfloat16())
    assert not layer.is_for_few(x.float())
    assert y.dtype == torch.bfloat16
    grad = torch.randn_like(y)
    y.backward(grad)
    truth = torch.nn.Conv2d(2, 24, 5, **options).cuda().double()
    truth.load_state_dict({name: value.bfloat16().double() for name, value in layer.state_dict().items()})
    expected = truth(x.double())
    expected.backward(grad.double())
    assert torch.allclose(y.double(), expected, rtol=1e-2, atol=1e-2)
    for mine, other in zip(layer.parameters(), truth.parameters(), strict=True):
        assert (mine.grad - other.grad).norm() <= 1e-4 * other.grad.norm()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("looks", [None, float, lambda value: torch.cuda.synchronize()])
def test_recorded_steps_are_the_steps(looks, caplog):
    """Also where something in the network looks at its numbers, which no recording can hold."""
    layers = ("flatten", "linear 12", "dropout 0.3", LIF, "linear classes", "LI")
    made, found = recipe(layers=layers, ema=0.9, schedule="cosine", rate_weight=0.1, rate_high=0.1), []
    facts = {"shape": [2, 6, 8], "classes": list(range(2))}
    batches = [(torch.rand(5, 4, 2, 6, 8, device="cuda"), torch.arange(4, device="cuda") % 2) for _ in range(7)]
    for recorded in (False, True):
        run = Run.start(made, facts, "cuda")
        run.total = 10
        if looks:
            run.net[0].register_forward_hook(lambda *seen: looks(seen[2].sum()) and None)
        if not recorded:
            run.replay = None
        losses, usual = [], torch.cuda.current_stream()
        for k, batch in enumerate(batches):
            torch.cuda.manual_seed(k)
            with Activity(run.net, counted=False, penalised=True) as activity:
                losses.append(learn(run, *batch, activity))
        assert not recorded or (run.replay.graph is None) == bool(looks)
        assert torch.cuda.current_stream() == usual
        found.append((torch.stack(losses), run.sums, *run.averaged.parameters()))
    assert [Path(__file__).name in message for message in caplog.messages] == [True] * bool(looks)
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_after_a_rehearsal_nothing_is_left_to_compile(monkeypatch, tmp_path):
    import triton

    from eventsnn.scan import triton as fused

    def batch(size):
        frames = torch.rand(6, size, 2, 12, 12, device="cuda").round().bfloat16()
        return frames, torch.arange(size, device="cuda") % 3

    compiled = []
    monkeypatch.setattr(triton.knobs.cache, "dir", str(tmp_path))
    monkeypatch.setattr(triton.knobs.compilation, "listener", lambda *, src, **_: compiled.append(src))
    monkeypatch.setattr(fused, "LAUNCHERS", {})
    fused.compiled.cache_clear()
    images = ("conv 4", "norm", LIF, "pool 2", "conv 8", LIF, "maxpool 2", "flatten")
    made = recipe(layers=(*images, "linear 8", LIF, "LSNNRecurrent 8", "linear classes", "LI"), rate_weight=0.1)
    run = Run.start(made, {"shape": [2, 12, 12], "classes": list(range(3))}, "cuda")
    before, run.total = weights(run), 9
    training = types.SimpleNamespace(order=lambda epoch: range(9), batches=lambda order, size, augmented: [batch(size)])
    rehearse(run, training, 4, (2, 4))
    assert weights(run).equal(before)
    assert run.sums.tolist() == [0, 0, 0]
    count = len(compiled)
    assert count > 10
    for size in (4, 2):
        for last in (False, True):
            with Activity(run.net, counted=last, penalised=True) as activity:
                assert learn(run, *batch(size), activity, {} if last else None).isfinite().all()
        evaluate(run.net, [batch(size)], made, 3)
    assert [src.fn.__name__ for src in compiled[count:]] == []


@pytest.mark.parametrize(
    ("warns", "count", "why"), [(True, 8, "waits for the GPU"), (False, 9, "not permitted while recording")]
)
def test_what_cannot_be_recorded_is_told_once(warns, count, why, monkeypatch, caplog):
    class Recording:
        def __enter__(self):
            pass

        def __exit__(self, *error):
            raise RuntimeError("the recording is invalid")

    def looking(frames, labels):
        calls.append(len(frames))
        if warns:
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        elif len(calls) == 3:
            raise torch.AcceleratorError("not permitted while recording\nmore lines")
        return frames.sum()

    calls, frames, labels, numbers = [], torch.rand(4, 3), torch.zeros(3), mock.Mock()
    for name in ("CUDAGraph", "current_stream", "set_stream", "set_sync_debug_mode"):
        monkeypatch.setattr(torch.cuda, name, mock.Mock())
    monkeypatch.setattr(torch.cuda, "graph", lambda *_, **options: Recording())
    monkeypatch.setattr(torch.cuda, "default_generators", defaultdict(lambda: numbers))
    monkeypatch.setattr(torch, "Generator", mock.Mock())
    replay = Replay([])
    with warnings.catch_warnings(action="ignore"):
        for size in (4, 4, 4, 4, 2, 2, 2, 2):
            assert replay(looking, frames[:size], labels).equal(frames[:size].sum())
    assert len(calls) == count
    assert numbers.graphsafe_set_state.call_count == (not warns)
    (message,) = caplog.messages
    assert message.startswith("steps are not recorded, which small networks pay with")
    assert "test_train.py" in message
    assert f"{why}. Layers" in message


TWO_GPUS = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, {tests!r})
from test_train import SHARED, recipe
from eventsnn.datasets import Packed
from eventsnn.train import Data, Run, fit
from eventsnn.train.parallel import spread, together
def main(device, name):
    made = recipe(**SHARED | {{"amp": False, "epochs": 8}})
    data = Data.of(Packed.open({store!r}), made, device)
    facts = {{"dataset": "toy", "classes": list(data.store.classes), "shape": list(data.shape), "sensor": [8, 6]}}
    run = Run.start(made, facts, device)
    spread(run)
    if name == "plain":
        run.replay = None
    fit(run, *data.parted(made.validation), Path({folder!r}) / name)
    assert name == "plain" or (run.replay.seen == 3 and not run.replay.refused)
torch.backends.cudnn.allow_tf32 = False
with together(torch.device("cuda")) as device:
    for name in sys.argv[1:]:
        main(device, name)
"""


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two CUDA devices")
def test_two_gpus_record_their_steps_and_have_the_loss_of_one(tmp_path):
    script, store = tmp_path / "two.py", tmp_path / "toy.packed"
    pack(Toy(), store)
    script.write_text(TWO_GPUS.format(tests=str(ROOT / "tests"), store=str(store), folder=str(tmp_path)))
    for processes, names in ((2, ("recorded", "plain")), (1, ("one",))):
        command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), str(script)]
        done = subprocess.run([sys.executable, *command, *names], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    logs = [records(tmp_path / name / "log.jsonl") for name in ("recorded", "plain", "one")]
    assert len(logs[0]) == 8
    for recorded, plain, one in zip(*logs, strict=True):
        assert recorded["loss"] == pytest.approx(plain["loss"], rel=1e-4)
        assert recorded["loss"] == pytest.approx(one["loss"], rel=1e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_learns_too(toy, tmp_path):
    made = recipe(epochs=12, ema=0.9)
    store = Packed.open(pack(Toy(), tmp_path / "toy"), "cuda")
    data = Data.of(store, made, "cuda")
    facts = {"dataset": "toy", "classes": list(store.classes), "sensor": list(store.sensor), "shape": list(data.shape)}
    run = Run.start(made, facts, "cuda")
    fit(run, *data.parted(0.2), tmp_path)
    assert run.history[-1]["accuracy"] > 0.8
    assert network(load_checkpoint(tmp_path / "last.safetensors"))(torch.rand(5, 2, 2, 6, 8))[0].isfinite().all()
