"""Datasets: laws over every card, official layouts in small, archives and downloads that go wrong, packed splits."""

import gzip
import hashlib
import http.server
import os
import pickle
import resource
import shutil
import struct
import threading
import zipfile
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch.utils.data import DataLoader, DistributedSampler

import eventsnn.io
from eventsnn.augment import Compose, RandomFlipLR
from eventsnn.cli import main
from eventsnn.datasets import Packed, Sample, cards, load, pack, trains
from eventsnn.datasets.card import File
from eventsnn.datasets.packfile import header_of
from eventsnn.events import Events
from eventsnn.frames import to_frames
from eventsnn.io import EventFormatError

DATA = Path(os.environ.get("EVENTSNN_DATA") or Path(__file__).parents[2] / "shared" / "data")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recordings in {DATA}; set EVENTSNN_DATA")
NAMES = list(cards)


# a few files of every dataset, as its authors publish them


def made(name, seed, n=30):
    """Events in order of time on the sensor of a card; spikes have one row and one polarity."""
    width, height = cards[name].sensor
    draw = np.random.default_rng(seed)
    p = np.ones(n, int) if height == 1 else draw.integers(0, 2, n)
    columns = draw.integers(0, 300_000, n), draw.integers(0, width, n), draw.integers(0, height, n), p
    return Events(*columns, sensor=(width, height)).sort()


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def as_file(path, events):
    path.parent.mkdir(parents=True, exist_ok=True)
    eventsnn.io.write(path, events)


def class_folders(name, root, places, extension):
    """Event files of some classes in folders; ``places`` are (split, path without its ending, label)."""
    known = []
    for number, (split, place, label) in enumerate(places):
        events = made(name, number)
        as_file(root / f"{place}{extension}", events)
        known.append((split, f"{place}{extension}", events, cards[name].classes.index(label)))
    return known


def nmnist(root):
    places = [
        ("train", "Train/5/00001", "5"),
        ("train", "Train/0/00002", "0"),
        ("train", "Train/5/00003", "5"),
        ("test", "Test/7/60001", "7"),
    ]
    return class_folders("nmnist", root, places, ".bin")


def dvsgesture(root):
    known = []
    for split, folder, user in (
        ("train", "ibmGestureTrain", 1),
        ("train", "ibmGestureTrain", 2),
        ("test", "ibmGestureTest", 24),
    ):
        events = made("dvsgesture", user)
        events.t[:] = events.t // 1000 * 1000
        name = f"{folder}/user{user:02d}_fluorescent_led/{user % 11}.npy"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, np.stack([events.x, events.y, events.p, events.t // 1000], 1).astype(np.int64))
        known.append((split, name, events, user % 11))
    return known


def cifar10dvs(root):
    places = [("", f"{label}/cifar10_{label}_{k}", label) for label in ("airplane", "truck") for k in range(10)]
    return class_folders("cifar10dvs", root, places, ".aedat4")


def ncaltech101(root):
    classes = ("accordion", "BACKGROUND_Google", "yin_yang")
    places = [("", f"Caltech101/{label}/image_{k:04d}", label) for label in classes for k in range(1, 6)]
    put(root / "Caltech101_annotations/accordion/annotation_0001.bin", b"other bytes")
    return class_folders("ncaltech101", root, places, ".bin")


def ncars(root):
    places = [
        ("train", "n-cars_train/cars/obj_000001_td", "cars"),
        ("train", "n-cars_train/background/obj_000002_td", "background"),
        ("test", "n-cars_test/cars/obj_000003_td", "cars"),
    ]
    return class_folders("ncars", root, places, ".dat")


def asldvs(root):
    known = []
    for number, label in enumerate("aaaaayyyyy"):
        events, place = made("asldvs", number), f"{label}/{label}_{number:04d}.mat"
        (root / label).mkdir(exist_ok=True)
        columns = {"ts": events.t, "x": events.x, "y": 179 - events.y, "pol": events.p}
        savemat(root / place, {key: column[:, None].astype(np.uint32) for key, column in columns.items()})
        known.append(("", place, events, cards["asldvs"].classes.index(label)))
    return known


def pokerdvs(root):
    known = []
    for split, suit, label in (("train", "cl", 0), ("train", "sp", 3), ("test", "he", 1)):
        events, place = made("pokerdvs", label), f"pips_{split}/{suit}/{label}.npy"
        (root / place).parent.mkdir(parents=True)
        np.save(root / place, np.stack([events.t, events.x, events.y, events.p], 1))
        known.append((split, place, events, label))
    return known


def stmnist(root):
    known = []
    for number, label in enumerate("0000077777"):
        events, place = made("stmnist", number), f"data_submission/{label}/person_{number}.mat"
        train = np.zeros((101, len(events)))
        train[events.y * 10 + events.x, range(len(events))] = np.where(events.p, 1, -1)
        train[100] = events.t / 1e6
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        savemat(root / place, {"spiketrain": train})
        known.append(("", f"{label}/person_{number}.mat", events, int(label)))
    put(root / "data_submission/0/LUT_person.mat", b"a table of names")
    return known


def smnist(root):
    known = []
    for split, prefix, digits in (("train", "train", (3, 1, 4)), ("test", "t10k", (5,))):
        images = np.random.default_rng(len(digits)).integers(0, 256, (len(digits), 28, 28), np.uint8)
        images[0, 0, :4] = 0, 255, 255, 7
        put(root / f"{prefix}-images-idx3-ubyte", struct.pack(">4I", 2051, len(digits), 28, 28) + images.tobytes())
        table = struct.pack(">2I", 2049, len(digits)) + bytes(digits)
        put(root / f"{prefix}-labels-idx1-ubyte.gz", gzip.compress(table))
        for row, digit in enumerate(digits):
            known.append((split, f"{split}/{row:05d}", crossings(images[row].reshape(-1)), digit))
    return known


def crossings(pixels):
    """The rule of SMNIST, one pixel and one threshold at a time."""
    spikes = []
    for n, grey in enumerate(int(pixel) for pixel in pixels):
        for k in range(49):
            now, before = grey >= 254 / 48 * k, n and int(pixels[n - 1]) >= 254 / 48 * k
            if n and now != before:
                spikes.append((n * 1000, k if now else 49 + k))
        if grey == 255:
            spikes.append((n * 1000, 98))
    t, x = np.array(sorted(spikes)).T
    return Events(t, x, x * 0, x * 0 + 1, sensor=(99, 1))


def spoken(name, splits):
    def write(root):
        known = []
        for split, count in splits.items():
            recordings = [made(name, 10 * count + row) for row in range(count)]
            for events in recordings:
                events.t[:] = np.rint((events.t / 1e6).astype(np.float16).astype(float) * 1e6)
            with h5py.File(root / f"{name}_{split}.h5", "w") as file:
                kinds = {"times": np.float16, "units": np.uint16}
                for key, kind in kinds.items():
                    rows = file.create_dataset(f"spikes/{key}", (count,), h5py.vlen_dtype(kind))
                    for row, events in enumerate(recordings):
                        rows[row] = (events.t / 1e6 if key == "times" else events.x).astype(kind)
                file["labels"] = np.arange(count, dtype=np.uint16)
                file["extra/speaker"] = np.full(count, 4, np.uint16)
                file["extra/keys"] = np.array([b"uno", b"dos", b"tres"])
            known += [(split, f"{split}/{row:05d}", events, row) for row, events in enumerate(recordings)]
        return known

    return write


def ntidigits(root):
    known = []
    with h5py.File(root / "n-tidigits.hdf5", "w") as file:
        for part, names in (
            ("train", ("man-ae-1-o", "man-ae-2-z", "man-ae-1-12z")),
            ("test", ("woman-bb-1-9", "woman-bb-2-99")),
        ):
            file[f"{part}_labels"] = np.array([name.encode() for name in names])
            for number, name in enumerate(names):
                events = made("ntidigits", number)
                file[f"{part}_addresses/{name}"] = events.x.astype(np.int64)
                file[f"{part}_timestamps/{name}"] = events.t / 1e6
                digits = tuple("o123456789z".index(digit) for digit in name.rpartition("-")[2])
                single = len(digits) == 1
                known.append((part if single else f"{part}-sequences", name, events, digits[0] if single else digits))
    return known


def dsec(root):
    known = []
    for split, name, place in (
        ("train", "thun_00_a", "train/thun_00_a/events/left"),
        ("train-right", "thun_00_a", "train/thun_00_a/events/right"),
        ("train", "zurich_city_11_c", "zurich_city_11_c/events_left"),
        ("test", "interlaken_01_a", "test/interlaken_01_a/events/left"),
    ):
        events = made("dsec", len(place))
        as_file(root / place / "events.h5", events)
        known.append((split, name, events, None))
    return known


def bag(path, events):
    """A ROS bag with one message."""

    def record(data, **fields):
        head = b"".join(struct.pack("<I", len(k) + 1 + len(v)) + k.encode() + b"=" + v for k, v in fields.items())
        return struct.pack("<I", len(head)) + head + struct.pack("<I", len(data)) + data

    rows = np.zeros(len(events), [("x", "<u2"), ("y", "<u2"), ("s", "<u4"), ("ns", "<u4"), ("p", "u1")])
    rows["x"], rows["y"], rows["p"] = events.x, events.y, events.p
    rows["s"], rows["ns"] = events.t // 10**6, events.t % 10**6 * 1000
    width, height = events.sensor
    message = struct.pack("<4I", 0, 0, 0, 3) + b"cam" + struct.pack("<3I", height, width, len(rows)) + rows.tobytes()
    one = b"\1\0\0\0"
    connection = record(struct.pack("<I", 24) + b"type=dvs_msgs/EventArray", op=b"\7", conn=one, topic=b"/dvs/events")
    start = record(b" " * 9, op=b"\3", index_pos=bytes(8))
    put(path, b"#ROSBAG V2.0\n" + start + connection + record(message, op=b"\2", conn=one, time=bytes(8)))


def mvsec(root):
    known = []
    for scene, name in (
        ("indoor_flying", "indoor_flying1"),
        ("indoor_flying", "indoor_flying2"),
        ("motorcycle", "motorcycle"),
    ):
        events = made("mvsec", len(name))
        bag(root / scene / f"{name}_data.bag", events)
        bag(root / scene / f"{name}_gt.bag", events[:1])
        known.append((scene, name, events, None))
    return known


def dvslip(root):
    known = []
    for split, word in (("train", "accused"), ("train", "young"), ("test", "legal")):
        events, place = made("dvslip", len(word)), f"DVS-Lip/{split}/{word}/0.npy"
        rows = np.zeros(len(events), [("t", "<i4"), ("x", "i1"), ("y", "i1"), ("p", "i1")])
        for key in "txyp":
            rows[key] = getattr(events, key)
        (root / place).parent.mkdir(parents=True)
        np.save(root / place, rows)
        known.append((split, place, events, cards["dvslip"].classes.index(word)))
    return known


def tumvie(root):
    known = []
    for side in ("left", "right"):
        for name in ("bike-easy", "mocap-desk2"):
            events = made("tumvie", len(name + side))
            as_file(root / name / f"{name}-events_{side}.h5", events)
            known.append((side, name, events, None))
    return known


def ebssa(root):
    known = []
    with h5py.File(root / "labelled_ebssa.h5", "w") as file:
        for number, key in enumerate(("recording_a", "recording_b")):
            events = made("ebssa", number)
            for name, column in (("ts", events.t), ("x", events.x + 1), ("y", events.y + 1), ("p", events.p)):
                file[f"{key}/TD/{name}"] = np.asarray(column, np.float64)[None]
            objects = np.array([[100.0, 11, 21, 1], [200, 12, 22, 1]])
            for column, name in enumerate(("ts", "x", "y", "id") if number else ()):
                file[f"{key}/Obj/{name}"] = objects[:, column][None]
            known.append(("labelled", key, events, objects - (0, 1, 1, 0) if number else None))
    return known


def davis240c(root):
    first, second = made("davis240c", 1), made("davis240c", 2)
    bag(root / "shapes_6dof.bag", first)
    put(
        root / "slider_far/events.txt", b"".join(b"%.6f %d %d %d\n" % (t / 1e6, x, y, p) for t, x, y, p in rows(second))
    )
    return [("all", "shapes_6dof", first, None), ("all", "slider_far", second, None)]


def rows(events):
    return [events[k] for k in range(len(events))]


def vpr(root):
    sentences = [
        "$GPGGA,235959.00,2730.0000,S,15301.5000,E,1,08,0.9,545.4,M,46.9,M,,*47",
        "$GPGSV,3,1,11,03,03,111,00*74",
        "$GPGGA,000001.50,2730.6000,S,15302.1000,E,1,08,0.9,545.4,M,46.9,M,,*47",
    ]
    drives = ("dvs_vpr_2020-04-21-17-03-03.bag", "sunset1"), ("dvs_vpr_2020-04-29-06-20-23.bag", "sunrise")
    places = np.array([[0, -27.5, 153.025], [2.5, -27.51, 153.035]])
    put(root / "20200421_170039-sunset1_concat.nmea", "\r\n".join(sentences).encode())
    known = []
    for number, (name, drive) in enumerate(drives):
        events = made("vpr", number)
        bag(root / name, events)
        known.append(("all", drive, events, None if number else places))
    return known


def nerdd(root):
    known = []
    for scene in (0, 12):
        events, folder = made("nerdd", scene), root / f"DATA/archive_3/{scene}"
        (folder / "Event").mkdir(parents=True)
        np.savez(folder / "Event/output_events.npz", data=np.stack([events.x, events.y, events.p, events.t], 1))
        put(folder / "ev_rgb_coordinates.txt", b"0.5: 10.0, 20.0, 30.0, 40.5\n1.5: 11, 21, 31, 41\n")
        known.append(
            ("all", f"archive_3/{scene:04d}", events, np.array([[0.5, 10, 20, 30, 40.5], [1.5, 11, 21, 31, 41]]))
        )
    return known


def threeet(root):
    known = []
    for split, name in (("train", "1_1"), ("train", "1_2"), ("val", "9_1")):
        events = made("threeet", len(known))
        (root / "data").mkdir(exist_ok=True)
        with h5py.File(root / f"data/{name}.h5", "w") as file:
            file["events"] = np.stack([events.t, events.x, events.y, events.p], 1)
        put(root / f"labels/{name}.txt", b"10 20 0\n11 21 1\n")
        known.append((split, name, events, np.array([[10.0, 20, 0], [11, 21, 1]])))
    put(root / "train_files.txt", b"1_1\n1_2\n")
    put(root / "val_files.txt", b"9_1\n")
    return known


shd, ssc = spoken("shd", {"train": 3, "test": 2}), spoken("ssc", {"train": 2, "valid": 1, "test": 2})
LAYOUTS = {name: globals()[name] for name in NAMES}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """Folder and samples of every dataset, written once."""
    held = {}

    def get(name):
        if name not in held:
            root = tmp_path_factory.mktemp(name)
            held[name] = root, LAYOUTS[name](root)
        return held[name]

    return get


def parts(name, root):
    """The splits of a dataset that are there."""
    found = {}
    for split in cards[name].splits:
        try:
            found[split] = load(name, root, split, download=False)
        except FileNotFoundError:
            continue
    return found


# laws over every card


@pytest.mark.parametrize("name", NAMES)
def test_cards_are_complete(name):
    card = cards[name]
    assert card.name == name
    assert all((card.title, card.about, card.licence, card.layout, card.folder, card.target, card.splits, card.files))
    assert card.home.startswith("http")
    assert card.citation[-4:].isdigit()
    assert len(card.sensor) == 2
    assert min(card.sensor) > 0
    assert card.spikes == (card.sensor[1] == 1)
    assert len(set(card.classes)) == len(card.classes)
    assert bool(card.classes) == (card.target == "class")
    assert all(count is None or count > 0 for count in card.splits.values())
    for file in card.files:
        assert file.url.startswith("http") or file.md5
        assert not file.md5 or (len(file.md5) == 32 and not set(file.md5) - set("0123456789abcdef"))
        assert file.split in ("", *card.splits)
    assert len({file.name for file in card.files}) == len(card.files)
    if card.fractions:
        assert card.fractions.keys() == card.splits.keys()
        assert sum(card.fractions.values()) == pytest.approx(1)
    assert all(any(file.split in ("", split) for file in card.files) for split in card.splits)


def test_numbers_of_classes_as_published():
    counts = {
        "nmnist": 10,
        "dvsgesture": 11,
        "ncaltech101": 101,
        "asldvs": 24,
        "shd": 20,
        "ssc": 35,
        "ntidigits": 11,
        "dvslip": 100,
    }
    assert {name: len(cards[name].classes) for name in counts} == counts
    assert sum(cards["asldvs"].splits.values()) == cards["asldvs"].total == 24 * 4200
    recordings = {"dsec": 53, "mvsec": 10, "tumvie": 21, "davis240c": 25, "vpr": 6}
    assert {name: len(card.recordings) for name, card in cards.items() if card.recordings} == recordings
    assert cards["dsec"].splits["train"] + cards["dsec"].splits["test"] == recordings["dsec"]


@pytest.mark.parametrize("name", NAMES)
def test_official_layout_reads_back(name, layouts):
    root, known = layouts(name)
    found = {}
    for split, dataset in parts(name, root).items():
        assert dataset.sensor == cards[name].sensor
        assert dataset.ids == tuple(sorted(dataset.ids))
        for index, (events, target, metadata) in enumerate(dataset):
            assert isinstance(events, Events)
            assert metadata["id"] == dataset.ids[index]
            assert metadata["split"] == split
            assert events.sensor == cards[name].sensor
            assert events.is_sorted
            if cards[name].target == "class":
                digits = target if isinstance(target, tuple) else (target,)
                assert all(type(digit) is int and 0 <= digit < len(dataset.classes) for digit in digits)
                assert target == dataset.targets[index]
            if cards[name].spikes:
                assert not events.y.any()
                assert events.p.all()
            found[metadata["id"], split] = events, target
    assert len(found) == len(known)
    for split, sample, events, target in known:
        for part in [split] if split else cards[name].splits:
            if (sample, part) in found:
                break
        read, label = found[sample, part]
        assert read == events
        if isinstance(target, np.ndarray):
            np.testing.assert_allclose(label, target, rtol=1e-12)
        else:
            assert label == target


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_disjoint_and_the_same_twice(name, layouts):
    root, _ = layouts(name)
    first, again = parts(name, root), parts(name, root)
    assert {split: part.ids for split, part in first.items()} == {split: part.ids for split, part in again.items()}
    assert {split: part.split_hash for split, part in first.items()} == {
        split: part.split_hash for split, part in again.items()
    }
    assert len({part.split_hash for part in first.values()}) == len({part.ids for part in first.values()})
    if name not in ("dsec", "tumvie"):  # the two cameras of a recording are splits of the same name
        ids = [sample for part in first.values() for sample in part.ids]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_there_is_not_downloaded(name, layouts, monkeypatch):
    def never(*_):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("eventsnn.datasets.fetch._download", never)
    root, known = layouts(name)
    split = known[0][0] or next(iter(cards[name].splits))
    assert len(load(name, root, split)) > 0


@pytest.mark.parametrize("name", NAMES)
def test_without_files_and_network_the_error_says_what_to_fetch(name, tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("eventsnn.datasets.fetch._download", unreachable)
    card = cards[name]
    with pytest.raises(FileNotFoundError) as caught:
        load(name, tmp_path)
    message = str(caught.value)
    needed = [file for file in card.files if file.split in ("", next(iter(card.splits)))]
    assert card.title in message
    assert str(tmp_path / needed[0].name) in message
    assert (needed[0].url or card.home) in message
    assert (needed[0].md5 or "not published") in message
    assert list(tmp_path.iterdir()) == []


def test_fixed_splits_keep_their_shares(layouts):
    root, _ = layouts("cifar10dvs")
    train, test = load("cifar10dvs", root), load("cifar10dvs", root, "test")
    assert (len(train), len(test)) == (18, 2)
    assert sorted(test.targets) == [0, 9]
    assert train.fixed
    assert "fixed split" in repr(train)
    # the split is part of the interface: results are compared across machines and years
    assert (train.split_hash, test.split_hash) == ("5992613df002c98c", "fa1f6ba9883991a3")


def test_the_hash_of_a_fixed_split_is_printed(layouts, capsys):
    dataset = load("cifar10dvs", layouts("cifar10dvs")[0])
    assert dataset.split_hash in capsys.readouterr().err


def test_gestures_cut_from_the_authors_recordings(tmp_path):
    events = made("dvsgesture", 3, 400)
    packet = b"".join(struct.pack("<Ii", x << 17 | y << 2 | p << 1 | 1, t) for t, x, y, p in rows(events))
    head = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
    put(tmp_path / "DvsGesture/user01_led.aedat", head + struct.pack("<hh6i", 1, 1, 8, 4, 0, 400, 400, 400) + packet)
    table = "class,startTime_usec,endTime_usec\n1,1000,90000\n11,100000,250000\n3,200000,280000\n"
    put(tmp_path / "DvsGesture/user01_led_labels.csv", table.encode())
    put(tmp_path / "DvsGesture/trials_to_train.txt", b"user01_led.aedat\nuser02_led.aedat\n")
    dataset = load("dvsgesture", tmp_path)
    assert dataset.targets == (0, 10, 2)
    spans = ((1000, 90_000), (100_000, 200_000), (200_000, 280_000))
    assert [sample.events for sample in dataset] == [events.between(*span) for span in spans]
    assert dataset[1].metadata["user"] == 1
    assert dataset[1].metadata["lighting"] == "led"


def test_recordings_are_picked_by_name(layouts):
    root, _ = layouts("tumvie")
    assert load("tumvie", root, recordings=["bike-easy"]).ids == ("bike-easy",)
    with pytest.raises(FileNotFoundError, match=r"slide-events_left\.h5"):
        load("tumvie", root, recordings=["slide"], download=False)
    with pytest.raises(ValueError, match="no recordings moon; there are mocap"):
        load("tumvie", root, recordings=["moon"])


@needs_data
@pytest.mark.parametrize(("split", "count"), [("train", 1000), ("test", 100)])
def test_the_small_nmnist(split, count, tmp_path):
    dataset = load("nmnist", DATA / "nmnist-small.zip", split)
    assert len(dataset) == count
    assert dataset.complete is False
    with zipfile.ZipFile(DATA / "nmnist-small.zip") as archive:
        for index in (0, count // 2, count - 1):
            name = dataset.ids[index]
            assert dataset[index].events == eventsnn.io.read(archive.read(name), sensor=(34, 34))
            assert dataset[index].target == int(name.split("/")[1])
            archive.extract(name, tmp_path)
    assert load("nmnist", tmp_path, split)[0].events == dataset[0].events


def widest(events):
    """Height of the rows with most events under the middle of all rows [px]."""
    rows = np.bincount(events.y, minlength=35)
    return np.average(np.arange(35), weights=rows.astype(float) ** 4) - (events.y.min() + events.y.max()) / 2


@needs_data
def test_poker_cards():
    train, test = (load("poker-dvs", DATA / "poker-dvs.zip", split) for split in ("train", "test"))
    assert [train.targets.count(k) + test.targets.count(k) for k in range(4)] == [17, 23, 35, 25]
    assert (len(train), len(test)) == (80, 20)
    every = dict(zip(train.ids + test.ids, [*train, *test], strict=True))
    card = eventsnn.io.read(DATA / "recordings/poker-club62.dat", sensor=(35, 35))
    np.testing.assert_array_equal(every["cl_62.aedat"].events.x, card.x)
    np.testing.assert_array_equal(every["cl_62.aedat"].events.y, card.y)
    np.testing.assert_array_equal(every["cl_62.aedat"].events.p, card.p)
    hearts, spades = (
        np.mean([widest(sample.events) for sample in every.values() if sample.target == k]) for k in (1, 3)
    )
    assert hearts < 0 < spades  # upright: a heart is broad above its middle, a spade below


def test_some_of_a_dataset_are_a_dataset(tmp_path):
    nmnist(tmp_path)
    train = load("nmnist", tmp_path)
    for some, wanted in (
        (train[1:], [1, 2]),
        (train[::-2], [2, 0]),
        (train[[2, 1]], [2, 1]),
        (train[np.array([0])], [0]),
    ):
        assert some.ids == tuple(train.ids[i] for i in wanted)
        assert [sample.target for sample in some] == [train.targets[i] for i in wanted]
        assert some[0].events == train[wanted[0]].events
    assert train[np.int64(1)].target == train[1].target


def test_official_counts_where_the_files_are():
    root = os.environ.get("EVENTSNN_DATASETS")
    if not root:
        pytest.skip("set EVENTSNN_DATASETS to a folder with whole datasets")
    for name in NAMES:
        for split, dataset in parts(name, root).items():
            assert dataset.complete in (True, None), (name, split, len(dataset))


# what goes wrong


def test_names_that_do_not_exist(tmp_path):
    with pytest.raises(ValueError, match="no dataset is called 'imagenet'; there are nmnist"):
        load("imagenet", tmp_path)
    with pytest.raises(ValueError, match=r"no dataset is called 'N-MNST'; did you mean 'nmnist'\? There are nmnist, "):
        load("N-MNST", tmp_path)
    with pytest.raises(ValueError, match="no split 'valid'; there are train, test"):
        load("nmnist", tmp_path, "valid")


def test_damage_in_a_sample_names_the_file(tmp_path):
    nmnist(tmp_path)
    place = tmp_path / "Train/5/00001.bin"
    place.write_bytes(place.read_bytes()[:-2])
    dataset = load("nmnist", tmp_path)
    with pytest.raises(EventFormatError, match=r"Train/5/00001\.bin.*cut short"):
        dataset[dataset.ids.index("Train/5/00001.bin")]


def archived(root, name="whole.zip"):
    """The files of a folder in an archive."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(root))
    return root / name


def test_damaged_zip_archives(tmp_path):
    nmnist(tmp_path)
    archive = archived(tmp_path)
    data = archive.read_bytes()
    whole = load("nmnist", archive)
    assert pickle.loads(pickle.dumps(whole))[0].events == whole[0].events
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"whole\.zip: no zip archive, or a damaged one"):
        load("nmnist", archive)
    archive.write_bytes(data[:60] + bytes(20) + data[80:])
    with pytest.raises(ValueError, match=r"whole\.zip: Test.* in it is damaged"):
        load("nmnist", archive, "test")[0]
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"no samples of SHD train in it; it must hold shd_train\.h5"):
        load("shd", archive)


@pytest.mark.parametrize("zipped", [False, True])
def test_workers_read_samples(zipped, tmp_path):
    nmnist(tmp_path)
    dataset = load("nmnist", archived(tmp_path) if zipped else tmp_path)
    plain = [sample.events for sample in dataset]  # the archive is open when the workers start
    loader = DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=list)
    assert [sample.events for (sample,) in loader] == plain


@pytest.fixture
def published(tmp_path, monkeypatch):
    """N-MNIST's training archive on a server of this machine; gives the folder to load to and the file served."""
    root, served = tmp_path / "root", tmp_path / "served"
    served.mkdir()
    nmnist(tmp_path / "made")
    archived(tmp_path / "made").rename(served / "train.zip")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(served))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    md5 = hashlib.md5((served / "train.zip").read_bytes()).hexdigest()
    file = File("train.zip", f"http://127.0.0.1:{server.server_port}/train.zip", md5, "train")
    card = cards["nmnist"].__class__(**{**cards["nmnist"].__dict__, "files": (file,)})
    monkeypatch.setattr("eventsnn.datasets.dataset.card_of", lambda name: card)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield root, served / "train.zip"
    server.shutdown()
    server.server_close()


def test_download_checks_and_unpacks(published):
    root, _ = published
    assert len(load("nmnist", root)) == 3
    assert sorted(path.name for path in root.iterdir()) == ["Test", "Train", "train.zip"]


def test_a_wrong_checksum_leaves_nothing(published):
    root, served = published
    served.write_bytes(served.read_bytes() + b"more")
    with pytest.raises(
        ValueError, match=r"train\.zip: the checksum is wrong \(md5 [0-9a-f]{32}, expected [0-9a-f]{32}\)"
    ):
        load("nmnist", root)
    assert list(root.iterdir()) == []


def test_a_server_that_lacks_the_file(published):
    root, served = published
    served.unlink()
    with pytest.raises(FileNotFoundError, match=r"downloading failed: .*404.*train\.zip \(md5 "):
        load("nmnist", root)
    assert list(root.iterdir()) == []


def test_archives_that_lie_there_are_unpacked_without_a_download(published, monkeypatch):
    root, served = published
    root.mkdir()
    shutil.copy(served, root)
    monkeypatch.setattr("eventsnn.datasets.fetch._download", None)
    assert len(load("nmnist", root)) == 3
    shutil.rmtree(root / "Train")
    (root / "train.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match="the checksum is wrong"):
        load("nmnist", root)


def test_archives_are_unpacked_beside_themselves(layouts, tmp_path, monkeypatch):
    monkeypatch.setattr("eventsnn.datasets.fetch._download", None)
    (events,) = (known[2] for known in layouts("dsec")[1] if known[0] == "train" and known[1] == "thun_00_a")
    name = "thun_00_a/events_left/thun_00_a_events_left.zip"
    as_file(tmp_path / "events.h5", events)
    (tmp_path / name).parent.mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.write(tmp_path / "events.h5", "events.h5")
    (tmp_path / "events.h5").unlink()
    dataset = load("dsec", tmp_path, recordings=["thun_00_a"])
    assert dataset[0].events == events
    assert (tmp_path / "thun_00_a/events_left/events.h5").is_file()


def test_a_damaged_archive_unpacks_nothing(published, monkeypatch):
    root, served = published
    root.mkdir()
    data = served.read_bytes()
    (root / "train.zip").write_bytes(data[:60] + bytes(20) + data[80:])
    monkeypatch.setattr("eventsnn.datasets.fetch._check", lambda *_: None)
    with pytest.raises(ValueError, match=r"train\.zip: the archive is damaged .*delete it and fetch it again"):
        load("nmnist", root)
    assert [path.name for path in root.iterdir()] == ["train.zip"]


# packed splits


@pytest.fixture(scope="module")
def small(layouts):
    return load("nmnist", layouts("nmnist")[0])


def same(packed, dataset):
    assert len(packed) == len(dataset)
    assert packed.ids == dataset.ids
    assert (packed.classes, packed.sensor, packed.split_hash) == (dataset.classes, dataset.sensor, dataset.split_hash)
    for mine, theirs in zip((packed[k] for k in range(len(packed))), dataset, strict=True):
        assert mine.events == theirs.events
        assert mine.target == theirs.target


@pytest.mark.parametrize("name", [name for name in NAMES if cards[name].target == "class" and name != "ntidigits"])
def test_every_card_with_classes_packs(name, layouts, tmp_path):
    for split, dataset in parts(name, layouts(name)[0]).items():
        packed = Packed.open(pack(dataset, tmp_path / split), verify=True)
        same(packed, dataset)
        assert list(tmp_path.glob(".*")) == []


def test_targets_that_are_no_classes(layouts, tmp_path):
    dataset = load("ntidigits", layouts("ntidigits")[0], "train-sequences")
    with pytest.raises(ValueError, match=r"the target of man-ae-1-12z is no class but tuple; give pack a target"):
        pack(dataset, tmp_path / "all")
    assert Packed.open(pack(dataset, tmp_path / "all", target=len)).labels.tolist() == [3]


def test_samples_without_events(tmp_path):
    empty = Sample(Events.empty((4, 2)), 1, {})
    full = Sample(Events([3], [1], [1], [1], sensor=(4, 2)), 0, {})
    for samples in ([], [empty], [empty, full, empty]):
        dataset = Toy(samples)
        packed = Packed.open(pack(dataset, tmp_path / str(len(samples))), verify=True)
        assert [packed[k].events for k in range(len(samples))] == [sample.events for sample in samples]
        for made_of, labels in packed.batches(2, dt=10, duration=20):
            assert made_of.shape[:2] == (2, len(labels))


class Toy(list):
    """Samples as a dataset."""

    name, split, split_hash, sensor, classes = "toy", "train", "0", (4, 2), ("a", "b")

    @property
    def ids(self):
        return tuple(f"sample {k}" for k in range(len(self)))


def test_batches_are_the_frames_of_the_samples(small, tmp_path):
    packed = Packed.open(pack(small, tmp_path / "train"))
    seen = []
    for frames, labels in packed.batches(2, n_bins=5, shuffle=True, seed=4):
        assert frames.shape == (5, len(labels), 2, 34, 34)
        seen += [(frames[:, b], int(labels[b])) for b in range(len(labels))]
    order = packed.batches(2, shuffle=True, seed=4).samples()
    for (frames, label), k in zip(seen, order.tolist(), strict=True):
        torch.testing.assert_close(frames, to_frames(small[k].events, n_bins=5))
        assert label == small.targets[k]


def test_a_packed_split_is_known_to_be_in_order_without_a_look(small, tmp_path):
    store = Packed.open(pack(small, tmp_path / "train")).store
    events = Events([5, 3], [0, 1], [0, 0], [1, 1], sensor=(4, 2))
    assert type(store)(events, [0], [2], is_sorted=True).is_sorted  # told, and believed
    assert not type(store)(events, [0], [2]).is_sorted
    assert store.is_sorted
    assert store[[1, 0]].numpy().is_sorted


def test_orders_of_epochs(small, tmp_path):
    packed = Packed.open(pack(repeated(small, 40), tmp_path / "many"))
    batches = packed.batches(16, n_bins=2, shuffle=True)
    first, second = ([labels for _, labels in batches] for _ in range(2))
    assert batches.epoch == 2
    assert [len(labels) for labels in first] == [16, 16, 8]
    assert len(packed.batches(16)) == 3
    assert len(packed.batches(16, drop_last=True)) == len([*packed.batches(16, n_bins=2, drop_last=True)]) == 2
    assert not torch.equal(torch.cat(first), torch.cat(second))
    again = packed.batches(16, n_bins=2, shuffle=True)
    assert torch.equal(torch.cat([labels for _, labels in again]), torch.cat(first))
    again.epoch = 1
    assert torch.equal(torch.cat([labels for _, labels in again]), torch.cat(second))
    assert torch.equal(torch.cat([labels for _, labels in packed.batches(7, n_bins=2)]), packed.labels)
    orders = {tuple(packed.batches(1, shuffle=True, seed=seed).samples().tolist()) for seed in range(5)}
    assert len(orders) == 5
    assert all(sorted(order) == list(range(40)) for order in orders)


@pytest.mark.parametrize("world", [1, 2, 3, 7, 50])
def test_ranks_share_an_epoch(world, small, tmp_path):
    packed = Packed.open(pack(repeated(small, 40), tmp_path / "many"))
    shares = [packed.batches(4, shuffle=True, seed=1, rank=rank, world=world) for rank in range(world)]
    taken = [share.samples().tolist() for share in shares]
    assert len({len(samples) for samples in taken}) == 1
    assert len({len(share) for share in shares}) == 1
    assert {k for samples in taken for k in samples} == set(range(40))
    for rank in (0, world - 1):  # the same numbers as torch's sampler
        theirs = DistributedSampler(packed, world, rank, shuffle=False)
        assert packed.batches(4, rank=rank, world=world).samples().tolist() == list(theirs)


def test_samplers_and_loaders(small, tmp_path):
    packed = Packed.open(pack(repeated(small, 20), tmp_path / "many"))
    sampler = DistributedSampler(packed, 2, 1, seed=3)
    wanted = packed.labels[list(sampler)]
    batches = packed.batches(4, n_bins=3, order=sampler)
    assert len(batches) == 3
    assert torch.equal(torch.cat([labels for _, labels in batches]), wanted)
    for workers in (0, 2):
        loader = packed.loader(4, n_bins=3, sampler=sampler, workers=workers)
        for mine, theirs in zip(loader, packed.batches(4, n_bins=3, order=sampler), strict=True):
            torch.testing.assert_close(mine, theirs)
    assert pickle.loads(pickle.dumps(packed))[3].events == packed[3].events


def repeated(dataset, count):
    many = Toy(dataset[k % len(dataset)] for k in range(count))
    many.sensor, many.classes, many.split_hash = dataset.sensor, dataset.classes, f"{dataset.split_hash} {count}"
    return many


def test_augmentation_comes_before_binning(small, tmp_path):
    packed = Packed.open(pack(small, tmp_path / "train"))

    def late(recordings):
        return type(recordings).join(events[len(events) // 2 :] for events in recordings)

    for (frames, _), (plain, _) in zip(
        packed.batches(2, n_bins=3, augment=late), packed.batches(2, n_bins=3), strict=True
    ):
        assert 0 < frames.sum() < plain.sum()


def test_augmentations_of_a_batch(small, tmp_path):
    packed = Packed.open(pack(small, tmp_path / "train"))
    for (frames, labels), (plain, same_labels) in zip(
        packed.batches(2, n_bins=3, augment=Compose([RandomFlipLR(p=1.0)])), packed.batches(2, n_bins=3), strict=True
    ):
        assert torch.equal(frames, plain.flip(-1))
        assert torch.equal(labels, same_labels)


def test_spikes_in_channels(layouts, tmp_path):
    dataset = load("shd", layouts("shd")[0])
    packed = Packed.open(pack(dataset, tmp_path / "shd"))
    ((counts, labels),) = packed.batches(8, make=trains, dt="10ms", duration="300ms", pool=5)
    assert counts.shape == (30, 3, 140)
    assert labels.tolist() == [0, 1, 2]
    naive = torch.zeros(30, 140)
    events = dataset[1].events
    for t, x, _, _ in rows(events):
        if t - events.t[0] < 300_000:
            naive[(t - events.t[0]) // 10_000, x // 5] += 1
    torch.testing.assert_close(counts[:, 1], naive)
    torch.testing.assert_close(trains(events, dt="10ms", duration="300ms", pool=5), naive)
    assert trains(events, n_bins=4, binary=True).max() == 1
    with pytest.raises(ValueError, match=r"have a sensor \(channels, 1\), got \(34, 34\); use to_frames"):
        trains(made("nmnist", 1), n_bins=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "at least one sample, got batch_size=0"),
        ({"batch_size": 1, "rank": 2, "world": 2}, "rank 2 of 2"),
        ({"batch_size": 1, "order": [0], "shuffle": True}, "leave shuffle, rank and world to it"),
    ],
)
def test_batches_that_cannot_be(settings, message, small, tmp_path):
    with pytest.raises(ValueError, match=message):
        Packed.open(pack(small, tmp_path / "train")).batches(**settings)


def test_places_that_nothing_can_be_packed_to(small, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; give the name of the file"):
        pack(small, tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no such folder to write train to"):
        pack(small, tmp_path / "no" / "train")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_packing_goes_on(small, tmp_path, monkeypatch):
    monkeypatch.setattr("eventsnn.datasets.packing._EVENTS_AT_ONCE", 60)
    whole = repeated(small, 12)

    class Stopping(Toy):
        read: list[int] = []  # noqa: RUF012
        stop_at = 8

        def __getitem__(self, k):
            if k == self.stop_at:
                raise KeyboardInterrupt
            self.read.append(k)
            return super().__getitem__(k)

    dataset = Stopping(whole)
    dataset.sensor, dataset.classes = whole.sensor, whole.classes
    with pytest.raises(KeyboardInterrupt):
        pack(dataset, tmp_path / "train")
    assert [path.name for path in tmp_path.iterdir()] == [".train.packing"]
    done, dataset.stop_at = len(dataset.read), -1
    pack(dataset, tmp_path / "train")
    assert done == 8
    assert dataset.read == [*range(8), *range(dataset.read[8], 12)]
    assert 4 <= dataset.read[8] <= 8
    packed = Packed.open(tmp_path / "train", verify=True)
    assert [packed[k].events for k in range(12)] == [sample.events for sample in whole]
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
    dataset.stop_at = 0
    pack(dataset, tmp_path / "train")  # whole already: nothing is read
    dataset.split_hash = "another"
    with pytest.raises(KeyboardInterrupt):
        pack(dataset, tmp_path / "train")
    assert len(Packed.open(tmp_path / "train", verify=True)) == 12


def test_of_several_that_pack_at_once_one_does_it(small, tmp_path):
    class Counting(Toy):
        read: list[int] = []  # noqa: RUF012

        def __getitem__(self, k):
            self.read.append(k)
            return super().__getitem__(k)

    dataset = Counting(small)
    dataset.sensor = small.sensor
    threads = [threading.Thread(target=pack, args=(dataset, tmp_path / "train")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(dataset.read) == [0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


@pytest.fixture
def quota():
    """Sets how large a file may grow; writing beyond it fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [4_000, 12_000])  # while columns are written, while the file is put together
def test_a_disk_that_is_full(size, small, tmp_path, monkeypatch, quota):
    monkeypatch.setattr("eventsnn.datasets.packing._EVENTS_AT_ONCE", 300)
    dataset = repeated(small, 40)
    quota(size)
    with pytest.raises(OSError, match=r"packing stopped after \d+ of 40 samples: File too large.*call again") as caught:
        pack(dataset, tmp_path / "train")
    quota(resource.RLIM_INFINITY)
    assert caught.value.filename == str(tmp_path / "train")
    assert [path.name for path in tmp_path.iterdir()] == [".train.packing"]
    packed = Packed.open(pack(dataset, tmp_path / "train"), verify=True)
    assert [packed[k].events for k in range(40)] == [sample.events for sample in dataset]
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_damaged_packed_files(small, tmp_path):
    path = pack(small, tmp_path / "train")
    data = path.read_bytes()
    at = header_of(path)["columns"]["x"]["at"]
    for changed, message in (
        (data[: at + 10], "cut short at"),
        (b"PK\3\4" + data[4:], "not a packed split"),
        (b"", "not a packed split"),
        (data[:60] + b"!" + data[61:], "the header is damaged"),
        (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], "column x is damaged"),
    ):
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=message):
            Packed.open(path, verify=True)
    with pytest.raises(FileNotFoundError):
        Packed.open(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no such folder to write"):
        pack(small, tmp_path / "nowhere/train")


def test_a_split_in_words_gives_the_same_batches(small, tmp_path):
    path = pack(repeated(small, 9), tmp_path / "many")
    columns, words = Packed.open(path), Packed.open(path, words=True)
    settings = {"n_bins": 4, "shuffle": True, "seed": 3}
    for one, other in zip(columns.batches(4, **settings), words.batches(4, **settings), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert pickle.loads(pickle.dumps(words))[2].events.numpy() == columns[2].events.numpy()
    assert repr(words) == repr(columns)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("words", [False, True])
def test_batches_on_a_gpu_are_those_of_the_cpu(small, tmp_path, words):
    path = pack(repeated(small, 40), tmp_path / "many")
    here, there = Packed.open(path), Packed.open(path, "cuda", words=words)
    settings = {"n_bins": 7, "shuffle": True, "seed": 2}
    for mine, theirs in zip(here.batches(16, **settings), there.batches(16, **settings), strict=True):
        assert theirs[0].is_cuda
        assert torch.equal(mine[0], theirs[0].cpu())
        assert torch.equal(mine[1], theirs[1].cpu())
    assert there[3].events.numpy() == here[3].events.numpy()
    with pytest.raises(ValueError, match="workers share a split mapped into memory"):
        there.loader(4, n_bins=2, workers=1)


# the command


def test_a_narrow_terminal_gets_a_narrow_table(capsys, monkeypatch):
    for width in ("80", "110"):
        monkeypatch.setenv("COLUMNS", width)
        assert main(["datasets"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= int(width)
        assert [line.split()[0] for line in lines[2:] if line[0] != " "] == NAMES


def test_the_table_lists_every_card(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == NAMES
    caltech = lines[NAMES.index("ncaltech101") + 2]
    assert "N-Caltech101    240x180       101      8,709 (no official split; fixed: train 90%, test 10%)" in caltech


@pytest.mark.parametrize(("name", "cells"), [("nmnist", 3), ("shd", 3), ("cifar10dvs", 18), ("dsec", 2)])
def test_samples_as_a_picture(name, cells, layouts, tmp_path, capsys):
    out = tmp_path / "grid.png"
    assert main(["datasets", "show", name, "--root", str(layouts(name)[0]), "--out", str(out)]) == 0
    image = cv2.imread(str(out))
    columns = min(cells, 8)
    assert image.shape == (184 * -(-cells // 8), 160 * columns, 3)
    for k in range(cells):
        cell = image[k // 8 * 184 : (k // 8 + 1) * 184, k % 8 * 160 : (k % 8 + 1) * 160]
        assert (cell[:160] < 200).any()  # events
        assert (cell[160:] < 150).any()  # the label
    printed = capsys.readouterr().out
    assert cards[name].licence in printed
    assert load(name, layouts(name)[0]).split_hash in printed


def test_what_the_command_cannot_show(layouts, tmp_path, capsys):
    for arguments, message in (
        (["show"], "name the dataset to show, one of nmnist"),
        (["show", "imagenet"], "no dataset is called 'imagenet'"),
        (["show", "shd", "--root", str(tmp_path)], "shd_train.h5.zip (md5 f3252aeb598ac776c1b526422d90eecb)"),
        (["show", "nmnist", "--samples", "0"], "at least one sample"),
        (["show", "nmnist", "--split", "valid"], "no split 'valid'; there are train, test"),
    ):
        assert main(["datasets", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
