"""Tracking: regions of activity, association, Kalman filter, tracks."""

from .config import TrackerConfig
from .records import STATES, Row, Tracks
from .regions import Region, RegionDetector
from .tracker import Tracker

__all__ = ["STATES", "Region", "RegionDetector", "Row", "Tracker", "TrackerConfig", "Tracks"]
