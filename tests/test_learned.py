"""The learned tracker: coordinates, losses, network, gains, training that goes on, and the network of the package."""

import dataclasses
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eventsnn.events import Events
from eventsnn.pipelines import learn_to_track as learn
from eventsnn.track import calibration, dsnt
from eventsnn.track.field_network import FieldNetwork, NetworkConfig, initial_weights, receptive_fields
from eventsnn.track.learned import LearnedTracker, pretrained
from eventsnn.track.network_file import read_network, write_network

TINY = NetworkConfig(scales=(1.0,), taus=(4.0, 16.0))
TRAINING = learn.Config(
    network=TINY, scenes="speeds-and-sizes-32", iterations=4, batch_size=2, warmup=8, clips=4, save_every=2
)


def sparse_frames(steps: int = 24, batch: int = 2, side: int = 16, share: float = 0.03) -> torch.Tensor:
    return (torch.rand(steps, batch, 2, side, side, generator=torch.manual_seed(1)) < share).float()


@given(st.integers(1, 9), st.integers(1, 9), st.data())
@settings(max_examples=25, deadline=None)
def test_a_single_peak_is_read_at_the_centre_of_its_cell(height, width, data):
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    maps = torch.zeros(height, width, dtype=torch.float64)
    maps[row, column] = 100.0
    centre, spread, probability = dsnt.dsnt(maps)
    pixels = (centre + 1) / 2 * torch.tensor([width, height])
    assert pixels.tolist() == pytest.approx([column + 0.5, row + 0.5])
    assert float(spread) == pytest.approx(0.0, abs=1e-6)
    assert float(probability.sum()) == pytest.approx(1.0)


def test_the_spread_of_an_even_map_is_that_of_its_cells():
    _, spread, _ = dsnt.dsnt(torch.zeros(4, 4, dtype=torch.float64))
    cells = np.array([-0.75, -0.25, 0.25, 0.75])
    assert float(spread) == pytest.approx(math.sqrt(2 * (cells**2).mean()))


def test_coordinates_have_the_right_gradient():
    maps = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: dsnt.dsnt(m, 2.0)[:2], maps)
    target = dsnt.target_maps(torch.zeros(2, 2, dtype=torch.float64), 3, 4, sigma=0.5)
    assert torch.autograd.gradcheck(lambda m: dsnt.divergence(dsnt.dsnt(m, 2.0)[2], target), maps)


def test_each_frame_has_a_target_of_its_own():
    centre = torch.tensor([[0.0, 0.0], [0.99, -0.99]])
    maps = dsnt.target_maps(centre, 16, 16)
    assert maps.sum((-2, -1)).tolist() == pytest.approx([1.0, 1.0])
    assert maps[1].argmax() == 15
    assert dsnt.divergence(maps, maps).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_leaky_coordinates_go_on_from_chunk_to_chunk():
    layer, x = dsnt.DSNTLI(0.9), torch.randn(7, 3, 2, generator=torch.manual_seed(0))
    together, last = layer(x)
    first, state = layer(x[:3])
    second, end = layer(x[3:], state)
    assert torch.equal(together, torch.cat([first, second]))
    assert torch.equal(last, end)
    c = torch.zeros(3, 2)
    for now, got in zip(x, together, strict=True):
        c = 0.1 * c + 0.9 * now
        assert torch.allclose(got, c, atol=1e-6)
    constant = torch.ones(200, 1, 2)
    published, _ = dsnt.DSNTLI(0.5, published=True)(constant)
    assert published[-1].flatten().tolist() == pytest.approx([2.0, 2.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        dsnt.DSNTLI(1.0)


@pytest.mark.parametrize("neuron", ["lif", "li", "relu"])
@pytest.mark.parametrize("init", ["rf", "rf-mixed", "uniform"])
def test_shapes_and_gradients(neuron, init):
    net = FieldNetwork(replace(TINY, neuron=neuron, init=init, stacked=2))
    frames = sparse_frames()
    calibration.calibrate(net, frames, 0.1)
    answer, _ = net(frames)
    assert answer.centre.shape == answer.size.shape == (24, 2, 2)
    assert answer.spread.shape == (24, 2)
    assert answer.probability.shape == (24, 2, 4, 4)
    (answer.centre.square().sum() + answer.size.sum()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().sum()) > 0, name


@pytest.mark.parametrize(
    "change",
    [{}, {"neuron": "li", "gain": "unit"}, {"neuron": "relu", "stacked": 3}, {"mixing": "learned"}],
)
def test_chunks_with_the_state_between_them_equal_the_whole(change):
    net, frames = FieldNetwork(replace(TINY, **change)), sparse_frames()
    calibration.calibrate(net, frames, 0.1)
    with torch.no_grad():
        whole, end = net(frames)
        first, state = net(frames[:5])
        second, last = net(frames[5:], state)
    assert torch.allclose(whole.centre, torch.cat([first.centre, second.centre]), atol=1e-5)
    assert torch.allclose(end.out, last.out, atol=1e-5)


def test_neurons_follow_their_equations():
    frames = sparse_frames()
    for gain, threshold in (("dc", 0.1), ("unit", 1.0)):
        net = FieldNetwork(replace(TINY, gain=gain, threshold=threshold))
        drive = net.drive(0, frames[:, :, None]).expand(-1, -1, 2, -1, -1, -1)
        spikes, v = net.neurons(0, drive)
        tau = torch.tensor([4.0, 16.0]).reshape(2, 1, 1, 1)
        mine = torch.zeros_like(drive[0])
        for now, got in zip(drive, spikes, strict=True):
            mine = mine + ((now - mine) / tau if gain == "dc" else now - mine / tau)
            fired = mine > threshold
            assert (fired.float() != got).float().mean() < 1e-4
            mine = torch.where(fired, torch.zeros(()), mine)
        assert torch.allclose(mine, v, atol=1e-5)


def test_receptive_fields_are_the_kernels_at_the_start():
    kernels = receptive_fields((1.0,), 9)
    first, second, _ = initial_weights(TINY)
    assert torch.equal(first[:, 0], kernels)
    assert torch.equal(first[:, 1], kernels)
    assert torch.equal(second, second[:1].expand_as(second))  # all outputs alike, as published
    mixed = initial_weights(replace(TINY, init="rf-mixed"))[1]
    assert torch.equal(mixed.abs(), second.abs())
    assert not torch.equal(mixed[0], mixed[1])
    bound = 1 / math.sqrt(2 * 81)
    uniform = initial_weights(replace(TINY, init="uniform"))[0]
    assert 0.95 * bound < float(uniform.abs().max()) <= bound
    again = initial_weights(replace(TINY, init="uniform", seed=1))[0]
    assert not torch.equal(uniform, again)


@pytest.mark.parametrize("neuron", ["lif", "li"])
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_calibration_reaches_the_rate_in_every_channel(neuron, rate):
    net, frames = FieldNetwork(replace(TINY, neuron=neuron)), sparse_frames()
    calibration.calibrate(net, frames, rate)
    for layer in calibration.activity(net, frames):
        assert layer == pytest.approx([rate] * 2, rel=0.05)


def test_silent_and_loud_layers_are_warned_of():
    net, frames = FieldNetwork(TINY), sparse_frames(share=0.001)
    with pytest.warns(UserWarning, match="layer") as caught:
        calibration.check(net, frames)
    assert any("layer 1, temporal channel 2 is nearly silent" in str(warning.message) for warning in caught)
    calibration.calibrate(net, frames, 0.05)
    calibration.check(net, frames)  # a warning would be an error
    assert any(
        "firing at nearly every step" in text for text in calibration.complaints(net, [[0.05, 0.05], [0.7, 0.05]])
    )
    with pytest.raises(ValueError, match="without events"):
        calibration.calibrate(net, torch.zeros_like(frames))
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration.calibrate(net, frames, 5)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="longer than a frame"):
        NetworkConfig(taus=(0.5,))
    with pytest.raises(ValueError, match="multiples of 4"):
        FieldNetwork(TINY)(torch.zeros(1, 1, 2, 15, 16))
    with pytest.raises(ValueError, match="there are speeds-and-sizes"):
        learn.Config(scenes="cats")
    with pytest.raises(ValueError, match="warmup must leave"):
        learn.Config(warmup=60)


def test_batches_are_the_same_wherever_they_begin():
    config = replace(TRAINING, scenes="varied", iterations=20, batch_size=1)
    frames = learn.batches(config, 19)
    (last,) = frames
    scenes = learn.SCENES["varied"]
    expected = learn.clips(scenes[19 % len(scenes)], 1, config.seed, 19 // len(scenes), "cpu")
    assert torch.equal(last.frames, expected.frames)
    assert torch.equal(last.centre, expected.centre)


@pytest.mark.filterwarnings("ignore:layer")
def test_a_training_that_goes_on_ends_as_one_that_was_not_stopped(tmp_path: Path, monkeypatch):
    learn.run(replace(TRAINING, out=tmp_path / "whole"))
    seen = 0
    step = learn.Training.step

    def stop_after_three(training, given):
        nonlocal seen
        if (seen := seen + 1) > 3:
            raise KeyboardInterrupt
        return step(training, given)

    monkeypatch.setattr(learn.Training, "step", stop_after_three)
    with pytest.raises(KeyboardInterrupt):
        learn.run(replace(TRAINING, out=tmp_path / "parts"))
    monkeypatch.undo()
    assert read_network(tmp_path / "parts" / "network.safetensors").about["iteration"] == 2
    learn.run(replace(TRAINING, out=tmp_path / "parts", resume=True))
    for name in ("log.jsonl", "report.json"):
        assert (tmp_path / "whole" / name).read_text() == (tmp_path / "parts" / name).read_text()
    one, other = (read_network(tmp_path / part / "network.safetensors") for part in ("whole", "parts"))
    assert all(torch.equal(a, b) for a, b in zip(one.net.parameters(), other.net.parameters(), strict=True))
    assert all(torch.equal(one.others[name], other.others[name]) for name in one.others)
    assert [json.loads(line)["iteration"] for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()] == [
        2,
        4,
    ]
    with pytest.raises(ValueError, match="other settings: lr"):
        learn.run(replace(TRAINING, out=tmp_path / "parts", resume=True, lr=1.0))
    with pytest.raises(ValueError, match="has a network already"):
        learn.run(replace(TRAINING, out=tmp_path / "parts"))


def test_a_few_steps_lower_the_loss():
    training = learn.begin(replace(TRAINING, iterations=100))
    first = next(learn.batches(TRAINING))
    losses = [float(training.step(first)) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]


def test_damaged_files_are_named(tmp_path: Path):
    path = tmp_path / "net.safetensors"
    write_network(path, FieldNetwork(TINY), {"note": 1})
    net, about, others = read_network(path)
    assert dataclasses.asdict(net.config) == dataclasses.asdict(TINY)
    assert about == {"note": 1}
    assert others == {}
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="damaged, or no network"):
        read_network(path)
    with pytest.raises(FileNotFoundError, match="no such network"):
        read_network(tmp_path / "nothing")


def test_the_network_of_the_package_is_small_and_alive():
    net = pretrained()
    assert 4 * sum(p.numel() for p in net.parameters()) < 2_000_000
    config = learn.Config(network=net.config, scenes="varied", clips=18)
    errors = learn.evaluate(net, config, seed=77)
    assert errors.mean < 3.5 < errors.centre_guess / 4
    assert not list(calibration.complaints(net, errors.activity))


def test_the_tracker_follows_a_clip_that_was_held_out():
    from eventsnn.datasets.shapes import Shape, record

    shape = Shape("circle", 24.0, (30.0, 40.0), (150.0, 60.0))
    events, truth = record([shape], (128, 96), "300ms", noise_rate=0.5)
    tracker, rows = LearnedTracker((128, 96), dt_us=2000), []
    for k in range(150):
        window = events[(events.t >= 2000 * k) & (events.t < 2000 * (k + 1))]
        rows += tracker.update(window, 2000 * (k + 1))
    assert {row[2] for row in rows} == {1}
    late = [row for row in rows if row[1] > 100_000]
    assert len(late) > 80
    errors = [
        math.hypot(row[3] - truth[row[1] // 1000 - 1, 0, 0], row[4] - truth[row[1] // 1000 - 1, 0, 1]) for row in late
    ]
    assert np.mean(errors) < 3.0
    sizes = [row[5] for row in late]
    assert 0.6 * 24 < np.median(sizes) < 1.5 * 24
    assert tracker.frame == 150


def test_noise_alone_gives_no_track():
    draw = np.random.default_rng(0)
    tracker = LearnedTracker((128, 96), dt_us=2000)
    rows = []
    for k in range(100):
        n = 12
        t = np.sort(draw.integers(2000 * k, 2000 * (k + 1), n))
        noise = Events(t, draw.integers(0, 128, n), draw.integers(0, 96, n), draw.integers(0, 2, n), sensor=(128, 96))
        rows += tracker.update(noise, 2000 * (k + 1))
    assert rows == []
    tracker.reset()
    assert tracker.frame == 0
