"""eventsnn: event cameras and spiking networks in PyTorch."""

from importlib.metadata import version as _version

from .events import Events, microseconds

__version__ = _version("eventsnn")
__all__ = ["Events", "microseconds"]
