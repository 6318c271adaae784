"""The commands, as a person types them: what they write, and one clear line for what they cannot do."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import pytest
import torch

import eventsnn
from eventsnn import draw, to_frames
from eventsnn.cli import COMMANDS, main
from eventsnn.datasets.shapes import Shape, record
from eventsnn.filters import RefractoryFilter, SpatioTemporalCorrelationFilter, event_counts, hot_pixels, mask
from eventsnn.pipelines import demo, track
from eventsnn.pipelines.info import survey
from eventsnn.track import Tracks


@pytest.fixture(scope="module")
def disc(tmp_path_factory):
    """A file with one disc that moves for 300 ms."""
    events, _ = record([Shape("circle", 24.0, (30.0, 40.0), (200.0, 0.0))], (120, 80), "300ms", hot_pixels=1)
    path = tmp_path_factory.mktemp("disc") / "disc.raw"
    eventsnn.write(path, events)
    return path


def pictures(path):
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_track_writes_table_video_and_picture(disc, tmp_path, capsys):
    out = tmp_path / "result"
    assert main(["track", str(disc), "--out", str(out)]) == 0
    assert sorted(os.listdir(out)) == ["report.json", "tracks.csv", "tracks.mp4", "tracks.png", "tracks.txt"]
    assert list(Tracks.from_csv(out / "tracks.csv").rows()) == [
        tuple(round(v, 2) if isinstance(v, float) else v for v in row) for row in track.track(disc).rows()
    ]
    frames = pictures(out / "tracks.mp4")
    assert len(frames) > 20
    assert frames[0].shape == (320, 480, 3)
    assert (abs(frames[len(frames) // 2].astype(int) - draw.colour(1)).max(2) < 60).sum() > 100
    assert cv2.imread(str(out / "tracks.png")).shape == (640, 960, 3)
    assert "1 object in 300 ms" in capsys.readouterr().out
    (out / "note.txt").write_text("mine")
    assert main(["track", str(disc), "--out", str(out), "--no-video"]) == 0
    assert (out / "note.txt").read_text() == "mine"


def test_track_names_its_folder_after_the_recording(disc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["track", str(disc), "--no-video"]) == 0
    assert sorted(os.listdir("disc.raw.tracks")) == ["report.json", "tracks.csv", "tracks.png", "tracks.txt"]


def test_frames_hold_every_event(disc, tmp_path):
    out = tmp_path / "frames.h5"
    assert main(["frames", str(disc), "--dt", "10ms", "-o", str(out)]) == 0
    events = eventsnn.read(disc)
    with h5py.File(out) as file:
        stored = torch.from_numpy(file["frames"][:].astype(np.float32))
        assert dict(file["frames"].attrs)["dt_us"] == 10_000
    assert torch.equal(stored, to_frames(events, "10ms"))
    assert main(["frames", str(disc), "--dt", "10ms", "--binary", "-o", str(out)]) == 0
    with h5py.File(out) as file:
        assert np.array_equal(file["frames"][:], to_frames(events, "10ms", binary=True).numpy())


def test_frames_of_every_kind_and_in_every_format(disc, tmp_path):
    events = eventsnn.read(disc)
    first, last = int(events.t[0]), int(events.t[-1])
    parts = to_frames(events, n_bins=7, dtype=torch.int16, channels=1, downsample=2)
    count = to_frames(events, count=500, overlap=100, channels="signed")
    grid = eventsnn.to_voxel_grid(events, 5, start=first, duration=50_000)
    active = eventsnn.to_surface_of_active_events(events, "30ms")
    decayed = eventsnn.to_time_surface(events, "30ms", tau="20ms", channels=1)
    tore = eventsnn.to_tore(events, "30ms", k=2)
    latest = eventsnn.to_latest_timestamps(events, "30ms")
    wanted = {
        "--n-bins 7 --dtype int16 --polarity merged --downsample 2 -o a.npy": parts,
        "--count 500 --overlap 100 --polarity signed -o a.npz": count,
        "--representation voxel --dt 50ms --dtype float32 -o a.pt": grid,
        "--representation active-events --dt 30ms -o a.h5": active,
        "--representation time-surface --dt 30ms --tau 20ms --polarity merged -o b.npy": decayed,
        "--representation tore --dt 30ms --last 2 -o b.npz": tore,
        "--representation latest --dt 30ms -o b.pt": latest,
    }
    for words, expected in wanted.items():
        path = tmp_path / words.split()[-1]
        assert main(["frames", str(disc), *words.split()[:-1], str(path)]) == 0
        if path.suffix == ".h5":
            with h5py.File(path) as file:
                stored, times = file["frames"][:], file["t_us"][:]
        elif path.suffix == ".npy":
            stored, times = np.load(path), None
        else:
            found = torch.load(path) if path.suffix == ".pt" else np.load(path)
            stored, times = found["frames"], found["t_us"]
        stored = torch.as_tensor(stored)
        stored = stored[0] if "voxel" in words else stored
        torch.testing.assert_close(stored, expected.to(stored.dtype))
        assert times is None or first <= times[0] <= times[-1] <= last


def test_render_plays_for_some_seconds(disc, tmp_path):
    assert main(["render", str(disc), "-o", str(tmp_path / "clip.mp4")]) == 0
    frames = pictures(tmp_path / "clip.mp4")
    assert 145 <= len(frames) <= 151
    assert frames[0].shape == (320, 480, 3)


@pytest.mark.parametrize("style", ["polarity", "grey", "surface", "decay"])
def test_render_has_styles_as_gif_and_beside_the_denoised(disc, tmp_path, capsys, style):
    out = tmp_path / "clip.gif"
    words = f"--style {style} --fps 20 --slowdown 2 --no-time-stamp --denoise both --tau 20ms".split()
    assert main(["render", str(disc), "-o", str(out), *words]) == 0
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.name == "gif"
        assert container.streams.video[0].average_rate == 20
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert 11 <= len(frames) <= 13
    assert frames[0].shape == (320, 2 * 480 + 4, 3)
    left, right = frames[8][:, :480].astype(int), frames[8][:, -480:].astype(int)
    ground = np.median(left, (0, 1))
    shown = [(abs(half - ground).max(2) > 40).mean() for half in (left, right)]
    assert shown[0] > shown[1] > 0.005
    assert "correlation  removed" in capsys.readouterr().out


def test_denoise_writes_what_stays_and_says_how_much_went(disc, tmp_path, capsys):
    out = tmp_path / "clean.h5"
    words = ["--filters", "hot", "refractory", "correlation", "--tau", "10ms", "--period", "500us"]
    assert main(["denoise", str(disc), "-o", str(out), *words]) == 0
    events = eventsnn.read(disc)
    hot = mask(events, ~hot_pixels(event_counts(events)))
    rested = RefractoryFilter((120, 80), "500us")(hot)
    kept = SpatioTemporalCorrelationFilter((120, 80), "10ms")(rested)
    assert eventsnn.read(out) == kept
    assert 0 < len(kept) < len(rested) < len(hot) < len(events)
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith(f"clean.h5: {len(kept):,} of {len(events):,} events")
    assert [line.split()[:3] for line in told[1:]] == [
        [name, "removed", f"{len(given) - len(left):,}"]
        for name, given, left in (
            ("hot", events, hot),
            ("refractory", hot, rested),
            ("correlation", rested, kept),
        )
    ]


@pytest.mark.parametrize("name", ["hot", "flicker", "refractory", "background", "correlation", "rate"])
def test_every_filter_of_denoise(disc, tmp_path, name):
    out = tmp_path / "clean.dat"
    words = ["--filters", name, "--budget", "20", "--frequency", "30", "--harmonics", "4"]
    assert main(["denoise", str(disc), "-o", str(out), *words]) == 0
    assert 0 < len(eventsnn.read(out)) <= len(eventsnn.read(disc))


def test_denoise_stops_where_time_steps_back_unless_it_is_held(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    columns = [5, 9, 3, 9], [1, 2, 1, 2], [1, 1, 2, 2], [1, 1, 1, 1]
    eventsnn.write("back.npz", eventsnn.Events(*columns, sensor=(8, 8)))
    assert main(["denoise", "back.npz", "-o", "clean.npz"]) == 2
    assert "event 2 at 3 us comes after one at 9 us" in capsys.readouterr().err
    assert os.listdir() == ["back.npz"]
    assert main(["denoise", "back.npz", "-o", "clean.npz", "--late", "hold"]) == 0
    assert eventsnn.read("clean.npz").t.tolist() == [3, 9]


def test_info_tells_what_is_in_the_file(disc, capsys):
    assert main(["info", str(disc)]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    events = eventsnn.read(disc)
    assert told["format"] == "EVT3"
    assert told["sensor"] == "120x80"
    assert told["events"] == f"{len(events):,}"


def test_survey_of_a_real_recording(recordings):
    with eventsnn.open(recordings / "spinning-marker.evt2.raw") as recording:
        facts = survey(recording, recording.sensor)
    assert (facts.events, facts.on, facts.duration) == (539_481, 367_855, 50_000)
    assert {pixel[:2] for pixel in facts.hot_pixels()} >= {(565, 296), (284, 104)}


def test_convert_keeps_every_event(disc, tmp_path, capsys):
    events = eventsnn.read(disc)
    for name in ("a.dat", "b.aedat4", "c.h5", "d.txt"):
        assert main(["convert", str(disc), "-o", str(tmp_path / name)]) == 0
        assert eventsnn.read(tmp_path / name, sensor=(120, 80)) == events
    names = [str(tmp_path / name) for name in ("a.dat", "c.h5")]
    (tmp_path / "many").mkdir()
    assert main(["convert", *names, "-o", str(tmp_path / "many"), "--format", "es"]) == 0
    assert sorted(os.listdir(tmp_path / "many")) == ["a.es", "c.es"]
    assert "(DAT) -> " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("good.raw good.raw -o folder --format EVT3", "several recordings would be written to"),
        ("good.raw cut.raw -o new.raw", "2 recordings need a folder"),
        ("good.raw -o good.raw", "would be written over"),
        ("good.raw -o folder", "name the format"),
        ("good.raw -o new.xyz", "the name does not tell the format"),
        ("good.raw -o new.raw --format AEDAT2", "AEDAT2 cannot be written"),
        ("cut.raw -o new.dat", "it was cut short"),
        ("good.raw -o - --format CSV", "not written to standard output"),
    ],
)
def test_what_cannot_be_converted_leaves_nothing(bad, monkeypatch, capsys, words, message):
    monkeypatch.chdir(bad)
    before = sorted(os.listdir())
    assert main(["convert", *words.split()]) == 2
    assert message in capsys.readouterr().err
    assert sorted(os.listdir()) == before


def test_a_recording_without_events_keeps_its_sensor(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    eventsnn.write("a.h5", eventsnn.Events.empty((12, 8)))
    assert main(["convert", "a.h5", "-o", "b.raw"]) == 0
    assert main(["denoise", "b.raw", "-o", "c.es"]) == 0
    assert eventsnn.read("c.es") == eventsnn.Events.empty((12, 8))
    Path("d.csv").write_text("t,x,y,p\n")
    assert main(["denoise", "d.csv", "-o", "e.h5"]) == 0
    assert eventsnn.read("e.h5").sensor is None
    capsys.readouterr()
    assert main(["info", "e.h5"]) == 0
    assert "sensor       not in the file\n" in capsys.readouterr().out


def test_a_package_that_is_not_there_is_told_in_one_line(disc, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    assert main(["convert", str(disc), "-o", str(tmp_path / "a.h5"), "--compression", "zstd"]) == 2
    assert (
        capsys.readouterr().err == "eventsnn: zstd in HDF5 files needs the package hdf5plugin: pip install hdf5plugin\n"
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.npz", "a.pt"])
def test_a_full_disk_is_named(disc, tmp_path, name):
    """A limit on the size of files stands for the disk."""
    code = """
import resource, sys
from eventsnn.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
raise SystemExit(main(["frames", *sys.argv[1:]]))
"""
    out = str(tmp_path / name)
    done = subprocess.run([sys.executable, "-c", code, str(disc), "-o", out], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"eventsnn: {out}: File too large\n")
    assert os.listdir(tmp_path) == []


def test_demo_follows_every_object_with_one_id(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    assert sorted(os.listdir("demo")) == [
        "demo.raw",
        "report.json",
        "tracks.csv",
        "tracks.mp4",
        "tracks.png",
        "tracks.txt",
    ]
    with Path("demo/tracks.csv").open() as file:
        ids = {row["id"] for row in csv.DictReader(file)}
    assert ids == {"1", "2", "3"}
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-3:]]
    assert [row[0] for row in rows] == [shape.kind for shape in demo.SHAPES]
    for row in rows:
        assert float(row[2].rstrip("%")) > 98
        assert float(row[3]) < 2
        assert row[-1] == "0"


@pytest.fixture
def bad(disc, tmp_path):
    """A folder with things that are no recordings, and one that is."""
    (tmp_path / "empty.raw").touch()
    cv2.imwrite(str(tmp_path / "picture.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "picture.png").rename(tmp_path / "picture.raw")
    (tmp_path / "cut.raw").write_bytes(disc.read_bytes()[:-3])
    (tmp_path / "folder").mkdir()
    shutil.copy(disc, tmp_path / "good.raw")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("missing.raw", "missing.raw: No such file"),
        ("empty.raw", "the file is empty"),
        ("picture.raw", "not an event file"),
        ("cut.raw", "it was cut short"),
        ("folder", "folder: Is a directory"),
        ("good.raw -o nowhere/x", "no such folder"),
        ("good.raw -o /proc/x", "cannot write here"),
    ],
)
@pytest.mark.parametrize("command", ["track", "frames", "render", "denoise"])
def test_bad_input_ends_in_one_line_and_leaves_nothing(bad, monkeypatch, capsys, command, arguments, message):
    monkeypatch.chdir(bad)
    before = sorted(os.listdir())
    words = arguments.split() if "-o" in arguments else [arguments, "-o", "out"]
    if command == "denoise":
        words += ["--format", "DAT"]
    if command == "track":
        words = ["--out" if word == "-o" else word for word in words]
    assert main([command, *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.splitlines()[-1].startswith("eventsnn: ")
    assert captured.out == ""
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("track good.raw --device gpu7", "no device is called 'gpu7'"),
        ("track good.raw --dt soon", "not a duration"),
        ("track good.raw --min-size -1", "0 < min_size"),
        ("render good.raw -o out --fps 0", "fps must be positive"),
        ("render good.raw -o out --slowdown 0", "slowdown must be positive"),
        ("render good.raw -o out --contrast 0", "must be positive"),
        ("render good.raw -o out.gif --fps 60", r"(0, 50] for a GIF"),
        ("frames good.raw -o out --dt 0us", "at least 1 us"),
        ("frames good.raw -o out.png", "frames are written to files that end in .h5, .hdf5"),
        ("render good.raw -o out.avi", "videos are written to files that end in .mp4 or .gif"),
        ("frames good.raw -o out --input-format EVT9", "unknown format 'EVT9'"),
        ("frames good.raw -o out --unit s", "unit is for files in the formats"),
        ("frames good.raw -o out --start soon", "not a duration"),
        ("render good.raw -o out --sensor 8 8", "outside the 8x8 sensor"),
        ("frames good.raw -o out --dt 1ms --count 5", "give one of dt, count and n-bins"),
        ("frames good.raw -o out --representation tore --count 5", "tore goes by time"),
        ("frames good.raw -o out --representation tore --polarity signed", "tore has no sign"),
        ("frames good.raw -o out --dtype bfloat16", "bfloat16 can be written to .pt files only"),
        ("frames good.raw -o out --dt 1ms --overlap 1ms", "overlap must lie in"),
        ("frames good.raw -o out.npy --n-bins 10000000", "n_bins"),
        ("denoise good.raw -o out.raw --tau 0us", "tau must be at least 1 us"),
        ("denoise good.raw -o out.raw --support 9", "support must lie in 1..8"),
        ("denoise good.raw -o out.raw --filters", "name at least one filter"),
        ("denoise good.raw -o good.raw", "would be written over"),
        ("denoise good.raw -o out.xyz", "the name does not tell the format"),
        ("frames good.raw -o folder", "folder: Is a directory"),
        ("render good.raw -o folder", "folder: Is a directory"),
    ],
)
def test_bad_settings(bad, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(bad)
    before = sorted(os.listdir())
    assert main(arguments.split()) == 2
    told = capsys.readouterr().err
    assert message in told
    assert ".part" not in told  # where it is written to before it is complete
    assert sorted(os.listdir()) == before


def test_an_error_while_writing_leaves_nothing(disc, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device", "tracks.png")

    monkeypatch.setattr("eventsnn.pipelines.track_files.save", full)
    assert main(["track", str(disc)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert os.listdir() == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    done = subprocess.run([sys.executable, "-m", "eventsnn.cli", command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage: eventsnn" in done.stdout


def test_names_that_are_no_text(disc, tmp_path):
    """As old archives hold them, in latin-1: what is said and written of them has the same bytes."""
    name = os.fsdecode(b"M\xfcnchen.raw")
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(disc, folder / name)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    command = [sys.executable, "-m", "eventsnn.cli"]
    for words in (
        ["info", name],
        ["frames", name, "-o", "../a.h5"],
        ["batch", "frames-for-training", ".", "-o", "../b"],
    ):
        done = subprocess.run([*command, *words], cwd=folder, capture_output=True, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"M\xfcnchen" in done.stdout or words[0] != "info"
    assert b"M\xfcnchen,done" in (tmp_path / "b/summary.csv").read_bytes()
    assert b"M\xfcnchen" in (tmp_path / "b/report.html").read_bytes()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_is_ended_leaves_nothing(tmp_path, name):
    """Written from a pipe that stays open, and ended once the temporary file is there."""
    events = eventsnn.Events(np.arange(400_000), *np.zeros((3, 400_000), np.uint8), sensor=(8, 8))
    eventsnn.write(tmp_path / "a.dat", events)
    out = tmp_path / "out"
    out.mkdir()
    words = [sys.executable, "-m", "eventsnn.cli", "convert", "-", "-o", str(out / "b.txt")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False) as process:
        process.stdin.write((tmp_path / "a.dat").read_bytes())
        process.stdin.flush()
        while not os.listdir(out):
            assert process.poll() is None
        process.send_signal(getattr(signal, name))
        assert process.wait() == 130
        assert process.stderr.read() == b"eventsnn: interrupted, nothing was written\n"
    assert os.listdir(out) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_reader_that_has_had_enough_is_no_error():
    command = f"{sys.executable} -m eventsnn.cli datasets | true; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_part_of_a_recording_is_what_between_gives(disc, tmp_path, capsys):
    events, first = eventsnn.read(disc), int(eventsnn.read(disc).t[0])
    wanted = events.between("50ms", "80ms")
    for start, stop in (("50ms", "80ms"), (first + 50_000, first + 80_000)):
        out = tmp_path / f"{start}.h5"
        assert main(["convert", str(disc), "-o", str(out), "--start", str(start), "--stop", str(stop)]) == 0
        assert eventsnn.read(out) == wanted
        assert f"{len(wanted):,} events" in capsys.readouterr().out
    part = ["--start", "50ms", "--stop", "80ms"]
    for command in (["info"], ["frames", "-o", str(tmp_path / "a.h5")], ["render", "-o", str(tmp_path / "a.mp4")]):
        assert main([command[0], str(disc), *command[1:], *part]) == 0
        assert f"{len(wanted):,}" in capsys.readouterr().out
    assert main(["denoise", str(disc), "-o", str(tmp_path / "a.raw"), *part]) == 0
    assert f"of {len(wanted):,} events" in capsys.readouterr().out
    rows = track.track(disc, dt="5ms", start="100ms", stop="250ms")
    assert len(rows)
    assert first + 100_000 <= rows.t_us.min() <= rows.t_us.max() <= first + 255_000


def test_what_a_file_does_not_say_is_said_by_the_person(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("3 4 100 1\n5 6 2500 0\n")
    asked = ["--columns", "xytp", "--unit", "ms", "--sensor", "20", "10"]
    assert main(["convert", "a.txt", "-o", "a.h5", *asked]) == 0
    assert eventsnn.read("a.h5") == eventsnn.Events([100_000, 2_500_000], [3, 5], [4, 6], [1, 0], sensor=(20, 10))
    eventsnn.write("a.evt2.raw", eventsnn.read("a.h5"))
    head, _, words = Path("a.evt2.raw").read_bytes().partition(b"% end\n")
    Path("bare.raw").write_bytes(words or head)
    assert main(["convert", "bare.raw", "-o", "b.h5", "--input-format", "evt2", "--sensor", "20", "10"]) == 0
    assert eventsnn.read("b.h5").sensor == (20, 10)
    assert len(eventsnn.read("b.h5")) == 2


def test_info_reads_standard_input(disc):
    with disc.open("rb") as file:
        words = [sys.executable, "-m", "eventsnn.cli", "info", "-"]
        done = subprocess.run(words, stdin=file, capture_output=True, text=True, check=True)
    assert "EVT3" in done.stdout


def test_a_tracker_of_another_name_is_refused(disc):
    with pytest.raises(ValueError, match="must be 'untrained' or 'learned'"):
        track.track(disc, tracker="kalman")


def test_empty_frames_of_an_npy_file_take_no_room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    eventsnn.write("a.h5", eventsnn.Events([0, 400_000, 800_000], [3] * 3, [4] * 3, [1, 0, 1], sensor=(120, 80)))
    assert main(["frames", "a.h5", "-o", "a.npy", "--dt", "1ms", "--stop", "790ms"]) == 0
    frames = np.load("a.npy")
    assert frames.shape == (401, 2, 80, 120)
    assert np.argwhere(frames).tolist() == [[0, 1, 4, 3], [400, 0, 4, 3]]
    file = os.stat("a.npy")
    assert file.st_blocks * 512 < file.st_size / 4


@pytest.mark.parametrize("command", COMMANDS)
def test_results_go_where_o_says(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    assert ("--out" in told) == ("-o " in told)


def test_a_path_breaks_off_where_its_track_is_away():
    def drawn(places):
        paths = draw.Trajectories((96, 64))
        for x in places:
            paths.follow([] if x is None else [(1, float(x), 32.0)])
        green = np.abs(paths.image().astype(int) - draw.colour(1)).sum(2) < 60
        return [bool(green[:, round((x + 0.5) * paths.zoom)].any()) for x in (20, 47, 70)]

    assert drawn([10, 30, 60, 80]) == [True, True, True]
    assert drawn([10, 30, None, 60, 80]) == [True, False, True]


def test_trails_fade():
    overlay = draw.Overlay(trail=60)
    for x in range(100):
        overlay.follow([(1, float(x), 10.0)])
    image = overlay.draw(np.full((60, 100, 3), 255, np.uint8), [])
    assert (image == 255).all()
    image = overlay.draw(image, [(1, 99.0, 40.0, 4.0, 4.0, True)])
    darkness = 255 - image[10].astype(int).mean(1)
    assert (darkness[:39] == 0).all()
    assert 0 < darkness[45] < darkness[60] < darkness[80] < darkness[97]
    assert darkness[97] > 0.75 * (255 - np.mean(draw.colour(1)))
