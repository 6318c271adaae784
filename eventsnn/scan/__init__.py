"""Runs a pure step function over time: one equation, every backend, forward and backward."""

from .engine import Step, backend, explain, scan
from .recurrent import scan_recurrent

__all__ = ["Step", "backend", "explain", "scan", "scan_recurrent"]
