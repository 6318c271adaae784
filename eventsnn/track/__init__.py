"""Tracking: regions of activity, detections, association, Kalman filter, tracks."""

from .by_detections import DetectionTracker
from .config import TrackerConfig
from .detections import Detections
from .records import STATES, Row, Tracks
from .regions import Region, RegionDetector
from .scale_space import ScaleSpaceDetector
from .tracker import Tracker

__all__ = [
    "STATES",
    "DetectionTracker",
    "Detections",
    "Region",
    "RegionDetector",
    "Row",
    "ScaleSpaceDetector",
    "Tracker",
    "TrackerConfig",
    "Tracks",
]
