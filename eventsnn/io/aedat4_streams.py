"""The streams beside the events in AEDAT 4 files: frames, inertial samples, triggers. Times in us since 1970.

    Frame    {t, 4 more times, i8 format, i16 width, height, x, y, [u8] pixels}; format 0, 16, 24: 8-bit grey, BGR, BGRA
    IMU      {t, f32 temperature, 3 accelerations [g], 3 rates [deg/s], 3 fields [uT]}       Trigger  {t, i8 kind}

Source: iniVation, dv's FlatBuffers schemas (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .aedat4 import packets
from .beside import IMU, TRIGGER
from .compression import expand
from .errors import EventFormatError
from .flatbuffer import Table
from .reading import Pass

_CHANNELS = {0: 1, 8: 2, 16: 3, 24: 4}


def _roots(run: Pass, kind: str) -> Iterator[Table]:
    header = run.header
    wanted = {number for number, stream in header.metadata["streams"].items() if stream["type"] == kind}
    for number, payload, offset in packets(run):
        if number in wanted:
            try:
                yield Table.root(expand(payload, header.layout["code"]), 4)
            except EventFormatError as error:
                if not run.skip:
                    error.offset = offset
                    raise
                run.report.skipped_bytes += len(payload) + 8


def frames(run: Pass) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Time and image ``[H, W]`` or ``[H, W, C]``, uint8, of every frame."""
    for root in _roots(run, "FRME"):
        width, height, code = root.scalar(6, "<h", 0), root.scalar(7, "<h", 0), root.scalar(5, "<b", 0)
        pixels, channels = root.vector(10, np.uint8), _CHANNELS.get(code, 0)
        if width < 0 or height < 0 or len(pixels) != width * height * channels:
            raise EventFormatError(f"a frame of {width}x{height} pixels of format {code} with {len(pixels)} bytes")
        shape = (height, width) if channels == 1 else (height, width, channels)
        yield root.scalar(0, "<q", 0), pixels.reshape(shape)


def imu(run: Pass) -> np.ndarray[Any, Any]:
    """All inertial samples, as records t, temperature, accelerometer, gyroscope, magnetometer."""
    rows = []
    for root in _roots(run, "IMUS"):
        for sample in root.tables(0):
            values = [sample.real(i) for i in range(1, 11)]
            rows.append((sample.scalar(0, "<q", 0), values[0], values[1:4], values[4:7], values[7:10]))
    return np.array(rows, IMU)


def triggers(run: Pass) -> np.ndarray[Any, Any]:
    """All triggers, as records t, kind."""
    found = (each for root in _roots(run, "TRIG") for each in root.tables(0))
    return np.array([(each.scalar(0, "<q", 0), each.scalar(1, "<b", 0)) for each in found], TRIGGER)
