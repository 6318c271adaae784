"""What ``Fleet`` and ``Tracker`` ask of all targets in every window, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from eventsnn.jit import brief


@brief
def sought(state: Any, half: Any, reach: Any, number: Any, silent: Any, lost: Any) -> Any:
    """The targets that events are given to, those that are not lost: which they are, their state, half, reach, gate and
    crowd ``[m, m]``, true where the boxes of one and of another with a number, lately seen, overlap.
    """
    which = np.flatnonzero(~lost)
    m = len(which)
    states, halves, reaches, gates = np.empty((m, 4)), np.empty((m, 2)), np.empty((m, 2)), np.empty((m, 2))
    crowd = np.zeros((m, m), np.bool_)
    for i in range(m):
        a = which[i]
        states[i], halves[i], reaches[i] = state[a], half[a], reach[a]
        for axis in range(2):
            gates[i, axis] = 1.25 * half[a, axis] + 2
        for j in range(m):
            b = which[j]
            if a != b and number[b] > 0 and silent[b] == 0:
                overlap = abs(state[a, 0] - state[b, 0]) < half[a, 0] + half[b, 0]
                crowd[i, j] = overlap and abs(state[a, 1] - state[b, 1]) < half[a, 1] + half[b, 1]
    return which, states, halves, reaches, gates, crowd


@brief
def _side(on: float, off: float) -> int:
    return 0 if on + off <= 30 or min(on, off) >= 0.1 * (on + off) else 1 if on > off else -1


@brief
def edges(half: Any, polarity: Any, bound: float) -> Any:
    """``[n]``: true where a side is shorter than the bound; 1 where nearly all events are ON, -1 where OFF, else 0."""
    thin, side = np.empty(len(half), np.bool_), np.empty(len(half), np.int64)
    for k in range(len(half)):
        thin[k] = min(half[k, 0], half[k, 1]) < bound
        side[k] = _side(polarity[k, 0], polarity[k, 1])
    return thin, side


@brief
def ready(number: Any, hits: Any, half: Any, polarity: Any, soon: int, late: int, thin: float, least: float) -> Any:
    """The targets without a number that were seen often enough, and are large enough, to get one.

    What may be an edge of something larger, one that is ``thin`` or gives events of one polarity, waits until ``late``.
    """
    found, n = np.empty(len(hits), np.int64), 0
    for k in range(len(hits)):
        edge = min(half[k, 0], half[k, 1]) < thin or _side(polarity[k, 0], polarity[k, 1]) != 0
        if number[k] == 0 and hits[k] >= (late if edge else soon) and max(half[k, 0], half[k, 1]) > least:
            found[n] = k
            n += 1
    return found[:n]


@brief
def expired(number: Any, hits: Any, silent: Any, age: int, tentative: int, known: int, rest: int) -> Any:
    """``[n]``: true if silent for longer than remembered; all durations in windows."""
    result = np.zeros(len(hits), np.bool_)
    for k in range(len(hits)):
        short = min(hits[k], age) if number[k] > 0 else tentative
        result[k] = silent[k] > (age + rest if hits[k] > known else short)
    return result


@brief
def longer(half: Any) -> Any:
    """``[n]``: the longer one of two sides."""
    result = np.empty(len(half))
    for k in range(len(half)):
        result[k] = max(half[k, 0], half[k, 1])
    return result


@brief
def rows(
    serial: Any,
    number: Any,
    events: Any,
    state: Any,
    half: Any,
    silent: Any,
    lost: Any,
    age: float,
    per_second: float,
    coasting: int,
    resting: int,
) -> Any:
    """Of the targets that are not lost: ``[k, 4]``, serial, number, state (0 if seen) and events; ``[k, 7]``, place,
    width, height, velocity [px/s] and score.

    One that is silent and would not leave its own place within ``age`` windows has come to rest.
    """
    n = len(serial)
    whole, real, k = np.empty((n, 4), np.int64), np.empty((n, 7)), 0
    for j in range(n):
        if lost[j]:
            continue
        rests = np.hypot(state[j, 2], state[j, 3]) * age < max(half[j, 0], half[j, 1])
        shown = 0 if silent[j] == 0 else resting if rests else coasting
        whole[k, 0], whole[k, 1], whole[k, 2], whole[k, 3] = serial[j], number[j], shown, events[j]
        for axis in range(2):
            real[k, axis], real[k, 2 + axis] = state[j, axis], 2 * half[j, axis]
            real[k, 4 + axis] = state[j, 2 + axis] * per_second
        real[k, 6] = 0.5 if silent[j] else 1.0
        k += 1
    return whole[:k], real[:k]


@brief
def placed(which: Any, state: Any, mean: Any, low: Any, high: Any, clear: Any, crowd: Any) -> Any:
    """Of the targets ``which [k]``: mean, low and high as places ``[k, 2]``, clear events, whether in a crowd."""
    n = len(which)
    places, events, crowded = np.empty((3, n, 2)), np.empty(n, np.int64), np.empty(n, np.bool_)
    for i in range(n):
        k = which[i]
        for axis in range(2):
            places[0, i, axis] = state[k, axis] + mean[k, axis]
            places[1, i, axis] = state[k, axis] + low[k, axis]
            places[2, i, axis] = state[k, axis] + high[k, axis]
        events[i], crowded[i] = clear[k], crowd[k].any()
    return places[0], places[1], places[2], events, crowded


@brief
def heard(
    polarity: Any,
    half: Any,
    silent: Any,
    latest: Any,
    which: Any,
    events: Any,
    on: Any,
    clear: Any,
    fading: float,
    least: int,
    density: float,
) -> Any:
    """Of the targets ``which [m]`` those that have enough events, also clear of others, to be corrected: their places
    in ``which``. All others of the n fall ``silent``, in place.

    ``density`` is the number of events per pixel where nothing moves. The counts ``polarity [n, 2]`` of ON and OFF
    events fade and get the new ones, ``latest [n]`` is how many there are now, in place.
    """
    found, n = np.empty(len(which), np.int64), 0
    for k in range(len(silent)):
        silent[k], latest[k] = silent[k] + 1, 0
        polarity[k, 0], polarity[k, 1] = fading * polarity[k, 0], fading * polarity[k, 1]
    for i in range(len(which)):
        k = which[i]
        latest[k] = events[i]
        polarity[k, 0] += on[i]
        polarity[k, 1] += events[i] - on[i]
        chance = density * (4 * ((1.25 * half[k, 0] + 2) * (1.25 * half[k, 1] + 2)))
        if events[i] >= max(least, chance + 4 * np.sqrt(chance + 1)):
            silent[k] -= 1
            if clear[i] >= least:
                found[n] = i
                n += 1
    return found[:n]


@brief
def owners(low: Any, high: Any, state: Any, half: Any, silent: Any, least: float) -> Any:
    """The target that each region ``[m, 2]`` is of: -1 if of none, -2 if of several and in the box of not just one."""
    result = np.full(len(low), -1)
    for i in range(len(low)):
        several, inside = 0, 0
        owner, within = -1, -1
        for k in range(len(state)):
            if silent[k] > 0:
                continue
            margin = least / 2 + 0.6 * max(half[k, 0], half[k, 1])
            near, contains = True, True
            for axis in range(2):
                at, wide = state[k, axis], half[k, axis]
                near = near and low[i, axis] < at + wide + margin and high[i, axis] > at - wide - margin
                contains = contains and abs((low[i, axis] + high[i, axis]) / 2 - at) < wide
            if near:
                several, owner = several + 1, k
                if contains:
                    inside, within = inside + 1, k
        result[i] = owner if several < 2 else within if inside == 1 else -2
    return result


@brief
def widen(state: Any, half: Any, reach: Any, owners: Any, low: Any, high: Any, largest: float) -> None:
    """Let a target reach as far as the one region ``[m, 2]`` it owns, in place, unless that is over ``largest``.

    Several regions of one target may be objects that part.
    """
    regions = np.zeros(len(state), np.int64)
    for k in owners:
        if k >= 0:
            regions[k] += 1
    for i in range(len(owners)):
        k, size = owners[i], 0.0
        if k < 0 or regions[k] > 1:
            continue
        for axis in range(2):
            first = min(state[k, axis] - half[k, axis], low[i, axis])
            size = max(size, max(state[k, axis] + half[k, axis], high[i, axis]) - first)
        if size <= largest:
            for axis in range(2):
                place = state[k, axis]
                first, last = min(place - half[k, axis], low[i, axis]), max(place + half[k, axis], high[i, axis])
                reach[k, axis] = max(reach[k, axis], max(place - first, last - place) + 2)


@brief
def _pixels(low: float, high: float) -> Any:
    """The first pixel from ``low`` to ``high``, and the one after the last."""
    return int(max(low, 0.0)), int(max(high, 0.0)) + 1


@brief
def boxes(state: Any, half: Any, silent: Any) -> Any:
    """``[k, 4]``: first x and y, and those after the last, of the boxes of the targets that were seen just now."""
    found, n = np.empty((len(state), 4), np.int64), 0
    for k in range(len(state)):
        if silent[k] == 0:
            for axis in range(2):
                first, after = _pixels(state[k, axis] - half[k, axis], state[k, axis] + half[k, axis])
                found[n, axis], found[n, axis + 2] = first, after
            n += 1
    return found[:n]


@brief
def share_in(low: Any, high: Any, sensor: Any, boxes: Any) -> float:
    """The share of a region's pixels, those on the ``sensor``, that lie in any of the ``boxes [n, 4]``.

    The middle of a last cell may lie beyond the sensor: it stands for the last pixel.
    """
    x0, x1 = _pixels(min(low[0], sensor[0] - 1.0), high[0])
    y0, y1 = _pixels(min(low[1], sensor[1] - 1.0), high[1])
    x1, y1 = min(x1, sensor[0]), min(y1, sensor[1])
    covered = np.zeros((y1 - y0, x1 - x0), np.bool_)
    for k in range(len(boxes)):
        for y in range(max(boxes[k, 1], y0), min(boxes[k, 3], y1)):
            for x in range(max(boxes[k, 0], x0), min(boxes[k, 2], x1)):
                covered[y - y0, x - x0] = True
    share: float = covered.mean()
    return share
