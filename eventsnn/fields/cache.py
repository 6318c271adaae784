"""Kernels kept between calls, for as long as nothing they were built from has changed."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..constant import eager


class KernelCache:
    """Builds kernels in every call through which gradients flow, and otherwise only when a source has changed.

    A change is a new storage, version, dtype or device of a source, on the CPU also new values: fused optimisers and
    writes through `.data` change values without raising the version.
    """

    def __init__(self) -> None:
        self._kept: tuple[list[Tensor], list[Any], list[Tensor | None], Tensor] | None = None

    def drop(self) -> None:
        self._kept = None

    def __reduce__(self) -> tuple[Any, ...]:
        return KernelCache, ()  # copies start empty

    def __call__(self, sources: Sequence[Tensor], build: Callable[[], Tensor]) -> Tensor:
        if not eager() or any(map(_untracked, sources)):
            return build()
        if torch.is_grad_enabled() and any(source.requires_grad for source in sources):
            self._kept = None
            return build()
        if self._kept is None or not self._holds(sources):
            with torch.inference_mode(False), torch.no_grad():
                kernels = build().detach()
                copies = [source.detach().clone() if source.device.type == "cpu" else None for source in sources]
                # aliases keep the storages alive, so that an equal address means the same storage
                aliases = [source.detach() for source in sources]
            self._kept = aliases, [*map(_stamp, sources), kernels._version], copies, kernels
        return self._kept[-1]

    def _holds(self, sources: Sequence[Tensor]) -> bool:
        assert self._kept is not None
        _, stamps, copies, kernels = self._kept
        return stamps == [*map(_stamp, sources), kernels._version] and all(
            copy is None or torch.equal(copy, source) for copy, source in zip(copies, sources, strict=True)
        )


def _stamp(source: Tensor) -> tuple[Any, ...]:
    return source.data_ptr(), source._version, source.dtype, source.device


def _untracked(source: Tensor) -> bool:
    """True for tensors whose changes cannot be seen: inference tensors and subclasses that hold no storage."""
    return source.is_inference() or type(source) not in (Tensor, torch.nn.Parameter)
