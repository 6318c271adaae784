"""Constant-velocity Kalman filter for many tracks at once.

State ``(x, y, vx, vy)``, and apart from it the log of width and height; per axis, over a time dt and with white
acceleration of density q,

    F = [[1, dt], [0, 1]]        Q = q [[dt^3/3, dt^2/2], [dt^2/2, dt]]

Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation (2001), ch. 6. All in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsnn.jit import brief

Array = NDArray[Any]


def predict(state: Array, covariance: Array, dt: float, q: float | Array) -> tuple[Array, Array]:
    """State ``[n, 4]`` and covariance ``[n, 4, 4]`` after a time ``dt``; ``q`` for all or ``[n]``."""
    state, covariance = state.copy(), covariance.copy()
    _predict(state, covariance, dt, np.full(len(state), q))
    return state, covariance


def distance(state: Array, covariance: Array, measured: Array, noise: float | Array) -> Array:
    """Squared Mahalanobis distance ``[n]`` of measured positions ``[n, 2]``, noise std ``noise`` for all or ``[n]``."""
    result: Array = _distance(state, covariance, measured, np.full(len(state), noise))
    return result


def update(state: Array, covariance: Array, measured: Array, noise: float | Array) -> tuple[Array, Array]:
    """State and covariance after measuring the positions ``[n, 2]`` (Joseph form, stays positive definite)."""
    state, covariance = state.copy(), covariance.copy()
    _update(state, covariance, measured, np.full(len(state), noise))
    return state, covariance


def resize(half: Array, doubt: Array, which: Array, measured: Array, noise: Array) -> None:
    """Correct the sizes ``half [n, 2]`` of the targets ``which [k]``, in place, by ``measured [k, 2]``.

    A filter of the log of width and height, which change by chance: ``doubt [n, 2]`` are their variances, ``noise [k]``
    the standard deviations of what was measured.
    """
    gain = doubt[which] / (doubt[which] + noise[:, None] ** 2)
    half[which] *= np.exp(gain * np.log(measured / half[which]))
    doubt[which] *= 1 - gain


@brief
def _one_predict(state: Any, covariance: Any, dt: float, q: float) -> None:
    for i in range(2):
        state[i] += dt * state[i + 2]
        for j in range(4):
            covariance[i, j] += dt * covariance[i + 2, j]
    for i in range(4):
        for j in range(2):
            covariance[i, j] += dt * covariance[i, j + 2]
    for i in range(2):
        covariance[i, i] += q * dt**3 / 3
        covariance[i, i + 2] += q * dt**2 / 2
        covariance[i + 2, i] += q * dt**2 / 2
        covariance[i + 2, i + 2] += q * dt


@brief
def _one_distance(state: Any, covariance: Any, x: float, y: float, variance: float) -> float:
    a, b, c = covariance[0, 0] + variance, covariance[0, 1], covariance[1, 1] + variance
    x, y = x - state[0], y - state[1]
    squared: float = (c * x * x - 2 * b * x * y + a * y * y) / (a * c - b * b)
    return squared


@brief
def _one_update(state: Any, covariance: Any, x: float, y: float, variance: float) -> None:
    a, b, c = covariance[0, 0] + variance, covariance[0, 1], covariance[1, 1] + variance
    x, y, det = x - state[0], y - state[1], a * c - b * b
    gain, rest = np.empty((4, 2)), np.empty((4, 4))
    for i in range(4):
        gain[i, 0] = (covariance[i, 0] * c - covariance[i, 1] * b) / det
        gain[i, 1] = (covariance[i, 1] * a - covariance[i, 0] * b) / det
        state[i] += gain[i, 0] * x + gain[i, 1] * y
    for i in range(4):
        for j in range(4):
            rest[i, j] = covariance[i, j] - gain[i, 0] * covariance[0, j] - gain[i, 1] * covariance[1, j]
    for i in range(4):
        for j in range(4):
            spread = variance * (gain[i, 0] * gain[j, 0] + gain[i, 1] * gain[j, 1])
            covariance[i, j] = rest[i, j] - rest[i, 0] * gain[j, 0] - rest[i, 1] * gain[j, 1] + spread


@brief
def _predict(state: Any, covariance: Any, dt: float, q: Any) -> None:
    for k in range(len(state)):
        _one_predict(state[k], covariance[k], dt, q[k])


@brief
def _distance(state: Any, covariance: Any, measured: Any, noise: Any) -> Any:
    squared = np.empty(len(state))
    for k in range(len(state)):
        squared[k] = _one_distance(state[k], covariance[k], measured[k, 0], measured[k, 1], noise[k] ** 2)
    return squared


@brief
def _update(state: Any, covariance: Any, measured: Any, noise: Any) -> None:
    for k in range(len(state)):
        _one_update(state[k], covariance[k], measured[k, 0], measured[k, 1], noise[k] ** 2)


@brief
def move(
    state: Any, covariance: Any, half: Any, seen: Any, silent: Any, lost: Any, sensor: Any, age: int, q: Any
) -> None:
    """Move the targets of a fleet on by one window of time, in place.

    A silent one that would not leave its own place within ``age`` windows waits where it was ``seen`` last; others are
    ``lost`` when they were silent for longer or have left the sensor. ``q [3]`` is the acceleration of an object at
    rest, its part in speed^3 / size, and the age in windows as a fraction.
    """
    for k in range(len(state)):
        size, speed = max(half[k, 0], half[k, 1]), np.hypot(state[k, 2], state[k, 3])
        rests, quiet = speed * q[2] < size, silent[k] > 0
        outside = False
        for axis in range(2):
            outside |= state[k, axis] + half[k, axis] < 0 or state[k, axis] - half[k, axis] > sensor[axis]
        lost[k] = not rests and (lost[k] or silent[k] > age or (quiet and outside))
        if quiet and rests:
            state[k, 0], state[k, 1] = seen[k, 0], seen[k, 1]
        elif not lost[k]:
            _one_predict(state[k], covariance[k], 1.0, q[0] + q[1] * speed**3 / (2 * size))


@brief
def correct(
    state: Any,
    covariance: Any,
    half: Any,
    silent: Any,
    hits: Any,
    lost: Any,
    latest: Any,
    pace: Any,
    which: Any,
    heard: Any,
    mean: Any,
    low: Any,
    high: Any,
    events: Any,
    crowd: Any,
    constants: Any,
) -> None:
    """Correct those of the targets ``which [m]`` of a fleet that are ``heard``, place and size, by where their events
    lie, in place.

    Columns ``[m, 2]`` in px from the predicted place, ``events [m]`` and ``crowd [m, m]``; ``constants`` are noise,
    crowd_noise, manoeuvre, least and largest half, a turn, and the weights with which a larger and a smaller size is
    taken over.
    """
    least_noise, crowd_noise, manoeuvre, least, largest, turn, up, down = constants
    centre, shown, wide = np.empty(2), np.empty(2), np.empty(2)
    for i in heard:
        k, crowded = which[i], crowd[i].any()
        for axis in range(2):
            known, place = half[k, axis], state[k, axis]
            first, last = place + low[i, axis], place + high[i, axis]
            wide[axis] = (last - first) / 2
            # edges that show only in part say less about the centre: then the box moves no more than it takes to hold
            # them
            shown[axis] = 0.0 if crowded else min(max(wide[axis] / known, 0.0), 1.0) ** 2
            fitting = max(min(place, first + known), last - known)
            # of two edges now the one, now the other gives more events: where they are counts, not the events' mean
            mixed = 30 / (60 + events[i])
            middle = mixed * (place + mean[i, axis]) + (1 - mixed) * (first + last) / 2
            centre[axis] = shown[axis] * middle + (1 - shown[axis]) * fitting
        noise = np.hypot(least_noise, 0.7 * max(half[k, 0], half[k, 1]) / np.sqrt(events[i]))
        noise *= crowd_noise if crowded else 1.0
        surprise = _one_distance(state[k], covariance[k], centre[0], centre[1], noise**2) > manoeuvre
        if silent[k] > 0 or (surprise and not crowded):  # more doubt, for a sudden turn
            for axis in range(2):
                covariance[k, axis, axis] += 4.0
                covariance[k, axis + 2, axis + 2] += 4.0 * turn**2
                covariance[k, axis, axis + 2] += 2.0 * turn
                covariance[k, axis + 2, axis] += 2.0 * turn
        _one_update(state[k], covariance[k], centre[0], centre[1], noise**2)
        if not crowded:
            for axis in range(2):
                wider = min(max(wide[axis], least), largest) - half[k, axis]
                half[k, axis] += wider * (up if wider > 0 else down * max(shown[axis], 0.5))
        hits[k] += 1
        silent[k], lost[k] = 0, False
        latest[k, 0], latest[k, 1] = state[k, 0], state[k, 1]
        pace[k] += 0.1 * (np.hypot(state[k, 2], state[k, 3]) - pace[k])
