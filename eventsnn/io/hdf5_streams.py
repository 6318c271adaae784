"""What lies beside the events in HDF5 files: images and inertial samples of MVSEC, triggers of Prophesee.

    davis/left/image_raw [N, H, W], image_raw_ts [s]     davis/left/imu [N, 6] acceleration, rate, imu_ts [s]
    EXT_TRIGGER/events   records p, t, id

Source: Zhu et al., "The Multivehicle Stereo Event Camera Dataset" (2018); Prophesee, "HDF5 event files" (2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from .beside import EDGE, IMU
from .errors import EventFormatError
from .hdf5 import opened_file
from .reading import Pass

_GRAVITY = 9.80665
_LARGEST = 1 << 24  # bytes of an image, or samples


def _pair(opened: Any, run: Pass, name: str) -> tuple[Any, np.ndarray[Any, Any]] | None:
    """A dataset beside the events and its times in us; None where there is none."""
    place = run.header.metadata["events at"].rpartition("/")[0]
    data, times = opened.get(f"{place}/{name}"), opened.get(f"{place}/{name}_ts")
    if not isinstance(data, h5py.Dataset) or not isinstance(times, h5py.Dataset):
        return None
    if times.ndim != 1 or data.ndim < 2 or len(data) != len(times) or len(times) > _LARGEST:
        raise EventFormatError(f"{name} of shape {data.shape} at {times.shape} times")
    stamps = np.asarray(times[()], np.float64)
    if not (np.abs(stamps) < 9e12).all():
        raise EventFormatError(f"{name} has times that are none")
    return data, np.rint(stamps * 1e6).astype(np.int64)


def frames(run: Pass) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Time and image ``[H, W]`` of every frame."""
    with opened_file(run.source) as opened:
        found = _pair(opened, run, "image_raw")
        for i, t in enumerate(found[1].tolist() if found else ()):
            data = found[0]  # type: ignore[index]
            if data[0:0].itemsize * int(np.prod(data.shape[1:])) > _LARGEST:
                raise EventFormatError(f"images of shape {data.shape[1:]}")
            yield t, data[i]


def imu(run: Pass) -> np.ndarray[Any, Any]:
    """All inertial samples, as records t, temperature, accelerometer, gyroscope, magnetometer."""
    with opened_file(run.source) as opened:
        found = _pair(opened, run, "imu")
        if found is None:
            return np.empty(0, IMU)
        if found[0].shape[1:] != (6,):
            raise EventFormatError(f"imu of shape {found[0].shape}; six numbers a sample were expected")
        samples, values = np.zeros(len(found[1]), IMU), np.asarray(found[0][()], np.float64)
    samples["t"], samples["accelerometer"] = found[1], values[:, :3] / _GRAVITY
    samples["gyroscope"] = np.rad2deg(values[:, 3:])
    return samples


def triggers(run: Pass) -> np.ndarray[Any, Any]:
    """The edges at Prophesee's trigger inputs, as records t, channel, p."""
    with opened_file(run.source) as opened:
        data = opened.get("EXT_TRIGGER/events")
        if not isinstance(data, h5py.Dataset) or not {"p", "t", "id"} <= set(data.dtype.names or ()):
            return np.empty(0, EDGE)
        if data.ndim != 1 or len(data) > _LARGEST or data.nbytes > 8192 * data.id.get_storage_size():
            raise EventFormatError(f"{data.name} claims {data.shape} triggers, which are not in the file")
        block = data[()]
        found = np.empty(len(block), EDGE)
        found["t"], found["channel"], found["p"] = block["t"], block["id"], block["p"]
        return found
