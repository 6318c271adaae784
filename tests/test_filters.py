"""The background-activity filter against a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsnn import Events
from eventsnn.filters import BackgroundActivityFilter

SENSOR = (6, 5)


def naive(events, tau, support):
    last, keep = {}, []
    for t, x, y, _ in events:
        near = [last.get((x + dx, y + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0)]
        keep.append(sum(s is not None and s >= t - tau for s in near) >= support)
        last[x, y] = t
    return events[np.array(keep, bool)]


@given(st.integers(0, 80), st.integers(0, 99), st.integers(1, 3), st.integers(0, 80))
def test_equals_a_plain_loop_however_the_stream_is_cut(n, seed, support, cut):
    random = np.random.default_rng(seed)
    t, x, y, p = (random.integers(0, high, n) for high in (500, *SENSOR, 2))
    events = Events(np.sort(t), x, y, p, sensor=SENSOR)
    clean = BackgroundActivityFilter(SENSOR, tau=40, support=support)
    parts = [clean(events[:cut]), clean(events[cut:])]
    assert Events.concatenate(parts) == naive(events, 40, support)
    clean.reset()
    assert clean(events) == naive(events, 40, support)


def test_bad_settings_and_foreign_events():
    with pytest.raises(ValueError, match="tau must be at least 1 us"):
        BackgroundActivityFilter(SENSOR, tau=0)
    with pytest.raises(ValueError, match=r"1\.\.8"):
        BackgroundActivityFilter(SENSOR, support=9)
    with pytest.raises(ValueError, match="outside the 6x5 sensor"):
        BackgroundActivityFilter(SENSOR)(Events([0], [6], [0], [0]))
