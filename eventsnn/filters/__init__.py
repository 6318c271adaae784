"""Events to events: filters with state for streams, functions for the rest.

Every one of them takes Events, or a NumPy record array with the fields x, y, t, p.
"""

from .background import BackgroundActivityFilter
from .correlation import SpatioTemporalCorrelationFilter
from .downsample import DownsampleFilter, downsample
from .filter import Filter
from .flicker import FlickerFilter
from .hot import HotPixelFilter, event_counts, hot_pixels
from .merge import merge, merge_streams
from .mirror import flip_lr, flip_ud, transpose
from .rate import RateLimiter
from .refractory import RefractoryFilter
from .select import crop, mask, only_polarity
from .time import scale_time, shift_time
from .undistort import remap, undistortion_map

__all__ = [
    "BackgroundActivityFilter",
    "DownsampleFilter",
    "Filter",
    "FlickerFilter",
    "HotPixelFilter",
    "RateLimiter",
    "RefractoryFilter",
    "SpatioTemporalCorrelationFilter",
    "crop",
    "downsample",
    "event_counts",
    "flip_lr",
    "flip_ud",
    "hot_pixels",
    "mask",
    "merge",
    "merge_streams",
    "only_polarity",
    "remap",
    "scale_time",
    "shift_time",
    "transpose",
    "undistortion_map",
]
