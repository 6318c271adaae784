"""Events from pictures: the law of the pixels, their noise and rest, and the commands that write recordings."""

import json
import math
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import eventsnn
from eventsnn.camera import PixelConfig, Pixels, log_intensity
from eventsnn.cli import main
from eventsnn.datasets.shapes import PRESETS, generate
from eventsnn.datasets.shapes.recordings import write_recordings
from eventsnn.track import Tracks
from eventsnn.track.metrics import Boxes

CLEAN = PixelConfig(mismatch=0.0, leak_rate=0.0, noise_rate=0.0)


def seen(images, config=CLEAN, dt=10_000):
    pixels = Pixels((images.shape[2], images.shape[1]), config)
    return eventsnn.Events.concatenate([pixels(image, k * dt) for k, image in enumerate(images)])


@given(st.lists(st.floats(0.1, 1.0), min_size=2, max_size=6))
def test_events_add_up_to_the_change_of_the_logarithm(levels):
    """ON less OFF is the change in thresholds, to less than two: the phase at the start and what is left."""
    events = seen(torch.tensor(levels)[:, None, None].expand(-1, 3, 4))
    change = (log_intensity(torch.tensor(levels[-1])) - log_intensity(torch.tensor(levels[0]))) / 0.2
    signed = np.zeros((3, 4))
    np.add.at(signed, (events.y, events.x), np.where(events.p, 1, -1))
    assert abs(signed - float(change)).max() < 2
    assert events.is_sorted


def test_a_ramp_of_the_logarithm_is_events_at_equal_distance():
    ramp = torch.exp(torch.linspace(math.log(0.1), math.log(1.0), 11)).double()[:, None, None]
    events = seen(ramp)
    assert len(events) == pytest.approx(math.log(10) / 0.2, abs=1)
    gaps = np.diff(events.t)
    assert gaps.min() == pytest.approx(gaps.max(), abs=2)
    assert gaps.mean() == pytest.approx(0.2 / math.log(10) * 100_000, abs=1)
    assert events.p.all()


def test_one_image_more_between_two_of_a_straight_line_changes_nothing():
    images = torch.rand(5, 6, 7, generator=torch.Generator().manual_seed(0)).double() * 0.8 + 0.15
    between = torch.exp((images[1:].log() + images[:-1].log()) / 2)
    finer = torch.stack([images[:-1], between], 1).flatten(0, 1)
    a, b = seen(images), seen(torch.cat([finer, images[-1:]]), dt=5000)
    assert len(a) == len(b) > 50
    assert abs(np.sort(a.t) - np.sort(b.t)).max() <= 1


def test_brighter_is_on_and_darker_off():
    images = torch.tensor([0.2, 0.8, 0.2])[:, None, None].expand(-1, 2, 2)
    events = seen(images)
    assert events.p[events.t < 10_000].all()
    assert not events.p[events.t >= 10_000].any()


def test_mismatch_spreads_the_counts_and_thresholds_may_differ():
    images = torch.linspace(0.1, 1.0, 5)[:, None, None].expand(-1, 30, 30)
    even, spread = (seen(images, PixelConfig(0.05, 0.05, mismatch=m, leak_rate=0, noise_rate=0)) for m in (0.0, 0.2))
    counts = [np.bincount(e.y.astype(int) * 30 + e.x, minlength=900).std() for e in (even, spread)]
    assert counts[0] < 1
    assert counts[1] > 5
    both = torch.tensor([0.2, 0.8, 0.2])[:, None, None].expand(-1, 20, 20)
    events = seen(both, PixelConfig(0.1, 0.4, mismatch=0.0, leak_rate=0.0, noise_rate=0.0))
    assert events.p.sum() / (~events.p).sum() == pytest.approx(4, rel=0.2)


def test_a_pixel_rests_also_from_image_to_image():
    images = torch.rand(12, 5, 5, generator=torch.Generator().manual_seed(1)).double()
    events = seen(images, PixelConfig(0.05, 0.05, refractory_us=4000), dt=3000)
    for pixel in range(25):
        assert (np.diff(events.t[events.y * 5 + events.x == pixel]) >= 4000).all()
    assert len(events) > 100


def test_leak_and_noise_have_their_rates():
    dark = torch.zeros(101, 20, 25)
    leak = seen(dark, PixelConfig(mismatch=0.0, leak_rate=5.0, noise_rate=0.0))
    assert leak.p.all()
    assert len(leak) == pytest.approx(5 * 500, rel=0.2)
    black, white = (seen(dark + level, PixelConfig(leak_rate=0.0, noise_rate=8.0)) for level in (0, 1))
    assert len(black) == pytest.approx(8 * 500, abs=4 * math.sqrt(4000))
    assert len(white) == pytest.approx(2 * 500, abs=4 * math.sqrt(1000))
    assert black.p.mean() == pytest.approx(0.5, abs=0.05)
    assert black == seen(dark, PixelConfig(leak_rate=0.0, noise_rate=8.0))
    assert black != seen(dark, PixelConfig(leak_rate=0.0, noise_rate=8.0, seed=1))


def test_images_that_cannot_be():
    pixels = Pixels((4, 3))
    pixels(torch.zeros(3, 4), 10)
    with pytest.raises(ValueError, match="in order of time"):
        pixels(torch.zeros(3, 4), 10)
    with pytest.raises(ValueError, match=r"\[3, 4\] px, got \[4, 3\]"):
        pixels(torch.zeros(4, 3), 20)
    with pytest.raises(ValueError, match="thresholds must be positive"):
        PixelConfig(threshold_on=0.0)
    with pytest.raises(ValueError, match="leak_rate must not be negative"):
        PixelConfig(leak_rate=-1.0)


@pytest.fixture
def video(tmp_path):
    """A bright disc that crosses a dark ground in 12 images of 1/50 s."""
    path = tmp_path / "disc.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 50.0, (64, 48))
    for k in range(12):
        image = np.full((48, 64, 3), 50, np.uint8)
        cv2.circle(image, (10 + 4 * k, 24), 7, (200, 200, 200), -1)
        writer.write(image)
    writer.release()
    return path


def test_simulate_writes_a_recording(video, tmp_path, capsys):
    out = tmp_path / "rec.h5"
    assert main(["simulate", str(video), "-o", str(out), "--noise-rate", "0", "--leak-rate", "0"]) == 0
    events = eventsnn.read(out)
    assert events.sensor == (64, 48)
    assert f"{len(events):,} events" in capsys.readouterr().out
    assert events.is_sorted
    assert 0 <= events.t.min() < events.t.max() < 11 * 20_000
    last = events.between(200_000)
    ahead = last.x[last.p > 0].mean() - last.x[last.p == 0].mean()
    assert ahead > 5
    slow = tmp_path / "slow.raw"
    assert main(["simulate", str(video), "-o", str(slow), "--fps", "500", "--noise-rate", "0", "--leak-rate", "0"]) == 0
    assert len(eventsnn.read(slow)) == len(events)
    assert eventsnn.read(slow).t.max() < 22_000


def test_simulate_says_what_it_cannot_read(video, tmp_path, capsys):
    text = tmp_path / "no.avi"
    text.write_text("this is no video")
    for arguments, message in (
        ([str(tmp_path / "missing.mp4"), "-o", str(tmp_path / "a.h5")], "there is no such file"),
        ([str(text), "-o", str(tmp_path / "a.h5")], "0 image(s) could be read"),
        ([str(video), "-o", str(video)], "would be written over"),
        ([str(video), "-o", str(tmp_path / "a.h5"), "--fps", "0"], "fps must be positive"),
        ([str(video), "-o", str(tmp_path / "a.h5"), "--device", "gpu7"], "no device is called 'gpu7'"),
        ([str(video), "-o", str(tmp_path / "no" / "a.h5")], "no such folder"),
        ([str(video), "-o", str(tmp_path / "a.h5"), "--threshold-on", "-1"], "thresholds must be positive"),
    ):
        assert main(["simulate", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["disc.avi", "no.avi"]


def test_generate_writes_a_recording_with_its_truth(tmp_path, capsys):
    out = tmp_path / "rec.h5"
    assert main(["generate", "shapes", "-o", str(out), "--duration", "50ms", "--seed", "3"]) == 0
    assert sorted(os.listdir(tmp_path)) == ["rec.csv", "rec.gt.txt", "rec.h5", "rec.json"]
    events, truth = eventsnn.read(out), Boxes.from_mot(tmp_path / "rec.gt.txt")
    assert len(truth.frame) == 30
    facts = json.loads((tmp_path / "rec.json").read_text())
    assert (facts["events"], facts["seed"]) == (len(events), 3)
    tracks = Tracks.from_csv(tmp_path / "rec.csv")
    assert np.allclose(tracks.boxes, truth.boxes, atol=0.02)
    assert tracks.t_us[-1] == 50_000
    assert "3 objects" in capsys.readouterr().out
    assert main(["generate", "shapes", "-o", str(tmp_path / "none"), "--n", "0"]) == 2
    assert "must be at least 1, got 0" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["generate", "shapes", "-o", str(tmp_path / "b.h5"), "--preset", "none"]) == 2
    assert "there are nice2023-small" in capsys.readouterr().err
    folder = tmp_path / "clips"
    assert main(["generate", "shapes", "-o", str(folder), "--n", "2", "--duration", "10ms"]) == 0
    names = [f"clip0000{k}.{end}" for k in (0, 1) for end in ("gt.txt", "json", "raw")]
    assert sorted(os.listdir(folder)) == names


@pytest.mark.parametrize("format", ["EVT2", "EVT3", "DAT", "HDF5", "NumPy", "AEDAT4", "CSV"])
def test_a_recording_read_back_has_the_same_events(tmp_path, format):
    config = replace(PRESETS["tracking-single"], frames=20)
    (path,) = write_recordings(config, tmp_path / "clips", 1, seed=2, format=format)
    (events,) = generate(config, 1, seed=2).events
    read = eventsnn.read(path)
    assert [c.tolist() for c in read.columns] == [c.tolist() for c in events.columns]
