"""Frames and windows: every event is counted once, in the bin that a plain loop would put it in."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eventsnn import Events, Packed, frames, to_frames, windows
from eventsnn.frames import binning, bins
from eventsnn.frames.words import Words
from eventsnn.structured import to_structured

SENSOR = (7, 5)


@st.composite
def streams(draw):
    n = draw(st.integers(0, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    t = random.integers(0, draw(st.integers(1, 3_000)), n) + draw(st.sampled_from([0, -700, 1_317_888, 2**31, 2**50]))
    x, y, p = (random.integers(0, high, n) for high in (*SENSOR, 2))
    return Events(t, x, y, p, sensor=SENSOR)


def naive(events, start, n_bins, length):
    frames = np.zeros((n_bins, 2, SENSOR[1], SENSOR[0]))
    for t, x, y, p in events:
        frames[(t - start) // length, p, y, x] += 1
    return torch.from_numpy(frames).float()


@given(streams(), st.integers(1, 400))
def test_bins_of_fixed_length_equal_a_plain_loop(events, dt):
    frames = to_frames(events, dt)
    assert torch.equal(frames, naive(events, int(events.t.min()) if len(events) else 0, len(frames), dt))
    assert frames.sum() == len(events)
    assert torch.equal(to_frames(events, dt, binary=True), frames.clamp(max=1))


@given(streams(), st.integers(1, 12))
def test_a_number_of_bins_holds_every_event(events, n):
    span = int(events.t.max() - events.t.min()) + 1 if len(events) else 0
    if span and n > span:
        with pytest.raises(ValueError, match="n_bins must lie between 1 and"):
            to_frames(events, n_bins=n)
        return
    frames = to_frames(events, n_bins=n)
    assert frames.shape == (n, 2, SENSOR[1], SENSOR[0])
    assert frames.sum() == len(events)


@given(streams())
def test_the_order_of_events_does_not_matter(events):
    order = np.random.default_rng(0).permutation(len(events))
    assert torch.equal(to_frames(events, 50), to_frames(events[order], 50))


def test_start_and_stop_leave_the_rest_out():
    events = Events([0, 99, 100, 199, 200], [0] * 5, [0] * 5, [1] * 5, sensor=SENSOR)
    assert to_frames(events, 50, start=100, stop=200).sum(dim=(1, 2, 3)).tolist() == [1, 1]
    assert len(to_frames(events, 50, start=300)) == len(to_frames(events, 50, stop=-5)) == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float16, torch.bfloat16, torch.int32])
def test_other_dtypes(dtype):
    events = Events([0] * 200, [1] * 200, [2] * 200, [1] * 200, sensor=SENSOR)
    frames = to_frames(events, 1, dtype=dtype)
    assert frames.dtype == dtype
    assert frames[0, 1, 2, 1] == 200


def test_counts_never_wrap():
    events = Events([0] * 256, [1] * 256, [2] * 256, [1] * 256, sensor=SENSOR)
    with pytest.raises(ValueError, match="256 events, more than"):
        to_frames(events, 1, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either dt"),
        ({"count": 0}, "count must be at least 1"),
        ({"count": 1, "start": 3}, "cut with events.between"),
        ({"n_event_bins": 3}, "n_event_bins must lie between"),
        ({"dt": 5, "overlap": 5}, "overlap must lie in 0..4"),
        ({"n_bins": 2, "overlap": 1}, "overlap goes with"),
        ({"dt": 5, "channels": 3}, "channels must be 2"),
        ({"dt": 5, "downsample": 0}, "downsample must be"),
        ({"dt": 5, "stop": 9, "duration": 9}, "stop or duration"),
        ({"dt": 5, "duration": 0}, "duration must be at least"),
        ({"n_bins": 11}, "between 1 and the 10 us"),
        ({"dt": 5, "channels": "signed", "dtype": torch.uint8}, "need a dtype with a sign"),
        ({"dt": 5, "n_bins": 5}, "either dt"),
        ({"dt": 0}, "at least 1 us"),
        ({"dt": "5 parsecs"}, "not a duration"),
        ({"n_bins": 0}, "n_bins must lie between"),
        ({"n_bins": 2.5}, "n_bins must be a whole number, got 2.5"),
        ({"count": True}, "count must be a whole number"),
        ({"dt": 5, "start": 0.5}, "start must be a whole number"),
        ({"dt": 5, "downsample": 2.0}, "downsample must be a whole number"),
        ({"dt": 5, "sensor": (0, 4)}, "both positive, got"),
        ({"dt": 5, "dtype": torch.complex64}, "dtype must be one of"),
        ({"dt": 5, "dtype": np.uint8}, "dtype must be one of"),
        ({"dt": 5, "start": 10, "stop": 5}, "before start"),
        ({"dt": 5, "sensor": (2, 2)}, "outside the 2x2 sensor"),
    ],
)
def test_bad_requests(arguments, message):
    with pytest.raises(ValueError, match=message):
        to_frames(Events([0, 9], [3, 3], [1, 1], [0, 1], sensor=SENSOR), **arguments)


def test_a_representation_tells_its_settings():
    assert repr(frames.ToFrame((4, 3, 2), n_time_bins=5)) == (
        "ToFrame((4, 3), n_bins=5, overlap=0, incomplete=False, channels=2)"
    )
    assert repr(frames.ToImage((4, 3))) == "ToImage((4, 3), n_bins=1)"


def test_a_stray_time_does_not_make_windows_without_end():
    events = Events([0, 5, 2**60], [0] * 3, [0] * 3, [1] * 3, sensor=SENSOR)
    for chunks in (events, [events[:2], events[2:]]):
        with pytest.raises(ValueError, match="a stray time"):
            next(windows(chunks, "1ms"))
    assert len(list(windows(events, start=0, stop=2**60, n_bins=3))) == 3
    assert len(list(windows(events, count=1))) == 3


def test_a_span_beyond_64_bits_is_refused():
    events = Events([-(2**63), 2**63 - 1], [0, 1], [0, 0], [0, 1], sensor=SENSOR)
    for of in (to_frames, frames.to_sparse, frames.to_voxel_grid):
        with pytest.raises(ValueError, match=r"spans 2.63 us or more"):
            of(events, n_bins=2)


def test_what_is_no_recording_and_no_sensor_is_named():
    with pytest.raises(TypeError, match="must be Events or Packed, got list"):
        to_frames([1, 2], 5)
    with pytest.raises(ValueError, match="sensor must be"):
        frames.ToFrame((3,), time_window=5)
    with pytest.raises(ValueError, match="channels must be 2"):
        frames.to_time_surface(recording(9, 1), 5, channels="signed")


def test_an_unknown_sensor_is_asked_for():
    with pytest.raises(ValueError, match="sensor size"):
        to_frames(Events([0], [0], [0], [0]), 5)


def test_frames_that_cannot_fit_are_refused_with_their_size():
    with pytest.raises(MemoryError, match=r"need [\d,.]+ GiB"):
        to_frames(Events([0, 10**12], [0, 0], [0, 0], [0, 0], sensor=(1280, 720)), 1)


@given(streams(), st.integers(1, 500), st.lists(st.integers(0, 40), max_size=6))
def test_windows_do_not_depend_on_the_cuts(events, dt, cuts):
    """Also out of order: an event belongs to the window that was open when it came."""
    edges = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    parts = [events[a:b] for a, b in itertools.pairwise(edges)]
    whole, cut = list(windows(events, dt)), list(windows(parts, dt))
    assert [begin for begin, _ in whole] == [begin for begin, _ in cut]
    assert all(a == b for (_, a), (_, b) in zip(whole, cut, strict=True))
    if len(events):
        assert Events.concatenate(part for _, part in whole) == events
        assert {b - a for (a, _), (b, _) in itertools.pairwise(whole)} <= {dt}


@given(streams(), st.integers(1, 500))
def test_windows_of_sorted_events_hold_their_times(events, dt):
    for begin, part in windows([events.sort()], dt):
        assert ((part.t >= begin) & (part.t < begin + dt)).all()


ASKED = [
    {"dt": 70},
    {"dt": 70, "overlap": 45},
    {"dt": 70, "overlap": 45, "incomplete": False},
    {"dt": 40, "duration": 200},
    {"n_bins": 3},
    {"count": 7},
    {"count": 7, "overlap": 3},
    {"n_event_bins": 4},
]


def bounds(events, n, dt=None, n_bins=None, count=None, n_event_bins=None, overlap=0, duration=None, incomplete=True):
    """For each of n bins, a function that tells whether event i at time t is in it."""
    first, last = (int(events.t.min()), int(events.t.max())) if len(events) else (0, -1)
    span = duration or last + 1 - first
    if dt is not None:
        return [
            lambda i, t, k=k: k * (dt - overlap) <= t - first < k * (dt - overlap) + dt and t - first < span
            for k in range(n)
        ]
    if n_bins is not None:
        return [lambda i, t, k=k: (t - first) * n // span == k for k in range(n)]
    if count is not None:
        return [lambda i, t, k=k: k * (count - overlap) <= i < k * (count - overlap) + count for k in range(n)]
    return [lambda i, t, k=k: i * n // len(events) == k for k in range(n)]


def looped(events, asked, n, channels, factor):
    height, width = math.ceil(SENSOR[1] / factor), math.ceil(SENSOR[0] / factor)
    out = torch.zeros(n, 2 if channels == 2 else 1, height, width, dtype=torch.int64)
    for k, holds in enumerate(bounds(events, n, **asked)):
        for i, (t, x, y, p) in enumerate(events):
            if holds(i, t):
                value = 2 * p - 1 if channels == "signed" else 1
                out[k, p if channels == 2 else 0, y // factor, x // factor] += value
    return out


@settings(max_examples=150)
@given(
    streams(),
    st.sampled_from(ASKED),
    st.sampled_from([2, 1, "signed"]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([torch.float32, torch.int16, torch.bfloat16, torch.float16, torch.int8]),
)
def test_frames_equal_a_plain_loop(events, asked, channels, factor, dtype):
    events = events.sort()
    most = asked.get("n_event_bins", 1) if len(events) else 0
    span = int(events.t.max() - events.t.min()) + 1 if len(events) else 0
    if 0 < len(events) < most or 0 < span < asked.get("n_bins", 0):
        with pytest.raises(ValueError, match="must lie between 1 and"):
            to_frames(events, **asked)
        return
    result = to_frames(events, **asked, channels=channels, downsample=factor, dtype=dtype)
    assert result.dtype == dtype
    assert torch.equal(result.long(), looped(events, asked, len(result), channels, factor))
    marks = to_frames(events, **asked, channels=channels, downsample=factor, dtype=dtype, binary=True)
    assert torch.equal(marks, result.sign())
    if channels != "signed":
        sparse = frames.to_sparse(events, **asked, channels=channels, downsample=factor, dtype=torch.int64)
        assert torch.equal(sparse.to_dense(), result.long())
        if "overlap" not in asked and "duration" not in asked:
            assert result.long().sum() == len(events)


def test_bins_reach_the_last_event_and_whole_ones_do_not_pass_it():
    events = Events([0, 99, 100], [0] * 3, [0] * 3, [1] * 3, sensor=SENSOR)
    assert len(to_frames(events, 40, overlap=20)) == 5
    assert len(to_frames(events, 40, overlap=20, incomplete=False)) == 4
    assert len(to_frames(events, 101, incomplete=False)) == 1
    assert len(to_frames(events, 102, incomplete=False)) == 0


@pytest.mark.parametrize("channels", [2, "signed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.int16, torch.float16])
def test_a_busy_pixel_is_counted_exactly(channels, dtype):
    """More events than a byte holds, in one frame of several, of a sensor that is large beside them."""
    t = np.repeat([0, 10, 20], [3, 600, 5])
    events = Events(t, [3] * 608, [2] * 608, [1] * 608, sensor=(300, 200))
    result = to_frames(events, 10, channels=channels, dtype=dtype)
    assert result[:, -1, 2, 3].tolist() == [3, 600, 5]
    assert result.sum(dtype=torch.float64) == 608


def test_two_threads_give_what_one_gives(monkeypatch):
    from eventsnn.frames import cpu

    random = np.random.default_rng(5)
    t = np.sort(random.integers(0, 10_000, 30_000))
    events = Events(t, *(random.integers(0, n, len(t)) for n in (70, 50, 2)), sensor=(70, 50))
    alone = to_frames(events, 100), frames.to_surface_of_active_events(events, 100)
    monkeypatch.setattr(cpu, "WORK", 100)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(to_frames(events, 100), alone[0])
    assert torch.equal(frames.to_surface_of_active_events(events, 100), alone[1])


def test_memory_that_was_used_before_is_cleared(monkeypatch):
    """Frames of many events, of few and of none, one after the other."""
    busy, few = recording(3_000, 3, span=100), recording(2, 4, start=200)
    events = Events.concatenate([busy, few, recording(900, 5, start=10_000, span=300)])
    expected = to_frames(events, 100, dtype=torch.int32).float()
    monkeypatch.setattr(binning, "unset", lambda shape, dtype: torch.full(shape, 7).to(dtype))
    for dtype in (torch.float32, torch.uint8, torch.float16):
        assert torch.equal(to_frames(events, 100, dtype=dtype).float(), expected)


REPRESENTATIONS = {
    "frames": lambda e: to_frames(e, 300),
    "frames_n": lambda e: to_frames(e, n_bins=3, channels="signed"),
    "frames_count": lambda e: to_frames(e, count=5),
    "sbt": lambda e: frames.stack_by_time(e, 4),
    "sbn": lambda e: frames.stack_by_number(e, 4),
    "sparse": lambda e: frames.to_sparse(e, 300).to_dense(),
    "voxel": lambda e: frames.to_voxel_grid(e, 5),
    "voxel_one": lambda e: frames.to_voxel_grid(e, 1, channels=2, downsample=2),
    "latest": lambda e: frames.to_latest_timestamps(e, 300),
    "active": lambda e: frames.to_surface_of_active_events(e, 300),
    "time": lambda e: frames.to_time_surface(e, n_bins=3, tau=100),
    "linear": lambda e: frames.to_time_surface(e, 300, tau=1_000, decay="linear", channels=1),
    "averaged": lambda e: frames.to_averaged_time_surface(e, cell_size=3, surface_size=3, time_window=500),
    "est": lambda e: frames.to_event_spike_tensor(e, 4),
    "tore": lambda e: frames.to_tore(e, 300, k=2),
}
BY_NUMBER = ("frames_count", "sbn")


def recording(n, seed, span=900, start=0):
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, span, n)) + start
    return Events(t, *(random.integers(0, side, n) for side in (*SENSOR, 2)), sensor=SENSOR)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_a_batch_is_its_recordings_side_by_side(name):
    of = REPRESENTATIONS[name]
    recordings = [recording(60, 1), recording(200, 2, start=2**40), recording(90, 3, 1_500), recording(60, 4)]
    packed = Packed.join(recordings)[[2, 0, 1]]
    batch = of(packed)
    for b, events in enumerate([recordings[2], recordings[0], recordings[1]]):
        alone = of(events)
        part = batch[b] if name == "averaged" else batch[: len(alone), b]
        torch.testing.assert_close(part, alone, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", set(REPRESENTATIONS) - set(BY_NUMBER))
def test_the_order_of_simultaneous_events_does_not_matter(name):
    events = recording(150, 7, span=20)
    order = np.lexsort((np.random.default_rng(1).permutation(150), events.t))
    torch.testing.assert_close(REPRESENTATIONS[name](events), REPRESENTATIONS[name](events[order]), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_few_events_and_events_of_one_moment(name):
    of = REPRESENTATIONS[name]
    same = Events([2**33] * 9, [1] * 9, [2] * 9, [1] * 9, sensor=SENSOR)
    if name in ("frames_n", "sbt", "time"):
        with pytest.raises(ValueError, match="n_bins must lie between"):
            of(same)
    else:
        assert of(same).to(torch.float64).isfinite().all()
    for few in (Events.empty(SENSOR), same[:1]):
        if len(few) and name in ("frames_n", "sbt", "sbn", "time"):
            continue
        assert of(few).to(torch.float64).isfinite().all()


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_events_outside_and_batches_out_of_order_are_refused(name):
    of = REPRESENTATIONS[name]
    events = recording(30, 1)
    with pytest.raises(ValueError, match="outside the 5x5 sensor"):
        of(Events(*events.columns, sensor=(5, 5)))
    with pytest.raises(ValueError, match="not in order of time"):
        of(Packed.join([events, events[::-1]]))


def test_columns_of_every_allowed_type_give_the_same(on_gpu):
    events = recording(90, 1)
    expected = to_frames(events, 70)
    for kind in (torch.uint16, torch.int16):
        columns = (torch.from_numpy(c.astype(np.int32)).to(kind) for c in (events.x, events.y))
        given = Events(torch.from_numpy(events.t), *columns, torch.from_numpy(events.p).bool(), sensor=SENSOR)
        assert torch.equal(to_frames(given, 70), expected)
        assert torch.equal(on_gpu(lambda e: to_frames(e, 70), given), expected)
        with pytest.raises(ValueError, match="outside the 5x5 sensor"):
            to_frames(given, 70, sensor=(5, 5))


def test_polarity_must_be_one_bit():
    events = Events([0], [0], [0], np.array([3], np.uint8), sensor=SENSOR)
    with pytest.raises(ValueError, match="polarity must be 0"):
        to_frames(events, 5)


def test_unsorted_events_are_refused_where_their_order_counts():
    events = recording(30, 1)[::-1]
    assert torch.equal(frames.to_voxel_grid(events, 5), frames.to_voxel_grid(events.sort(), 5))
    with pytest.raises(ValueError, match="not in order of time"):
        to_frames(events, count=4)


@pytest.mark.parametrize(
    "of",
    [
        *(to_frames, frames.to_surface_of_active_events, frames.to_time_surface, frames.to_tore),
        lambda events, dt: frames.to_event_spike_tensor(events, 2**34),
        lambda events, dt: frames.to_voxel_grid(events, 2**34),
    ],
)
def test_tensors_that_cannot_fit_are_refused(of):
    with pytest.raises(MemoryError, match=r"need [\d,.]+ GiB .* in bounded memory"):
        of(Events([0, 10**12], [0, 0], [0, 0], [0, 0], sensor=(1280, 720)), 1)


@given(streams(), st.integers(1, 6))
def test_the_weights_of_a_voxel_grid_sum_to_one(events, n):
    events = events.sort()
    grid = frames.to_voxel_grid(events, n, channels=2, dtype=torch.float64)
    expected = torch.zeros(n, 2, SENSOR[1], SENSOR[0], dtype=torch.float64)
    for t, x, y, p in events:
        place = (n - 1) * (t - int(events.t[0])) / max(int(events.t[-1] - events.t[0]), 1)
        for k in range(n):
            expected[k, p, y, x] += max(0.0, 1 - abs(k - place))
    torch.testing.assert_close(grid, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        grid.sum(0), to_frames(events, n_event_bins=1, dtype=torch.float64)[0], rtol=0, atol=1e-5
    )
    if n > 1:
        spread = frames.to_event_spike_tensor(events, n, dtype=torch.float64)
        torch.testing.assert_close(spread, expected, rtol=0, atol=1e-6)


@given(streams(), st.integers(1, 900))
def test_surfaces_of_time_equal_a_plain_loop(events, dt):
    events = events.sort()
    active = frames.to_surface_of_active_events(events, dt)
    last = torch.full((2, SENSOR[1], SENSOR[0]), torch.iinfo(torch.int64).min)
    n = len(active)
    for k in range(n):
        begin = int(events.t[0]) + k * dt
        image = torch.zeros(last.shape)
        for t, x, y, p in events:
            if begin <= t < begin + dt:
                last[p, y, x] = t
                image[p, y, x] = (t - begin + 1) / dt
        assert torch.equal(active[k], last)
        torch.testing.assert_close(frames.to_latest_timestamps(events, dt)[k], image)
        if k == n - 1:
            age = (begin + dt - last).double()
            seen = last > torch.iinfo(torch.int64).min
            fading = torch.where(seen, torch.exp(-age / 300), 0.0).float()
            torch.testing.assert_close(frames.to_time_surface(events, dt, tau=300)[k], fading)


@given(streams())
def test_tore_volumes_equal_a_plain_loop(events):
    events = events.sort()
    volumes = frames.to_tore(events, 500, k=2, shortest=100, longest=2_000)
    for index, volume in enumerate(volumes):
        end = int(events.t[0]) + 500 * (index + 1)
        expected = torch.full((4, SENSOR[1], SENSOR[0]), math.log(2_001))
        for p, y, x in itertools.product(range(2), range(SENSOR[1]), range(SENSOR[0])):
            stamps = [t for t, *rest in events if t < end and rest == [x, y, p]][::-1][:2]
            for j, t in enumerate(stamps):
                expected[2 * p + j, y, x] = math.log(1 + min(max(end - t, 100), 2_000))
        torch.testing.assert_close(volume, expected)


@given(streams(), st.integers(0, 40))
def test_averaged_time_surfaces_equal_a_plain_loop(events, cut):
    events = events.sort()
    expected, number = torch.zeros(6, 2, 3, 3), torch.zeros(6)
    for t, x, y, p in events:
        cell = y // 3 * 3 + x // 3
        number[cell] += 1
        for s, u, v, q in events:
            if 0 < t - s <= 400 and q == p and v // 3 * 3 + u // 3 == cell and max(abs(u - x), abs(v - y)) <= 1:
                expected[cell, p, v - y + 1, u - x + 1] += math.exp(-(t - s) / 90)
    expected /= number.clamp(min=1)[:, None, None, None]
    surface = frames.AveragedTimeSurface(SENSOR, 3, 3, time_window=400, tau=90)
    surface(events[:cut])
    torch.testing.assert_close(surface(events[cut:]), expected)


def test_gradients_flow_to_a_kernel_over_time():
    torch.manual_seed(0)
    kernel = frames.TimeKernel(4).double()
    events = recording(40, 1)
    frames.to_event_spike_tensor(events, 3, kernel, dtype=torch.float64).square().sum().backward()
    parameter = kernel.layers[0].weight
    step = 1e-6
    with torch.no_grad():
        values = []
        for sign in (1, -1):
            parameter[2, 0] += sign * step
            values.append(frames.to_event_spike_tensor(events, 3, kernel, dtype=torch.float64).square().sum())
            parameter[2, 0] -= sign * step
    assert parameter.grad[2, 0].item() == pytest.approx(((values[0] - values[1]) / (2 * step)).item(), rel=1e-5)


SIZE = (*SENSOR, 2)
OBJECTS = {
    "frames": (frames.ToFrame(SIZE, time_window=70, include_incomplete=True), lambda e: to_frames(e, 70)),
    "overlap": (
        frames.ToFrame(SIZE, time_window=70, overlap=30),
        lambda e: to_frames(e, 70, overlap=30, incomplete=False),
    ),
    "count": (
        frames.ToFrame(SIZE, event_count=7, overlap=2, channels=1),
        lambda e: to_frames(e, count=7, overlap=2, channels=1, incomplete=False),
    ),
    "parts": (
        frames.ToFrame(SIZE, n_time_bins=6, start_time=0, end_time=900),
        lambda e: to_frames(e, n_bins=6, start=0, stop=900),
    ),
    "active": (frames.ToSurfaceOfActiveEvents(SIZE, 70), lambda e: frames.to_surface_of_active_events(e, 70)),
    "time": (frames.ToTimesurface(SIZE, 70, tau=50), lambda e: frames.to_time_surface(e, 70, tau=50)),
    "latest": (frames.ToLatestTimestamps(SIZE, 70), lambda e: frames.to_latest_timestamps(e, 70)),
    "tore": (frames.ToTORE(SIZE, 70), lambda e: frames.to_tore(e, 70)),
    "sparse": (frames.ToSparseTensor(SIZE, time_window=70), lambda e: frames.to_sparse(e, 70, incomplete=False)),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_stream_in_pieces_equals_the_whole(name):
    made, of = OBJECTS[name]
    for seed, n in ((1, 200), (2, 1), (3, 14)):
        events = recording(n, seed)
        expected = of(events)
        expected = expected.to_dense() if expected.is_sparse else expected
        cuts = np.sort(np.random.default_rng(seed).integers(0, n, 5))
        edges = [0, *cuts.tolist(), n]
        pieces = [events[a:b] for a, b in itertools.pairwise(edges)]
        parts = [part.to_dense() for _, part in made.stream(pieces)]
        assert len(parts) == len(expected)
        if parts:
            torch.testing.assert_close(torch.stack(parts), expected)
        torch.testing.assert_close(made(events).to_dense(), expected)
        torch.testing.assert_close(made(to_structured(events)).to_dense(), expected)


def test_a_voxel_grid_has_points_in_a_stream_too():
    with pytest.raises(ValueError, match="n_bins must lie between 1 and"):
        list(frames.ToVoxelGrid(SENSOR, n_time_bins=0).stream([recording(9, 1)], dt=100))


def test_fine_bins_cost_no_memory_where_nothing_happens():
    events = Events([0, 7, 10**15], [0, 1, 2], [0, 0, 0], [1, 0, 1], sensor=SENSOR)
    for asked in ({"dt": 1}, {"dt": 2, "overlap": 1}, {"n_bins": 10**15 + 1}):
        assert frames.to_sparse(events, **asked).values().sum() == 3 + ("overlap" in asked)


def test_windows_of_a_voxel_grid_and_of_an_averaged_surface():
    events = recording(200, 1)
    grids = [grid for _, grid in frames.ToVoxelGrid(SIZE, 3).stream([events[:70], events[70:]], dt=300)]
    first = int(events.t[0])
    assert torch.equal(grids[1], frames.to_voxel_grid(events, 3, start=first + 300, duration=300))
    made = frames.ToAveragedTimesurface(SIZE, cell_size=3, surface_size=3)
    *_, (_, last) = made.stream([events[:70], events[70:]], dt=300)
    torch.testing.assert_close(last, made(events))
    with pytest.raises(ValueError, match="a stream has no end"):
        next(frames.ToVoxelGrid(SIZE, 3).stream([events]))


def test_representations_stand_in_tonics_compose_and_give_its_frames():
    tonic = pytest.importorskip("tonic")
    events = recording(200, 1)
    array = to_structured(events)
    chain = tonic.transforms.Compose([tonic.transforms.RefractoryPeriod(delta=1), frames.ToFrame(SIZE, time_window=70)])
    assert chain(array).shape[1:] == (2, SENSOR[1], SENSOR[0])
    for asked in ({"time_window": 70}, {"event_count": 7}, {"time_window": 70, "include_incomplete": True}):
        theirs = torch.from_numpy(tonic.transforms.ToFrame(SIZE, **asked)(array).astype(np.int64))
        assert torch.equal(frames.ToFrame(SIZE, **asked)(array).long(), theirs)
    assert torch.equal(
        frames.ToImage(SIZE)(array).long(), torch.from_numpy(tonic.transforms.ToImage(SIZE)(array)).long()
    )


@given(streams(), st.integers(1, 30), st.integers(0, 29), st.lists(st.integers(0, 40), max_size=4))
def test_windows_by_number_and_with_overlap_do_not_depend_on_the_cuts(events, count, overlap, cuts):
    overlap = min(overlap, count - 1)
    edges = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    parts = [events[a:b] for a, b in itertools.pairwise(edges)]
    stride = count - overlap
    got = [window for _, window in windows(parts, count=count, overlap=overlap)]
    number = max(0, math.ceil((len(events) - count) / stride) + 1) if len(events) > count else min(len(events), 1)
    assert len(got) == number
    assert all(window == events[k * stride : k * stride + count] for k, window in enumerate(got))
    events = events.sort()
    parts = [events[a:b] for a, b in itertools.pairwise(edges)]
    for begin, window in windows(parts, 10 * count, overlap=10 * overlap):
        assert window == events.between(begin, begin + 10 * count)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either dt"),
        ({"dt": 0}, "at least 1 us"),
        ({"count": 0}, "at least 1 event"),
        ({"dt": 5, "overlap": 5}, "overlap must lie in 0..4"),
        ({"count": 5, "start": 0}, "start with the first event"),
        ({"n_bins": 3}, "need its start and stop"),
        ({"n_bins": 6, "start": 0, "stop": 5}, "between 1 and the 5 us"),
    ],
)
def test_windows_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        list(windows([recording(5, 1)], **arguments))


@given(streams(), st.lists(st.integers(0, 8), min_size=1, max_size=5))
def test_packed_recordings_are_views(events, chosen):
    store = Packed.join([events[:3], events[3:3], events[3:]])
    batch = store[[k % 3 for k in chosen]]
    assert batch.events is store.events
    assert [batch[b] for b in range(len(batch))] == [store[k % 3] for k in chosen]
    assert batch.lengths.tolist() == [len(store[k % 3]) for k in chosen]
    assert batch.is_sorted == all(store[k % 3].is_sorted for k in chosen)
    on_torch = store.to("cpu")
    assert list(on_torch[torch.tensor(chosen) % 3]) == list(batch)
    with pytest.raises(ValueError, match="must lie within"):
        Packed(events, [0], [len(events) + 1])


@given(st.lists(streams(), min_size=1, max_size=4), st.data(), st.sampled_from([0, 2**31 + 5]))
def test_words_give_back_what_was_put_in(recordings, data, span):
    last = recordings[-1].sort()
    t = last.t.copy()
    t[len(t) // 2 :] += span  # too long for 32 bits
    recordings = [*(events.sort() for events in recordings[:-1]), Events(t, *last.columns[1:], sensor=SENSOR)]
    words = Words.of(Packed.join(recordings), "cpu")
    assert words.values.element_size() == (8 if span and len(t) > 1 else 4)
    index = data.draw(st.lists(st.integers(0, len(recordings) - 1), max_size=5))
    taken = words[index]
    assert taken.is_sorted
    assert [events.numpy() for events in taken] == [recordings[k] for k in index]
    assert words[len(recordings) - 1].numpy() == recordings[-1]
    assert [events.numpy() for events in words[1:]] == recordings[1:]


def test_words_are_made_of_recordings_in_a_row_and_in_order():
    events = Events([3, 5, 1], [0, 1, 2], [0, 1, 2], [0, 1, 1], sensor=SENSOR)
    with pytest.raises(ValueError, match="in order of time"):
        Words.of(Packed.join([events]), "cpu")
    with pytest.raises(ValueError, match="one after the other"):
        Words.of(Packed.join([events[:1], events[1:2]])[[1, 0]], "cpu")
    with pytest.raises(ValueError, match="negative"):
        Words.of(Packed.join([Events([3], [-1], [0], [0])]), "cpu")
    with pytest.raises(ValueError, match="an event takes"):
        Words.of(Packed.join([Events([-(2**62), 2**62 - 1], [2, 0], [0, 0], [0, 1])]), "cpu")


@pytest.fixture
def on_gpu(monkeypatch):
    """Compute with the GPU's kernel: on a GPU if there is one, else through Triton's interpreter."""
    pytest.importorskip("triton")
    if torch.cuda.is_available():
        return lambda of, events: of(events.to("cuda")).cpu()
    monkeypatch.setenv("TRITON_INTERPRET", "1")

    def compute(of, events):
        with monkeypatch.context() as patch:
            for module in (binning, bins):
                patch.setattr(module, "uses_gpu", lambda events: True)
            return of(events.to("cpu"))

    return compute


KERNEL = {
    **{f"{name}{channels}": lambda e, a=asked, c=channels: to_frames(e, **a, channels=c)
       for name, asked in (("dt", {"dt": 70}), ("count", {"count": 7, "overlap": 3})) for channels in (1, 2, "signed")},
    **{str(dtype): lambda e, d=dtype: to_frames(e, 300, dtype=d)
       for dtype in (torch.uint8, torch.int16, torch.float16, torch.bfloat16, torch.int32)},
    "signed16": lambda e: to_frames(e, 300, dtype=torch.int16, channels="signed"),
    "binary": lambda e: to_frames(e, 70, binary=True, dtype=torch.uint8),
    "binary_signed": lambda e: to_frames(e, 70, binary=True, channels="signed"),
    "overlap": lambda e: to_frames(e, 70, overlap=40, downsample=2),
    "parts": lambda e: to_frames(e, n_bins=7),
    "number": lambda e: to_frames(e, n_event_bins=7),
    "duration": lambda e: to_frames(e, 50, duration=300),
    **{name: REPRESENTATIONS[name] for name in ("voxel", "voxel_one", "latest", "active", "time")},
}  # fmt: skip


@pytest.mark.parametrize("name", KERNEL)
def test_the_gpu_kernel_gives_what_the_cpu_gives(name, on_gpu):
    for events in (recording(150, 1, start=2**33), Packed.join([recording(90, 2), recording(40, 3), recording(60, 4)])):
        result, expected = on_gpu(KERNEL[name], events), KERNEL[name](events)
        assert result.dtype == expected.dtype
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_representations_on_a_gpu_equal_those_on_the_cpu(name):
    of = REPRESENTATIONS[name]
    for events in (recording(150, 1), Packed.join([recording(90, 2), recording(70, 3)])):
        torch.testing.assert_close(of(events.to("cuda")).cpu(), of(events), rtol=0, atol=1e-4)


def test_the_gpu_kernel_finds_what_is_wrong(on_gpu):
    events = recording(60, 1)
    many = Events([0] * 300, [1] * 300, [1] * 300, [1] * 300, sensor=SENSOR)
    with pytest.raises(ValueError, match="outside the 5x5 sensor"):
        on_gpu(lambda e: to_frames(e, 70, sensor=(5, 5)), events)
    for dtype in (torch.uint8, torch.bfloat16, torch.int8):
        with pytest.raises(ValueError, match="a pixel counts more than"):
            on_gpu(lambda e, d=dtype: to_frames(e, 1, dtype=d), many)
    with pytest.raises(ValueError, match="a pixel counts more than"):
        on_gpu(lambda e: to_frames(e, 1, dtype=torch.int8, channels="signed"), many)
    backwards = Packed.join([events, Events(events.t[::-1].copy(), *events.columns[1:], sensor=SENSOR)])
    for asked in ({"n_bins": 3}, {"count": 7}):
        with pytest.raises(ValueError, match="not in order of time"):
            on_gpu(lambda e, a=asked: to_frames(e, **a), backwards)
    with pytest.raises(ValueError, match="n_bins must lie between"):
        on_gpu(lambda e: to_frames(e, n_bins=2_000), Packed.join([events]))
    assert on_gpu(lambda e: to_frames(e, 70, sensor=(5, 5), check=False), events).sum() < 60
