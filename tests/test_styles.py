"""How events look: each style against what it says of itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsnn import Events
from eventsnn.styles import OFF, ON, PAPER, STYLES, Painter

SENSOR = (7, 5)


def some(n, seed=0, span=3_000):
    random = np.random.default_rng(seed)
    t, x, y, p = (random.integers(0, high, n) for high in (span, *SENSOR, 2))
    return Events(np.sort(t), x, y, p, sensor=SENSOR)


def stretches(painter, events, length=1_000, count=3):
    return [painter.paint(events.between(k * length, (k + 1) * length), (k + 1) * length) for k in range(count)]


@given(st.integers(0, 60), st.integers(0, 9))
def test_polarity_shows_the_latest_event_of_the_stretch(n, seed):
    events = some(n, seed)
    expected = np.full((5, 7, 3), PAPER)
    for _, x, y, p in events:
        expected[y, x] = ON if p else OFF
    assert np.array_equal(Painter(SENSOR).paint(events, 3_000), expected)


@given(st.integers(0, 60), st.integers(0, 9))
def test_grey_is_the_signed_count(n, seed):
    events = some(n, seed)
    counts = np.zeros((5, 7))
    for _, x, y, p in events:
        counts[y, x] += 1 if p else -1
    image = Painter(SENSOR, "grey", contrast=10).paint(events, 3_000)
    assert (image == image[..., :1]).all()
    assert abs(image[..., 0] - (127.5 + 12.75 * counts.clip(-10, 10))).max() <= 1.5


@given(st.integers(0, 60), st.integers(0, 9))
def test_a_surface_is_brighter_the_later_a_pixel_fired(n, seed):
    events = some(n, seed)
    image = stretches(Painter(SENSOR, "surface", fade=1_500), events)[-1].astype(int).sum(-1)
    latest = np.full((5, 7), -1)
    for t, x, y, _ in events:
        latest[y, x] = t
    order = np.argsort(latest.ravel(), kind="stable")
    assert (np.diff(image.ravel()[order]) >= 0).all()
    assert np.ptp(image[latest < 0]) == 0 if (latest < 0).any() else True


@given(st.integers(0, 60), st.integers(0, 9))
def test_decay_does_not_depend_on_the_stretches(n, seed):
    events = some(n, seed)
    parts = stretches(Painter(SENSOR, "decay", fade=1_000, contrast=2), events)[-1]
    whole = Painter(SENSOR, "decay", fade=1_000, contrast=2).paint(events, 3_000)
    assert abs(parts.astype(int) - whole).max() <= 1
    sums = np.zeros((5, 7))
    for t, x, y, p in events:
        sums[y, x] += (1 if p else -1) * np.exp((t - 3_000) / 1_000)
    redder = whole[..., 0].astype(int) - whole[..., 2]
    assert (np.sign(redder)[abs(sums) > 0.05] == -np.sign(sums)[abs(sums) > 0.05]).all()


def test_contrast_adapts_at_once_and_relaxes_slowly():
    painter = Painter(SENSOR, "grey")
    many = Events(range(30), [3] * 30, [2] * 30, [1] * 30, sensor=SENSOR)
    assert painter.paint(many, 100)[2, 3, 0] == 255
    after = painter.paint(many[:15], 200)[2, 3, 0]
    assert 185 < after < 200
    later = [painter.paint(many[:15], 300 + k)[2, 3, 0] for k in range(30)]
    assert later[-1] == 255
    assert sorted(later) == later


@pytest.mark.parametrize("style", STYLES)
def test_nothing_to_see_is_one_colour(style):
    painter = Painter(SENSOR, style)
    images = [painter.paint(Events.empty(SENSOR), end) for end in (0, 2**40)]
    for image in images:
        assert image.shape == (5, 7, 3)
        assert image.dtype == np.uint8
        assert np.ptp(image.reshape(-1, 3), axis=0).max() == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Painter(SENSOR, "sepia"), "known are polarity, grey, surface, decay"),
        (lambda: Painter(SENSOR, fade=0), "must be positive"),
        (lambda: Painter(SENSOR, contrast=-1), "must be positive"),
        (lambda: Painter(SENSOR).paint(Events([0], [7], [0], [1]), 5), "outside the 7x5 sensor"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
