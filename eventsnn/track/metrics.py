"""How good tracks are: pixel error, success and precision, MOTA and MOTP, IDF1, HOTA.

Success and precision: Wu, Lim, Yang 2013, doi 10.1109/CVPR.2013.312; normalised: Mueller et al. 2018, arXiv 1803.10794.
CLEAR MOT: Bernardin, Stiefelhagen 2008, doi 10.1155/2008/246309. IDF1: Ristani et al. 2016, arXiv 1609.01775. HOTA:
Luiten et al. 2021, arXiv 2009.07736.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from .mot import read_mot

_ALPHAS = np.arange(0.05, 0.99, 0.05)
_OVERLAPS = np.arange(21) / 20
_ERRORS = np.arange(51) / 100
_NEAR, _FAR = 5.0, 20.0  # px
_EPS = np.finfo(float).eps


class Labelled(Protocol):
    """Equal-length columns: frame, id, and boxes ``[n, 4]`` as left, top, width, height; ``Tracks`` is one."""

    @property
    def frame(self) -> NDArray[Any]: ...
    @property
    def id(self) -> NDArray[Any]: ...
    @property
    def boxes(self) -> NDArray[Any]: ...


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes ``[n, 4]`` (left, top, width, height in px) with their frame and id ``[n]``: a ground truth.

    Raises ValueError for columns of unequal length.
    """

    frame: NDArray[np.int64]
    id: NDArray[np.int64]
    boxes: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = {name: np.shape(column) for name, column in vars(self).items()}
        n = len(self.frame)
        if shapes != {"frame": (n,), "id": (n,), "boxes": (n, 4)}:
            raise ValueError(f"frame and id must have shape [n] and boxes [n, 4], got {shapes}")

    @classmethod
    def from_mot(cls, path: str | Path, *, counted: bool = False) -> Self:
        """Read MOTChallenge text, ``frame,id,left,top,width,height,...``. Raises ValueError for anything else.

        ``counted`` leaves out lines whose seventh value is 0: so a ground truth marks what is not to count.
        """
        table = read_mot(path)
        table = table[table[:, 6] != 0] if counted else table
        return cls(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:6])


@dataclass(frozen=True)
class Scores:
    """Shares in 0..1 but for ``mota``, which can be negative, the counts, and the errors [px] of matched centres.

    The last four are those of trackers of one object, and ask for no ids: a true box counts with the box that it is
    given where each frame's boxes are assigned as well as can be, or as failed without one. ``success_auc`` is the
    share of true boxes overlapped by more than u, averaged over u = 0, 0.05, ..., 1 (so at most 20/21), ``precision_5``
    and ``precision_20`` the shares whose centre is off by 5 and 20 px at most, and ``precision_auc`` the share whose
    centre is off by u widths and heights at most, averaged over u = 0, 0.01, ..., 0.5.
    """

    mota: float
    motp: float
    idf1: float
    hota: float
    deta: float
    assa: float
    loca: float
    switches: int
    fragments: int
    missed: int
    ghosts: int
    error_mean: float
    error_median: float
    error_90: float
    success_auc: float
    precision_5: float
    precision_20: float
    precision_auc: float


@dataclass(frozen=True, eq=False)
class Matches:
    """Pairs of a true box and a track's, in order of the frames: columns ``[n]``; distances of the centres in px."""

    frame: NDArray[np.int64]
    true_id: NDArray[np.int64]
    track_id: NDArray[np.int64]
    similarity: NDArray[np.float64]
    distance: NDArray[np.float64]


def match(truth: Labelled, tracks: Labelled, similarity: str = "iou", least: float = 0.5) -> Matches:
    """Pair the boxes of each frame, the most similar with each other, by the rule of CLEAR MOT.

    A pair of the frame before is kept while it holds. ``similarity`` is "iou", or "point": 1 - distance of the centres
    / longer side of the true box, at least 0; pairs below ``least`` do not match. Raises ValueError for another
    similarity, a ``least`` that is not in 0..1, or an id that stands twice in a frame.

    >>> boxes = Boxes(np.array([1, 2]), np.array([7, 7]), np.array([[0.0, 0, 4, 4], [1, 0, 4, 4]]))
    >>> match(boxes, boxes).true_id.tolist()
    [7, 7]
    """
    if not 0 <= least <= 1:
        raise ValueError(f"least must be a similarity from 0 to 1, got {least}")
    before: dict[int, int] = {}
    columns: list[tuple[Any, ...]] = []
    for frame in _frames(truth, tracks, similarity):
        kept = np.array([[before.get(true) == found for found in frame.found] for true in frame.true], bool)
        score = np.where(
            frame.similarity >= least - _EPS, frame.similarity + 1000 * kept.reshape(frame.similarity.shape), 0
        )
        rows, cols = linear_sum_assignment(-score)
        rows, cols = rows[score[rows, cols] > _EPS], cols[score[rows, cols] > _EPS]
        before = dict(zip(frame.true[rows].tolist(), frame.found[cols].tolist(), strict=True))
        pair = np.full(len(rows), frame.number), frame.true[rows], frame.found[cols]
        columns.append((*pair, frame.similarity[rows, cols], frame.distance[rows, cols]))
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)] or [np.zeros(0)] * 5
    return Matches(*joined)


def evaluate(truth: Labelled, tracks: Labelled, similarity: str = "iou", least: float = 0.5) -> Scores:
    """Compare tracks with the truth; both number frames alike. ``similarity`` and ``least`` as in ``match``.

    Raises ValueError for an empty truth, and as ``match``.

    >>> boxes = Boxes(np.array([1, 2]), np.array([1, 1]), np.array([[0.0, 0, 4, 4], [1, 0, 4, 4]]))
    >>> scores = evaluate(boxes, boxes)
    >>> scores.mota, scores.idf1, round(scores.hota, 6), scores.error_mean
    (1.0, 1.0, 1.0, 0.0)
    """
    if not len(truth.frame):
        raise ValueError("the truth has no boxes to compare with")
    frames = list(_frames(truth, tracks, similarity))
    clear = _clear(match(truth, tracks, similarity, least), truth, tracks)
    return Scores(**clear, **_identity(frames, truth, tracks, least), **_hota(frames, truth, tracks), **_single(frames))


@dataclass(frozen=True)
class _Frame:
    """The ids present in a frame; ``[truth, tracks]`` the similarity of their boxes, the overlap, and the distance of
    the centres in px and in widths and heights of the true box.
    """

    number: int
    true: NDArray[np.int64]
    found: NDArray[np.int64]
    similarity: NDArray[np.float64]
    overlap: NDArray[np.float64]
    distance: NDArray[np.float64]
    scaled: NDArray[np.float64]


def _frames(truth: Labelled, tracks: Labelled, similarity: str) -> Iterator[_Frame]:
    if similarity not in ("iou", "point"):
        raise ValueError(f"similarity must be 'iou' or 'point', got {similarity!r}")
    for frame in np.union1d(truth.frame, tracks.frame):
        here, there = truth.frame == frame, tracks.frame == frame
        for ids in (truth.id[here], tracks.id[there]):
            if len(np.unique(ids)) < len(ids):
                raise ValueError(f"an id stands twice in frame {frame}")
        a, b = truth.boxes[here][:, None], tracks.boxes[there][None]
        off = a[..., :2] + a[..., 2:] / 2 - b[..., :2] - b[..., 2:] / 2
        apart, scaled = (np.hypot(*np.moveaxis(way, -1, 0)) for way in (off, off / np.maximum(a[..., 2:], _EPS)))
        shared = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
        common = np.maximum(shared, 0).prod(-1)
        overlap = common / np.maximum(a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common, _EPS)
        alike = overlap if similarity == "iou" else np.maximum(0, 1 - apart / a[..., 2:].max(-1))
        yield _Frame(int(frame), truth.id[here], tracks.id[there], alike, overlap, apart, scaled)


def _single(frames: list[_Frame]) -> dict[str, Any]:
    """Success and precision, of true boxes each given the box that makes the sum best."""
    overlaps = np.concatenate([_given(-frame.overlap, 0.0) for frame in frames])
    errors = np.concatenate([_given(frame.distance, _FAR) for frame in frames])
    scaled = np.concatenate([_given(frame.scaled, _ERRORS[-1]) for frame in frames])
    return {
        "success_auc": float((np.minimum(-overlaps, 1)[:, None] > _OVERLAPS).mean()),
        "precision_5": float((errors <= _NEAR).mean()),
        "precision_20": float((errors <= _FAR).mean()),
        "precision_auc": float((scaled[:, None] <= _ERRORS + 1e-9).mean()),
    }


def _given(cost: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """The cost of each true box ``[truth]`` in the assignment with the least sum, in which none costs over ``most``;
    without one, infinite, or 0 where costs are negative.
    """
    given = np.full(len(cost), np.inf if most else 0.0)
    rows, columns = linear_sum_assignment(np.minimum(cost, most))
    given[rows] = cost[rows, columns]
    return given


def _clear(matches: Matches, truth: Labelled, tracks: Labelled) -> dict[str, Any]:
    """Misses, ghosts, switches of the track since the last match, and interruptions of each true id."""
    switches = fragments = 0
    for true in np.unique(matches.true_id):
        mine = matches.true_id == true
        switches += int((np.diff(matches.track_id[mine]) != 0).sum())
        present = np.unique(np.r_[truth.frame, tracks.frame])
        fragments += int((np.diff(np.searchsorted(present, matches.frame[mine])) > 1).sum())
    hits = len(matches.frame)
    missed, ghosts = len(truth.frame) - hits, len(tracks.frame) - hits
    error = matches.distance if hits else np.array([np.nan])
    return {
        "mota": 1 - (missed + ghosts + switches) / len(truth.frame),
        "motp": float(matches.similarity.sum() / max(hits, 1)),
        "switches": switches,
        "fragments": fragments,
        "missed": missed,
        "ghosts": ghosts,
        "error_mean": float(error.mean()),
        "error_median": float(np.median(error)),
        "error_90": float(np.quantile(error, 0.9)),
    }


def _identity(frames: list[_Frame], truth: Labelled, tracks: Labelled, least: float) -> dict[str, Any]:
    """The one assignment of true ids to track ids that shares the most frames."""
    true_ids, track_ids = np.unique(truth.id), np.unique(tracks.id)
    together = np.zeros((len(true_ids), len(track_ids)))
    for frame in frames:
        here = np.ix_(np.searchsorted(true_ids, frame.true), np.searchsorted(track_ids, frame.found))
        together[here] += frame.similarity >= least - _EPS
    shared = together[linear_sum_assignment(-together)].sum()
    return {"idf1": float(2 * shared / (len(truth.frame) + len(tracks.frame)))}


def _hota(frames: list[_Frame], truth: Labelled, tracks: Labelled) -> dict[str, Any]:
    """Match by how well ids go together over all frames, then average over the thresholds."""
    true_ids, true_boxes = np.unique(truth.id, return_counts=True)
    track_ids, track_boxes = np.unique(tracks.id, return_counts=True)
    alike = np.zeros((len(true_ids), len(track_ids)))
    places = [(np.searchsorted(true_ids, frame.true), np.searchsorted(track_ids, frame.found)) for frame in frames]
    for frame, (true, found) in zip(frames, places, strict=True):
        s = frame.similarity
        alike[np.ix_(true, found)] += s / np.maximum(s.sum(0, keepdims=True) + s.sum(1, keepdims=True) - s, _EPS)
    aligned = alike / np.maximum(true_boxes[:, None] + track_boxes - alike, _EPS)
    matches = np.zeros((len(_ALPHAS), *alike.shape))
    located = np.zeros(len(_ALPHAS))
    for frame, (true, found) in zip(frames, places, strict=True):
        rows, columns = linear_sum_assignment(-aligned[np.ix_(true, found)] * frame.similarity)
        reached = frame.similarity[rows, columns]
        over = reached >= _ALPHAS[:, None] - _EPS
        matches[:, true[rows], found[columns]] += over
        located += (over * reached).sum(1)
    hits = matches.sum((1, 2))
    deta = hits / (len(truth.frame) + len(tracks.frame) - hits)
    association = matches / np.maximum(true_boxes[:, None] + track_boxes - matches, 1)
    assa = (matches * association).sum((1, 2)) / np.maximum(hits, 1)
    loca = np.where(hits > 0, located / np.maximum(hits, 1), 1)
    means = {"hota": np.sqrt(deta * assa), "deta": deta, "assa": assa, "loca": loca}
    return {name: float(values.mean()) for name, values in means.items()}
