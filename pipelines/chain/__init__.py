"""Chains of stages that a person reads aloud: open, denoise, frames, to_hdf5."""

from .flow import Flow
from .pipeline import Pipeline
from .stages import STAGES, Row, parameters
from .toml import read_chain, ready

__all__ = ["STAGES", "Flow", "Pipeline", "Row", "parameters", "read_chain", "ready"]
