"""eventsnn: event cameras and spiking networks in PyTorch.

Events and files, frames, neurons, and receptive fields are here by name; tracking is in ``eventsnn.track``, pictures in
``eventsnn.draw``, whole workflows in ``eventsnn.pipelines`` and datasets in ``eventsnn.datasets``.
"""

from importlib.metadata import version as _version

from . import containers, encode, events, fields, forms, frames, functional, io, neurons, structured, surrogate
from .containers import *
from .encode import *
from .events import *
from .fields import *
from .forms import *
from .frames import *
from .functional import *
from .io import *
from .neurons import *
from .structured import *
from .surrogate import *

__version__ = _version("eventsnn")
_ROOMS = (containers, encode, events, fields, forms, frames, functional, io, neurons, structured, surrogate)
__all__ = sorted({name for room in _ROOMS for name in room.__all__})
