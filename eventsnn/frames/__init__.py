"""Events to tensors."""

from .averaged import AveragedTimeSurface, to_averaged_time_surface
from .counts import stack_by_number, stack_by_time, to_frames
from .est import TimeKernel, to_event_spike_tensor
from .packed import Packed
from .representation import Representation
from .sparse import to_sparse
from .surfaces import to_latest_timestamps, to_surface_of_active_events, to_time_surface
from .tore import to_tore
from .transforms import (
    ToAveragedTimesurface,
    ToEventSpikeTensor,
    ToFrame,
    ToImage,
    ToLatestTimestamps,
    ToSparseTensor,
    ToSurfaceOfActiveEvents,
    ToTimesurface,
    ToTORE,
    ToVoxelGrid,
)
from .voxel import to_voxel_grid
from .windows import windows

__all__ = [
    "AveragedTimeSurface",
    "Packed",
    "Representation",
    "TimeKernel",
    "ToAveragedTimesurface",
    "ToEventSpikeTensor",
    "ToFrame",
    "ToImage",
    "ToLatestTimestamps",
    "ToSparseTensor",
    "ToSurfaceOfActiveEvents",
    "ToTORE",
    "ToTimesurface",
    "ToVoxelGrid",
    "stack_by_number",
    "stack_by_time",
    "to_averaged_time_surface",
    "to_event_spike_tensor",
    "to_frames",
    "to_latest_timestamps",
    "to_sparse",
    "to_surface_of_active_events",
    "to_time_surface",
    "to_tore",
    "to_voxel_grid",
    "windows",
]
