"""Tracking metrics: an example worked by hand, laws, and a reference implementation where it is installed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsnn import cli
from eventsnn.datasets.shapes import tracking_benchmark
from eventsnn.pipelines.track import track
from eventsnn.track import Tracks
from eventsnn.track.metrics import Boxes, evaluate


def boxes(rows):
    frame, number, place = zip(*rows, strict=True) if rows else ((), (), ())
    table = np.array([[10.0 * p, 0.0, 5.0, 5.0] for p in place]).reshape(-1, 4)
    return Boxes(np.array(frame, int), np.array(number, int), table)


TRUTH = boxes([(f, n, n) for f in range(1, 6) for n in (1, 2)])
FOUND = boxes([(1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 3, 1), (5, 3, 1), *((f, 2, 2) for f in (1, 2, 4, 5)), (5, 4, 9)])


def test_the_example_worked_by_hand():
    """A: track 1 in frames 1-3, track 3 in 4-5. B: track 2, but not in frame 3. Track 4 is a ghost."""
    scores = evaluate(TRUTH, FOUND)
    assert scores.mota == pytest.approx(0.7)
    assert scores.idf1 == pytest.approx(0.7)
    assert scores.deta == pytest.approx(9 / 11)
    assert scores.assa == pytest.approx(5.8 / 9)
    assert scores.hota == pytest.approx(0.726135, abs=1e-6)
    assert (scores.switches, scores.fragments, scores.missed, scores.ghosts) == (1, 1, 1, 1)
    assert (scores.motp, scores.loca, scores.error_median) == (1, 1, 0)


def test_nothing_found():
    scores = evaluate(TRUTH, boxes([]))
    assert (scores.mota, scores.idf1, scores.hota, scores.missed) == (0, 0, 0, 10)


def test_point_similarity_is_the_distance_in_sizes():
    off = Boxes(TRUTH.frame, TRUTH.id, TRUTH.boxes + np.array([0.0, 1.0, 0.0, 0.0]))
    assert evaluate(TRUTH, off, "point").motp == pytest.approx(0.8)
    assert evaluate(TRUTH, off, "point").error_mean == pytest.approx(1)
    assert evaluate(TRUTH, off).motp == pytest.approx(4 / 6)


@st.composite
def sequences(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = [
        (f, n, *random.uniform(0, 30, 2), *random.uniform(5, 15, 2))
        for f in range(1, 9)
        for n in range(1, 5)
        if random.uniform() < 0.7
    ] or [(1, 1, 0.0, 0.0, 5.0, 5.0)]
    table = np.array(rows)
    return Boxes(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:])


@given(sequences(), sequences())
def test_laws(truth, tracks):
    perfect = evaluate(truth, truth)
    assert (perfect.mota, perfect.idf1, perfect.switches) == (1, 1, 0)
    assert perfect.error_mean == pytest.approx(0, abs=1e-9)
    assert perfect.hota == pytest.approx(1)
    scores = evaluate(truth, tracks)
    renamed = evaluate(truth, Boxes(tracks.frame, 100 - tracks.id, tracks.boxes))
    assert scores.idf1 == pytest.approx(renamed.idf1)
    assert scores.hota == pytest.approx(renamed.hota)
    assert 0 <= scores.hota <= 1
    assert 0 <= scores.idf1 <= 1
    assert scores.mota <= 1
    order = np.random.default_rng(0).permutation(len(tracks.frame))
    shuffled = evaluate(truth, Boxes(tracks.frame[order], tracks.id[order], tracks.boxes[order]))
    assert shuffled.hota == pytest.approx(scores.hota)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=20), st.integers(0, 3))
def test_success_and_precision_of_one_object_count_frames(shifts, missing):
    """Boxes of 20 x 10 px, each shifted to the right; some more frames have no box of the track."""
    n = len(shifts)
    place = np.tile([5.0, 5.0, 20.0, 10.0], (n + missing, 1))
    truth = Boxes(np.arange(n + missing), np.ones(n + missing, int), place)
    moved = place[:n] + np.array([[shift, 0, 0, 0] for shift in shifts])
    scores = evaluate(truth, Boxes(np.arange(n), np.ones(n, int), moved))
    overlaps = [max(0, 20 - shift) / (20 + min(shift, 20)) for shift in shifts] + [0] * missing
    levels = [k / 20 for k in range(21)]
    assert scores.success_auc == pytest.approx(
        np.mean([[overlap > u for u in levels] for overlap in overlaps]), abs=0.5 / 21
    )
    assert scores.precision_20 == pytest.approx(sum(shift <= 20 for shift in shifts) / (n + missing))
    assert scores.precision_5 == pytest.approx(sum(shift <= 5 for shift in shifts) / (n + missing))
    near = [[shift / 20 <= k / 100 + 1e-9 for k in range(51)] for shift in shifts] + [[False] * 51] * missing
    assert scores.precision_auc == pytest.approx(np.mean(near), abs=0.5 / 51)


def test_success_and_precision_ask_for_no_ids_and_for_no_more_than_one_box_each():
    scores = evaluate(TRUTH, FOUND)
    assert scores.success_auc == pytest.approx(0.9 * 20 / 21)
    assert (scores.precision_5, scores.precision_20, scores.precision_auc) == (0.9, 0.9, 0.9)
    two = boxes([(1, 1, 0), (1, 2, 1)])
    assert evaluate(two, boxes([(1, 1, 0)])).precision_20 == 0.5
    assert evaluate(two, boxes([(1, 1, 1), (1, 2, 0)])).success_auc == pytest.approx(20 / 21)
    assert evaluate(two, boxes([])).success_auc == 0


def test_mot_files(tmp_path):
    (tmp_path / "gt.txt").write_text("1,1,0,0,5,5,1,-1,-1,-1\n2,1,1,0,5,5,1,-1,-1,-1\n")
    truth = Boxes.from_mot(tmp_path / "gt.txt")
    assert truth.boxes.tolist() == [[0, 0, 5, 5], [1, 0, 5, 5]]
    (tmp_path / "gt.txt").write_text("a,b\n")
    with pytest.raises(ValueError, match="not MOTChallenge text"):
        Boxes.from_mot(tmp_path / "gt.txt")


def test_empty_mot_files_hold_no_boxes(tmp_path):
    (tmp_path / "none.txt").write_text("\n")
    assert Boxes.from_mot(tmp_path / "none.txt").boxes.shape == (0, 4)


def test_a_row_of_tracks_is_a_tuple():
    rows = [
        (1, 5000, 1, 10.0, 20.0, 8.0, 6.0, 100.0, 0.0, 1.0, 0, 42),
        (2, 9000, 1, 11.0, 20.0, 8.0, 6.0, 1.0, 0.0, 1.0, 0, 4),
    ]
    tracks = Tracks.of(rows)
    assert tracks[-1] == tracks[np.int64(1)] == rows[1]
    assert list(tracks) == rows


def test_bad_requests():
    with pytest.raises(ValueError, match="'iou' or 'point'"):
        evaluate(TRUTH, FOUND, "cosine")
    with pytest.raises(ValueError, match="no boxes"):
        evaluate(boxes([]), FOUND)
    with pytest.raises(ValueError, match="from 0 to 1"):
        evaluate(TRUTH, FOUND, least=2)
    with pytest.raises(ValueError, match=r"boxes \[n, 4\]"):
        Boxes(TRUTH.frame, TRUTH.id[1:], TRUTH.boxes)
    with pytest.raises(ValueError, match="stands twice in frame 1"):
        evaluate(TRUTH, boxes([(1, 1, 1), (1, 1, 2)]))


@given(sequences(), sequences())
def test_against_trackeval(truth, tracks):
    trackeval = pytest.importorskip("trackeval")
    from eventsnn.track.metrics import _frames

    frames = list(_frames(truth, tracks, "iou"))
    data = {
        "num_timesteps": len(frames),
        "num_gt_ids": len(np.unique(truth.id)),
        "num_tracker_ids": len(np.unique(tracks.id)),
        "num_gt_dets": len(truth.frame),
        "num_tracker_dets": len(tracks.frame),
        "gt_ids": [np.searchsorted(np.unique(truth.id), frame.true) for frame in frames],
        "tracker_ids": [np.searchsorted(np.unique(tracks.id), frame.found) for frame in frames],
        "similarity_scores": [frame.similarity for frame in frames],
    }
    quiet = {"PRINT_CONFIG": False}
    clear = trackeval.metrics.CLEAR(quiet).eval_sequence(data)
    identity = trackeval.metrics.Identity(quiet).eval_sequence(data)
    hota = trackeval.metrics.HOTA().eval_sequence(data)
    ours = evaluate(truth, tracks)
    assert ours.mota == pytest.approx(clear["MOTA"], abs=1e-9)
    assert ours.motp == pytest.approx(clear["MOTP"], abs=1e-9)
    assert (ours.switches, ours.fragments) == (clear["IDSW"], clear["Frag"])
    assert ours.idf1 == pytest.approx(identity["IDF1"], abs=1e-9)
    for name in ("HOTA", "DetA", "AssA", "LocA"):
        assert getattr(ours, name.lower()) == pytest.approx(hota[name].mean(), abs=1e-9)


def test_against_trackeval_on_files(tmp_path):
    """Its own reader, overlap and evaluator, on the files that the commands write and compare."""
    trackeval = pytest.importorskip("trackeval")
    events, truth = tracking_benchmark(6, "500ms")
    mine = tmp_path / "found" / "MOT17-train" / "mine" / "data" / "clip.txt"
    true = tmp_path / "true" / "MOT17-train" / "clip" / "gt" / "gt.txt"
    for path in (mine, true):
        path.parent.mkdir(parents=True)
    track(events, dt="1ms").to_mot(mine)
    truth.to_mot(true)
    lines = [line.split(",") for line in true.read_text().splitlines()]
    for line in lines[::7]:  # marked as not to be counted
        line[6] = "0"
    true.write_text("".join(",".join(line) + "\n" for line in lines))
    frames = max(int(line.split(",")[0]) for path in (mine, true) for line in path.read_text().splitlines())
    (true.parents[1] / "seqinfo.ini").write_text(f"[Sequence]\nname=clip\nseqLength={frames}\n")
    places = {"GT_FOLDER": str(tmp_path / "true"), "TRACKERS_FOLDER": str(tmp_path / "found")}
    asked = {"SEQ_INFO": {"clip": None}, "DO_PREPROC": False, "PRINT_CONFIG": False}
    quiet = {
        "PRINT_CONFIG": False,
        "PRINT_RESULTS": False,
        "TIME_PROGRESS": False,
        "DISPLAY_LESS_PROGRESS": False,
        "OUTPUT_SUMMARY": False,
        "OUTPUT_DETAILED": False,
        "PLOT_CURVES": False,
    }
    metrics = [
        trackeval.metrics.HOTA(),
        *(kind({"PRINT_CONFIG": False}) for kind in (trackeval.metrics.CLEAR, trackeval.metrics.Identity)),
    ]
    data = trackeval.datasets.MotChallenge2DBox(places | asked)
    theirs = trackeval.Evaluator(quiet).evaluate([data], metrics)[0]["MotChallenge2DBox"]["mine"]["clip"]["pedestrian"]
    assert cli.main(["evaluate-tracks", str(mine), str(true), "--out", str(tmp_path / "scores.json")]) == 0
    ours = json.loads((tmp_path / "scores.json").read_text())
    assert 0.1 < ours["mota"] < 1
    for name in ("HOTA", "DetA", "AssA", "LocA"):
        assert ours[name.lower()] == pytest.approx(theirs["HOTA"][name].mean(), abs=1e-9)
    for name in ("MOTA", "MOTP"):
        assert ours[name.lower()] == pytest.approx(theirs["CLEAR"][name], abs=1e-9)
    assert ours["idf1"] == pytest.approx(theirs["Identity"]["IDF1"], abs=1e-9)
    for name, count in {"switches": "IDSW", "fragments": "Frag", "missed": "CLR_FN", "ghosts": "CLR_FP"}.items():
        assert ours[name] == theirs["CLEAR"][count]
