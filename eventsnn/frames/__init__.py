"""Events to tensors."""

from .counts import stack_by_number, stack_by_time, to_frames
from .packed import Packed
from .windows import windows

__all__ = ["Packed", "stack_by_number", "stack_by_time", "to_frames", "windows"]
