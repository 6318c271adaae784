"""Events to events."""

from .background import BackgroundActivityFilter

__all__ = ["BackgroundActivityFilter"]
