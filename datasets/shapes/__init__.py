"""Geometric shapes that move by known laws before an event camera: events, frames and the truth."""

from .config import ShapesConfig
from .dataset import ShapesDataset
from .generate import ShapesBatch, generate
from .geometry import Form, coverage
from .labels import Labels
from .presets import PRESETS, preset
from .recordings import write_recording, write_recordings
from .staged import Shape, record
from .truth import Truth, tracking_benchmark

__all__ = [
    "PRESETS",
    "Form",
    "Labels",
    "Shape",
    "ShapesBatch",
    "ShapesConfig",
    "ShapesDataset",
    "Truth",
    "coverage",
    "generate",
    "preset",
    "record",
    "tracking_benchmark",
    "write_recording",
    "write_recordings",
]
