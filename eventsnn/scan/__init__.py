"""Runs a pure step function over time: one equation, every backend, forward and backward."""

from .engine import Step, backend, explain, scan
from .pooled import scan_pooled
from .recurrent import scan_recurrent

__all__ = ["Step", "backend", "explain", "scan", "scan_pooled", "scan_recurrent"]
