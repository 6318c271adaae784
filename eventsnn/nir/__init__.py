"""Models to and from NIR, the Neuromorphic Intermediate Representation. Needs the extra `eventsnn[nir]`.

Pedersen et al., "Neuromorphic intermediate representation: a unified instruction set for interoperable brain-inspired
computing" (2024). `to_nir(model, input_shape)` and `from_nir(graph)`; the package nir is imported by these calls.
"""

from .network import NIRNetwork, NIRState
from .read import from_nir
from .write import to_nir

__all__ = ["NIRNetwork", "NIRState", "from_nir", "to_nir"]
