"""Tracking: regions of activity, association, Kalman filter, tracks."""

from .records import STATES, Row, Tracks
from .regions import Region, RegionDetector
from .tracker import Tracker, TrackerConfig

__all__ = ["STATES", "Region", "RegionDetector", "Row", "Tracker", "TrackerConfig", "Tracks"]
