"""An event camera: pixels that turn light into events, and the chances in them."""

from .pixels import PixelConfig, Pixels, log_intensity

__all__ = ["PixelConfig", "Pixels", "log_intensity"]
