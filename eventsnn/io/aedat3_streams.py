"""The packets beside the events in AEDAT 3 files: frames, inertial samples, special events.

    type 2   u32 info (channels 3..1), i32 frame start, end, exposure start, end, width, height, x, y, u16 pixels
    type 3   u32 info, i32 t, f32 acceleration [g], rate [deg/s], temperature; type 4: and f32 field [uT]
    type 0   u32 data: valid 0, kind 7..1;  i32 t.  Kinds 2, 3, 4: rising edge, falling edge, pulse

Source: iniVation, libcaer (2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .aedat3 import Packet, packets
from .beside import IMU, TRIGGER
from .errors import EventFormatError
from .reading import Pass

_SAMPLE = [("info", "<u4"), ("t", "<i4"), ("a", "<f4", 3), ("r", "<f4", 3), ("temperature", "<f4")]
_SAMPLES = {3: np.dtype(_SAMPLE), 4: np.dtype([*_SAMPLE, ("field", "<f4", 3)])}


def _fixed(packet: Packet, dtype: np.dtype[Any], offset: int) -> np.ndarray[Any, Any]:
    """The valid events of a packet as records."""
    if packet.events.shape[1] != dtype.itemsize:
        raise EventFormatError(f"events of {packet.events.shape[1]} bytes; they have {dtype.itemsize}", offset=offset)
    found = np.ascontiguousarray(packet.events).view(dtype)[:, 0] if len(packet.events) else np.empty(0, dtype)
    return found[(found[dtype.names[0]] & 1).astype(bool)]  # type: ignore[index]


def frames(run: Pass) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Time of exposure and image ``[H, W]`` or ``[H, W, C]``, uint16, of every frame."""
    for offset, packet in packets(run):
        for event in packet.events if packet.kind == 2 else ():
            if len(event) < 36:
                raise EventFormatError(f"a frame of {len(event)} bytes; its head alone has 36", offset=offset)
            info, _, _, begin, _, width, height = event[:28].view("<i4").tolist()
            channels = info >> 1 & 7
            if width < 0 or height < 0 or 36 + 2 * width * height * channels > len(event):
                raise EventFormatError(f"a frame of {width}x{height}x{channels} in {len(event)} bytes", offset=offset)
            if info & 1:
                shape = (height, width, channels) if channels != 1 else (height, width)
                pixels = event[36 : 36 + 2 * width * height * channels].copy().view("<u2").reshape(shape)
                yield packet.overflow << 31 | (begin & 0x7FFFFFFF), pixels


def imu(run: Pass) -> np.ndarray[Any, Any]:
    """All inertial samples, as records t, temperature, accelerometer, gyroscope, magnetometer."""
    parts = []
    for offset, packet in packets(run):
        if packet.kind in _SAMPLES:
            samples = _fixed(packet, _SAMPLES[packet.kind], offset)
            part = np.zeros(len(samples), IMU)
            part["t"] = packet.overflow << 31 | samples["t"].astype(np.int64)
            part["temperature"], part["accelerometer"], part["gyroscope"] = (samples[k] for k in ("temperature", *"ar"))
            if packet.kind == 4:
                part["magnetometer"] = samples["field"]
            parts.append(part)
    return np.concatenate([np.empty(0, IMU), *parts])


def triggers(run: Pass) -> np.ndarray[Any, Any]:
    """The external inputs among the special events, as records t, kind."""
    dtype = np.dtype([("data", "<u4"), ("t", "<i4")])
    parts = []
    for offset, packet in packets(run):
        if packet.kind == 0:
            events = _fixed(packet, dtype, offset)
            kinds = events["data"] >> 1 & 0x7F
            used = (kinds >= 2) & (kinds <= 4)
            part = np.empty(int(used.sum()), TRIGGER)
            part["t"] = packet.overflow << 31 | events["t"][used].astype(np.int64)
            part["kind"] = kinds[used]
            parts.append(part)
    return np.concatenate([np.empty(0, TRIGGER), *parts])
