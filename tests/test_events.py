"""The Events record: what it accepts, how it is cut and joined."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import eventsnn.io
from eventsnn import Events, microseconds

SENSOR = (40, 30)


def some(n: int, seed: int = 0) -> Events:
    random = np.random.default_rng(seed)
    return Events(
        np.sort(random.integers(0, 50_000, n)),
        random.integers(0, SENSOR[0], n),
        random.integers(0, SENSOR[1], n),
        random.integers(0, 2, n),
        sensor=SENSOR,
    )


def test_columns_get_the_dtypes_of_the_record():
    events = some(10)
    assert [str(column.dtype) for column in events.columns] == ["int64", "int16", "int16", "uint8"]
    kept = Events(np.zeros(2, np.int64), np.zeros(2, np.uint16), np.zeros(2, np.uint16), np.array([True, False]))
    assert [str(column.dtype) for column in kept.columns] == ["int64", "uint16", "uint16", "bool"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0, 1], [0], [0, 1], [0, 1]), "differ in length"),
        (([0.5], [0], [0], [0]), "t must be int64, got float64"),
        (([0], [40_000], [0], [0]), "x must lie in -32768..32767"),
        (([0], [0], [0], [-1]), "pass p > 0"),
        (([[0]], [0], [0], [0]), "one dimension"),
        ((torch.zeros(1, dtype=torch.int64), [0], [0], [0]), "all NumPy or all torch"),
    ],
)
def test_columns_that_would_lose_something_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        Events(*columns)


def test_a_sensor_has_two_positive_sides():
    for sensor in ((0, 5), (3,), 3, "ab"):
        with pytest.raises(ValueError, match="both positive"):
            Events.empty(sensor=sensor)


@given(st.integers(0, 60), st.integers(0, 60))
def test_cut_and_joined_again_they_are_the_same(n, cut):
    events = some(n)
    assert Events.concatenate([events[:cut], events[cut:]]) == events


@given(st.integers(0, 50_001), st.integers(0, 50_001))
def test_between_is_the_mask_of_the_times(start, stop):
    events = some(200)
    wanted = events[(events.t >= start) & (events.t < stop)]
    assert events.between(start, stop) == wanted
    assert events.to("cpu").between(start, stop) == wanted


def test_between_counts_texts_from_the_first_event():
    events = Events([1_000_000, 1_009_999, 1_010_000], [0] * 3, [0] * 3, [0] * 3)
    assert len(events.between("0ms", "10ms")) == 2
    assert len(events.between(1_010_000)) == 1


def test_between_takes_no_seconds():
    events = Events([0, 10, 20], [0] * 3, [0] * 3, [0] * 3)
    assert events.between(np.int32(10), torch.tensor(20)) == events[1:2]
    for when in (0.01, np.float64(10.0), [10]):
        with pytest.raises(ValueError, match="not a time: "):
            events.between(when)
        with pytest.raises(ValueError, match="not a time: "):
            eventsnn.io.open(b"5 1 1 1\n9 1 1 1\n").between(None, when)


def test_between_needs_order():
    with pytest.raises(ValueError, match=r"sort\(\)"):
        Events([5, 3], [0, 0], [0, 0], [0, 0]).between(0, 4)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_sort_keeps_simultaneous_events_in_their_order(device):
    events = Events([3, 1, 3, 1], [0, 1, 2, 3], [0] * 4, [0] * 4)
    events = events if device is None else events.to(device)
    assert not events.is_sorted
    assert events.sort().x.tolist() == [1, 3, 0, 2]


def test_to_torch_and_back():
    events = some(20)
    there = events.to("cpu")
    assert all(isinstance(column, torch.Tensor) for column in there.columns)
    assert there == events == there.numpy()
    wide = Events([0], np.array([40_000], np.uint16), np.array([0], np.uint16), [0])
    with pytest.raises(ValueError, match="beyond the 32767"):
        wide.to("cpu")


def test_sensors_are_part_of_the_record():
    events = some(3)
    assert events != Events(*events.columns)
    with pytest.raises(ValueError, match="different sensors"):
        Events.concatenate([events, Events.empty(sensor=(5, 5))])
    assert Events.concatenate([Events.empty(), events]).sensor == SENSOR


def test_outside_and_one_event():
    events = Events([0, 1], [0, 40], [29, 0], [0, 1], sensor=SENSOR)
    assert events.outside().tolist() == [False, True]
    assert events[1] == (1, 40, 0, 1)
    assert list(events) == [(0, 0, 29, 0), (1, 40, 0, 1)]


def test_repr_tells_count_duration_rate_and_sensor():
    assert repr(Events([0, 2_000_000], [0, 0], [0, 0], [0, 0])) == "Events(2 events, 2 s, 1 events/s, sensor unknown)"
    assert repr(Events.empty(sensor=SENSOR)) == "Events(0 events, 0 us, 0 events/s, 40x30)"


@pytest.mark.parametrize("text", ["10", "ms", "-5ms", "1 day", 1.5, True, None])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="not a duration: '10' has no unit" if text == "10" else "not a duration"):
        microseconds(text)
