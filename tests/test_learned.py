"""The learned tracker: coordinates, losses, network, gains, training that goes on, and the network of the package."""

import dataclasses
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsnn
from eventsnn.datasets.shapes import Shape, generate, record
from eventsnn.events import Events
from eventsnn.pipelines import learn_to_track as learn
from eventsnn.pipelines import moving_clips
from eventsnn.pipelines.track import track
from eventsnn.track import calibration, dsnt
from eventsnn.track.field_network import FieldNetwork, NetworkConfig, initial_weights, receptive_fields
from eventsnn.track.learned import LearnedTracker, pretrained
from eventsnn.track.network_file import read_network, write_network
from eventsnn.track.view import GRID, View

TINY = NetworkConfig(scales=(1.0,), taus=(4.0, 16.0))
TRAINING = learn.Config(
    network=TINY, scenes="speeds-and-sizes-32", iterations=4, batch_size=2, warmup=8, clips=4, save_every=2
)

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


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
    [{}, {"neuron": "li", "gain": "unit"}, {"neuron": "relu", "stacked": 3}, {"mixing": "learned"}, {"mixing": "own"}],
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


@pytest.mark.parametrize("mixing", ["mean", "own"])
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_calibration_reaches_the_rate_in_every_channel(mixing, rate):
    net, frames = FieldNetwork(replace(TINY, mixing=mixing)), sparse_frames()
    calibration.calibrate(net, frames, rate)
    for layer in calibration.activity(net, frames):
        assert layer == pytest.approx([rate] * 2, rel=0.05)


@pytest.mark.parametrize(
    "change", [{"neuron": "li"}, {"neuron": "li", "mixing": "own"}, {"neuron": "relu", "stacked": 2}]
)
@pytest.mark.parametrize("init", ["rf", "uniform"])
def test_calibration_reaches_the_deviation_in_every_channel(change, init):
    net, frames = FieldNetwork(replace(TINY, init=init, **change)), sparse_frames()
    calibration.calibrate(net, frames, std=0.3, maps=0.2)
    with torch.no_grad():
        x, _ = net._stack(frames, net._start(frames).frames)
        for layer in range(2):
            x, _ = net.neurons(layer, net.drive(layer, x))
            deviations = x.transpose(0, 2).flatten(1).std(1).tolist()
            assert deviations == pytest.approx([0.3] * len(deviations), rel=0.01)
        maps, _ = net.maps(x, net._start(frames).out)
    assert float(maps[:, :, 0].std()) == pytest.approx(0.2, rel=0.01)


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
    with pytest.raises(ValueError, match="must be positive"):
        calibration.calibrate(net, frames, std=0)


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
    scenes = [replace(scene, frames=21) for scene in learn.SCENES["varied"][3:8]]
    every = list(moving_clips.batches(scenes, 7, 2, 3, "cpu"))
    for start in (3, 6):
        for one, other in zip(moving_clips.batches(scenes, 7, 2, 3, "cpu", start), every[start:], strict=True):
            assert torch.equal(one.frames, other.frames)
            assert torch.equal(one.centre, other.centre)
    # the clips of a batch are of different scenes
    for k, number in enumerate((3, 8)):
        expected = moving_clips.clips(scenes[number // 2], 2, 3, number // 2 * 2, "cpu")
        assert torch.equal(every[3].frames[:, k], expected.frames[:, number % 2].half())
        assert torch.equal(every[3].size[:, k], expected.size[:, number % 2])


def test_clips_in_cells_are_those_in_pixels_averaged():
    (scene,) = [scene for scene in learn.SCENES["varied"] if scene.width == 128 and scene.shapes == ("ring",)]
    fine = generate(scene, 2, 5, events=False)
    given = moving_clips.clips(scene, 2, 5, 0, "cpu")
    assert given.frames.shape == (60, 2, 2, 64, 64)
    assert fine.frames is not None
    parts = fine.frames[:-1].unflatten(-1, (64, 2)).unflatten(-3, (64, 2)).mean((-3, -1))
    assert torch.equal(given.frames.float(), parts)
    assert torch.allclose((given.centre + 1) * 64, fine.labels.centre[1:, :, 0].float(), atol=1e-4)
    box = fine.labels.box[1:, :, 0].float()
    assert torch.allclose(2 * given.size, box[..., 2:] - box[..., :2], atol=1e-4)


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


def test_a_network_is_for_all_who_may_read_the_folder(tmp_path: Path):
    (tmp_path / "other").touch()
    write_network(tmp_path / "a.safetensors", FieldNetwork(NetworkConfig()), {"note": "x"})
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert read_network(tmp_path / "a.safetensors").about == {"note": "x"}


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


@given(st.integers(1, 1400), st.integers(1, 1400))
@settings(max_examples=50, deadline=None)
def test_the_whole_view_holds_every_pixel_in_as_few_cells_as_can_be(width, height):
    x, y, cell = View.whole((width, height))
    assert x <= 0
    assert y <= 0
    assert x + GRID * cell >= width
    assert y + GRID * cell >= height
    assert cell == 1 or GRID * (cell - 1) < max(width, height)


@given(st.integers(-40, 90), st.integers(-40, 90), st.integers(1, 5), st.integers(0, 900), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_frames_of_a_view_hold_the_events_inside_it(x, y, cell, n, seed):
    draw = np.random.default_rng(seed)
    columns = draw.integers(0, 128, n), draw.integers(0, 128, n), draw.integers(0, 2, n)
    frames = View(x, y, cell).frames(Events(np.arange(n), *columns, sensor=(128, 128)))
    assert frames.shape[1:] == (2, GRID, GRID)
    inside = [e for e in zip(*columns, strict=True) if 0 <= e[0] - x < GRID * cell and 0 <= e[1] - y < GRID * cell]
    expected = np.zeros((2, GRID, GRID))
    for column, row, polarity in inside:
        expected[polarity, (row - y) // cell, (column - x) // cell] += 1 / cell**2
    full = frames.max(initial=0) == 1  # a cell may have lost some
    assert frames.sum() <= expected.sum() + 1e-9
    if not full:
        np.testing.assert_allclose(frames.sum(0), expected, atol=1e-9)
        assert np.ptp(frames.sum((1, 2, 3))) <= 1 / cell**2 + 1e-9


def test_a_view_follows_its_object_and_fits_its_size():
    sensor = (640, 480)
    whole = View.whole(sensor)
    near = whole.about(np.array([200.0, 300.0]), 60.0, sensor)
    assert near == View(136, 236, 2)
    assert near.about(np.array([219.0, 281.0]), 50.0, sensor) == near
    assert near.about(np.array([221.0, 300.0]), 60.0, sensor) == View(157, 236, 2)
    assert near.about(np.array([200.0, 300.0]), 20.0, sensor).cell == 1
    assert near.about(np.array([200.0, 300.0]), 600.0, sensor) == whole


def test_the_network_of_the_package_is_small_and_alive():
    net = pretrained()
    assert 4 * sum(p.numel() for p in net.parameters()) < 2_000_000
    config = learn.Config(network=net.config, scenes="varied", clips=24)
    errors = learn.evaluate(net, config, seed=77)
    assert errors.mean < 2 < errors.centre_guess / 6
    assert not list(calibration.complaints(net, errors.activity))


def test_the_tracker_follows_a_clip_that_was_held_out():
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
    assert np.mean(errors) < 1.5
    sizes = [row[5] for row in late]
    assert 0.75 * 24 < np.median(sizes) < 1.33 * 24
    assert tracker.frame == 150


@pytest.mark.parametrize(("size", "speed"), [(24.0, 150.0), (40.0, 400.0), (60.0, 60.0)])
def test_places_are_finer_than_the_cells_of_a_wide_sensor(size, speed):
    events, truth = record(
        [Shape("circle", size, (80.0, 120.0), (speed, speed / 2))], (346, 260), "250ms", noise_rate=0.5
    )
    tracks = track(events, tracker="learned")
    assert tracks.ids == [1]
    later = tracks[tracks.t_us > 100_000]
    at = truth[later.t_us // 1000 - 1, 0]
    off = np.hypot(later.x - at[:, 0], later.y - at[:, 1])
    assert len(off) > 10
    assert off.mean() < 2


def test_the_learned_tracker_says_the_same_of_a_stream_in_pieces():
    events, _ = record([Shape("circle", 30.0, (40.0, 50.0), (300.0, 100.0))], (160, 120), "120ms", noise_rate=0.5)
    whole = track([events], tracker="learned", dt="2ms")
    cuts = [0, 1, 400, 401, 2500, len(events)]
    pieces = track([events[low:high] for low, high in itertools.pairwise(cuts)], tracker="learned", dt="2ms")
    assert len(whole) > 40
    assert whole.id.tolist() == pieces.id.tolist()
    assert np.array_equal(whole.x, pieces.x)
    assert np.array_equal(whole.boxes, pieces.boxes)


def test_the_spinning_marker_is_one_track(recordings):
    tracks = track(recordings / "spinning-marker.evt2.raw", tracker="learned")
    fit = np.loadtxt(recordings / "spinning-marker.track.csv", delimiter=",", comments="#")
    with eventsnn.open(recordings / "spinning-marker.evt2.raw") as recording:
        start = int(next(iter(recording)).t[0])
    assert tracks.ids == [1]
    x, y = (np.interp(tracks.t_us - start, fit[:, 0], fit[:, k]) for k in (4, 5))
    assert np.median(np.hypot(tracks.x - x, tracks.y - y)) < 5


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


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("neuron", ["lif", "li", "relu"])
def test_the_network_is_the_same_on_the_gpu(neuron):
    frames, answers, gradients = sparse_frames(), [], []
    for device in ("cpu", "cuda"):
        net = FieldNetwork(replace(TINY, neuron=neuron, mixing="learned")).to(device)
        calibration.calibrate(net, frames.to(device), 0.1)
        answer, _ = net(frames.to(device))
        (answer.centre.square().sum() + answer.size.log().sum()).backward()
        answers.append(answer.centre.detach().cpu())
        gradients.append(net.weights[2].grad.cpu())
        for layer, expected in zip(calibration.activity(net, frames.to(device)), answer.activity, strict=True):
            assert layer == pytest.approx(expected.tolist(), abs=1e-5)
    # a spike may fall to the next frame where sums differ in the last bit
    assert (answers[0] - answers[1]).abs().mean() < 0.01
    assert torch.nn.functional.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.98


@pytest.mark.gpu
@on_gpu
@pytest.mark.filterwarnings("ignore:layer")
def test_a_training_on_the_gpu_goes_on_bit_for_bit(tmp_path: Path):
    config = replace(TRAINING, device="cuda", iterations=6, save_every=3)
    learn.run(replace(config, out=tmp_path / "whole"))
    training = learn.begin(config)
    for clips in learn.batches(config):
        if training.iteration == 3:
            training.save(tmp_path / "half.safetensors")
            break
        training.step(clips)
    training = learn.Training.load(tmp_path / "half.safetensors", config)
    for clips in learn.batches(config, 3):
        training.step(clips)
    whole = read_network(tmp_path / "whole" / "network.safetensors").net
    # convolutions add up in any order on a GPU
    for one, other in zip(whole.parameters(), training.net.cpu().parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@on_gpu
def test_the_tracker_on_the_gpu_says_what_it_says_on_the_cpu():
    events, _ = record([Shape("circle", 24.0, (30.0, 40.0), (150.0, 60.0))], (128, 96), "150ms", noise_rate=0.5)
    found = []
    for device in ("cpu", "cuda"):
        tracker, rows = LearnedTracker((128, 96), dt_us=2000, device=device), []
        for k in range(75):
            window = events[(events.t >= 2000 * k) & (events.t < 2000 * (k + 1))]
            rows += tracker.update(window, 2000 * (k + 1))
        found.append({row[0]: row[3:5] for row in rows})
    assert found[0].keys() == found[1].keys()
    apart = [math.dist(found[0][k], found[1][k]) for k in found[0]]
    assert np.median(apart) < 0.5
