"""Filters against plain loops, however the stream is cut; selections, flips, time, merging, undistortion."""

import itertools

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eventsnn import Events
from eventsnn.filters import (
    BackgroundActivityFilter,
    DownsampleFilter,
    FlickerFilter,
    HotPixelFilter,
    RateLimiter,
    RefractoryFilter,
    SpatioTemporalCorrelationFilter,
    crop,
    downsample,
    event_counts,
    flip_lr,
    flip_ud,
    hot_pixels,
    mask,
    merge,
    merge_streams,
    only_polarity,
    remap,
    scale_time,
    shift_time,
    transpose,
    undistortion_map,
)
from eventsnn.structured import from_structured, to_structured

SENSOR = (6, 5)


def some(n, seed=0, sensor=SENSOR, start=0, span=500):
    random = np.random.default_rng(seed)
    t, x, y, p = (random.integers(0, high, n) for high in (span, *sensor, 2))
    return Events(start + np.sort(t), x, y, p, sensor=sensor)


def supported(events, tau, support, same_polarity=False):
    last, keep = {}, []
    for t, x, y, p in events:
        q = p if same_polarity else 0
        near = [last.get((x + dx, y + dy, q)) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0)]
        keep.append(sum(s is not None and s >= t - tau for s in near) >= support)
        last[x, y, q] = t
    return keep


def rested(events, period, same_polarity=False):
    last, keep = {}, []
    for t, x, y, p in events:
        place = x, y, p if same_polarity else 0
        keep.append(place not in last or t - last[place] >= period)
        if keep[-1]:
            last[place] = t
    return keep


def flickerless(events, period, tolerance, cycles):
    rise, count, before, keep = {}, {}, {}, []
    for t, x, y, p in events:
        place, longest = (x, y), period * (1 + tolerance)
        if place not in rise or t - rise[place] > longest:
            count[place] = 0
        if p and not before.get(place, 0):
            regular = place in rise and period * (1 - tolerance) <= t - rise[place] <= longest
            count[place] = count[place] + 1 if regular else 0
            rise[place] = t
        before[place] = p
        keep.append(count[place] < cycles)
    return keep


def cool(events, window, threshold):
    keep, hot, counts, start = [], np.zeros(SENSOR[::-1], bool), np.zeros(SENSOR[::-1], int), None
    for t, x, y, _ in events:
        start = t if start is None else start
        while t >= start + window:
            hot, counts, start = hot_pixels(counts, threshold), 0 * counts, start + window
        keep.append(not hot[y, x])
        counts[y, x] += 1
    return keep


FILTERS = {
    "background": (lambda: BackgroundActivityFilter(SENSOR, tau=40), lambda e: supported(e, 40, 1)),
    "correlation": (lambda: SpatioTemporalCorrelationFilter(SENSOR, 40, 2), lambda e: supported(e, 40, 2)),
    "correlation of a polarity": (
        lambda: SpatioTemporalCorrelationFilter(SENSOR, 90, 3, same_polarity=True),
        lambda e: supported(e, 90, 3, True),
    ),
    "refractory": (lambda: RefractoryFilter(SENSOR, 100), lambda e: rested(e, 100)),
    "refractory by polarity": (
        lambda: RefractoryFilter(SENSOR, 100, same_polarity=True),
        lambda e: rested(e, 100, True),
    ),
    "flicker": (
        lambda: FlickerFilter(SENSOR, 1e6 / 80, tolerance=0.5, cycles=1),
        lambda e: flickerless(e, 80, 0.5, 1),
    ),
    "hot": (lambda: HotPixelFilter(SENSOR, window=100, threshold=1.5), lambda e: cool(e, 100, 1.5)),
    "rate": (lambda: RateLimiter(SENSOR, 4, window=30, seed=3), None),
    "downsample": (lambda: DownsampleFilter(SENSOR, 2, period=100), lambda e: rested(downsample(e, 2), 100)),
}
TRUE = [name for name, (_, truth) in FILTERS.items() if truth]
every = pytest.mark.parametrize("name", FILTERS)


@pytest.mark.parametrize("name", TRUE)
@given(n=st.integers(0, 80), seed=st.integers(0, 99), start=st.sampled_from([0, -7, 2**31 - 200, 2**45]))
def test_equals_a_plain_loop(name, n, seed, start):
    make, truth = FILTERS[name]
    events = some(n, seed, start=start)
    expected = np.array(truth(events), bool)
    assert np.array_equal(make().keep(events), expected)


@every
@given(n=st.integers(0, 80), seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 80), max_size=3))
def test_chunked_equals_whole_and_reset_begins_anew(name, n, seed, cuts):
    whole, parts = FILTERS[name][0](), FILTERS[name][0]()
    events, edges = some(n, seed), [0, *sorted(cuts), n]
    kept = whole(events)
    assert Events.concatenate([parts(events[a:b]) for a, b in itertools.pairwise(edges)]) == kept
    whole.reset()
    assert whole(events) == kept


@pytest.mark.parametrize("name", ["refractory", "refractory by polarity", "rate"])
@given(n=st.integers(0, 80), seed=st.integers(0, 99))
def test_filtering_twice_changes_nothing(name, n, seed):
    kept = FILTERS[name][0]()(some(n, seed))
    assert FILTERS[name][0]()(kept) == kept


@every
def test_few_events_and_all_at_once(name):
    make = FILTERS[name][0]
    assert len(make()(Events.empty(SENSOR))) == 0
    one = make()(Events([2**40], [5], [4], [1], sensor=SENSOR))
    assert len(one) == ("correlation" not in name and name != "background")
    at_once = some(60, span=1)
    truth = FILTERS[name][1]
    assert truth is None or np.array_equal(make().keep(at_once), np.array(truth(at_once), bool))


@every
def test_takes_torch_columns_odd_dtypes_and_record_arrays(name):
    make, events = FILTERS[name][0], some(70, 5)
    kept = make()(events)
    on_torch = make()(events.to("cpu"))
    assert isinstance(on_torch.t, torch.Tensor)
    assert on_torch == kept
    columns = events.t, events.x.astype(np.uint16), events.y.astype(np.uint16), events.p > 0
    assert make()(Events(*columns, sensor=SENSOR)) == kept
    array = to_structured(events, np.dtype([("t", "f8"), ("p", int), ("x", int), ("y", "u1")]))[::1]
    with pytest.raises(ValueError, match="t must be int64"):
        make()(array)
    array = array.astype([("t", int), ("p", int), ("x", int), ("y", "u1")])
    result = make()(array)
    assert result.dtype == array.dtype
    assert from_structured(result, kept.sensor) == kept


@every
def test_time_that_steps_back_is_an_error_or_held(name):
    make, (t, x, y, p) = FILTERS[name][0], some(50, 2).columns
    late = np.where(np.arange(50) % 7 == 3, t - 60, t)
    unsorted = Events(late, x, y, p, sensor=SENSOR)
    with pytest.raises(ValueError, match=r"event 3 at .* us comes after one at"):
        make()(unsorted)
    carried = make()
    carried(unsorted[2:3])
    with pytest.raises(ValueError, match="reset"):
        carried(unsorted[3:4])
    holding, held = make(), Events(np.maximum.accumulate(late), x, y, p, sensor=SENSOR)
    holding.late = "hold"
    keep = np.concatenate([holding.keep(unsorted[:20]), holding.keep(unsorted[20:])])
    assert np.array_equal(keep, make().keep(held))
    holding.reset()
    assert set(holding(unsorted).t.tolist()) <= set(late.tolist())


@every
def test_events_outside_the_sensor_are_named(name):
    with pytest.raises(ValueError, match=r"event 1 at \(6, 0\) lies outside the 6x5 sensor"):
        FILTERS[name][0]()(Events([0, 1], [5, 6], [0, 0], [0, 0]))
    with pytest.raises(ValueError, match=r"event 0 at \(0, -1\)"):
        FILTERS[name][0]()(Events([0], [0], [-1], [0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BackgroundActivityFilter(SENSOR, tau=0), "tau must be at least 1 us"),
        (lambda: BackgroundActivityFilter((0, 5)), "both positive"),
        (lambda: BackgroundActivityFilter(SENSOR, late="drop"), "late must be 'raise' or 'hold'"),
        (lambda: SpatioTemporalCorrelationFilter(SENSOR, support=9), r"1\.\.8"),
        (lambda: RefractoryFilter(SENSOR, "0us"), "period must be at least 1 us"),
        (lambda: HotPixelFilter(SENSOR, window=-1), "window must be at least 1 us"),
        (lambda: HotPixelFilter(SENSOR, threshold=0), "threshold must be positive"),
        (lambda: HotPixelFilter(SENSOR, hot=np.zeros(SENSOR, bool)), r"\(5, 6\), got the shape \(6, 5\)"),
        (lambda: FlickerFilter(SENSOR, 0), "frequency must lie"),
        (lambda: FlickerFilter(SENSOR, tolerance=1), "tolerance"),
        (lambda: FlickerFilter(SENSOR, cycles=0), "cycles"),
        (lambda: RateLimiter(SENSOR, 0), "at least one event"),
        (lambda: RateLimiter(SENSOR, 5, seed=-1), "seed"),
        (lambda: DownsampleFilter(SENSOR, 0), "whole number of at least 1"),
        (lambda: downsample(some(3), 1.5), "whole number of at least 1"),
        (lambda: crop(some(3), 4, 0, 3, 2), "must have pixels and lie on the sensor 6x5"),
        (lambda: crop(some(3), 0, 0, 0, 2), "must have pixels"),
        (lambda: mask(some(3), np.ones(SENSOR, bool)), "mask"),
        (lambda: remap(some(3), np.zeros((*SENSOR, 2))), "map"),
        (lambda: flip_lr(Events([0], [1], [1], [1])), "not known"),
        (lambda: flip_ud(Events([0], [1], [5], [1], sensor=SENSOR)), "outside the 6x5"),
        (lambda: scale_time(some(3), 0), "factor must be positive"),
        (lambda: scale_time(some(3, start=2**40), 1e9), "do not fit 64 bits"),
        (lambda: shift_time(some(3, start=2**62), 2**62), "do not fit 64 bits"),
        (lambda: merge(some(9)[::-1]), "recording 0 is not in order"),
        (lambda: list(merge_streams([some(9), some(9)])), "stream 0 is not in order"),
        (lambda: merge(some(3), some(3, sensor=(9, 9))), "different sensors"),
        (lambda: HotPixelFilter(None), "sensor size is not known"),
        (lambda: DownsampleFilter(None, 2), "sensor size is not known"),
        (lambda: HotPixelFilter(5), "both positive, got 5"),
        (lambda: undistortion_map(np.eye(2), np.zeros(5), SENSOR), "must be"),
        (lambda: undistortion_map(np.eye(3), np.zeros(7), SENSOR), "has 7 coefficients"),
        (lambda: from_structured(np.zeros(2, [("x", int), ("t", int), ("p", int)])), "got x, t, p"),
        (lambda: to_structured(some(9), np.dtype([(k, "u1") for k in "txyp"])), "t has values"),
        (lambda: event_counts(Events([0], [7], [0], [0], sensor=SENSOR)), "outside the sensor"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_flickering_lamp_is_silenced_and_motion_is_not():
    t = np.arange(0, 400_000, 500)
    lamp = Events(t, np.full(len(t), 2), np.full(len(t), 3), t // 5_000 % 2, sensor=SENSOR)
    kept = FlickerFilter(SENSOR, frequency=100)(lamp)
    assert kept.t.max() < 40_000
    slower = FlickerFilter(SENSOR, frequency=50)
    assert len(slower(lamp)) == len(lamp)
    assert FlickerFilter(SENSOR, frequency=50, harmonics=2)(lamp) == kept
    gone = Events.concatenate([lamp, shift_time(lamp[:5], 500_000)])
    assert len(FlickerFilter(SENSOR, frequency=100)(gone)) == len(kept) + 5
    moving = Events(np.sort(t), t // 500 % 6, t // 3_000 % 5, t // 500 % 2, sensor=SENSOR)
    assert len(FlickerFilter(SENSOR, frequency=100)(moving)) == len(moving)


def test_hot_pixels_stand_out_of_a_busy_scene_and_from_each_other():
    random = np.random.default_rng(1)
    rate = np.outer(np.linspace(1, 200, 40), np.linspace(1, 3, 50))
    counts = random.poisson(rate)
    assert not hot_pixels(counts).any()
    places = [(0, 0), (20, 30), (20, 31), (39, 49)]
    for y, x in places:
        counts[y, x] = 5 * counts[y, x] + 100
    assert [tuple(place) for place in np.argwhere(hot_pixels(counts)).tolist()] == places
    assert not hot_pixels(np.zeros((3, 4), int)).any()
    assert not hot_pixels(np.full((1, 1), 50)).any()


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_hot_pixels_are_those_far_above_the_median_of_their_neighbours(height, width, seed):
    counts = np.random.default_rng(seed).poisson(2, (height, width)) ** 2
    root = np.pad(2 * np.sqrt(counts), 1, mode="reflect")
    around = [root[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3) if (dy, dx) != (1, 1)]
    z = root[1:-1, 1:-1] - np.median(around, 0)
    fired = z[counts > 0]
    sigma = 1.4826 * np.median(abs(fired - np.median(fired))) if len(fired) else 0
    clear = abs(z - 2 * max(1, sigma)) > 1e-3
    assert np.array_equal(hot_pixels(counts, 2)[clear], (z > 2 * max(1, sigma))[clear])


def test_hot_pixels_of_a_calibration_stretch_are_removed_from_the_start():
    events = some(80)
    hot = np.zeros(SENSOR[::-1], bool)
    hot[2, 3] = True
    known = HotPixelFilter(SENSOR, hot=hot)
    assert known(events) == mask(events, ~hot)
    known.reset()
    assert known(events) == mask(events, ~hot)
    assert event_counts(mask(events, ~hot))[2, 3] == 0


@given(st.integers(1, 200), st.integers(0, 9), st.integers(1, 9))
def test_the_rate_limiter_keeps_its_budget_and_its_seed(n, seed, budget):
    events = some(n, seed)
    kept = RateLimiter(SENSOR, budget, window=50, seed=seed)(events)
    windows = (kept.t - events.t[0]) // 50
    assert np.bincount(windows).max() <= budget
    assert RateLimiter(SENSOR, budget, window=50, seed=seed)(events) == kept
    assert RateLimiter(SENSOR, n, window=50, seed=seed)(events) == events
    everything = np.bincount((events.t - events.t[0]) // 50)
    assert (np.bincount(windows, minlength=len(everything))[everything > 0] > 0).any()


def test_the_rate_limiter_drops_at_random_over_a_window():
    t = np.arange(100_000)
    many = Events(t, 0 * t, 0 * t, t % 2, sensor=SENSOR)
    kept = RateLimiter(SENSOR, 100, window=1_000)(many)
    late = kept.t[kept.t >= 1_000] % 1_000
    assert 400 < late.mean() < 520
    assert RateLimiter(SENSOR, 100, window=1_000, seed=1)(many) != kept


@pytest.mark.parametrize("device", ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_functions_keep_what_they_should(device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    plain = some(70, 3)
    events = plain if device == "numpy" else plain.to(device)
    t, x, y, p = plain.columns
    for twice in (flip_lr, flip_ud, transpose):
        assert twice(twice(events)) == plain
        assert twice(events) != plain
        assert type(twice(events).t) is type(events.t)
    assert flip_lr(events) == Events(t, 5 - x, y, p, sensor=SENSOR)
    assert flip_ud(events) == Events(t, x, 4 - y, p, sensor=SENSOR)
    assert transpose(events) == Events(t, y, x, p, sensor=(5, 6))
    assert only_polarity(events) == plain[p == 1]
    assert only_polarity(events, on=False) == plain[p == 0]
    assert only_polarity(only_polarity(events)) == only_polarity(events)
    inside = (x >= 1) & (x < 4) & (y >= 2) & (y < 5)
    assert crop(events, 1, 2, 3, 3) == Events(t[inside], x[inside] - 1, y[inside] - 2, p[inside], sensor=(3, 3))
    assert crop(events, 0, 0, *SENSOR) == plain
    keep = np.arange(30).reshape(5, 6) % 3 > 0
    assert mask(events, keep) == plain[keep[y, x]]
    assert mask(mask(events, torch.from_numpy(keep)), keep) == mask(events, keep)
    assert downsample(events, 2) == Events(t, x // 2, y // 2, p, sensor=(3, 3))
    assert downsample(downsample(events, 2), 3) == downsample(events, 6)
    assert shift_time(shift_time(events, "1ms"), -1_000) == plain
    assert scale_time(scale_time(events, 4.0), 0.25) == plain
    assert scale_time(events, 1.5, origin=100).t.tolist() == [100 + round(1.5 * (s - 100)) for s in t.tolist()]
    places = np.stack(np.meshgrid(np.arange(6) - 2, np.arange(5) + 1), -1)
    stays = (x >= 2) & (y < 4)
    assert remap(events, places) == Events(t[stays], x[stays] - 2, y[stays] + 1, p[stays], sensor=SENSOR)
    assert remap(events, places + 0.25) == remap(events, places)


def test_uint16_coordinates_are_not_wrapped():
    far = Events([0, 1], np.array([3, 40_000], np.uint16), np.array([0, 9], np.uint16), [1, 1])
    assert crop(far, 2, 0, 40_000, 10).x.tolist() == [1, 39_998]
    assert downsample(far, 2).x.tolist() == [1, 20_000]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 99)), min_size=1, max_size=4), st.integers(1, 40))
def test_merged_recordings_are_all_events_in_order_however_they_are_cut(recordings, size):
    parts = [some(n, seed, span=30) for n, seed in recordings]
    merged = merge(*parts)
    assert merged.is_sorted
    assert merged == Events.concatenate(parts).sort()
    streams = [[part[k : k + size] for k in range(0, len(part), size)] for part in parts]
    flowing = list(merge_streams(*streams))
    assert Events.concatenate([Events.empty(SENSOR), *flowing]) == merged
    assert all(a.t[-1] < b.t[0] for a, b in itertools.pairwise(flowing))


@pytest.mark.parametrize("fisheye", [False, True])
def test_undistorted_places_project_back_to_their_pixels(fisheye):
    camera = np.array([[95.0, 0, 19.2], [0, 93.0, 15.1], [0, 0, 1]])
    distortion = np.array([-0.25, 0.08, 0.002, -0.001] if not fisheye else [0.05, -0.02, 0.003, 0.001])
    turn = cv2.Rodrigues(np.array([0.02, -0.03, 0.05]))[0]
    target = np.array([[800.0, 0, 400], [0, 800, 300], [0, 0, 1]])
    calibration = {"rectification": turn, "new_camera_matrix": target, "fisheye": fisheye}
    places = undistortion_map(camera, distortion, (40, 30), **calibration)
    rays = np.linalg.inv(target @ turn) @ np.concatenate([places, np.ones((30, 40, 1))], -1).reshape(-1, 3).T
    rays = (rays / rays[2]).T.reshape(-1, 1, 3)
    project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    seen, _ = project(rays, np.zeros(3), np.zeros(3), camera, distortion)
    pixels = np.stack(np.meshgrid(np.arange(40), np.arange(30)), -1)
    assert abs(seen.reshape(30, 40, 2) - pixels).max() < 0.5 * 95 / 800 * 1.5


def test_filters_clean_a_real_recording(recordings):
    import eventsnn.io

    with eventsnn.io.open(recordings / "spinning-marker.evt2.raw") as recording:
        chunks = list(recording)
    events = Events.concatenate(chunks)
    for clean in (SpatioTemporalCorrelationFilter(events.sensor), BackgroundActivityFilter(events.sensor, "1ms")):
        kept = clean(events)
        clean.reset()
        assert Events.concatenate([clean(chunk) for chunk in chunks]) == kept
        assert 0.5 < len(kept) / len(events) < 1
    hot = hot_pixels(event_counts(events))
    assert hot[296, 565]
    assert hot[104, 284]
    assert hot.sum() < 20


def test_time_is_shifted_back_and_a_list_is_not_a_recording():
    assert shift_time(some(3, start=9_000), "-2ms") == shift_time(some(3, start=9_000), -2_000)
    with pytest.raises(TypeError, match=r"for a list write merge\(\*list\)"):
        merge([some(3), some(3)])
