"""Augmentations: what each keeps and changes, for one recording and for batches, beside tonic's transforms."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tonic import transforms as tonic

from eventsnn import Events
from eventsnn.augment import (
    CenterCrop,
    Compose,
    DropEvent,
    DropEventByArea,
    DropEventByTime,
    DropPixel,
    EventDrop,
    EventMix,
    RandomAffine,
    RandomCrop,
    RandomDropPixel,
    RandomFlipLR,
    RandomFlipPolarity,
    RandomFlipUD,
    RandomTimeReversal,
    SpatialJitter,
    TimeJitter,
    TimeSkew,
    UniformNoise,
    event_mix,
)
from eventsnn.filters import RefractoryFilter, crop, event_counts, flip_lr, flip_ud
from eventsnn.frames.packed import Packed
from eventsnn.structured import from_structured, to_structured

SENSOR = (12, 9)
SIZE = (*SENSOR, 2)


def some(n, seed=0, start=1_000):
    random = np.random.default_rng(seed)
    t, x, y, p = (random.integers(0, high, n) for high in (20_000, *SENSOR, 2))
    return Events(start + np.sort(t), x, y, p, sensor=SENSOR)


OTHER = some(50, 77)
ALL = {
    "RandomCrop": (RandomCrop, (SIZE, (7, 4))),
    "CenterCrop": (CenterCrop, (SIZE, (7, 4))),
    "RandomFlipLR": (RandomFlipLR, (SIZE,)),
    "RandomFlipUD": (RandomFlipUD, (SIZE,)),
    "RandomFlipPolarity": (RandomFlipPolarity, ()),
    "RandomTimeReversal": (RandomTimeReversal, ()),
    "RandomAffine": (RandomAffine, (SIZE,)),
    "SpatialJitter": (SpatialJitter, (SIZE, 2, 1, 0.5)),
    "TimeJitter": (TimeJitter, (300.0,)),
    "TimeSkew": (TimeSkew, ((0.8, 1.2), (0, 50))),
    "DropEvent": (DropEvent, ((0.1, 0.5),)),
    "DropEventByTime": (DropEventByTime, ()),
    "DropEventByArea": (DropEventByArea, (SIZE, 0.5)),
    "EventDrop": (EventDrop, (SIZE,)),
    "DropPixel": (DropPixel, ([(3, 4), (0, 0)], 120)),
    "RandomDropPixel": (RandomDropPixel, (0.3,)),
    "UniformNoise": (UniformNoise, (SIZE, (3, 30))),
    "EventMix": (EventMix, ([OTHER], SIZE)),
}
every = pytest.mark.parametrize("name", ALL)
devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])


def made(name, seed=0, device="cpu"):
    cls, parameters = ALL[name]
    return cls(*parameters, generator=torch.Generator(device).manual_seed(seed))


@every
@given(lengths=st.lists(st.integers(0, 40), max_size=4), seed=st.integers(0, 9))
def test_a_batch_stays_a_batch_of_recordings_in_order_and_on_the_sensor(name, lengths, seed):
    recordings = [some(n, seed + k) for k, n in enumerate(lengths)]
    packed = Packed.join([Events.empty(SENSOR), *recordings])[1:]
    changed = made(name, seed)(packed)
    assert len(changed) == len(lengths)
    assert isinstance(changed.events.t, np.ndarray)
    assert made(name, seed)(packed).events == changed.events
    for recording in changed:
        assert recording.is_sorted
        assert not recording.outside().any()


@every
def test_one_recording_is_a_batch_of_one_whatever_holds_it(name):
    events = some(40)
    changed = made(name)(events)
    assert changed == made(name)(Packed.join([events]))[0]
    assert changed == made(name)(events.to("cpu"))
    assert isinstance(made(name)(events.to("cpu")).t, torch.Tensor)
    array = to_structured(events, np.dtype([("t", int), ("p", bool), ("y", int), ("x", int)]))
    before = array.copy()
    result = made(name)(array)
    assert result.dtype == array.dtype
    assert from_structured(result, changed.sensor) == changed
    assert np.array_equal(array, before)
    assert events == some(40)


@every
def test_recordings_differ_and_so_do_seeds(name):
    if name in ("CenterCrop", "DropPixel"):
        pytest.skip("nothing is drawn")
    changed = made(name)(Packed.join([some(60)] * 8))
    assert any(changed[k] != changed[0] for k in range(1, 8))
    assert made(name, 1)(Packed.join([some(60)] * 8)).events != changed.events


@every
def test_the_names_and_parameters_are_those_of_tonic(name):
    ours, theirs = ALL[name][0], getattr(tonic, name, None)
    if theirs is None:
        pytest.skip("tonic has none")
    wanted = [field.name for field in dataclasses.fields(theirs)]
    given = [field.name for field in dataclasses.fields(ours) if not field.kw_only]
    assert given == [name for name in wanted if (ours, name) != (RandomDropPixel, "sensor_size")]


@every
def test_stands_in_either_compose(name):
    array = to_structured(some(40))
    chain = [tonic.TimeAlignment(), made(name), tonic.RandomFlipPolarity(p=1.0)]
    theirs = tonic.Compose(chain)(array.copy())
    chain[1] = made(name)
    ours = Compose(chain)(array)
    assert theirs.dtype == ours.dtype == array.dtype
    assert np.array_equal(theirs, ours)


def test_compose_takes_filters_functions_tonic_and_frames():
    batch = Packed.join([some(30, 1), some(0), some(20, 2)])
    chain = [RefractoryFilter(SENSOR, 500), flip_lr, RandomFlipUD(p=1.0), tonic.CenterCrop(SIZE, (6, 5))]
    composed = Compose(chain)
    result = composed(batch)
    assert result.sensor == (6, 5)
    for recording, changed in zip(batch, result, strict=True):
        plain = flip_ud(flip_lr(RefractoryFilter(SENSOR, 500)(recording)))
        assert changed == CenterCrop(None, (6, 5))(plain)
    frames = Compose([*chain[1:3], tonic.ToFrame(SIZE, n_time_bins=3)])(batch[[0, 2]])
    assert [frame.shape for frame in frames] == [(3, 2, 9, 12)] * 2
    assert Compose([composed, lambda array: array[:1]])(some(30, 1)) == composed(some(30, 1))[:1]
    for chain in (tonic.Compose, Compose):
        dataset = chain([RefractoryFilter(SENSOR, 500)])
        arrays = [dataset(to_structured(some(30, seed))) for seed in (1, 1)]
        assert np.array_equal(*arrays), "every record array is a recording of its own"
    assert Compose([])(to_structured(some(3))).dtype.names == ("x", "y", "t", "p")


@devices
@given(n=st.integers(0, 60), seed=st.integers(0, 20))
def test_what_each_keeps(device, n, seed):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    plain = some(n, seed)
    events = plain.to(device)
    t, x, y, p = plain.columns
    assert RandomFlipLR(p=1.0)(events) == flip_lr(plain)
    assert RandomFlipUD(p=1.0)(events) == flip_ud(plain)
    assert RandomFlipPolarity(p=1.0)(events) == Events(t, x, y, 1 - p, sensor=SENSOR)
    for nothing in (
        RandomFlipLR(p=0.0),
        RandomFlipPolarity(p=0.0),
        RandomTimeReversal(p=0.0),
        RandomCrop(None, SENSOR),
        CenterCrop(None, SENSOR),
        RandomAffine(degrees=0, translate=(0, 0), scale=(1, 1)),
        SpatialJitter(var_x=0, var_y=0),
        TimeJitter(0),
        TimeSkew(1.0),
        DropEvent(0.0),
        DropEventByTime(0.0),
        DropEventByArea(area_ratio=0.0),
        DropPixel(),
        RandomDropPixel(0.0),
        UniformNoise(n=0),
    ):
        assert nothing(events) == plain
    for all_gone in (DropEvent(1.0), DropEventByTime(1.0), DropEventByArea(area_ratio=1.0), RandomDropPixel(1.0)):
        assert len(all_gone(events)) == 0
    assert len(DropEvent(0.3)(events)) == n - int(0.3 * n)
    twice = RandomTimeReversal(p=1.0)(RandomTimeReversal(p=1.0)(events)).numpy()
    assert sorted(twice) == sorted(plain)
    turned = RandomAffine(degrees=0, translate=(0, 0), scale=(1, 1), shear=0)
    assert turned(events).sensor == SENSOR
    skewed = TimeSkew(2.0, offset=5)(events).numpy()
    assert skewed.t.tolist() == [2 * s + 5 for s in t.tolist()]
    noisy = UniformNoise(n=7)(events).numpy()
    assert len(noisy) == n + 7
    assert noisy.is_sorted
    rest = sorted(noisy)
    for event in plain:
        rest.remove(event)
    assert len(rest) == 7
    low, high = (int(t[0]), int(t[-1])) if n else (0, 0)
    assert all(low <= event[0] <= high for event in rest)


@given(st.integers(1, 60), st.integers(0, 20))
def test_crops_are_windows_of_the_sensor(n, seed):
    events = some(n, seed)
    changed = RandomCrop(None, (7, 4))(events)
    assert any(changed == crop(events, left, top, 7, 4) for left in range(6) for top in range(6))
    assert CenterCrop(None, (6, 5))(events) == crop(events, 3, 2, 6, 5)
    assert CenterCrop(None, 4)(events) == crop(events, 4, 2, 4, 4)


def test_every_window_of_a_crop_is_drawn():
    corner = Packed.join([Events([0] * 108, np.arange(108) % 12, np.arange(108) // 12, [1] * 108, sensor=SENSOR)] * 900)
    cropped = RandomCrop(None, (7, 4))(corner)
    assert set(cropped.lengths.tolist()) == {28}
    draws = torch.Generator().manual_seed(0)
    one = Packed.join([Events([0], [6], [4], [1], sensor=SENSOR)] * 900)
    seen = RandomCrop(None, (7, 4), generator=draws)(one).events
    assert set(zip(seen.x.tolist(), seen.y.tolist(), strict=True)) == {(x, y) for x in range(1, 7) for y in range(4)}


def test_an_affine_map_turns_scales_and_moves_about_the_middle():
    square = Events(range(4), [1, 7, 7, 1], [2, 2, 6, 6], [1, 0, 1, 0], sensor=(9, 9))
    double = RandomAffine(degrees=0, translate=(0, 0), scale=(0.5, 0.5))(square)
    assert list(zip(double.x.tolist(), double.y.tolist(), strict=True)) == [(2, 3), (6, 3), (6, 5), (2, 5)]
    many = Packed.join([Events([0], [8], [4], [1], sensor=(9, 9))] * 500)
    turned = RandomAffine(degrees=180, translate=(0, 0), scale=(1, 1))(many).events
    radius = np.hypot(turned.x - 4, turned.y - 4)
    assert abs(radius - 4).max() < 0.75
    assert {(8, 4), (0, 4), (4, 8), (4, 0)} <= set(zip(turned.x.tolist(), turned.y.tolist(), strict=True))
    moved = RandomAffine(degrees=0, translate=(0.5, 0), scale=(1, 1))(many).events
    assert set(moved.y.tolist()) == {4}
    assert set(moved.x.tolist()) == {4, 5, 6, 7, 8}
    slanted = RandomAffine(degrees=0, translate=(0, 0), scale=(1, 1), shear=45)(many).events
    assert set(slanted.x.tolist()) == {8}


def test_jitter_has_the_variances_it_is_given():
    n = 40_000
    still = Events(np.full(n, 10**6), np.full(n, 500), np.full(n, 300), np.ones(n, int), sensor=(1000, 600))
    moved = SpatialJitter(var_x=16, var_y=9, sigma_xy=6)(still)
    covariance = np.cov(moved.x, moved.y)
    assert np.allclose(covariance, [[16, 6], [6, 9]], atol=0.5)
    late = TimeJitter(200)(still).t
    assert abs(late.std() - 200) < 5
    assert abs(late.mean() - 10**6) < 5
    edge = Events(np.zeros(n, int), np.zeros(n, int), np.zeros(n, int), np.ones(n, int), sensor=(9, 9))
    assert 0.45 < len(TimeJitter(200)(edge)) / n < 0.55
    assert len(TimeJitter(200, clip_negative=False)(edge)) == n
    assert not TimeJitter(200, clip_negative=False, sort_timestamps=False)(edge).is_sorted
    assert len(SpatialJitter(clip_outliers=False)(edge)) == n
    assert 0.3 < len(SpatialJitter()(edge)) / n < 0.55


@given(st.integers(0, 20), st.floats(0.05, 0.95))
def test_what_is_dropped_by_time_and_area_is_one_piece_of_the_size_given(seed, ratio):
    span = np.arange(1_000)
    even = Events(span, span % 10, span // 10 % 10, span % 2, sensor=(10, 10))
    draws = torch.Generator().manual_seed(seed)
    gone = np.setdiff1d(span, DropEventByTime(ratio, generator=draws)(even).t)
    assert abs(len(gone) - 1_000 * ratio) <= 1
    assert len(gone) == np.ptp(gone) + 1
    left = DropEventByArea(area_ratio=ratio, generator=draws)(even)
    gone = even[np.setdiff1d(span, left.t)]
    sides = [np.ptp(column) + 1 for column in (gone.x, gone.y)] if len(gone) else [0, 0]
    assert sides == [round(10 * ratio**0.5)] * 2
    assert len(gone) == 10 * sides[0] * sides[1]


def test_event_drop_takes_one_of_four_ways():
    span = np.arange(1_000)
    even = Events(span, span % 10, span // 10 % 10, span % 2, sensor=(10, 10))
    lengths = EventDrop(generator=torch.Generator().manual_seed(0))(Packed.join([even] * 400)).lengths / 1_000
    assert 0.15 < (lengths == 1).mean() < 0.35
    assert lengths.min() < 0.2
    assert 0.55 < lengths.mean() < 0.7


def test_pixels_are_dropped_whole():
    events = some(800)
    dropped = RandomDropPixel(0.4, generator=torch.Generator().manual_seed(0))(Packed.join([events] * 30))
    shares = []
    for recording in dropped:
        before, after = event_counts(events), event_counts(recording)
        assert ((after == 0) | (after == before)).all()
        shares.append((after == 0).mean())
    assert 0.37 < np.mean(shares) < 0.43
    assert np.ptp(shares) > 0
    array = to_structured(events)
    for parameters in ({"coordinates": [(3, 4), (11, 8)]}, {"hot_pixel_frequency": 450.0}):
        assert np.array_equal(DropPixel(**parameters)(array), tonic.DropPixel(**parameters)(array.copy()))
        assert len(DropPixel(**parameters)(array)) < len(array)


@devices
def test_a_mix_has_the_share_of_the_first_inside_and_the_second_outside(device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    recordings = [some(300, k) for k in range(6)]
    store = Packed.join([*recordings, some(0)]).to(device)
    draws = torch.Generator(device).manual_seed(1)
    mixed, other, part = event_mix(store, share=(0.2, 0.8), generator=draws)
    assert sorted(other.tolist()) == list(range(7))
    assert len(set(mixed.lengths.tolist())) > 2
    for number, partner in enumerate(other.tolist()):
        one, two = store[number].numpy(), store[partner].numpy()
        shift = int(one.t[0] if len(one) else 0) - int(two.t[0] if len(two) else 0)
        first = set(one)
        second = {(t + shift, x, y, p) for t, x, y, p in two}
        events = list(mixed[number].numpy())
        assert all(event in first or event in second for event in events)
        assert mixed[number].is_sorted
        kept = float(part[number]) * len(events)
        assert abs(kept - round(kept)) < 1e-3
        if number != partner and len(one):
            assert 0.2 * 300 - 1 <= kept <= 0.8 * 300 + 1
    same, _, part = event_mix(store[[0, 0, 0]], share=0.5)
    assert same.lengths.tolist() == [300] * 3, "a recording mixed with itself is itself"
    assert part.tolist() == [0.5] * 3
    alone, _, _ = event_mix(store[[0, 1]], share=1.0)
    assert set(store[0].numpy()) <= set(alone[0].numpy())


def test_mixing_with_others_takes_each_of_them():
    one = Packed.join([Events([5, 6], [0, 11], [0, 8], [1, 1], sensor=SENSOR)] * 60)
    others = [Events([9], [k], [4], [1], sensor=SENSOR) for k in range(3)]
    draws = torch.Generator().manual_seed(0)
    for held in (others, [to_structured(each) for each in others], Packed.join(others)):
        mixed = EventMix(held, share=0.0, generator=draws)(one)
        assert set(mixed.lengths.tolist()) == {1}
        assert set(mixed.events.x.tolist()) == {0, 1, 2}
        assert set(mixed.events.t.tolist()) == {5}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomFlipLR(p=1.5), "p must lie in 0..1"),
        (lambda: RandomFlipLR()(Events([0], [1], [1], [1])), "give sensor_size"),
        (lambda: RandomFlipLR((0, 4))(some(3)), "both positive"),
        (lambda: RandomFlipLR((4, 4))(some(30)), "outside the 4x4 sensor"),
        (lambda: RandomCrop(None, (13, 4))(some(3)), "13x4 px does not lie within the 12x9"),
        (lambda: CenterCrop(None, 0)(some(3)), "0x0"),
        (lambda: RandomAffine(degrees=-1), "degrees must not be negative"),
        (lambda: RandomAffine(scale=(0, 1)), "positive range"),
        (lambda: RandomAffine(translate=(0.5, 2)), "translate must lie"),
        (lambda: SpatialJitter(var_x=-1), "variances"),
        (lambda: SpatialJitter(sigma_xy=2), "sigma_xy"),
        (lambda: TimeJitter(-1), "std must be"),
        (lambda: TimeSkew(0.0), "coefficient must be positive"),
        (lambda: DropEvent((0.5, 0.1)), "p must lie in 0..1"),
        (lambda: DropEventByTime(-0.1), "duration_ratio must lie"),
        (lambda: DropEventByArea(None, 2.0), "area_ratio must lie"),
        (lambda: UniformNoise(n=-1), "none negative"),
        (lambda: EventMix([]), "no recording to mix with"),
        (lambda: event_mix(Packed.join([some(3)]), share=2.0), "share must lie"),
        (lambda: event_mix(Packed.join([some(3)]), clouds=0), "clouds must be at least 1"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
