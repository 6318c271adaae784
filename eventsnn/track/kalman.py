"""Constant-velocity Kalman filter for many tracks at once.

State ``(x, y, vx, vy)``; per axis, over a time dt and with white acceleration of density q,

    F = [[1, dt], [0, 1]]        Q = q [[dt^3/3, dt^2/2], [dt^2/2, dt]]

Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation (2001), ch. 6. All in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_PER_AXIS = np.eye(2)


def predict(state: Array, covariance: Array, dt: float, q: float | Array) -> tuple[Array, Array]:
    """State ``[n, 4]`` and covariance ``[n, 4, 4]`` after a time ``dt``; ``q`` for all or ``[n]``."""
    move: Array = np.kron(np.array([[1.0, dt], [0.0, 1.0]]), _PER_AXIS)
    noise: Array = np.asarray(q)[..., None, None] * np.kron(
        np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]), _PER_AXIS
    )
    moved: Array = state @ move.T
    spread: Array = move @ covariance @ move.T
    return moved, spread + noise


def distance(state: Array, covariance: Array, measured: Array, noise: float | Array) -> Array:
    """Squared Mahalanobis distance ``[n]`` of measured positions ``[n, 2]``, noise std ``noise`` for all or ``[n]``."""
    innovation = measured - state[:, :2]
    variance = np.asarray(noise)[..., None, None] ** 2
    spread = covariance[:, :2, :2] + variance * np.eye(2)
    solved: Array = np.linalg.solve(spread, innovation[..., None])[..., 0]
    return (innovation * solved).sum(1)


def update(state: Array, covariance: Array, measured: Array, noise: float | Array) -> tuple[Array, Array]:
    """State and covariance after measuring the positions ``[n, 2]`` (Joseph form, stays positive definite)."""
    look = np.eye(4)[:2]
    variance = np.asarray(noise)[..., None, None] ** 2
    spread = covariance[:, :2, :2] + variance * np.eye(2)
    gain = np.linalg.solve(spread, covariance[:, :2, :]).transpose(0, 2, 1)
    rest = np.eye(4) - gain @ look
    state = state + (gain @ (measured - state[:, :2])[..., None])[..., 0]
    covariance = rest @ covariance @ rest.transpose(0, 2, 1) + variance * (gain @ gain.transpose(0, 2, 1))
    return state, covariance


def loosen(covariance: Array, position: float, velocity: float, cross: float) -> Array:
    """The covariance with more doubt, per axis, in position, velocity and both together: for a sudden manoeuvre."""
    extra: Array = np.kron(np.array([[position, cross], [cross, velocity]]), _PER_AXIS)
    return covariance + extra
