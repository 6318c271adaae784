"""Moving shapes: true areas, the law of the pixels, the same events for the same seed."""

import math

import numpy as np
import pytest

from eventsnn.datasets.shapes import KINDS, Shape, coverage, record

STILL = (0.0, 0.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spin", [0.0, 0.7])
def test_coverage_sums_to_the_area(kind, spin):
    shape = Shape(kind, 30.0, (25.3, 24.6), STILL, spin=spin)
    n = KINDS[kind]
    area = math.pi * 15**2 if not n else n / 2 * math.sin(2 * math.pi / n) * 15**2
    covered = coverage(shape, 1.0, 50, 50)
    assert covered.sum() == pytest.approx(area, rel=0.01)
    y, x = np.mgrid[:50, :50]
    assert (covered * x).sum() / covered.sum() == pytest.approx(25.3, abs=0.1)
    assert (covered * y).sum() / covered.sum() == pytest.approx(24.6, abs=0.1)


def test_coverage_moves_with_the_shape():
    shape = Shape("square", 12.0, (10.0, 12.0), (7.0, -3.0), spin=0.0)
    assert np.allclose(np.roll(coverage(shape, 0.0, 40, 30), (-3, 7), (0, 1)), coverage(shape, 1.0, 40, 30))
    assert coverage(shape, 100.0, 40, 30).sum() == 0


def test_a_pixel_fires_once_for_each_threshold_crossed():
    """From background to shape and back.

    log(0.8 / 0.2) is 5.5 thresholds and the start up to 0.9 off: 4 to 6 ON events, 5 on average, then as many OFF or
    one more or less.
    """
    shape = Shape("square", 20 * math.sqrt(2), (-30.0, 20.0), (300.0, 0.0))
    events, _ = record([shape], (60, 40), "400ms", noise_rate=0.0, threshold=math.log(4) / 5.5)
    inside = events[(events.x > 5) & (events.x < 50) & (events.y > 12) & (events.y < 28)]
    on, off = (np.bincount(inside.y[inside.p == p] * 60 + inside.x[inside.p == p]) for p in (1, 0))
    assert set(on[on > 0]) == {4, 5, 6}
    assert on[on > 0].mean() == pytest.approx(5, abs=0.15)
    assert abs(on[on > 0] - off[on > 0]).max() <= 1
    at_one_pixel = inside[(inside.x == 25) & (inside.y == 20)]
    assert at_one_pixel.p.tolist() == sorted(at_one_pixel.p.tolist(), reverse=True)


def test_the_same_seed_gives_the_same_events():
    shapes = [Shape("circle", 20.0, (10.0, 20.0), (60.0, 5.0)), Shape("hexagon", 16.0, (40.0, 20.0), (-50.0, 0.0))]
    first, truth = record(shapes, (50, 40), "200ms", seed=3, hot_pixels=2)
    assert first == record(shapes, (50, 40), "200ms", seed=3, hot_pixels=2)[0]
    assert first != record(shapes, (50, 40), "200ms", seed=4, hot_pixels=2)[0]
    assert first.is_sorted
    assert not first.outside().any()
    assert truth.shape == (201, 2, 2)
    assert first.t.min() >= 0
    assert first.t.max() <= 200_000


def test_noise_has_its_rate_and_hot_pixels_stand_out():
    events, _ = record([], (100, 80), "1s", noise_rate=2.0, hot_pixels=3, hot_rate=400.0)
    counts = np.bincount(events.y.astype(int) * 100 + events.x, minlength=8000)
    hot = np.sort(counts)[-3:]
    assert (abs(hot - 400) < 100).all()
    assert len(events) - hot.sum() == pytest.approx(16_000, abs=4 * math.sqrt(16_000))
    assert events.p.mean() == pytest.approx(0.5, abs=0.02)


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="no shape is called 'cube'; there are circle, triangle"):
        Shape("cube", 5.0, STILL, STILL)
    with pytest.raises(ValueError, match="must be positive"):
        Shape("circle", 0.0, STILL, STILL)
    with pytest.raises(ValueError, match="duration must last a step"):
        record([], (5, 5), "0ms")
