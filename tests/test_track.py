"""Tracking: the filter's laws, regions, records, and objects followed through crossings, gaps and cuts."""

import itertools
import json
import math
import signal
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import eventsnn.io
from eventsnn import Events, cli
from eventsnn.datasets.shapes import Shape, Truth, generate, preset, record, tracking_benchmark
from eventsnn.fields.line import line_operators
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.frames import to_frames, windows
from eventsnn.pipelines import track as pipeline
from eventsnn.pipelines.demo import SHAPES, compare
from eventsnn.pipelines.evaluate_tracks import alike
from eventsnn.pipelines.track import track
from eventsnn.pipelines.track_plan import begun
from eventsnn.track import (
    Detections,
    DetectionTracker,
    LearnedTracker,
    RegionDetector,
    ScaleSpaceDetector,
    Tracker,
    TrackerConfig,
    Tracks,
    fleet_kernels,
    kalman,
    read_detections,
    resample,
    write_detections,
)
from eventsnn.track.attribution import Shares, attribute
from eventsnn.track.fleet import Fleet
from eventsnn.track.metrics import evaluate
from eventsnn.track.parting import Parting

DISC = Shape("circle", 24.0, (30.0, 60.0), (150.0, 0.0))
RANDOM = np.random.default_rng(1)


def spread(n):
    root = RANDOM.normal(size=(n, 4, 4))
    return root @ root.transpose(0, 2, 1) + np.eye(4)


def test_predicting_twice_is_predicting_once_for_longer():
    state, covariance = RANDOM.normal(size=(3, 4)), spread(3)
    once = kalman.predict(state, covariance, 3.0, 0.2)
    twice = kalman.predict(*kalman.predict(state, covariance, 1.0, 0.2), 2.0, 0.2)
    assert all(np.allclose(a, b) for a, b in zip(once, twice, strict=True))


def test_the_update_is_the_conditional_gaussian():
    """In information form: the precisions of prediction and measurement add up."""
    state, covariance, measured = RANDOM.normal(size=(5, 4)), spread(5), RANDOM.normal(size=(5, 2))
    look = np.eye(4)[:2]
    precision = np.linalg.inv(covariance) + look.T @ look / 0.3**2
    mean = np.linalg.solve(
        precision, np.linalg.inv(covariance) @ state[..., None] + (look.T @ measured[..., None]) / 0.3**2
    )
    new_state, new_covariance = kalman.update(state, covariance, measured, 0.3)
    assert np.allclose(new_state, mean[..., 0])
    assert np.allclose(new_covariance, np.linalg.inv(precision))


def test_distance_is_the_squared_mahalanobis_distance():
    state = np.array([[1.0, 2.0, 0.0, 0.0]])
    assert kalman.distance(state, np.diag([3.0, 8.0, 1.0, 1.0])[None], np.array([[3.0, 5.0]]), 1.0)[0] == pytest.approx(
        2
    )


@pytest.mark.parametrize("sensor", [(64, 48), (700, 500)])
def test_a_filled_box_is_one_region_with_its_borders(sensor):
    detector = RegionDetector(sensor, scale=9.0, decay=0.5)
    frame = torch.zeros(2, sensor[1], sensor[0])
    frame[0, 10:31, 20:41] = 1
    detector.add(frame)
    (region,) = detector.find(20.0)
    assert np.allclose(region.low, [21, 11], atol=detector.pool)
    assert np.allclose(region.high, [39, 29], atol=detector.pool)


def test_an_object_that_fills_most_of_a_small_sensor_is_found():
    detector = RegionDetector((30, 32), scale=9.0, decay=0.4)
    frame = (torch.rand(2, 32, 30, generator=torch.Generator().manual_seed(0)) < 0.02).float()
    frame[1, :, 8:24] = 1
    detector.add(frame)
    (region,) = detector.find(20.0)
    assert np.allclose((*region.low, *region.high), (8, 1, 23, 30), atol=2)


@given(st.integers(0, 29), st.integers(0, 24), st.integers(0, 12), st.integers(0, 12), st.integers(0, 4))
def test_the_share_of_a_region_that_was_passed_is_that_of_its_pixels(x, y, w, h, n):
    """The middle of the last cells may lie beyond the sensor: it stands for the last pixel."""
    random = np.random.default_rng(x + y)
    corner = random.integers(0, 20, (n, 2))
    boxes = np.concatenate([corner, corner + random.integers(1, 14, (n, 2))], 1)
    passed = np.zeros((21, 27), bool)
    for x0, y0, x1, y1 in boxes:
        passed[y0:y1, x0:x1] = True
    region = passed[min(y, 20) : y + h + 1, min(x, 26) : x + w + 1]
    low, high = np.array([x, y], float), np.array([x + w, y + h], float)
    assert fleet_kernels.share_in(low, high, (27, 21), boxes) == pytest.approx(region.mean())


def test_noise_and_lone_pixels_are_no_region():
    torch.manual_seed(0)
    detector = RegionDetector((128, 96), scale=9.0, decay=0.5)
    for _ in range(20):
        frame = torch.poisson(torch.full((2, 96, 128), 0.02))
        frame[1, 40, 50] = 500
        detector.add(frame)
        assert detector.find(20.0) == []


@pytest.mark.parametrize(("sensor", "most"), [((60, 47), 300), ((333, 221), 4000), ((1, 1), 9)])
def test_the_compiled_detector_is_the_plain_one(sensor, most):
    """Map, background, receptive field and connected regions, as whole-array operations would have them."""
    width, height = sensor
    events = Events(
        np.arange(most), RANDOM.integers(0, width, most), RANDOM.integers(0, height, most), np.ones(most, int)
    )
    block = (abs(events.x - width // 3) < 6) & (abs(events.y - height // 2) < 9)
    events = Events.concatenate([events, *[events[block]] * 3])
    one, two = (RegionDetector(sensor, scale=9.0, decay=0.5) for _ in range(2))
    for _ in range(2):
        one.add_events(events)
        two.add(to_frames(events, n_bins=1, sensor=sensor)[0])
    assert torch.equal(one.map, two.map)
    side = min(8, *one.map.shape)
    mean = one.background()
    blocks = torch.nn.functional.avg_pool2d(one.map[None], side).flatten()
    share = 0.5 if len(blocks) >= 64 else 0.25
    assert mean == pytest.approx(float(torch.quantile(blocks, share, interpolation="lower")), rel=1e-6)
    across, down = (line_operators(n, [one.scale])[0][0] for n in one.map.T.shape)
    variance = max(mean / 1.5, 1e-3)
    z = (down @ (one.map - mean) @ across * math.sqrt(4 * math.pi * one.scale / variance)).numpy()
    assert np.allclose(one.response(mean), z, atol=1e-3)
    edge = float(np.quantile(z, 0.8)) + 1e-3
    labels, n = ndimage.label(z > edge, np.ones((3, 3)))
    peaks = ndimage.maximum(z, labels, range(1, n + 1)) if n else []
    filled = [int(((labels == k) & (one.map.numpy() > 0)).sum()) for k in range(1, n + 1)]
    wanted = sorted(zip(peaks, filled, strict=True), reverse=True)
    found = [(region.z, region.cells) for region in one.find(edge, edge)]
    assert np.allclose(found, wanted, atol=1e-3)
    assert sensor == (1, 1) or len(found) > 1
    with pytest.raises(ValueError, match="outside"):
        one.add_events(Events([0], [width], [0], [1]))


def rows(n):
    return [(f, f * 5000, i, 1.25 * f, 2.0, 8.0, 6.5, 10.0, -3.0, 1.0, 0, 7) for f in range(1, n + 1) for i in (1, 2)]


def test_records_survive_csv_and_know_their_rows(tmp_path):
    tracks = Tracks.of(reversed(rows(4)))
    tracks.to_csv(tmp_path / "t.csv")
    assert list(Tracks.from_csv(tmp_path / "t.csv").rows()) == list(tracks.rows()) == rows(4)
    assert tracks[tracks.id == 2].ids == [2]
    later = (1, 5000, 1, 9.0, 2.0, 8.0, 6.5, 10.0, -3.0, 0.5, 1, 7)
    assert Tracks.of([*rows(1), later]).x.tolist() == [9.0, 1.25]
    tracks.to_mot(tmp_path / "t.txt")
    assert (tmp_path / "t.txt").read_text().splitlines()[0] == "1,1,-2.75,-1.25,8.00,6.50,1,-1,-1,-1"
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="are not those of tracks"):
        Tracks.from_csv(tmp_path / "other.csv")


def test_no_events_no_tracks():
    assert len(track(Events.empty(sensor=(1, 1)))) == 0
    assert len(track(Events([5], [0], [0], [1], sensor=(1, 1)))) == 0
    assert len(track([])) == 0


def test_noise_gives_no_tracks():
    events, _ = record([], (120, 90), "1s", noise_rate=5.0, hot_pixels=10)
    assert len(track(events, dt="5ms")) == 0


@pytest.mark.parametrize("seed", range(4))
def test_crossing_shapes_keep_their_ids(seed):
    events, truth = record(SHAPES, (240, 180), "2200ms", seed=seed, hot_pixels=10)
    tracks = track(events)
    assert len(tracks.ids) == 3
    for followed in compare(tracks, SHAPES, truth):
        assert followed.share > 0.98
        assert followed.switches == 0
        assert followed.median < 2
        assert followed.largest < 5


@pytest.mark.parametrize(
    ("name", "hota", "mota"),
    [("tracking-single", 0.94, 0.98), ("tracking-lanes", 0.9, 0.96), ("tracking-crossing", 0.65, 0.7)],
)
def test_the_length_of_windows_suits_recordings_with_few_events(name, hota, mota):
    """30,000 to 70,000 events a second, half of them noise."""
    scores = []
    for clip in range(2):
        batch = generate(preset(name), 1, 0, clip, frames=False)
        truth = Tracks.of(Truth.of(batch).every("5ms").rows())
        scores.append(evaluate(*alike(truth, track(batch.events[0])), "point"))
    assert np.mean([score.hota for score in scores]) > hota
    assert np.mean([score.mota for score in scores]) > mota


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=8), st.booleans())
def test_the_cuts_of_a_stream_do_not_matter(cuts, single):
    events, _ = record([Shape("circle", 24.0, (30.0, 40.0), (200.0, 10.0))], (120, 80), "200ms", noise_rate=0.5)
    edges = [0, *sorted(cuts), len(events)]
    parts = [events[a:b] for a, b in itertools.pairwise(edges)]
    if single:
        parts = [events[k : k + 1] for k in range(len(events))]
    whole = list(track(events).rows())
    assert whole
    assert list(track(parts).rows()) == list(track(iter(parts)).rows()) == whole


def test_a_recording_has_the_same_tracks_however_it_is_given(tmp_path):
    """Even if it begins with a burst, whose rate is not that of the whole."""
    events, _ = record([DISC], (240, 120), "400ms", noise_rate=0.2)
    burst = events.between(200_000, 300_000)
    burst = Events(burst.t * 0, burst.x, burst.y, burst.p, sensor=events.sensor)
    events = Events.concatenate([*[burst] * (30_000 // len(burst) + 1), events])
    eventsnn.io.write(tmp_path / "burst.h5", events)
    whole = track(events)
    assert set(np.diff(np.unique(whole.t_us))) == {5_000}
    with eventsnn.io.open(tmp_path / "burst.h5") as recording:
        for same in (tmp_path / "burst.h5", recording, [events[:100], events[100:]]):
            assert list(track(same).rows()) == list(whole.rows())
    assert len(track(iter([events])).ids) == 1


@pytest.mark.parametrize("cut", [1, 999, 10**6])
def test_the_start_of_a_stream_is_the_same_however_it_is_cut(cut):
    """20,000 events and 500 ms, but a million at most; or 5 s, where the sensor is known."""

    def facts(t, sensor=(2, 2)):
        zeros = np.zeros(len(t), np.int16)
        parts = [
            Events(t[k : k + cut], zeros[k : k + cut], zeros[k : k + cut], zeros[k : k + cut], sensor=sensor)
            for k in range(0, len(t), cut)
        ]
        found, stream = begun(iter(parts))
        assert np.array_equal(np.concatenate([part.t for part in stream]), t)
        return found.events, found.whole

    assert facts(np.arange(0, 1_000_000, 40)) == (20_000, False)
    assert facts(np.arange(0, 600_000, 20)) == (25_000, False)
    assert facts(np.arange(0, 500_000, 20)) == (25_000, True)
    assert facts(np.arange(0, 6_000_000, 1000)) == (5_000, False)
    assert facts(np.arange(0, 6_000_000, 1000), None) == (6_000, True)
    assert facts(np.arange(20_000) * 0) == (20_000, True)
    if cut > 1:
        assert facts(np.zeros(1_000_001, int)) == (1_000_000, False)


def test_a_stream_that_turns_out_larger_than_its_start_is_told():
    t = np.arange(0, 1_200_000, 20)
    x = np.where(t < 600_000, t % 50, t % 100)
    chunks = [Events(t[k : k + 999], x[k : k + 999], x[k : k + 999], x[k : k + 999] % 2) for k in range(0, len(t), 999)]
    assert track(chunks).ids == []
    with pytest.raises(ValueError, match=r"shows a sensor of 41x41.*sensor=\(width, height\)"):
        track(iter(chunks))
    assert track(iter(chunks), sensor=(100, 100)).ids == []


def test_standard_input_gives_the_tracks_of_the_file(tmp_path):
    eventsnn.io.write(tmp_path / "disc.raw", moving(0)[0], format="EVT3")
    words = [sys.executable, "-m", "eventsnn.cli", "track", "-", "--dt", "5ms", "--no-video"]
    with (tmp_path / "disc.raw").open("rb") as file, subprocess.Popen(["cat"], stdin=file, stdout=-1) as cat:
        done = subprocess.run(words, stdin=cat.stdout, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "1 object in" in done.stdout
    track(tmp_path / "disc.raw", dt="5ms").to_csv(tmp_path / "disc.csv")
    assert (tmp_path / "stdin.tracks" / "tracks.csv").read_text() == (tmp_path / "disc.csv").read_text()


def test_an_object_in_a_short_recording_is_found_and_noise_is_not():
    events, truth = record([Shape("circle", 30.0, (40.0, 60.0), (2000.0, 0.0))], (120, 120), "15ms", noise_rate=2.0)
    tracks = track(events)
    assert tracks.ids == [1]
    assert np.hypot(tracks.x[-1] - truth[-1, 0, 0], tracks.y[-1] - truth[-1, 0, 1]) < 3
    for ms in (4, 8, 15):
        noise, _ = record([], (120, 120), f"{ms}ms", noise_rate=50.0)
        assert track(noise).ids == []


def test_what_is_no_source_is_refused(tmp_path):
    for wrong, what in ((None, "NoneType"), (5, "int"), ([np.zeros(4)], "ndarray"), (iter("ab"), "consists of Events")):
        with pytest.raises(TypeError, match=what):
            track(wrong)
    with pytest.raises(ValueError, match="writes nothing"):
        track(moving(0)[0], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def moving(gap):
    """A disc in uniform motion; for a while, none of its events are seen."""
    events, truth = record([DISC], (240, 120), "1200ms", noise_rate=0.2)
    hidden = (events.t > 500_000) & (events.t < 500_000 + gap)
    return events[~hidden], truth


@pytest.mark.parametrize("gap", [100_000, 250_000])
def test_the_id_survives_a_gap_in_uniform_motion(gap):
    events, truth = moving(gap)
    tracks = track(events, dt="5ms")
    (followed,) = compare(tracks, [DISC], truth)
    assert tracks.ids == [followed.id]
    assert followed.share > (0.98 if gap == 100_000 else 0.85)


def test_an_object_at_rest_is_remembered_where_it_stopped():
    shape = Shape("square", 26.0, (40.0, 50.0), (120.0, 0.0))
    there, _ = record([shape], (160, 100), "500ms", noise_rate=0.0)
    back, _ = record([Shape("square", 26.0, (100.0, 50.0), (-120.0, 0.0))], (160, 100), "400ms", noise_rate=0.0)
    events = Events.concatenate([there, Events(back.t + 1_500_000, back.x, back.y, back.p, sensor=back.sensor)])
    tracks = track(events, dt="5ms")
    assert tracks.ids == [1]
    assert tracks.x[-1] == pytest.approx(100 - 0.4 * 120, abs=3)


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="0 < min_size < max_size"):
        Tracker((50, 50), 5000, TrackerConfig(min_size=50.0, max_size=20.0))
    with pytest.raises(ValueError, match="dt must be at least 1 us"):
        track(moving(0)[0], dt="0ms")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_device_is_named():
    with pytest.raises(ValueError, match="no CUDA device"):
        track(moving(0)[0], device="cuda")


NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def disordered():
    """Three objects that cross; the time of some events steps back."""
    events, _ = record(SHAPES, (240, 180), "700ms", hot_pixels=10)
    order = np.argsort(events.t + np.random.default_rng(0).integers(-3000, 3000, len(events)), kind="stable")
    return events[order]


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("dt", ["2ms", "5ms"])
def test_the_device_does_not_matter(dt):
    events = disordered()
    here, there = track(events, dt=dt), track(events, dt=dt, device="cuda")
    assert len(here.ids) == 3
    for name, column in vars(here).items():
        assert np.allclose(column, getattr(there, name), rtol=0, atol=1e-6), name


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("batch", [1, 5, 32])
def test_many_windows_at_once_on_a_gpu_are_seen_as_one_by_one(batch):
    """What is kept of each window, the map, its background and regions, and what the events say of the targets."""
    events, dt = disordered(), 2000
    one, two = (Tracker(events.sensor, dt, device=device) for device in ("cpu", "cuda"))
    clean, watch = BackgroundActivityFilter(events.sensor, 2 * dt, late="hold"), two.watch(2 * dt)
    cut = [window for _, window in windows([events], dt, start=0)]
    rows = looks = 0
    for at in range(0, len(cut), batch):
        for k, (part, sight) in enumerate(watch(cut[at : at + batch])):
            window = cut[at + k]
            keep = clean.keep(window)
            assert np.array_equal(part.columns[-1][part.first : part.last].cpu().numpy(), keep)
            wanted = one.see(Events(*window[keep].columns, sensor=events.sensor))
            assert (wanted is None) == (sight is None)
            if wanted is not None:
                looks += 1
                assert sight.background == wanted.background
                assert np.array_equal(sight.regions, wanted.regions)
            end = (at + k + 1) * dt
            found, known = two.follow(part, end, sight), one.follow(window[keep], end, wanted)
            assert np.allclose(found, known, rtol=0, atol=1e-6) if known else not found
            rows += len(known)
    assert looks > 100
    assert rows > 300
    with pytest.raises(ValueError, match="outside"):
        watch([Events([0], [240], [0], [1]), Events([1], [0], [0], [1])])


def test_the_tracker_names_devices_that_it_does_not_know():
    with pytest.raises(ValueError, match="cpu or cuda"):
        Tracker((50, 50), 5000, device="meta")


def test_spinning_marker(recordings):
    tracks = track(recordings / "spinning-marker.evt2.raw")
    assert tracks.ids == [1]
    fit = np.loadtxt(recordings / "spinning-marker.track.csv", delimiter=",", comments="#")
    first = 1_317_888
    assert len(tracks) * 500 > 0.95 * 50_000
    place = [np.interp(tracks.t_us - first, fit[:, 0], fit[:, k]) for k in (4, 5)]
    assert np.median(np.hypot(tracks.x - place[0], tracks.y - place[1])) < 3


def test_traffic(recordings):
    """Two cars, drawn up from the pictures of the camera, and perhaps the third far away."""
    tracks = track(recordings / "traffic.aedat4")
    spans = {number: tracks[tracks.id == number] for number in tracks.ids}
    near = [span for span in spans.values() if np.median(span.w) > 20]
    assert len(near) == 2
    windows = tracks.frame.max()
    for span, start in zip(sorted(near, key=lambda span: span.x[0]), [(66, 232), (217, 166)], strict=True):
        assert len(span) >= 0.9 * windows
        assert np.hypot(span.x[0] - start[0], span.y[0] - start[1]) < 8
        assert span.x[-1] > span.x[0]


def test_moving_dark_box(recordings):
    tracks = track(recordings / "moving-dark-box.aedat")
    longest = max((tracks[tracks.id == number] for number in tracks.ids), key=len)
    assert len(longest) * 20_000 > 0.9 * 39_810_046
    assert np.median(longest.w) > 40


def test_detections_are_assigned_to_the_tracks_that_predict_them():
    """Two boxes that pass each other, one of them unseen for a while, in any order of the rows."""
    tracker, rows = DetectionTracker(dt_us=10_000), []
    for k in range(60):
        boxes = np.array([[10.0 + 3 * k, 20.0, 20.0, 20.0], [190.0 - 3 * k, 44.0, 20.0, 20.0]])
        boxes = boxes[:1] if 25 <= k < 32 else boxes
        rows += tracker.update(Detections.of_boxes(boxes[RANDOM.permutation(len(boxes))]))
    tracks = Tracks.of(rows)
    assert tracks.ids == [1, 2]
    for number in tracks.ids:
        path = tracks[tracks.id == number]
        assert len(path) == 60
        assert np.ptp(path.y) < 2
        assert abs(path.x[-1] - path.x[0]) == pytest.approx(3 * 59, abs=2)
    tracker.reset()
    assert tracker.update(Detections.of_boxes(np.zeros((0, 4)))) == []


def test_the_size_of_a_box_is_filtered_in_its_log():
    """One that stays is told as it is; what grows at a steady rate lags behind; noise is averaged, shape by shape."""

    def last(widths, score=1.0):
        tracker, rows = DetectionTracker(dt_us=10_000), []
        for w in widths:
            box = np.array([[100 - w / 2, 90, w, 20.0]])
            rows = tracker.update(Detections.of_boxes(box, score=np.array([score])))
        return rows[-1][5:7]

    assert last([14.0] * 9) == pytest.approx((14, 20))
    growing = 20 * 1.005 ** np.arange(200)
    assert 0.95 * growing[-1] < last(growing)[0] < growing[-1]
    noisy = 30 * np.exp(0.1 * RANDOM.normal(size=(40, 60)))
    assert np.std([np.log(last(widths)[0]) for widths in noisy]) < 0.06
    assert abs(last([30.0] * 20 + [60.0], 0.2)[0] - 30) < abs(last([30.0] * 20 + [60.0])[0] - 30)


def test_the_state_of_a_size_is_the_conditional_gaussian():
    half, doubt = np.array([[4.0, 9.0], [7.0, 7.0]]), np.array([[0.04, 0.09], [0.01, 0.01]])
    kalman.resize(half, doubt, np.array([0]), np.array([[8.0, 9.0]]), np.array([0.2]))
    assert doubt[0] == pytest.approx([1 / (1 / 0.04 + 1 / 0.04), 1 / (1 / 0.09 + 1 / 0.04)])
    assert np.log(half[0, 0]) == pytest.approx((np.log(4) + np.log(8)) / 2)
    assert half[0, 1] == pytest.approx(9)
    assert half[1].tolist() == [7.0, 7.0]


def test_the_less_sure_a_box_is_the_less_it_says():
    """One box in a straight row is off by 3 px: the track follows it as far as its score tells."""
    off = []
    for score in (1.0, 0.5, 0.2):
        tracker = DetectionTracker(dt_us=10_000)
        for k in range(40):
            box = [2.0 * k + 3.0 * (k == 39), 20.0, 30.0, 30.0]
            rows = tracker.update(Detections.of_boxes([box], np.array([score if k == 39 else 1.0])))
        off.append(rows[0][3] - (2.0 * 39 + 15))
    assert off[0] > off[1] > off[2] > 0


def test_scale_space_finds_place_and_size():
    detector = ScaleSpaceDetector((120, 90), 12.0, 40.0)
    with pytest.raises(ValueError, match=r"shape \[2, 90, 120\]"):
        detector(torch.zeros(90, 120))
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(120.0), indexing="ij")
    frame = torch.zeros(2, 90, 120)
    for cx, cy, radius in ((30, 40, 7.0), (80, 50, 16.0)):
        ring = ((torch.hypot(x - cx, y - cy) - radius).abs() < 0.7).float()
        frame += torch.stack([ring * (x < cx), ring * (x > cx)])  # it moves to the right
    found = detector(frame)[:2]
    order = found.x.argsort()
    assert torch.allclose(found.x[order], torch.tensor([30.0, 80.0]), atol=1)
    assert torch.allclose(found.w[order], torch.tensor([14.0, 32.0]), rtol=0.3)
    detector.reset()
    assert len(detector(frame * 0)) == 0


def test_a_slow_temporal_channel_sees_what_a_fast_one_misses():
    """A ring of which every frame shows a few pixels; each channel alone answers as a detector of its own."""
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(120.0), indexing="ij")
    ring = ((torch.hypot(x - 60, y - 45) - 12).abs() < 0.7).float()
    chance = torch.Generator().manual_seed(0)
    frames = [torch.stack([ring, ring]) * (torch.rand(2, 90, 120, generator=chance) < 0.04) for _ in range(60)]
    alone = [ScaleSpaceDetector((120, 90), decay=decay) for decay in (0.3, 0.95)]
    both = ScaleSpaceDetector((120, 90), decay=(0.3, 0.95))
    for frame in frames:
        fast, slow = (detector(frame) for detector in alone)
        found = both(frame)
    assert len(fast) == 0
    assert (len(slow), len(found)) == (1, 1)
    assert torch.allclose(both.response(), torch.maximum(*(detector.response() for detector in alone)))
    assert (abs(found.x[0] - 60), abs(found.y[0] - 45)) <= (2, 2)
    with pytest.raises(ValueError, match="0 <= decay < 1"):
        ScaleSpaceDetector((120, 90), decay=(0.3, 1.0))


def test_detections_check_their_columns_and_keep_their_device():
    with pytest.raises(ValueError, match="differ in length"):
        Detections(np.zeros(2), np.zeros(2), np.ones(1), np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="must be positive"):
        Detections.of_boxes(np.array([[0.0, 0.0, 0.0, 4.0]]))
    with pytest.raises(ValueError, match="must be finite"):
        Detections.of_boxes([[np.nan, 0.0, 3.0, 4.0]])
    with pytest.raises(ValueError, match="must be finite"):
        Detections.of_boxes([[1.0, 0.0, 3.0, 4.0]], np.array([np.nan]))
    with pytest.raises(ValueError, match=r"shape \[n, 4\].*got \(2, 3\)"):
        Detections.of_boxes(np.zeros((2, 3)))
    found = Detections.of_boxes(torch.tensor([[0.0, 0.0, 2.0, 4.0]]))
    assert isinstance(found.boxes, torch.Tensor)
    assert found.numpy().boxes.tolist() == Detections.of_boxes([[0, 0, 2, 4]]).boxes.tolist() == [[0, 0, 2, 4]]
    assert len(Detections.of_boxes([])) == 0


ROWS = [
    (1, 5_000, 1, 10.0, 20.0, 8.0, 6.0, 1.5, 0.0, 1.0, 0, 42),
    (2, 10_000, 3, 1.5, 2.0, 8.0, 6.0, 0.0, 0.0, 0.5, 1, 0),
]


def test_tracks_are_the_same_on_a_device(tmp_path):
    tracks = Tracks.of(ROWS)
    there = tracks.to("cpu")
    assert all(isinstance(column, torch.Tensor) for column in vars(there).values())
    assert there.boxes.tolist() == tracks.boxes.tolist()
    assert (there.ids, there[1]) == ([1, 3], ROWS[1])
    assert list(there[there.id == 3].rows()) == ROWS[1:]
    for write in (Tracks.to_csv, Tracks.to_mot):
        write(tracks, tmp_path / "a")
        write(there, tmp_path / "b")
        assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
    assert list(there.numpy().rows()) == ROWS
    assert there.numpy().frame.dtype == np.int64


def test_supervision_gets_corners_ids_and_a_class(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", SimpleNamespace(Detections=lambda **given: given))
    for tracks in (Tracks.of(ROWS), Tracks.of(ROWS).to("cpu")):
        given = tracks.to_supervision()
        assert given["xyxy"].tolist() == [[6, 17, 14, 23], [-2.5, -1, 5.5, 5]]
        assert [given[name].tolist() for name in ("confidence", "tracker_id", "class_id")] == [[1, 0.5], [1, 3], [0, 0]]
    given = Detections.of_boxes(torch.tensor([[0.0, 0.0, 2.0, 4.0]])).to_supervision()
    assert given["xyxy"].tolist() == [[0, 0, 2, 4]]
    assert given["tracker_id"] is None


@pytest.mark.parametrize("name", ["found.txt", "found.csv"])
def test_detections_survive_files(name, tmp_path):
    frames = [Detections.of_boxes([[0.0, 1.0, 2.0, 4.0], [5.25, 6.0, 7.5, 8.0]], np.array([0.5, 1.0]))]
    frames += [Detections.of_boxes([]), frames[0][:1].to("cpu")]
    write_detections(tmp_path / name, frames)
    read = read_detections(tmp_path / name)
    assert [frame.boxes.tolist() for frame in read] == [frame.boxes.tolist() for frame in frames]
    assert [frame.score.tolist() for frame in read] == [[0.5, 1.0], [], [0.5]]
    write_detections(tmp_path / name, [])
    assert read_detections(tmp_path / name) == []
    for wrong, what in (
        ("1,2,3\n", "line 1: not MOT"),
        ("frame,x,y,w,h,score\n1,2\n", "numbers of frame"),
        ("0,1,2,3,4,5\n", "from 1"),
    ):
        (tmp_path / name).write_text(wrong)
        with pytest.raises(ValueError, match=what):
            read_detections(tmp_path / name)


def test_damaged_tables_are_told_with_their_line(tmp_path):
    path = tmp_path / "t.csv"
    Tracks.of(ROWS).to_csv(path)
    whole = path.read_text()
    path.write_text(whole + "\n\n")
    assert list(Tracks.from_csv(path).rows()) == ROWS
    for cut in (whole[:-9], whole.replace("42", "x")):
        path.write_text(cut)
        with pytest.raises(ValueError, match=r"t.csv, line [23]: not the 12 numbers of a row of tracks"):
            Tracks.from_csv(path)


@pytest.mark.parametrize("kind", [Tracker, LearnedTracker, DetectionTracker])
def test_what_no_tracker_can_be_made_of_is_told(kind):
    def made(dt, sensor=(64, 48)):
        return kind(dt, sensor=sensor) if kind is DetectionTracker else kind(sensor, dt)

    assert made("5ms").dt_us == made(5_000).dt_us == 5_000
    for dt in (0, -1, 1500.5, "5"):
        with pytest.raises(ValueError, match=r"at least 1 us|not a duration"):
            made(dt)
    with pytest.raises(ValueError, match="both positive"):
        made(5_000, (0, 48))
    with pytest.raises(ValueError, match="max_age must be"):
        TrackerConfig(max_age=-1.0)
    with pytest.raises(TypeError, match="expected Detections"):
        DetectionTracker("5ms").update(np.zeros((1, 4)))


def test_mot_text_in_and_out(tmp_path):
    tracks = Tracks.of([(2, 10_000, 3, 10.0, 20.0, 8.0, 6.0, 0.0, 0.0, 0.5, 1, 0)])
    tracks.to_mot(tmp_path / "t.txt")
    assert list(Tracks.from_mot(tmp_path / "t.txt").rows()) == list(tracks.rows())
    (tmp_path / "t.txt").write_text("\n1,2,3,4,5,6\n\n")
    assert Tracks.from_mot(tmp_path / "t.txt").score.tolist() == [1]
    (tmp_path / "t.txt").write_text("1,2,3,4,nan,6\n")
    with pytest.raises(ValueError, match="in finite numbers"):
        Tracks.from_mot(tmp_path / "t.txt")
    (tmp_path / "t.txt").write_text("1,2,x\n")
    with pytest.raises(ValueError, match="line 1: not MOTChallenge text"):
        Tracks.from_mot(tmp_path / "t.txt")


def test_objects_that_touch_at_first_become_two_tracks():
    pair = [Shape("square", 26.0, (60.0, 60.0), (-80.0, 0.0)), Shape("square", 26.0, (84.0, 62.0), (80.0, 10.0))]
    events, truth = record(pair, (160, 120), "600ms", noise_rate=0.2)
    tracks = track(events, dt="5ms")
    last = tracks[tracks.frame == tracks.frame.max()]
    assert sorted(last.x) == pytest.approx(sorted(truth[-1, :, 0]), abs=3)
    assert np.median(last.w) < 40


def test_objects_that_are_one_region_at_first_part_as_soon_as_a_stripe_is_between_them():
    """Two of the five, of which one is three times smaller, are linked by their events for half a second."""
    events, truth = tracking_benchmark(15, "250ms")
    tracks = track(events, dt="2ms")
    now, true = tracks[tracks.t_us == 200_000], truth[truth.t_us == 200_000]
    assert len(now) == 5
    apart = np.hypot(now.x[:, None] - true.x, now.y[:, None] - true.y)
    nearest = apart.argmin(0)
    assert sorted(nearest) == list(range(5))
    assert (apart.min(0) < 2).all()
    assert (abs(now.w[nearest] - true.w) < 3).all()


def test_the_sides_of_one_object_are_no_objects():
    """A large square shows as two edges far apart, one of ON and one of OFF events."""
    events, truth = record([Shape("square", 40.0, (50.0, 60.0), (70.0, 0.0))], (160, 120), "600ms", noise_rate=0.2)
    tracks = track(events, dt="2ms")
    last = tracks[tracks.frame == tracks.frame.max()]
    assert last.id.tolist() == [1]
    assert last.x == pytest.approx(truth[-1, 0, 0], abs=1)
    assert last.w == pytest.approx(40, abs=3)
    assert np.std(np.diff(tracks.x[tracks.t_us > 300_000])) < 0.2


@pytest.mark.parametrize("form", ["circle", "square", "triangle"])
@pytest.mark.parametrize("velocity", [(150.0, 0.0), (90.0, 110.0)])
def test_boxes_are_as_large_as_the_object(form, velocity):
    shape = Shape(form, 30.0, (40.0, 40.0), velocity)
    events, _ = record([shape], (180, 160), "500ms", noise_rate=0.5)
    tracks = track(events, dt="2ms")
    last = tracks[tracks.frame > 0.8 * tracks.frame.max()]
    wide, high = (15 * np.sqrt(3), 22.5) if form == "triangle" else (30, 30)
    assert np.median(last.w) == pytest.approx(wide, rel=0.07)
    assert np.median(last.h) == pytest.approx(high, rel=0.07)


@pytest.mark.parametrize("sided", [False, True])
def test_a_stripe_parts_what_has_both_polarities_on_both_sides(sided):
    fleet, parting = Fleet(TrackerConfig(), 2.0), Parting(3.0, looks=3, sensor=(100, 80), look_every=2)
    fleet.add(np.array([50.0, 40.0]), np.array([20.0, 10.0]), 1)
    x = np.concatenate([RANDOM.integers(34, 44, 200), RANDOM.integers(54, 66, 200)])
    y = RANDOM.integers(32, 48, 400)
    p = (np.arange(400) < 200) if sided else np.arange(400) % 2
    parts = [parting.part(fleet, Events(np.full(400, 4000), x, y, p), 4000, 2000) for _ in range(12)]
    assert any(parts) != sided
    if not sided:
        ((low, high),) = next(part for part in parts if part).values()
        assert np.allclose(sorted([low.mean(0)[0], high.mean(0)[0]]), [38.5, 59.5], atol=1)


@pytest.mark.parametrize("n", [5, 30])
def test_events_go_to_the_nearest_target_in_reach(n):
    """As a plain search through all targets says; some events are late, some off the sensor."""
    random = np.random.default_rng(n)
    m, dt, sensor = 4000, 2000, (80, 60)
    state = np.concatenate([random.uniform(20, 50, (n, 2)), random.normal(size=(n, 2)) * 4], 1)
    half = random.uniform(4, 9, (n, 2))
    reach, gate = 1.3 * half, 1.2 * half
    crowd = np.triu(random.random((n, n)) < 0.5, 1)
    crowd |= crowd.T
    crowd[0] = False
    x, y, t = random.integers(-3, 83, m), random.integers(-3, 63, m), 10_000 - random.integers(-500, 3000, m)
    p = random.integers(0, 2, m)
    counts = attribute(Events(t, x, y, p), 10_000, dt, sensor, state, half, reach, gate, crowd)
    shares = Shares.of(counts, reach, crowd)
    place = state[:, None, :2] - state[:, None, 2:] * ((10_000 - t) / dt)[:, None]
    d = np.stack([x, y], 1) - place  # [n, m, 2]
    inside = (abs(d) < reach[:, None]).all(2)
    apart = np.where(inside, ((d / half[:, None]) ** 2).sum(2), np.inf)
    owner, mine = apart.argmin(0), inside.any(0)
    alone = mine & ~(crowd[owner].T & (abs(d) <= gate[:, None]).all(2)).any(0)
    assert mine.sum() > 100
    assert 0 < alone.sum() < mine.sum()
    assert shares.events.tolist() == np.bincount(owner[mine], minlength=n).tolist()
    assert shares.on.tolist() == np.bincount(owner[mine & (p == 1)], minlength=n).tolist()
    assert shares.clear.tolist() == np.bincount(owner[alone], minlength=n).tolist()
    for k in np.flatnonzero(shares.clear > 5):
        own = d[k, alone & (owner == k)]
        assert np.allclose(shares.mean[k], own.mean(0))
        beyond = 0 if crowd[k].any() else len(own) / (len(own) + 20)
        for found, share, inner in ((shares.low[k], 0.05, 0.1), (shares.high[k], 0.95, 0.9)):
            edge, further_in = np.quantile(own, (share, inner), axis=0, method="inverted_cdf")
            assert (abs(found - edge - beyond * (edge - further_in)) <= 6 * reach[k] / 128 + 1e-9).all()


_WATCHED = """
from contextlib import nullcontext

import numpy as np
import torch
from eventsnn import Events
from eventsnn.datasets.shapes import Shape, record
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.frames import windows
from eventsnn.track import Tracker

class Nothing:
    def __init__(self, *arguments, **named): pass
    def synchronize(self): pass
    def record(self, stream): pass

cuda, empty = torch.cuda, torch.empty  # everything is done at once, on the CPU
cuda.Stream, cuda.Event, cuda.synchronize, cuda.stream = Nothing, Nothing, lambda device: None, lambda s: nullcontext()
torch.empty = lambda *size, pin_memory=False, **named: empty(*size, **named)
from eventsnn.track.gpu import Watch

events, _ = record([Shape("circle", 20.0, (25.0, 24.0), (100.0, 20.0))], (60, 48), "40ms", noise_rate=5.0)
order = np.argsort(events.t + np.random.default_rng(0).integers(-1500, 1500, len(events)), kind="stable")
dt, looks, regions, tracker = 2000, 0, 0, Tracker(events.sensor, 2000)
clean = BackgroundActivityFilter(events.sensor, 2 * dt, late="hold")
watch = Watch(Tracker(events.sensor, dt).regions, 2 * dt, 2, tracker.config.birth_z, torch.device("cpu"))
cut = [window for _, window in windows([events[order]], dt, start=0)]
for at in range(0, len(cut), 5):
    for window, (part, sight) in zip(cut[at : at + 5], watch(cut[at : at + 5])):
        keep = clean.keep(window)
        assert np.array_equal(part.columns[-1][part.first : part.last].numpy(), keep)
        wanted = tracker.see(window[keep])
        assert (sight is None) == (wanted is None)
        if wanted is not None:
            looks, regions = looks + 1, regions + len(wanted.regions)
            assert (sight.background, sight.events) == (wanted.background, wanted.events)
            assert np.allclose(sight.regions, wanted.regions)
assert looks == 10 and regions > 5
"""


def test_what_a_gpu_sees_of_windows_is_seen_in_the_interpreter_of_its_kernels(interpreted):
    interpreted(_WATCHED)


_INTERPRETED = """
import numpy as np
import torch
from eventsnn import Events
from eventsnn.filters import BackgroundActivityFilter
from eventsnn.track import RegionDetector
from eventsnn.track import gpu_kernels as kernels
from eventsnn.track.attribution import FIELDS, HEAD, attribute
from eventsnn.track.gpu_attribution import tell

random, n, m, width, height, room = np.random.default_rng(0), 7, 3000, 80, 60, 16
t, p = np.sort(random.integers(8000, 10_000, m)), random.integers(0, 2, m).astype(np.uint8)
x, y = (random.integers(0, size, m).astype(np.int16) for size in (width, height))
events = Events(t, x, y, p, sensor=(width, height))
columns = [torch.from_numpy(column) for column in (t, x, y, p)]

grid, pixels = (-(-m // 256),), width * height
pixel, keep, fault = torch.empty(m, dtype=torch.int32), torch.empty(m, dtype=torch.int8), torch.zeros(1).int()
kernels.locate[grid](*columns[1:3], pixel, fault, m, width, height, 256)
pixel, order = torch.sort(pixel, stable=True)
ends, latest = torch.zeros(2, pixels + 1, dtype=torch.int32), torch.full((pixels + 1,), -(2**63))
kernels.runs[grid](pixel, *ends, m, 256)
seen, counts, looks = torch.zeros(2, pixels).int(), torch.zeros(2, 40 * 30).int(), torch.tensor([1000])
sizes = m, 12, 1, 100, width, height, 40, 40 * 30, 2, 2, True, 256
kernels.judge[grid](*columns[:3], order, *ends, latest, keep, looks, seen, counts, *sizes)
wanted = BackgroundActivityFilter((width, height), tau=100, late="hold").keep(events)
assert fault == 0 and 200 < wanted.sum() < 2800
assert np.array_equal(keep.numpy().astype(bool), wanted)
for look, part in enumerate((slice(1000), slice(1000, m))):
    of = np.bincount((y.astype(int) * width + x)[part][wanted[part]], minlength=pixels)
    assert np.array_equal(seen[look].numpy(), of)
    cells = np.minimum(of, 2).reshape(30, 2, 40, 2).sum((1, 3))
    assert np.array_equal(counts[look].view(30, 40).numpy(), cells)

regions = RegionDetector((width, height), scale=9.0, decay=0.5)
regions.map.copy_(torch.from_numpy(random.poisson(0.3, (height, width))))
cells, side, r = regions.map.view(1, -1), regions.block, len(regions.taps) // 2
across, blocks = width // side, (width // side) * (height // side)
sums, half, z = torch.empty(1, blocks, dtype=torch.float64), torch.empty_like(cells), torch.empty_like(cells)
kernels.block_sums[(1, 1)](cells, sums, width, pixels, across, blocks, side, 256)
mean = regions.background()
assert sums.sort(1).values[0, regions.rank].item() / side**2 == mean
spread = np.sqrt(4 * np.pi * regions.scale / (mean / 1.5))
given = torch.from_numpy(regions.taps), torch.tensor([mean]).float(), torch.tensor([spread]).float(), height, width, r
kernels.smooth[(-(-pixels // 256), 1)](cells, half, *given, width, True, 256)
kernels.smooth[(-(-pixels // 256), 1)](half, z, *given, 1, False, 256)
assert np.allclose(z.view(height, width).numpy(), regions.response(mean), atol=1e-4)

state = np.concatenate([random.uniform(20, 60, (n, 2)), random.normal(size=(n, 2)) * 3], 1)
half = random.uniform(4, 9, (n, 2))
crowd = np.triu(random.random((n, n)) < 0.5, 1)
crowd |= crowd.T
targets = state, half, 1.3 * half, 1.2 * half, crowd
told, counts = np.zeros(10 + room * (10 + room)), torch.zeros(room, FIELDS, dtype=torch.int64)
pointers = [column.data_ptr() for column in (*columns, keep)]
tell(told, room, (*pointers, 0, m, 10_000), *targets)
length = torch.tensor(2000.0, dtype=torch.float64)
kernels.assign[(3,)](torch.from_numpy(told), length, counts, 10 + room, FIELDS, HEAD, 256)
assert np.array_equal(counts[:n].numpy(), attribute(events[wanted], 10_000, 2000, (width, height), *targets))
"""


def test_gpu_kernels_in_their_interpreter_see_and_attribute_what_the_cpu_does(interpreted):
    interpreted(_INTERPRETED)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_complete_files_marked_as_partial(number, tmp_path, monkeypatch, capsys):
    """Those of all windows that were tracked, also of those whose rows are held back."""
    eventsnn.io.write(tmp_path / "disc.raw", moving(0)[0], format="EVT2")
    follow = Tracker.follow

    def interrupted(tracker, *arguments):
        if tracker.frame == 99:
            signal.raise_signal(number)
        return follow(tracker, *arguments)

    monkeypatch.setattr(Tracker, "follow", interrupted)
    assert cli.main(["track", str(tmp_path / "disc.raw"), "--out", str(tmp_path / "out"), "--dt", "5ms"]) == 130
    assert "first 500 ms, marked as partial" in capsys.readouterr().err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["partial"]
    assert report["duration_us"] == 500_000
    assert Tracks.from_csv(tmp_path / "out" / "tracks.csv").frame.max() == 100
    assert len(Tracks.from_mot(tmp_path / "out" / "tracks.txt")) == report["tracks"][0]["windows"]
    with av.open(str(tmp_path / "out" / "tracks.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) > 5


def test_a_run_without_motion_or_codec_says_so(tmp_path, monkeypatch, capsys):
    noise, _ = record([], (60, 40), "200ms", noise_rate=2.0)
    eventsnn.io.write(tmp_path / "noise.raw", noise, format="EVT2")
    monkeypatch.setattr(av.codec, "Codec", lambda *_: (_ for _ in ()).throw(ValueError("none")))
    pipeline.run(pipeline.Config(tmp_path / "noise.raw", out=tmp_path / "out"))
    said = capsys.readouterr().out
    assert "no object moved" in said
    assert "no H.264 encoder" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.json",
        "tracks.csv",
        "tracks.png",
        "tracks.txt",
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["tracks"] == []


def later(events, us):
    return Events(events.t + us, events.x, events.y, events.p, sensor=events.sensor)


@pytest.mark.parametrize("pause", [600_000_000, 10**15])
def test_a_pause_of_minutes_ends_all_tracks_and_fills_neither_time_nor_video(pause, tmp_path, capsys):
    """What comes after it is tracked as it would be by itself, at its own time."""
    before, after = moving(0)[0], moving(100_000)[0]
    write_csv(tmp_path / "pause.csv", Events.concatenate([before, later(after, pause)]))
    assert cli.main(["track", str(tmp_path / "pause.csv"), "--out", str(tmp_path / "out"), "--dt", "5ms"]) == 0
    assert "a pause without events: all tracks end there" in capsys.readouterr().out
    found = Tracks.from_csv(tmp_path / "out" / "tracks.csv")
    assert found.ids == [1, 2]
    alone = track(after, dt="5ms")
    second = found[found.id == 2]
    assert (second.frame - pause // 5000).tolist() == alone.frame.tolist()
    assert (second.t_us - pause).tolist() == alone.t_us.tolist()
    assert np.allclose(second.boxes, alone.boxes, atol=0.02)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["pauses_left_out"] == 1
    assert report["duration_us"] - report["left_out_us"] < 16_000_000
    with av.open(str(tmp_path / "out" / "tracks.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) < 16 * 60


def write_csv(path, events):
    columns = np.stack([events.t, events.x, events.y, events.p], 1)
    np.savetxt(path, columns, fmt="%d", delimiter=",", header="t,x,y,p", comments="")


def test_the_cuts_of_a_stream_with_a_pause_do_not_matter():
    events = moving(0)[0]
    events = Events.concatenate([events, later(events, 40_000_000), later(events, 90_000_000)])
    whole = list(track(events, dt="10ms").rows())
    edges = [0, *sorted(RANDOM.integers(0, len(events), 30).tolist()), len(events)]
    assert list(track([events[a:b] for a, b in itertools.pairwise(edges)], dt="10ms").rows()) == whole
    assert sorted({row[2] for row in whole}) == [1, 2, 3]


def test_events_out_of_order_and_without_a_sensor_are_tracked_and_told(tmp_path, capsys):
    events, truth = moving(0)
    order = np.argsort(events.t + RANDOM.integers(-2000, 2000, len(events)), kind="stable")
    write_csv(tmp_path / "mixed.csv", events[order])
    assert cli.main(["track", str(tmp_path / "mixed.csv"), "--out", str(tmp_path / "out"), "--dt", "5ms"]) == 0
    said = capsys.readouterr().out
    assert "the file does not name its sensor" in said
    assert "time steps back" in said
    (followed,) = compare(Tracks.from_csv(tmp_path / "out" / "tracks.csv"), [DISC], truth)
    assert followed.share > 0.95
    assert followed.median < 2


def test_the_report_tells_what_was_left_out_and_which_tracker_it_was(tmp_path, capsys):
    events, _ = moving(0)
    shifted = Events(events.t, events.x + 8, events.y, events.p, sensor=(250, 120))
    eventsnn.io.write(tmp_path / "wide.csv", shifted)
    asked = [
        "--sensor",
        "200",
        "120",
        "--on-error",
        "skip",
        "--start",
        "5s",
        "--no-video",
        "--out",
        str(tmp_path / "out"),
    ]
    assert cli.main(["track", str(tmp_path / "wide.csv"), *asked]) == 0
    assert "no events from --start to --stop" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert sum(report["events_dropped"].values()) == int((shifted.x >= 200).sum())
    assert (report["tracker"], report["duration_us"]) == ("untrained", 0)
    assert report["eventsnn"] == eventsnn.__version__


def test_empty_recordings_are_told(tmp_path, capsys):
    (tmp_path / "empty.csv").write_text("t,x,y,p\n")
    assert cli.main(["track", str(tmp_path / "empty.csv"), "--out", str(tmp_path / "out")]) == 0
    assert "holds no events" in capsys.readouterr().out
    assert len(Tracks.from_csv(tmp_path / "out" / "tracks.csv")) == 0


def test_results_that_cannot_be_written_are_told_before_the_work(tmp_path, monkeypatch, capsys):
    eventsnn.io.write(tmp_path / "disc.raw", moving(0)[0], format="EVT2")
    monkeypatch.setattr(pipeline, "survey", None)
    for out, what in ((tmp_path / "disc.raw", "is a file"), (tmp_path / "none" / "out", "no such folder")):
        assert cli.main(["track", str(tmp_path / "disc.raw"), "--out", str(out)]) == 2
        assert what in capsys.readouterr().err

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert cli.main(["track", str(tmp_path / "disc.raw"), "--out", str(tmp_path / "out")]) == 2
    assert "cannot write here: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("interrupt", [False, True])
def test_a_growing_file_gives_the_tracks_of_the_whole(interrupt, tmp_path, monkeypatch, capsys):
    eventsnn.io.write(tmp_path / "whole.raw", moving(0)[0], format="EVT2")
    data, path = (tmp_path / "whole.raw").read_bytes(), tmp_path / "growing.raw"
    edges = [len(data) // 3, *sorted(RANDOM.integers(len(data) // 3, len(data), 9).tolist()), len(data)]
    path.write_bytes(data[: edges[0]])
    pieces = itertools.pairwise(edges)

    def wait():
        low, high = next(pieces, (0, 0))
        with path.open("ab") as file:
            file.write(data[low:high])
        if interrupt and high == edges[5]:
            signal.raise_signal(signal.SIGINT)
        return high > 0

    monkeypatch.setattr(pipeline, "until_idle", lambda *_: wait)
    arguments = ["track", str(path), "--follow", "--dt", "5ms", "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == (130 if interrupt else 0)
    if not interrupt:
        path.write_bytes(data[: edges[0]])
        pieces = itertools.pairwise(edges)
        assert list(track(path, follow=True, dt="5ms").rows()) == list(track(tmp_path / "whole.raw", dt="5ms").rows())
    found, whole = Tracks.from_csv(tmp_path / "out" / "tracks.csv"), tmp_path / "whole.csv"
    track(tmp_path / "whole.raw", dt="5ms").to_csv(whole)
    rows = list(Tracks.from_csv(whole).rows())
    assert list(found.rows()) == rows[: len(found)]
    assert (len(found) < len(rows)) == interrupt
    assert len(found) > 0.3 * len(rows)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["partial"] == interrupt


def test_tracks_are_evaluated_from_files(tmp_path, capsys):
    tracks = track(moving(0)[0], dt="5ms")
    tracks.to_csv(tmp_path / "found.csv")
    tracks.to_mot(tmp_path / "truth.txt")
    files = [str(tmp_path / name) for name in ("found.csv", "truth.txt")]
    assert cli.main(["evaluate-tracks", *files, "--out", str(tmp_path / "scores.json")]) == 0
    assert "hota" in capsys.readouterr().out
    assert json.loads((tmp_path / "scores.json").read_text())["mota"] == 1
    assert cli.main(["evaluate-tracks", files[0], str(tmp_path / "none.txt")]) == 2
    (tmp_path / "far.txt").write_text("1,1,900,900,5,5\n")
    assert cli.main(["evaluate-tracks", str(tmp_path / "far.txt"), files[1], "-o", str(tmp_path / "far.json")]) == 0
    assert json.loads((tmp_path / "far.json").read_text(), parse_constant=pytest.fail)["error_mean"] is None


def test_the_latency_of_a_result_is_told_where_its_report_is(tmp_path, capsys):
    eventsnn.io.write(tmp_path / "disc.raw", moving(0)[0], format="EVT2")
    out = tmp_path / "out"
    assert cli.main(["track", str(tmp_path / "disc.raw"), "--dt", "20ms", "--no-video", "--out", str(out)]) == 0
    capsys.readouterr()
    compared = ["evaluate-tracks", str(out / "tracks.txt"), str(out / "tracks.txt")]
    assert cli.main(compared) == 0
    latency = json.loads((out / "report.json").read_text())["latency_ms"]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["latency_50", f"{latency['median']:.3f}", "ms"] in lines
    assert ["latency_99", f"{latency['99 %']:.3f}", "ms"] in lines
    assert cli.main(["evaluate-tracks", str(out), str(out / "tracks.csv")]) == 0
    assert "latency_50" in capsys.readouterr().out
    (out / "report.json").write_text("{}")
    assert cli.main(compared) == 0
    assert "latency" not in capsys.readouterr().out


def steady(dt_us, end_us, pause=(0, 0)):
    """Two objects on straight lines, a row every ``dt_us``; the second is away in ``pause``."""
    times = [(k, k * dt_us) for k in range(1, end_us // dt_us + 1)]
    place = {1: lambda t: (20 + t / 1000, 30.0), 2: lambda t: (90.0, 80 - t / 2000)}
    return Tracks.of(
        (k, t, i, *place[i](t), 10.0, 12.0, 0.0, 0.0, 1.0, 0, 5)
        for k, t in times
        for i in place
        if i == 1 or not pause[0] < t < pause[1]
    )


def test_tracks_are_compared_at_the_times_of_the_truth(tmp_path, capsys):
    truth, found = steady(5_000, 60_000, (20_000, 40_000)), steady(2_000, 60_000, (20_000, 40_000))
    truth.to_csv(tmp_path / "truth.csv")
    found.to_csv(tmp_path / "found.csv")
    assert cli.main(["evaluate-tracks", *(str(tmp_path / f"{n}.csv") for n in ("found", "truth"))]) == 0
    out, err = capsys.readouterr()
    scores = {line.split()[0]: float(line.split()[1]) for line in out.splitlines()}
    assert (scores["mota"], scores["idf1"], scores["error_mean"]) == (1, 1, 0)
    assert "every 5000 us" in err
    found.to_mot(tmp_path / "found.txt")
    assert cli.main(["evaluate-tracks", str(tmp_path / "found.txt"), str(tmp_path / "truth.csv")]) == 0
    assert "Two CSV files are compared by their times" in capsys.readouterr().err


@pytest.mark.parametrize("dt_us", [700, 2_000, 5_000, 9_000])
def test_resampled_rows_lie_on_the_line(dt_us):
    found = steady(2_000, 60_000, (20_000, 40_000))
    times = np.arange(dt_us, 60_000, dt_us)
    rows = resample(found, times)
    assert set(rows.t_us) <= set(times)
    assert (rows.t_us == times[rows.frame - 1]).all()
    inside = times[times >= 2_000]
    assert set(rows.t_us[rows.id == 1]) >= set(inside)
    first = rows[(rows.id == 1) & (rows.t_us >= 2_000)]
    np.testing.assert_allclose(first.x, 20 + first.t_us / 1000)
    away = rows.t_us[rows.id == 2]
    assert not ((away > 21_000) & (away < 39_000)).any()
    with pytest.raises(ValueError, match="increase"):
        resample(found, [5, 5])
