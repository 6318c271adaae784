"""Undistortion and rectification from a calibration: every pixel has a place to go to, worked out once.

Pinhole and fisheye models of OpenCV (Zhang 2000; Kannala and Brandt 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eventsnn.events import Events
from eventsnn.structured import either


def undistortion_map(
    camera_matrix: Any,
    distortion: Any,
    sensor: Sequence[int],
    *,
    rectification: Any = None,
    new_camera_matrix: Any = None,
    fisheye: bool = False,
) -> NDArray[np.int16]:
    """Where each pixel of a distorted sensor goes: ``[H, W, 2]``, whole x and y, which may lie off the sensor.

    ``camera_matrix [3, 3]``, ``distortion`` (4, 5, 8, 12 or 14 coefficients; 4 for ``fisheye``), ``rectification
    [3, 3]`` (a rotation, as from a stereo calibration) and ``new_camera_matrix`` (default: ``camera_matrix``) are those
    of OpenCV, which is needed. Raises ValueError for matrices of other shapes or another number of coefficients.

    >>> camera = np.array([[100, 0, 20], [0, 100, 15], [0, 0, 1]])
    >>> places = undistortion_map(camera, np.zeros(5), (40, 30))
    >>> places.shape, places[3, 7].tolist()
    ((30, 40, 2), [7, 3])
    """
    import cv2

    rotation = np.eye(3) if rectification is None else rectification
    target = camera_matrix if new_camera_matrix is None else new_camera_matrix
    matrices = [np.asarray(matrix, np.float64) for matrix in (camera_matrix, rotation, target)]
    if any(matrix.shape != (3, 3) for matrix in matrices):
        raise ValueError(f"matrices must be [3, 3], got {', '.join(str(matrix.shape) for matrix in matrices)}")
    coefficients = np.asarray(distortion, np.float64).ravel()
    if len(coefficients) not in ((4,) if fisheye else (4, 5, 8, 12, 14)):
        wanted = "4 for a fisheye" if fisheye else "4, 5, 8, 12 or 14"
        raise ValueError(f"distortion has {len(coefficients)} coefficients, and must have {wanted}")
    width, height = int(sensor[0]), int(sensor[1])
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 1, 2).astype(np.float64)
    camera, rotation, target = matrices
    if fisheye:
        straight = cv2.fisheye.undistortPoints(places, camera, coefficients, R=rotation, P=target)
    else:
        enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-8)
        undistort: Any = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)  # one function since OpenCV 5
        straight = undistort(places, camera, coefficients, R=rotation, P=target, criteria=enough)
    limit = 2**15 - 1
    whole = np.nan_to_num(np.rint(straight), nan=-1).clip(-limit, limit).astype(np.int16)
    return whole.reshape(height, width, 2)


@either
def remap(events: Events, places: Any) -> Events:
    """Each event at the place that ``places [H, W, 2]`` (x and y, rounded; NumPy or torch) gives its pixel.

    Events that go beyond the sensor are dropped. NumPy or torch columns, on any device. Raises ValueError for a map
    that has not the sensor's size, or events outside it.

    >>> places = np.stack(np.meshgrid(np.arange(4) + 1, np.arange(2)), -1)
    >>> remap(Events([0, 5], [1, 3], [0, 0], [1, 0], sensor=(4, 2)), places).x
    array([2], dtype=int16)
    """
    height, width, _ = places.shape
    if events.sensor not in (None, (width, height)):
        raise ValueError(f"the map [H, W, 2] is {height}x{width}, but the sensor is {events.sensor} (width, height)")
    whole = Events(*events.columns, sensor=(width, height))
    if bool(whole.outside().any()):
        raise ValueError(f"events lie outside the {width}x{height} pixels of the map; crop them first")
    if isinstance(events.t, torch.Tensor):
        table = torch.as_tensor(places, device=events.t.device)
        table = table.round().short() if table.is_floating_point() else table.short()
        x, y = table[whole.y.long(), whole.x.long()].unbind(-1)
    else:
        table = np.rint(places).astype(np.int16)
        x, y = np.moveaxis(table[whole.y, whole.x], -1, 0)
    moved = Events(events.t, x, y, events.p, sensor=(width, height))
    return moved[~moved.outside()]
