"""Events to tensors."""

from .counts import to_frames
from .windows import windows

__all__ = ["to_frames", "windows"]
