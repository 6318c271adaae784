"""The records of what a recording may hold beside its events; times in us on the recording's own clock."""

from __future__ import annotations

import numpy as np

_AXES = ("accelerometer", "gyroscope", "magnetometer")

IMU = np.dtype([("t", "<i8"), ("temperature", "<f4"), *((name, "<f4", 3) for name in _AXES)])
"""Inertial samples: degrees C, g, degrees/s, uT; what a sensor does not measure is 0."""

TRIGGER = np.dtype([("t", "<i8"), ("kind", "i1")])
"""Signals of iniVation's cameras, by the number that the format gives each kind."""

EDGE = np.dtype([("t", "<i8"), ("channel", "i1"), ("p", "u1")])
"""Edges at the trigger inputs of Prophesee's cameras, 1 = rising."""
