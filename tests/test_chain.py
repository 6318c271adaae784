"""Chains: every filter, representation and encoder is a stage; streams equal the functions; errors name both sides."""

import csv
import inspect
import pickle

import cv2
import h5py
import numpy as np
import pytest
import torch

import eventsnn
from eventsnn import encode, filters, frames
from eventsnn.augment import Compose, RandomFlipLR
from eventsnn.containers import SequentialState
from eventsnn.datasets.shapes import Shape, record
from eventsnn.forms import LIF
from eventsnn.pipelines import track
from eventsnn.pipelines.chain import STAGES, Pipeline, parameters, read_chain, ready
from eventsnn.pipelines.chain.running import read_ahead
from eventsnn.track import Tracks
from eventsnn.train import Recipe, Run, load, network, save

OVER_TIME = {"DeltaEncoder", "StepForwardEncoder", "MovingWindowEncoder", "SpikeLatencyEncoder"}
NEEDED = {
    "rate_limit": {"budget": 5},
    "crop": {"left": 2, "top": 1, "width": 20, "height": 10},
    "downsample": {"factor": 2},
    "downsample_with_rest": {"factor": 2},
    "scale_time": {"factor": 0.5},
    "shift_time": {"offset": "1ms"},
    "voxel_grid": {"n_time_bins": 3},
    "event_spike_tensor": {"n_time_bins": 3},
    "time_surface": {"tau": "5ms"},
}


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(3)
    t = np.sort(rng.integers(0, 100_000, 4_000))
    return eventsnn.Events(
        t, rng.integers(0, 40, 4_000), rng.integers(0, 30, 4_000), rng.integers(0, 2, 4_000), sensor=(40, 30)
    )


@pytest.fixture(scope="module")
def disc():
    events, _ = record([Shape("circle", 24.0, (30.0, 40.0), (200.0, 0.0))], (120, 80), "300ms", hot_pixels=1)
    return events


def one_stage(name):
    row = STAGES[name][0]
    if row.way == "function" and name in ("mask", "remap"):
        pytest.skip("needs the file of an array")
    time = {"dt": "10ms"} if row.gives == "frames" else {}
    return Pipeline().then(name, **NEEDED.get(name, {}), **time)


def items(chain, chunks):
    return [(each.columns if isinstance(each, eventsnn.Events) else each) for each in chain.stream(chunks)]


@pytest.mark.parametrize("name", [name for name, rows in STAGES.items() if rows[0].sensor or rows[0].way == "function"])
def test_the_cuts_of_a_stream_do_not_matter(name, events, disc):
    source = disc if name == "track" else events
    if name == "to_video":
        pytest.skip("writes a file")
    chain = one_stage(name)
    parts = [source[begin : begin + 777] for begin in range(0, len(source), 777)]
    whole, cut = list(chain.stream(source)), list(chain.stream(parts))
    if chain.gives == "events":
        assert eventsnn.Events.concatenate(whole) == eventsnn.Events.concatenate(cut)
        assert len(whole[0])
    elif chain.gives == "frames":
        assert [begin for begin, _ in whole] == [begin for begin, _ in cut]
        dense = [torch.stack([frame.to_dense() for _, frame in found]) for found in (whole, cut)]
        assert torch.equal(dense[0].nan_to_num(), dense[1].nan_to_num())
        assert dense[0].any()
    else:
        assert whole == cut
        assert whole


def test_every_filter_representation_and_encoder_is_a_stage():
    targets = {row.target for rows in STAGES.values() for row in rows}
    for name in filters.__all__:
        thing = getattr(filters, name)
        first = next(iter(inspect.signature(thing).parameters), "")
        if (inspect.isclass(thing) and name != "Filter") or (first == "events" and name != "event_counts"):
            assert f"eventsnn.filters:{name}" in targets
    for name in frames.__all__:
        if name.startswith("To"):
            assert f"eventsnn.frames:{name}" in targets
    for name in encode.__all__:
        if name.endswith(("Encoder", "EncoderStep")) and name not in OVER_TIME:
            assert f"eventsnn.encode:{name}" in targets


def test_every_stage_tells_its_settings():
    for rows in STAGES.values():
        for row in rows:
            assert not {"sensor", "events", "path"} & parameters(row).keys() or row.way == "source"


@pytest.mark.parametrize(
    "name", [name for name, rows in STAGES.items() if rows[0].way == "encoder" and name != "population"]
)
def test_encoders_of_frames(name, events):
    settings = {} if name.endswith("step") else {"seq_length": 8}
    chain = Pipeline().frames(dt="50ms", binary=True).then(name, **settings)
    chain.explain((40, 30))
    found = chain(events)
    assert found.shape == (2, *chain.flows((40, 30))[-1][1].shape)


def test_a_chain_is_its_stages_one_after_the_other(events, tmp_path):
    chain = Pipeline().open().correlation("3ms", support=1).crop(4, 2, 30, 20).frames(dt="10ms", channels=1).to_hdf5()
    clean = filters.crop(filters.SpatioTemporalCorrelationFilter((40, 30), "3ms", 1)(events), 4, 2, 30, 20)
    wanted = frames.to_frames(clean, "10ms", channels=1)
    assert torch.equal(chain(events), wanted)
    assert torch.equal(chain(events), wanted), "a chain begins anew with every recording"
    eventsnn.write(tmp_path / "noise.raw", events)
    assert chain.run(tmp_path / "noise.raw", tmp_path / "out") == [tmp_path / "out" / "noise.h5"]
    with h5py.File(tmp_path / "out" / "noise.h5") as file:
        assert np.array_equal(file["frames"][:], wanted.numpy())
    assert str(chain) == str(pickle.loads(pickle.dumps(chain)))
    assert chain.digest == pickle.loads(pickle.dumps(chain)).digest


def test_files_on_the_way_and_at_the_end(disc, tmp_path):
    chain = Pipeline().denoise().to_raw(suffix="-clean").track().to_csv()
    paths = chain.run(disc, tmp_path)
    assert [path.name for path in paths] == ["events-clean.raw", "events.csv"]
    assert eventsnn.read(paths[0]) == Pipeline().denoise()(disc)
    assert Tracks.from_csv(paths[1]).ids == [1]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["events-clean.raw", "events.csv"]


def test_tracks_are_those_of_the_command(disc):
    wanted, found = track.track(disc), Pipeline().track()(disc)
    assert isinstance(found, Tracks)
    assert list(found.rows()) == list(wanted.rows())


def test_a_network_keeps_its_state_over_a_stream(events):
    torch.manual_seed(0)
    net = SequentialState(torch.nn.Flatten(2), torch.nn.Linear(2 * 30 * 40, 5), LIF())
    pictures = frames.to_frames(events, "1ms")
    assert len(pictures) > 64
    with torch.no_grad():
        wanted = net(pictures[:, None])[0][:, 0]
    assert torch.allclose(Pipeline().frames(dt="1ms").then(net)(events), wanted)
    plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2 * 30 * 40, 5))
    with torch.no_grad():
        assert torch.allclose(Pipeline().frames(dt="1ms").then(plain)(events), plain(pictures), atol=1e-5)


def checkpoint_of(path, shape=(2, 30, 40)):
    """A checkpoint as eventsnn train writes it, of a network that was not trained."""
    recipe = Recipe(dataset="shapes", dt="10ms", layers=("conv 4 3", "LIFBox", "flatten", "linear classes", "LIBox"))
    return save(path, Run.start(recipe, {"classes": ["left", "right", "up"], "shape": list(shape)}))


def test_the_network_of_a_checkpoint(events, tmp_path):
    path = checkpoint_of(tmp_path / "best.safetensors")
    chain = Pipeline().frames(dt="1ms").network(str(path)).to_hdf5()
    with torch.no_grad():
        wanted = network(load(path))(frames.to_frames(events, "1ms")[:, None])[0][:, 0]
    assert wanted.shape[0] > 64
    assert torch.allclose(chain(events), wanted, atol=1e-6)
    assert torch.equal(chain(events), chain(events)), "every recording begins with a state of its own"
    chain = chain.to_csv()
    file, table = chain.run(events, tmp_path)
    with h5py.File(file) as stored:
        assert np.array_equal(stored["frames"][:], chain(events).numpy())
        assert list(stored["frames"].attrs["labels"]) == ["left", "right", "up"]
    lines = list(csv.reader(table.read_text().splitlines()))
    assert lines[0] == ["t_us", "left", "right", "up"]
    assert [int(line[0]) for line in lines[1:]] == [begin for begin, _ in chain.stream(events)]
    assert np.allclose(np.array(lines[1:], float)[:, 1:], chain(events), rtol=1e-5)
    before = chain.digest
    checkpoint_of(tmp_path / "best.safetensors", (2, 15, 20))
    assert chain.digest != before
    assert Pipeline().frames(dt="10ms", downsample=2).network(str(path))(events).shape == (10, 3)
    with pytest.raises(ValueError, match=r"stage 2, network.* was trained on frames \[2, 15, 20\] \(dt='10ms', down"):
        Pipeline().frames(dt="1ms").network(str(path)).explain((40, 30))


def test_a_network_of_lines_sees_no_height(tmp_path):
    recipe = Recipe(dataset="shd", dt="10ms", layers=("linear 8", "LIFBox", "linear classes", "LIBox"))
    path = save(tmp_path / "sound.safetensors", Run.start(recipe, {"classes": ["a", "b"], "shape": [50]}))
    t = np.arange(0, 50_000, 10)
    sound = eventsnn.Events(t, t % 50, 0 * t, 1 + 0 * t, sensor=(50, 1))
    assert Pipeline().frames(dt="10ms", channels=1).network(str(path))(sound).shape == (5, 2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", [name for name, rows in STAGES.items() if rows[0].way == "representation"])
def test_frames_are_made_on_the_device(name, events):
    chain = one_stage(name)
    there, here = list(chain.stream(events, device="cuda")), list(chain.stream(events))
    assert [begin for begin, _ in there] == [begin for begin, _ in here]
    for (_, one), (_, other) in zip(there, here, strict=True):
        assert one.device.type == "cuda"
        torch.testing.assert_close(one.cpu().to_dense(), other.to_dense(), atol=1e-4, rtol=1e-5, equal_nan=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_checkpoint_and_encoders_on_a_gpu(events, tmp_path):
    path = checkpoint_of(tmp_path / "best.safetensors")
    chain = Pipeline().refractory("1ms").frames(dt="1ms").network(str(path))
    found = [output for _, output in chain.stream(events, device="cuda")]
    assert {output.device.type for output in found} == {"cuda"}
    torch.testing.assert_close(torch.stack(found).cpu(), chain(events), atol=1e-4, rtol=1e-4)
    spikes = Pipeline().frames(dt="50ms", binary=True).latency_lif(seq_length=8)
    found = [spike for _, spike in spikes.stream(events, device="cuda")]
    torch.testing.assert_close(torch.stack(found).cpu(), spikes(events))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tracks_on_a_gpu(disc):
    chain = Pipeline().hot_pixels().track()
    found, wanted = list(chain.stream(disc, device="cuda")), list(chain.stream(disc))
    assert [row[:3] for row in found] == [row[:3] for row in wanted]
    assert np.abs(np.array([row[3:5] for row in found]) - [row[3:5] for row in wanted]).max() < 0.1


def test_objects_as_stages(events):
    mine = filters.RefractoryFilter((40, 30), "5ms")
    chain = Pipeline().then(mine).then(lambda part: part[part.p > 0]).then(frames.ToTORE((40, 30), dt="20ms"))
    kept = filters.RefractoryFilter((40, 30), "5ms")(events)
    assert torch.equal(chain(events), chain(events))
    assert chain(events).shape[0] == 5
    assert Pipeline().then(mine)(events) == kept


def test_a_recording_without_events_gives_no_frames_of_the_same_shape(events):
    none = eventsnn.Events.empty(events.sensor)
    for chain in (
        Pipeline().frames(dt="10ms", dtype="int16"),
        Pipeline().denoise().voxel_grid(dt="10ms", n_time_bins=3),
    ):
        some = chain(events)
        assert chain(none).shape == (0, *some.shape[1:])
        assert chain(none).dtype == some.dtype
    assert chain(events[:1]).shape == (0, *some.shape[1:])  # noise, which is left out
    assert Pipeline().open(sensor=[40, 30]).denoise().frames(dt="1ms")(eventsnn.Events.empty()).shape == (0, 2, 30, 40)


@pytest.mark.parametrize("sink", ["to_hdf5", "to_npy", "to_npz", "to_pt"])
def test_files_of_recordings_without_events_hold_no_frames_of_the_same_shape(sink, tmp_path):
    chain = Pipeline().denoise().frames(dt="10ms").then(sink, dtype="int16")
    [path] = chain.run(eventsnn.Events.empty((40, 30)), tmp_path)
    if sink == "to_hdf5":
        with h5py.File(path) as file:
            frames, times = file["frames"][:], file["t_us"][:]
    elif sink == "to_npy":
        frames, times = np.load(path), []
    else:
        found = torch.load(path) if sink == "to_pt" else np.load(path)
        frames, times = np.asarray(found["frames"]), found["t_us"]
    assert frames.shape == (0, 2, 30, 40)
    assert frames.dtype == np.int16
    assert len(times) == 0


def test_a_video_of_nothing_has_one_picture(tmp_path):
    [path] = Pipeline().to_video().run(eventsnn.Events.empty((40, 30)), tmp_path)
    shown = cv2.VideoCapture(str(path))
    assert [shown.read()[0] for _ in range(2)] == [True, False]


def test_in_a_training_loader(events):
    chain = Pipeline().refractory("1ms").frames(dt="20ms")
    transform = Compose([RandomFlipLR(p=1.0), chain])
    loader = torch.utils.data.DataLoader([events, events, events], batch_size=None, collate_fn=transform)
    batches = list(loader)
    assert len(batches) == 3
    assert torch.equal(batches[0], chain(filters.flip_lr(events)))
    array = eventsnn.to_structured(events)
    assert torch.equal(Pipeline().open(sensor=(40, 30)).refractory("1ms").frames(dt="20ms")(array), chain(events))


@pytest.mark.parametrize("name", ready())
def test_ready_chains(name, disc, tmp_path):
    eventsnn.write(tmp_path / "disc.raw", disc)
    chain = read_chain(name)
    [path] = chain.run(tmp_path / "disc.raw", tmp_path / "out")
    if name == "convert-to-hdf5":
        assert eventsnn.read(path) == disc
    elif name == "denoise":
        assert 0 < len(eventsnn.read(path)) < len(disc)
    elif name == "frames-for-training":
        with h5py.File(path) as file:
            assert file["frames"].shape[1:] == (2, 80, 120)
            assert file["frames"].dtype == np.uint16
    elif name == "track-and-report":
        assert Tracks.from_csv(path).ids == [1]
    else:
        video = cv2.VideoCapture(str(path))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 9
        video.release()


def test_explain(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('chain = ["open", {denoise = {tau = "5ms"}}, {voxel_grid = {dt = 1000, n_time_bins = 3}}, "to_pt"]')
    read_chain(path).explain((346, 260))
    lines = capsys.readouterr().out.splitlines()
    assert "events 346x260" in lines[2]
    assert "729 kB of state" in lines[2]
    assert "frames [3, 1, 260, 346] float32" in lines[3]
    assert "1.08 MB a frame" in lines[3]
    assert "NAME.pt" in lines[4]
    read_chain(path).explain()
    assert "frames [C, H, W]" in capsys.readouterr().out


def test_digest_follows_settings_and_files(tmp_path):
    one, other = Pipeline().denoise("5ms"), Pipeline().denoise("6ms")
    assert one.digest == Pipeline().denoise("5ms").digest != other.digest
    keep = tmp_path / "keep.npy"
    np.save(keep, np.ones((30, 40), bool))
    chain = Pipeline().mask(str(keep))
    before = chain.digest
    np.save(keep, np.zeros((30, 40), bool))
    assert chain.digest != before


def test_masks_come_from_files(events, tmp_path):
    keep = np.arange(30 * 40).reshape(30, 40) % 2 == 0
    np.save(tmp_path / "keep.npy", keep)
    assert Pipeline().mask(str(tmp_path / "keep.npy"))(events) == filters.mask(events, keep)


def test_reading_ahead_gives_all_and_passes_errors_on():
    def broken():
        yield 1
        raise OSError("gone")

    assert list(read_ahead(iter(range(100)))) == list(range(100))
    found = read_ahead(broken())
    assert next(found) == 1
    with pytest.raises(OSError, match="gone"):
        next(found)
    endless = read_ahead(iter(int, 1))
    assert next(endless) == 0
    endless.close()


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (lambda: Pipeline().denoize(), "unknown stage 'denoize'; did you mean 'denoise'"),
        (lambda: Pipeline().then("denoize"), "did you mean 'denoise'"),
        (lambda: Pipeline().denoise(tua="5ms"), "denoise: unknown setting 'tua'; did you mean 'tau'"),
        (lambda: Pipeline().frames(), "needs dt, the length of a window, or count"),
        (lambda: Pipeline().crop(left=1), "crop needs top and width and height"),
        (lambda: Pipeline().denoise().open(), "stage 2, open, reads a recording, so it can only be the first"),
        (
            lambda: Pipeline().open().voxel_grid(dt="1ms", n_time_bins=2).track(),
            r"stage 3, track, takes events, but stage 2, voxel_grid\(.*\), gives frames \[C, H, W\] ",
        ),
        (lambda: Pipeline().track().frames(dt=5), r"gives rows of tracks \(t us, x y w h px"),
        (lambda: Pipeline().network("a"), r"stage 1, network.*takes frames \[C, H, W\], but a recording gives events"),
        (lambda: Pipeline().to_raw().denoise().to_raw(), "stages 1 and 3 would both write NAME.raw"),
        (lambda: Pipeline().frames(dt=5, dtype="unit8"), "unknown dtype 'unit8'; did you mean 'uint8'"),
        (lambda: Pipeline().crop(0, 0, 50, 20).explain((40, 30)), "stage 1, crop.*the recording gives, events 40x30"),
        (
            lambda: Pipeline().frames(dt=5).then(torch.nn.Conv2d(3, 2, 3)).explain((40, 30)),
            r"stage 2, Conv2d, does not fit what stage 1, frames\(dt=5\) gives, frames \[2, 30, 40\]",
        ),
        (lambda: Pipeline().denoise()(eventsnn.Events([0], [0], [0], [1])), "does not name its sensor, and stage 1"),
        (lambda: Pipeline().call(function="no_such:thing")(eventsnn.Events.empty((2, 2))), "no function 'no_su"),
        (lambda: Pipeline().then(lambda events: events).digest, "stage 1, function, cannot be given to oth"),
        (lambda: Pipeline().then(5), "a stage is a name or something to be called, got 5"),
    ],
)  # fmt: skip
def test_chains_that_cannot_be(chain, message):
    with pytest.raises((ValueError, AttributeError, TypeError), match=message):
        chain()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chian = []", "unknown key 'chian'; did you mean 'chain'"),
        ("chain = 5", "a chain is a list of stages"),
        ("chain = [5]", "a stage is a name, or {name = {setting = value}}, got 5"),
        ('chain = ["opne"]', "unknown stage 'opne'; did you mean 'open'"),
        ('chain = ["open"', "mine.toml: "),
    ],
)
def test_toml_that_is_no_chain(text, message, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_chain(path)


def test_unknown_ready_chain():
    with pytest.raises(ValueError, match="unknown chain 'denoize'; did you mean 'denoise'"):
        read_chain("denoize")
