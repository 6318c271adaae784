"""Event files: recognised by content, read as a stream of Events in bounded memory, written whole or not at all."""

from .errors import EventFormatError
from .opening import open, read
from .recording import Recording
from .registry import formats
from .writing import write

__all__ = ["EventFormatError", "Recording", "formats", "open", "read", "write"]
