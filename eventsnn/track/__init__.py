"""Tracking: regions of activity, detections, association, Kalman filter, tracks; and by a network that was trained."""

from .by_detections import DetectionTracker
from .config import TrackerConfig
from .detection_files import read_detections, write_detections
from .detections import Detections
from .field_network import FieldNetwork, NetworkConfig
from .learned import LearnedTracker, pretrained
from .network_file import read_network, write_network
from .records import STATES, Row, Tracks
from .regions import Region, RegionDetector
from .resampling import resample
from .scale_space import ScaleSpaceDetector
from .tracker import Tracker

__all__ = [
    "STATES",
    "DetectionTracker",
    "Detections",
    "FieldNetwork",
    "LearnedTracker",
    "NetworkConfig",
    "Region",
    "RegionDetector",
    "Row",
    "ScaleSpaceDetector",
    "Tracker",
    "TrackerConfig",
    "Tracks",
    "pretrained",
    "read_detections",
    "read_network",
    "resample",
    "write_detections",
    "write_network",
]
