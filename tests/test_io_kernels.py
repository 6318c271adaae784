"""Decoding kernels against slow decoders that follow the formats' text word by word."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsnn.io
from eventsnn.events import Events
from eventsnn.io import ahead, drive
from eventsnn.io import recording as recording_room

SENSORS = [None, (64, 48), (33, 40), (2048, 5)]
COUNTS = ("wraps", "outside", "early", "other")


def slow_evt2(words, width, height):
    events, high, epoch = [], None, 0
    counts = dict.fromkeys(COUNTS, 0)
    for word in words:
        kind, x, y = word >> 28, word >> 11 & 2047, word & 2047
        if kind == 8:
            new = word & 0xFFFFFFF
            wrapped = high is not None and high - new >= 1 << 27
            counts["wraps"] += wrapped
            epoch += wrapped << 34
            high = new
        elif kind > 1:
            counts["other"] += 1
        elif high is None:
            counts["early"] += 1
        elif x >= width or y >= height:
            counts["outside"] += 1
        else:
            events.append((epoch + (high << 6) + (word >> 22 & 63), x, y, kind))
    return events, counts


def slow_evt3(words, width, height):
    events, high, low, epoch, row, base, on = [], None, 0, 0, None, None, 0
    counts = dict.fromkeys(COUNTS, 0)
    for word in words:
        kind, value = word >> 12, word & 4095
        pixels = []
        if kind == 8 and value != high:
            wrapped = high is not None and high >= value + 0x800
            counts["wraps"] += wrapped
            epoch += wrapped << 24
            high, low = value, 0
        elif kind == 6:
            low = value
        elif kind == 0:
            row = value
        elif kind == 3:
            base, on = value & 2047, value >> 11
        elif kind == 2:
            pixels = [(value & 2047, value >> 11)]
            counts["early"] += high is None or row is None
        elif kind in (4, 5):
            counts["early"] += high is None or row is None or base is None
            if base is not None:
                size = 12 if kind == 4 else 8
                pixels = [(base + bit, on) for bit in range(size) if value >> bit & 1]
                base += size
        elif kind != 8:
            counts["other"] += 1
        if high is not None and row is not None:
            good = [(x, p) for x, p in pixels if x < width and row < height]
            counts["outside"] += len(pixels) - len(good)
            events += [(epoch + (high << 12) + low, x, row, p) for x, p in good]
    return events, counts


def slow_dat(words, width, height):
    events, before, epoch = [], 0, 0
    counts = dict.fromkeys(COUNTS, 0)
    for word in words:
        now, x, y = word & 0xFFFFFFFF, word >> 32 & 0x3FFF, word >> 46 & 0x3FFF
        if x >= width or y >= height:
            counts["outside"] += 1
            continue
        wrapped = before - now >= 1 << 31
        counts["wraps"] += wrapped
        epoch += wrapped << 32
        before = now
        events.append((epoch + now, x, y, word >> 60 & 1))
    return events, counts


def evt2_words():
    pixels = st.builds(lambda p, t, x, y: p << 28 | t << 22 | x << 11 | y, *map(st.integers, [0] * 4, [1, 63, 70, 50]))
    highs = st.builds(lambda n: 8 << 28 | n, st.one_of(st.integers(0, 3), st.integers(0, 2**28 - 1)))
    runs = st.lists(pixels, min_size=1, max_size=40)
    return st.lists(st.one_of(runs, st.lists(highs, max_size=2), st.lists(st.integers(0, 2**32 - 1), max_size=2)))


def evt3_words():
    word = st.builds(lambda k, v: k << 12 | v, st.sampled_from([0, 2, 2, 3, 4, 5, 6, 8, 14]), st.integers(0, 4095))
    near = st.builds(lambda k, v: k << 12 | v, st.sampled_from([0, 2, 3, 8]), st.integers(0, 50))
    vectors = st.builds(
        lambda base, a, b, c: [0x3800 | base, 0x4000 | a, 0x4000 | b, 0x5000 | c],
        *(st.integers(0, n) for n in (60, 4095, 4095, 255)),
    )
    return st.lists(st.one_of(st.lists(word, max_size=4), st.lists(near, max_size=4), vectors), max_size=30)


def dat_words():
    stamps = st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 50), st.integers(2**32 - 50, 2**32 - 1))
    record = st.builds(
        lambda t, x, y, p: p << 60 | y << 46 | x << 32 | t, stamps, *map(st.integers, [0] * 3, [70, 50, 1])
    )
    return st.lists(st.lists(record, max_size=20), max_size=8)


FORMATS = {"EVT2": ("2.0", "<u4", slow_evt2, 2048, evt2_words), "EVT3": ("3.0", "<u2", slow_evt3, 2048, evt3_words)}
FORMATS["DAT"] = (None, "<u8", slow_dat, 1 << 14, dat_words)


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_kernel_decodes_and_counts_like_its_slow_decoder(format, data):
    version, dtype, slow, limit, words = FORMATS[format]
    stretches = data.draw(words())
    sensor, block = data.draw(st.sampled_from(SENSORS)), data.draw(st.sampled_from([64, 1 << 19]))
    flat = np.asarray([word for stretch in stretches for word in stretch], dtype)
    body = flat.tobytes()
    head = b"% Version 2\n% end\n\x0c\x08" if version is None else f"% evt {version}\n% end\n".encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "BLOCK", block)
        with eventsnn.io.open(head + body, sensor=sensor, on_error="skip") as recording:
            events = recording.read()
            report = recording.report
    expected, counts = slow([int(word) for word in flat], *(sensor or (limit, limit)))
    assert list(zip(*(column.tolist() for column in events.columns), strict=True)) == expected
    assert {name: getattr(report, name) for name in COUNTS} == counts
    assert report.steps_back == int(np.count_nonzero(np.diff(events.t) < 0))
    if counts["outside"]:
        with pytest.raises(eventsnn.io.EventFormatError, match="lies outside") as caught:
            eventsnn.io.read(head + body, sensor=sensor)
        place = (caught.value.offset - len(head)) // flat.itemsize
        before, after = (slow([int(w) for w in flat[:n]], *(sensor or (limit, limit))) for n in (place, place + 1))
        assert (len(before[0]), before[1]["outside"]) == (caught.value.event, 0)
        assert after[1]["outside"]


def long_file(format, damage, rng):
    """Some 60 blocks of 2^14 bytes, with roll-overs, steps back, other words and pixels outside where asked for."""
    n = 120_000
    pixels = rng.integers(0, 60, n), rng.integers(0, 40, n), rng.integers(0, 2, n)
    times = np.cumsum(rng.integers(0, 3, n)) + 1000
    odd = np.flatnonzero(rng.random(n) < 3e-4)
    if damage == "steps":
        times[odd] -= 500
    if damage == "outside":
        pixels[0][odd] = 100
    if damage == "leaps":
        times += np.cumsum(np.isin(np.arange(n), odd[:9])) * 5 * 2**31
    x, y, p = pixels
    if format == "DAT":
        return b"% Version 2\n% end\n\x0c\x08" + (p << 60 | y << 46 | x << 32 | times & 0xFFFFFFFF).tobytes()
    high = times >> 6
    changed = np.diff(high, prepend=-1) != 0
    words = np.empty((n, 2), np.int64)
    words[:, 0] = 8 << 28 | high & 0xFFFFFFF
    words[:, 1] = p << 28 | (times & 63) << 22 | x << 11 | y
    if damage == "others":
        words[odd, 0], changed[odd] = 0xE << 28, True
    keep = np.stack([changed, np.ones(n, bool)], 1)
    return b"% evt 2.0\n% end\n" + words[keep].astype("<u4").tobytes()


@pytest.mark.parametrize("damage", ["none", "steps", "outside", "leaps", "others"])
@pytest.mark.parametrize("format", ["EVT2", "DAT"])
def test_two_threads_read_what_one_reads(format, damage, tmp_path, monkeypatch):
    path = tmp_path / "long"
    path.write_bytes(long_file(format, damage, np.random.default_rng(5)))
    monkeypatch.setattr(drive, "BLOCK", 1 << 14)
    taken = []
    take = ahead.Ahead.take
    monkeypatch.setattr(ahead.Ahead, "take", lambda *args: taken.append(take(*args)) or taken[-1])
    found = []
    for cores in (1, 2):
        monkeypatch.setattr(ahead, "_cores", lambda cores=cores: cores)
        monkeypatch.setattr(ahead.torch, "get_num_threads", lambda: 2)
        recording = eventsnn.io.open(path, sensor=(64, 48), on_error="skip")
        whole = recording.read()
        reports = [recording.report]
        for parts in (recording, recording.chunks(1000)):
            held = list(parts)  # nothing of what is held may be written over
            reports.append(recording.report)
            assert Events.concatenate(held) == whole
        assert reports[0] == reports[1] == reports[2]
        try:
            eventsnn.io.read(path, sensor=(64, 48))
            error = None
        except eventsnn.io.EventFormatError as caught:
            error = str(caught)
        found.append((reports[0], error, whole))
    assert (found[0][1] is None) == (damage != "outside")
    assert found[0][:2] == found[1][:2]
    assert found[0][2] == found[1][2]
    assert sum(each is not None for each in taken) > 20


def test_a_pass_that_ends_early_ends_its_thread(tmp_path, monkeypatch):
    path = tmp_path / "long"
    path.write_bytes(long_file("DAT", "none", np.random.default_rng(5)))
    monkeypatch.setattr(drive, "BLOCK", 1 << 14)
    monkeypatch.setattr(recording_room, "_NATURAL", 100)
    monkeypatch.setattr(ahead, "_cores", lambda: 2)
    monkeypatch.setattr(ahead.torch, "get_num_threads", lambda: 2)
    parts = iter(eventsnn.io.open(path))
    next(parts)
    names = {thread.name for thread in threading.enumerate()}
    assert any(name.startswith("eventsnn-io") for name in names)
    parts.close()
    assert not any(thread.name.startswith("eventsnn-io") for thread in threading.enumerate())


def test_wide_stores_write_their_places_and_no_others():
    from numba import njit

    from eventsnn.io.wide import fill, offset

    table = np.arange(24, dtype=np.int16).reshape(3, 8)

    @njit
    def both(column, wide):
        fill(wide, 5, -3)
        offset(column, 4, 100, table, 2)

    for dtype in (np.int64, np.int16, np.uint8):
        wide, column = np.arange(40).astype(dtype), np.arange(40, dtype=np.int16)
        both(column, wide)
        expected = np.arange(40).astype(dtype)
        expected[5:21] = np.int64(-3).astype(dtype)
        assert wide.tolist() == expected.tolist()
        assert column.tolist() == [*range(4), *range(116, 124), *range(12, 40)]
