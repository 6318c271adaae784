"""What DAVIS cameras send beside events in AEDAT 2 files: addresses with bit 31 set, and external signals with bit 10.

    frame sample   y 30..22, x 21..12, read 11..10 (0 = after reset, 1 = after exposure), value 9..0
    inertial       bits 11 and 10 set, kind 30..28, value 27..12: acceleration x, y, z, temperature, rate x, y, z

A pixel's value is that after reset less that after exposure. Inertial values are in the sensor's own axes, at the usual
full scales of 4 g and 500 degrees/s. Source: iniVation, "AEDAT file formats" (2019); jAER's chip classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..jit import compiled
from .beside import IMU, TRIGGER
from .errors import CutShort
from .reading import Pass

_BLOCK = 1 << 19
_ASIDE, _INERTIAL = 1 << 31, 0x80000C00


def _words(run: Pass) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Times in us and addresses, block by block."""
    stamp, epoch = 0, 0
    with run.source.reader(run.header.offset) as reader:
        while data := reader.read(_BLOCK):
            if len(data) % 8 and not run.skip:
                raise CutShort("the file ends inside a record: it was cut short", offset=reader.offset - len(data) % 8)
            words = np.frombuffer(data, ">u4", len(data) // 8 * 2).reshape(-1, 2)
            stamps = words[:, 1].astype(np.uint32).view(np.int32).astype(np.int64)
            wraps = np.cumsum(np.diff(stamps, prepend=stamp) <= -(1 << 31))
            yield stamps + epoch + (wraps << 32), words[:, 0].astype(np.int64)
            if len(stamps):
                stamp, epoch = int(stamps[-1]), epoch + (int(wraps[-1]) << 32)


def frames(run: Pass) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Time of the first sample after exposure and image ``[H, W]``, uint16 of 10 bits, of every frame that is whole."""
    if run.header.layout["x_shift"] != _DAVIS_X:
        return
    height, width = run.header.layout["top"] + 1, run.header.layout["right"] + 1
    image, seen = np.zeros((height, width), np.int16), np.zeros((height, width), np.uint8)
    state = np.zeros(2, np.int64)  # pixels read after exposure, time of the first
    for t, addresses in _words(run):
        begin = 0
        while begin < len(t):
            used, whole = _collect(t[begin:], addresses[begin:], image, seen, state)
            begin += used
            if whole:
                yield int(state[1]), image.clip(0).astype(np.uint16)
                seen[:] = 0
                state[:] = 0


@compiled
def _collect(t: Any, addresses: Any, image: Any, seen: Any, state: Any) -> tuple[int, bool]:
    """Puts samples into the image up to the end of a frame; how many words it has used, and if that is a whole frame.

    A pixel that is reset once more, after some have been exposed, begins the frame anew.
    """
    height, width = image.shape
    for i in range(len(t)):
        address = addresses[i]
        kind = (address >> 10) & 3
        if not address & _ASIDE or kind > 1:
            continue
        row, column = height - 1 - ((address >> 22) & 0x1FF), width - 1 - ((address >> 12) & 0x3FF)
        if row < 0 or column < 0:
            continue
        if kind == 0:
            if seen[row, column] and state[0]:
                seen[:] = 0
                state[0] = 0
            image[row, column], seen[row, column] = address & 0x3FF, 1
        elif seen[row, column] == 1:
            if state[0] == 0:
                state[1] = t[i]
            image[row, column] -= address & 0x3FF
            seen[row, column] = 2
            state[0] += 1
            if state[0] == height * width:
                return i + 1, True
    return len(t), False


def imu(run: Pass) -> np.ndarray[Any, Any]:
    """All whole inertial samples, as records t, temperature, accelerometer, gyroscope, magnetometer."""
    kept = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for t, addresses in _words(run):
        inertial = (addresses & _INERTIAL) == _INERTIAL
        kept.append((t[inertial], addresses[inertial]))
    t, addresses = (np.concatenate(column) for column in zip(*kept, strict=True))
    if run.header.layout["x_shift"] != _DAVIS_X or len(t) < 7:
        return np.empty(0, IMU)
    kinds = np.lib.stride_tricks.sliding_window_view(addresses >> 28 & 7, 7)
    first = np.flatnonzero((kinds == np.arange(7)).all(1))
    values = (addresses >> 12 & 0xFFFF).astype(np.uint16).view(np.int16)[first[:, None] + np.arange(7)]
    samples = np.zeros(len(first), IMU)
    samples["t"] = t[first]
    samples["accelerometer"], samples["gyroscope"] = values[:, :3] / 8192, values[:, 4:] / 65.5
    samples["temperature"] = values[:, 3] / 340 + 35
    return samples


def triggers(run: Pass) -> np.ndarray[Any, Any]:
    """The external signals, as records t, kind; kind is 1."""
    special = run.header.layout["special"] & ~_ASIDE
    parts = []
    for t, addresses in _words(run):
        used = t[(addresses & special != 0) & (addresses & _ASIDE == 0)]
        parts.append(np.ones(len(used), TRIGGER))
        parts[-1]["t"] = used
    return np.concatenate([np.empty(0, TRIGGER), *parts])


_DAVIS_X = 12  # the place of x in a DAVIS address
