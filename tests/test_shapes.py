"""Moving shapes: true areas, the law of the pixels, the truth, and the same clip however it is made."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from eventsnn import to_frames
from eventsnn.camera.chance import gaussian, mix, uniform
from eventsnn.camera.sift import ranks, rested
from eventsnn.datasets.shapes import (
    PRESETS,
    Form,
    Shape,
    ShapesConfig,
    ShapesDataset,
    Truth,
    coverage,
    edges,
    generate,
    preset,
    record,
    tracking_benchmark,
)
from eventsnn.datasets.shapes import loop as plain
from eventsnn.datasets.shapes.geometry import form, matrix
from eventsnn.datasets.shapes.job import job
from eventsnn.datasets.shapes.motion import scene
from eventsnn.track import Tracks
from eventsnn.track.metrics import Boxes

STILL = (0.0, 0.0)
NAMES = ("circle", "square", "triangle", "diamond", "pentagon", "hexagon", "polygon(8)", "star", "ring", "cross")
AREAS = {"triangle": 0.007, "star": 0.008, "cross": 0.005, "diamond": 0.005, "pentagon": 0.005}
QUIET = ShapesConfig(width=40, height=32, frames=24, size=(8.0, 12.0), margin=2, noise_rate=0.0)
NOISY = replace(QUIET, noise_rate=20.0, hot_pixels=0.01)


def posed(size, angle=0.0, shear=0.0, aspect=1.0):
    return matrix(*(torch.tensor(v, dtype=torch.float64) for v in (size, aspect, angle, shear)))


def columns(events):
    return [c.tolist() for c in events.numpy().columns]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_coverage_sums_to_the_area_about_the_centre(name, angle):
    covered = coverage(name, posed(20.0, angle), (25.3, 24.6), 50, 50)
    assert float(covered.sum()) == pytest.approx(form(name).area * 100, rel=AREAS.get(name, 0.002))
    y, x = torch.meshgrid(torch.arange(50) + 0.5, torch.arange(50) + 0.5, indexing="ij")
    assert float((covered * x).sum() / covered.sum()) == pytest.approx(25.3, abs=0.08 if name == "star" else 0.05)
    assert float((covered * y).sum() / covered.sum()) == pytest.approx(24.6, abs=0.08 if name == "star" else 0.05)


@pytest.mark.parametrize(("name", "error"), [("circle", 0.006), ("triangle", 0.035)])
def test_coverage_of_small_shapes_is_off_by_little(name, error):
    places = [(15 + k / 10, 15 + 3 * k / 10 % 1) for k in range(10)]
    sums = [float(coverage(name, posed(8.0), place, 30, 30).sum()) for place in places]
    assert np.mean(sums) == pytest.approx(form(name).area * 16, rel=error)


def test_clamped_coverage_of_an_edge_is_off_by_less_than_a_twentieth():
    angle = torch.linspace(0, math.pi / 2, 91, dtype=torch.float64)[:, None]
    d = torch.linspace(-1, 1, 401, dtype=torch.float64)
    exact, clamped = (edges.straight(d + 0 * angle, angle.cos() + 0 * d, angle.sin() + 0 * d, e) for e in (True, False))
    apart = (exact - clamped).abs().amax(1)
    assert float(apart.max()) == pytest.approx((3 - 2 * math.sqrt(2)) / 4, abs=1e-5)
    assert float(apart[[0, -1]].max()) < 1e-9
    disc, about = (coverage("circle", posed(20.0), (25.3, 24.6), 50, 50, exact=e) for e in (True, False))
    assert 0.01 < float((disc - about).abs().max()) < 0.043


def test_coverage_is_what_many_points_in_a_pixel_say():
    a = posed(9.0, 0.4, 0.3, 1.3)
    fine = (torch.arange(24 * 60, dtype=torch.float64) + 0.5) / 60
    y, x = torch.meshgrid(fine, fine, indexing="ij")
    q = torch.stack([x - 12.2, y - 11.7], -1) @ torch.linalg.inv(a).T
    inside = (q.abs() <= 1).all(-1).double().view(24, 60, 24, 60).mean((1, 3))
    straight = coverage("square", a, (12.2, 11.7), 24, 24)
    edge = (inside - straight).abs()
    assert float(edge.median()) == 0
    assert float((edge > 0.02).sum()) <= 8  # pixels with a corner


def test_coverage_moves_and_turns_with_the_shape():
    a = posed(12.0, 0.3)
    moved = coverage("star", a, (17.25, 9.5), 40, 30)
    assert torch.equal(torch.roll(coverage("star", a, (10.25, 12.5), 40, 30), (-3, 7), (0, 1)), moved)
    round_ = [coverage("circle", posed(12.0, angle), (15.3, 14.2), 30, 30) for angle in (0.0, 1.1)]
    assert torch.allclose(*round_, atol=1e-12, rtol=0)
    assert float(coverage("square", a, (100.0, 12.0), 40, 30).sum()) == 0


@pytest.mark.parametrize(
    ("signal", "composition", "coverage", "shapes"),
    [
        ("coverage", "superpose", "exact", ("circle", "star", "square")),
        ("log", "occlude", "clamp", ("triangle", "ring", "cross")),
    ],
)
def test_kernel_is_the_plain_loop(signal, composition, coverage, shapes):
    config = replace(
        NOISY, frames=8, shapes=shapes, signal=signal, composition=composition, coverage=coverage, spin=0.05,
        growth=0.2, shear_rate=0.02, aspect=(0.7, 1.4), threshold_jitter=0.2, texture=2, leak_rate=5.0,
        n_objects=(1, 3),
    )  # fmt: skip
    clips = torch.arange(3)
    task = job(config, scene(config, clips, 4), clips, 4)
    frames = torch.zeros(config.frames, 3, 2, config.height, config.width)
    keys = plain.render(task, frames, True).sort().values
    batch = generate(config, 3, seed=4)
    assert torch.equal(batch.frames, frames)
    pixels = config.height * config.width
    for clip, events in enumerate(batch.events):
        mine = keys[keys // (2 * pixels * config.frames * config.dt_us) == clip]
        t, x, y, p = columns(events)
        assert (mine // (2 * pixels) % (config.frames * config.dt_us)).tolist() == t
        assert (mine // 2 % pixels).tolist() == [b * config.width + a for a, b in zip(x, y, strict=True)]
        assert (mine % 2).tolist() == [int(v) for v in p]


_INTERPRETED = """
import torch
from dataclasses import replace
from eventsnn.datasets.shapes import ShapesConfig
from eventsnn.datasets.shapes import cpu, gpu
from eventsnn.datasets.shapes.job import job
from eventsnn.datasets.shapes.motion import scene
base = ShapesConfig(width=15, height=11, frames=2, size=7.0, margin=0, pre_roll=1, n_objects=2, noise_rate=20.0)
for config in (
    replace(base, shapes=("circle", "triangle"), hot_pixels=0.03, max_per_frame=1),
    replace(base, shapes=("cross", "ring"), signal="log", composition="occlude", coverage="clamp"),
):
    clips = torch.arange(2)
    task = job(config, scene(config, clips, 0), clips, 0)
    frames = [torch.zeros(2, 2, 2, 11, 15) for _ in range(3)]
    keys = [room.render(task, out, True).sort().values for room, out in zip((cpu, gpu), frames)]
    gpu.render(task, frames[2], False)
    assert len(keys[0]) and torch.equal(*keys)
    assert torch.equal(frames[0], frames[1]) and torch.equal(frames[0], frames[2])
"""


def test_gpu_kernel_in_its_interpreter_gives_the_same_events(interpreted):
    interpreted(_INTERPRETED)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", [*PRESETS, None])
def test_gpu_gives_the_events_of_the_cpu(name):
    config = replace(PRESETS[name], frames=30) if name else NOISY
    here, there = (generate(config, 3, seed=2, device=device) for device in ("cpu", "cuda"))
    assert float((here.frames - there.frames.cpu()).abs().sum()) <= 1e-4 * float(here.frames.sum()) + 1
    assert torch.allclose(here.labels.centre, there.labels.centre.cpu(), atol=1e-9)
    for a, b in zip(here.events, there.events, strict=True):
        rows = [set(zip(*columns(events), strict=True)) for events in (a, b)]
        assert len(rows[0] ^ rows[1]) <= 1e-4 * len(a) + 2


def bar(theta, seed, **others):
    """A bar of 5 x 20 px that passes through the image completely, one pixel in eight frames."""
    config = ShapesConfig(
        width=60, height=30, frames=520, pre_roll=0, n_objects=1, shapes=("rectangle",), size=10.0, aspect=0.25,
        position=(-6.0, 15.0), speed=0.15, direction=0.0, border="leave", noise_rate=0.0, threshold=theta,
    )  # fmt: skip
    config = replace(config, **others)
    events = generate(config, 1, seed=seed, frames=False).events[0]
    full = (events.y >= 6) & (events.y < 24)  # rows that the bar covers wholly
    return events[full], 18 * 60


@pytest.mark.parametrize("theta", [0.5, 0.25, 0.2, 0.1])
def test_an_edge_gives_one_event_a_threshold(theta):
    """The first edge 1 / theta - 1/2 on average, the second exactly 1 / theta - 1."""
    first, second = [], []
    for seed in range(10):
        events, pixels = bar(theta, seed)
        counts = np.bincount(events.y.astype(int) * 60 + events.x, weights=events.p, minlength=1800)
        first.append(counts.sum() / pixels)
        off = np.bincount(events.y.astype(int) * 60 + events.x, weights=~events.p, minlength=1800)
        second.append(off[6 * 60 : 24 * 60])
    assert np.mean(first) == pytest.approx(1 / theta - 0.5, abs=0.03)
    assert set(np.concatenate(second)) == {round(1 / theta) - 1}


def test_a_bar_gives_as_many_events_as_it_sweeps_thresholds():
    """60 x 20 px across its way, half a pixel a frame: (1 / 0.5 - 1/2) 20 0.5 of each polarity a frame."""
    config = ShapesConfig(
        width=200, height=40, frames=100, n_objects=1, shapes=("rectangle",), size=math.sqrt(1200), aspect=3.0,
        position=(60.0, 20.0), speed=0.5, direction=0.0, border="leave", noise_rate=0.0,
    )  # fmt: skip
    counts = generate(config, 4, events=False).frames[30:].sum((0, 1, 3, 4)) / (4 * 70)
    assert counts.tolist() == pytest.approx([15, 15], abs=0.5)


def test_polarity_swaps_with_the_direction_of_the_contrast():
    light, _ = bar(0.25, 1, phase=0.0)
    dark, _ = bar(0.25, 1, phase=0.0, contrast=-1.0)
    assert columns(light)[:3] == columns(dark)[:3]
    assert (light.p != dark.p).all()


def test_the_edge_in_front_turns_round_with_the_direction():
    there, back = (
        record([Shape("square", 20.0, (x, 20.0), (v, 0.0))], (60, 40), "100ms", noise_rate=0.0)[0]
        for x, v in ((25.0, 60.0), (33.0, -60.0))
    )
    for events, ahead in ((there, 1), (back, 0)):
        right = (events.y > 12) & (events.y < 28) & (events.x > 30)
        assert set(events.p[right].tolist()) == {bool(ahead)}


def test_speed_changes_time_alone():
    """Half as fast: the same pixels fire in the same order, each at twice the time."""
    fast, _ = bar(0.25, 3)
    slow, _ = bar(0.25, 3, speed=0.075, frames=1040)
    key = [np.lexsort((e.t, e.p, e.x, e.y)) for e in (fast, slow)]
    a, b = fast[key[0]], slow[key[1]]
    assert columns(a)[1:] == columns(b)[1:]
    assert abs(2 * a.t - b.t).max() <= 1000  # within a step the signal is a straight line


def test_without_phases_an_edge_fires_in_unison():
    together, _ = bar(0.5, 0, phase=0.0)
    alone, _ = bar(0.5, 0)
    times = [len(set(e.t[(e.x == 30) & e.p].tolist())) for e in (together, alone)]
    assert times[0] <= 4
    assert times[1] > 15


@pytest.mark.parametrize("speed", [0.08, 0.16, 0.32])
def test_a_disc_gives_events_as_it_sweeps(speed):
    config = ShapesConfig(
        width=64, height=64, frames=60, n_objects=1, shapes=("circle",), size=16.0, speed=speed, direction="diagonal",
        noise_rate=0.0,
    )  # fmt: skip
    counts = generate(config, 10, events=False).frames.sum((0, 1, 3, 4)) / 600
    for count in counts.tolist():
        assert 0.9 < count / (16 * speed * math.sqrt(2)) < 1.6


def test_noise_has_its_rate_and_no_place():
    config = ShapesConfig(width=40, height=30, frames=500, n_objects=0, noise_rate=10.0, leak_rate=4.0)
    frames = generate(config, 2, seed=1, events=False).frames
    expected = 2 * 40 * 30 * 0.5
    for p, rate in ((0, 5.0), (1, 9.0)):
        assert float(frames[:, :, p].sum()) == pytest.approx(rate * expected, abs=4 * math.sqrt(rate * expected))
    counts = frames.sum((0, 1, 2))
    assert float(counts.var() / counts.mean()) == pytest.approx(1, abs=0.2)
    hot = generate(replace(config, noise_rate=0.0, leak_rate=0.0, hot_pixels=0.01), 1, events=False).frames
    assert 3 < int((hot.sum((0, 1, 2)) > 0).sum()) < 25
    assert float(hot.sum() / (hot.sum((0, 1, 2)) > 0).sum()) == pytest.approx(250, rel=0.1)


def test_random_numbers_are_those_written_down():
    assert [mix(v) for v in (1, 2, 123456789, 2**32 - 1)] == [1753845952, 3507691905, 2834422664, 1734902346]
    wanted = [0.6291980743, 0.0620386004, 0.0372270346, 0.2005552650]
    assert [uniform(7, 1, 0, 0, k) for k in range(4)] == pytest.approx(wanted, abs=1e-9)
    assert uniform(7, 1, 0, 0, torch.arange(4)).tolist() == pytest.approx(wanted, abs=1e-7)
    assert round(uniform(7, 2, 3, 5, 1000), 10) == 0.9913302660
    normal = gaussian(1, 11, torch.tensor(0), 0, torch.arange(20_000))
    assert abs(float(normal.mean())) < 0.03
    assert float(normal.std()) == pytest.approx(1, abs=0.02)


_ELSEWHERE = """
from dataclasses import replace
from eventsnn.datasets.shapes import ShapesConfig, generate
config = ShapesConfig(
    width=40, height=32, frames=24, size=(8.0, 12.0), margin=2, noise_rate=20.0, hot_pixels=0.01
)
print([c.tolist() for c in generate(config, 1, seed=9, first=3).events[0].columns])
"""


def test_a_clip_is_the_same_however_it_is_made():
    whole = generate(NOISY, 16, seed=9)
    parts = generate(NOISY, 16, seed=9, chunk=8)
    assert torch.equal(whole.frames, parts.frames)
    assert whole.events == parts.events == generate(NOISY, 16, seed=9).events
    assert torch.equal(whole.labels.centre, parts.labels.centre)
    alone = generate(NOISY, 1, seed=9, first=3)
    assert alone.events[0] == whole.events[3]
    assert torch.equal(alone.frames[:, 0], whole.frames[:, 3])
    done = subprocess.run([sys.executable, "-c", _ELSEWHERE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(columns(whole.events[3]))
    assert whole.events[0] != whole.events[1]
    assert alone.events[0] != generate(NOISY, 1, seed=10, first=3).events[0]


@pytest.mark.parametrize(
    "changes",
    [{}, {"refractory_us": 700}, {"event_density": 0.6}, {"max_per_frame": 1}, {"binary": True},
     {"refractory_us": 400, "event_density": 0.8, "max_per_frame": 2}],
)  # fmt: skip
def test_frames_are_the_events_binned_and_rules_are_kept(changes):
    config = replace(NOISY, threshold=0.2, **changes)
    batch = generate(config, 2, seed=1)
    for clip, events in enumerate(batch.events):
        assert events.is_sorted
        assert not events.outside().any()
        span = config.frames * config.dt_us
        assert 0 <= events.t.min() <= events.t.max() < span
        binned = to_frames(events, config.dt_us, start=0, stop=span, binary=config.binary)
        assert torch.equal(batch.frames[:, clip], binned)
        pixel = events.y.astype(int) * 40 + events.x
        for one in np.unique(pixel):
            gaps = np.diff(events.t[pixel == one])
            assert (gaps >= config.refractory_us).all()
    assert float(batch.frames.max()) <= (config.max_per_frame or (1 if config.binary else 99))
    if "event_density" in changes:
        full = generate(replace(config, event_density=1.0), 2, seed=1)
        assert sum(map(len, batch.events)) < 0.9 * sum(map(len, full.events))


def test_resting_and_ranking_are_what_a_loop_says():
    random = np.random.default_rng(0)
    pixel, t = (torch.from_numpy(random.integers(0, high, 400)) for high in (9, 500))
    kept, last, seen = rested(pixel, t, 17), {}, {}
    for i in np.lexsort((np.arange(400), t.numpy())):
        key = int(pixel[i])
        stays = key not in last or int(t[i]) - last[key] >= 17
        assert bool(kept[i]) == stays
        if stays:
            last[key] = int(t[i])
    for i, rank in enumerate(ranks(pixel).tolist()):
        assert rank == seen.get(int(pixel[i]), 0)
        seen[int(pixel[i])] = rank + 1


def test_labels_tell_where_the_shapes_are():
    config = replace(
        QUIET, width=80, height=70, n_objects=5, size=(14.0, 20.0), spin=0.03, shear_rate=0.004,
        shapes=("circle", "square", "triangle", "ring", "hexagon"),
    )  # fmt: skip
    labels = generate(config, 2, events=False, frames=False).labels
    y, x = torch.meshgrid(torch.arange(70) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    for o, name in enumerate(config.shapes):
        a, centre = labels.matrix[9, 1, o], labels.centre[9, 1, o].tolist()
        covered = coverage(name, a, centre, 80, 70)
        middle = [float((covered * v).sum() / covered.sum()) for v in (x, y)]
        assert middle == pytest.approx(centre, abs=0.05)
        some = covered > 0
        seen = [float(v) for v in (x[some].min() - 0.5, y[some].min() - 0.5, x[some].max() + 0.5, y[some].max() + 0.5)]
        assert labels.box[9, 1, o].tolist() == pytest.approx(seen, abs=1)
    assert labels.identity.tolist() == [[1, 2, 3, 4, 5]] * 2
    assert labels.t_us[:2].tolist() == [1000, 2000]
    assert bool((labels.visibility == 1).all())
    speed = labels.velocity.norm(dim=-1)
    assert float(speed.min()) >= 0


def test_what_is_hidden_or_outside_is_less_visible():
    config = replace(QUIET, n_objects=2, shapes=("square",), size=10.0, speed=0.0, composition="occlude")
    for position, seen in (((20.0, 16.0), [0.0, 1.0]), ((0.0, 16.0), [0.0, 0.5]), ((-20.0, 16.0), [0.0, 0.0])):
        batch = generate(replace(config, position=position, border="leave"), 1)
        assert batch.labels.visibility[0, 0].tolist() == pytest.approx(seen, abs=0.01)
    apart = generate(replace(config, composition="superpose", position=(20.0, 16.0), border="leave"), 1)
    assert apart.labels.visibility[0, 0].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("changes", [{}, {"spin": 0.05, "growth": 0.1, "size_limits": (0.05, 0.5)}, {"brownian": 0.2}])
def test_bouncing_objects_stay_inside_and_keep_their_speed(changes):
    config = replace(QUIET, frames=300, speed=(0.3, 0.6), **changes)
    labels = generate(config, 3, events=False, frames=False).labels
    low, high = labels.box[..., :2].amin((0, 1, 2)), labels.box[..., 2:].amax((0, 1, 2))
    assert float(low.min()) >= config.margin - 1e-6
    assert float(high[0]) <= 40 - config.margin + 1e-6
    assert float(high[1]) <= 32 - config.margin + 1e-6
    if not changes:
        steady = labels.velocity.abs().median(0).values
        assert float(((labels.velocity.abs() - steady).abs() < 1e-9).double().mean()) > 0.9
    wide = generate(replace(config, border="wrap"), 3, events=False, frames=False).labels.centre
    assert bool((wide > -20).all())
    assert bool((wide < 60).all())


def test_lanes_texture_and_numbers():
    lanes = generate(replace(preset("tracking-lanes"), frames=200), 2, events=False, frames=False).labels.box
    for k in range(3):
        assert 128 / 3 * k <= float(lanes[:, :, k, 1].min()) <= float(lanes[:, :, k, 3].max()) <= 128 / 3 * (k + 1)
    counts = generate(replace(QUIET, n_objects=(1, 3)), 60, events=False, frames=False).labels.present.sum(1)
    assert set(counts.tolist()) == {1, 2, 3}
    listed = generate(replace(QUIET, speed=[0.1, 0.4]), 30, events=False, frames=False).labels
    assert set(listed.speed_class.unique().tolist()) == {0, 1}
    textured = generate(replace(QUIET, n_objects=1, texture=5, speed=0.0), 1, events=False)
    assert textured.labels.centre.shape[2] == 1
    assert float(textured.frames.sum()) > 0


@pytest.mark.parametrize("name", PRESETS)
def test_presets_make_clips(name):
    batch = generate(replace(preset(name), frames=6), 1, seed=1)
    assert len(batch.events[0]) > 0
    assert bool((batch.labels.box_visible == batch.labels.box).all())


SCENE = replace(NOISY, n_objects=2)


def test_a_dataset_has_the_clips_and_where_the_centres_will_be():
    dataset = ShapesDataset(SCENE, 4, seed=5, warmup=3, steps=8, delay=2)
    whole = generate(replace(SCENE, frames=13), 4, seed=dataset.seed, events=False)
    for k, (before, frames, targets) in enumerate(dataset):
        assert torch.equal(torch.cat([before, frames]), whole.frames[:11, k])
        centre = (targets.double() + 1) / 2 * torch.tensor([40, 32])
        assert torch.allclose(centre, whole.labels.centre[5:, k], atol=1e-5)
    assert k + 1 == len(dataset) == 4
    assert all(torch.equal(a, b) for a, b in zip(dataset[-1], dataset[3], strict=True))
    with pytest.raises(IndexError):
        dataset[4]


def test_a_dataset_is_the_same_in_workers_and_its_splits_differ():
    make = {"config": SCENE, "n": 6, "warmup": 2, "steps": 3}
    train = ShapesDataset(**make)
    loader = DataLoader(train, 3, num_workers=2)
    for mine, theirs in zip(zip(*loader, strict=True), zip(*train, strict=True), strict=True):
        assert torch.equal(torch.cat(mine), torch.stack(theirs))
    seeds = {
        ShapesDataset(**make, split=split, seed=s).seed for split in ("train", "validation", "test") for s in (0, 1)
    }
    assert len(seeds) == 6
    assert not torch.equal(train[0][1], ShapesDataset(**make, split="test")[0][1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "valid"}, "no split 'valid'; there are train, validation, test"),
        ({"n": 0}, "n must be at least 1"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"delay": -1}, "delay must be at least 0"),
    ],
)
def test_datasets_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        ShapesDataset(**{"config": SCENE, "n": 2, **settings})


def test_an_own_shape_is_drawn_as_its_like():
    own = Form("disc", 5, area=math.pi, own=lambda q: q.norm(dim=-1) - 1)
    config = replace(NOISY, frames=6, n_objects=2)
    mine, theirs = (generate(replace(config, shapes=(shape,)), 1) for shape in (own, "circle"))
    assert mine.events == theirs.events
    assert torch.equal(mine.frames, theirs.frames)


def test_truth_is_a_table_that_trackers_read(tmp_path):
    events, truth = tracking_benchmark(3, "20ms")
    assert events.sensor == (346, 260)
    assert len(truth) == 100
    every = truth.every("5ms")
    assert every.frame.tolist() == [k for k in (1, 2, 3, 4) for _ in range(5)]
    assert every.t_us.tolist() == [5000 * k for k in every.frame]
    assert len(Tracks.of(every.rows())) == 20
    every.to_mot(tmp_path / "gt.txt")
    read = Boxes.from_mot(tmp_path / "gt.txt")
    assert np.allclose(read.boxes, every.boxes, atol=0.006)
    assert read.id.tolist() == every.id.tolist()
    with pytest.raises(ValueError, match="must be a multiple"):
        truth.every(1500)
    events, truth = record([Shape("square", 20.0, (30.0, 20.0), STILL)], (60, 40), "10ms", noise_rate=0.0)
    assert len(events) == 0
    assert truth.shape == (11, 1, 2)


def test_the_place_of_a_pixel_is_its_index():
    """As in tracks: a square of side 20 about (30, 20) covers the pixels 21..39 wholly, and half of 20 and 40."""
    events, _ = record([Shape("square", 20.0, (30.0, 20.0), (0.0, 200.0))], (60, 90), "200ms", noise_rate=0.0)
    assert (int(events.x.min()), int(events.x.max())) == (20, 40)
    mirrored = np.bincount(events.x, minlength=61)
    assert mirrored[21:40].min() > 0.8 * mirrored[30]


def test_recorded_scenes_have_noise_and_hot_pixels_as_asked():
    events, _ = record([], (100, 80), "1s", noise_rate=2.0, hot_pixels=3, hot_rate=400.0)
    counts = np.bincount(events.y.astype(int) * 100 + events.x, minlength=8000)
    hot = np.sort(counts)[-3:]
    assert (abs(hot - 400) < 100).all()
    assert len(events) - hot.sum() == pytest.approx(16_000, abs=4 * math.sqrt(16_000))
    assert events.p.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shapes": ("cube",)}, "no shape is called 'cube'; there are circle"),
        ({"shapes": ()}, "at least one shape"),
        ({"width": 0}, "width must be at least 1"),
        ({"size": 0.0}, "size must be positive"),
        ({"threshold": 0.0}, "threshold and background must be positive"),
        ({"phase": 1.5}, r"phase must lie in 0..1"),
        ({"noise_rate": 2000.0}, "at most one event a frame"),
        ({"coverage": "about"}, "coverage must be one of exact, clamp"),
        ({"border": "stop"}, "border must be one of bounce, wrap, leave"),
        ({"n_objects": (3, 1)}, "n_objects must be"),
        ({"max_per_frame": 0}, "max_per_frame must be"),
        ({"refractory_us": -1}, "refractory_us must not be negative"),
    ],
)
def test_configs_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(QUIET, **changes)


def test_calls_that_cannot_be():
    with pytest.raises(TypeError, match="no_such_field"):
        ShapesConfig(no_such_field=1)
    with pytest.raises(ValueError, match="n and chunk must be at least 1"):
        generate(QUIET, 0)
    with pytest.raises(ValueError, match="no preset is called 'x'"):
        preset("x")
    with pytest.raises(ValueError, match="size and brightness must be positive"):
        Shape("circle", 0.0, STILL, STILL)
    with pytest.raises(ValueError, match="duration must last a step"):
        record([], (5, 5), "0ms")
    with pytest.warns(UserWarning, match="does not fit"):
        generate(replace(QUIET, size=60.0, frames=1), 1)
    assert Truth.of(generate(replace(QUIET, n_objects=0), 1)).boxes.shape == (0, 4)
