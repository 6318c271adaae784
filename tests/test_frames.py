"""Frames and windows: every event is counted once, in the bin that a plain loop would put it in."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eventsnn import Events, to_frames, windows

SENSOR = (7, 5)


@st.composite
def streams(draw):
    n = draw(st.integers(0, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    t = random.integers(0, draw(st.integers(1, 3_000)), n) + draw(st.sampled_from([0, 1_317_888, 2**31, 2**50]))
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
        ({"dt": 5, "n_bins": 5}, "either dt"),
        ({"dt": 0}, "at least 1 us"),
        ({"dt": "5 parsecs"}, "not a duration"),
        ({"n_bins": 0}, "n_bins must lie between"),
        ({"dt": 5, "start": 10, "stop": 5}, "before start"),
        ({"dt": 5, "sensor": (2, 2)}, "outside the 2x2 sensor"),
    ],
)
def test_bad_requests(arguments, message):
    with pytest.raises(ValueError, match=message):
        to_frames(Events([0, 9], [3, 3], [1, 1], [0, 1], sensor=SENSOR), **arguments)


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
    whole, cut = list(windows([events], dt)), list(windows(parts, dt))
    assert [begin for begin, _ in whole] == [begin for begin, _ in cut]
    assert all(a == b for (_, a), (_, b) in zip(whole, cut, strict=True))
    if len(events):
        assert Events.concatenate(part for _, part in whole) == events
        assert {b - a for (a, _), (b, _) in itertools.pairwise(whole)} <= {dt}


@given(streams(), st.integers(1, 500))
def test_windows_of_sorted_events_hold_their_times(events, dt):
    for begin, part in windows([events.sort()], dt):
        assert ((part.t >= begin) & (part.t < begin + dt)).all()
