"""The gradient of a step as a recording: what a step asks of a GPU, written down once and asked again in one call.

A step asks for a hundred small things, and small networks keep a GPU waiting for the next. Batches of the shape that
comes most are therefore recorded, once two of them have gone the usual way. Where a step cannot be recorded, as it
looks at numbers on the way, that is said, and it goes the usual way always.
"""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

_SAY = logging.getLogger("eventsnn").warning
SEEN = 2  # steps of a shape before it is recorded: what is tried out or compiled is settled then


class Replay:
    """Calls of ``gradients(frames, labels)``, which fills the gradients of parameters and returns one tensor.

    The result is a copy; gradients are written to the same tensors at every replay. With ``together`` several processes
    meet in the middle of a step: either all of them record it or none.
    """

    together = False

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        self.shape: Any = None
        self.seen = 0
        self.refused = False
        self.waits = ""  # where a step waits for the GPU
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, gradients: Callable[[Tensor, Tensor], Tensor], frames: Tensor, labels: Tensor) -> Tensor:
        shape = (frames.shape, frames.dtype)
        if self.graph is None and not self.refused:
            self.seen = self.seen + 1 if shape == self.shape else 1
            self.shape = shape
            if self.seen == SEEN:
                return self._watched(gradients, frames, labels)
            if self.seen == SEEN + 1:
                self._record(gradients, frames, labels)
        if self.graph is None or shape != self.shape:
            return gradients(frames, labels)
        self.frames.copy_(frames)
        self.labels.copy_(labels)
        self.graph.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.result.clone()

    def _watched(self, gradients: Callable[[Tensor, Tensor], Tensor], frames: Tensor, labels: Tensor) -> Tensor:
        """A step that goes the usual way; notes where it waits for the GPU, which nothing that is recorded may."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                result = gradients(frames, labels)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        for warning in caught:
            if "synchronizing CUDA" in str(warning.message):
                self.waits = f"{warning.filename}:{warning.lineno} waits for the GPU"
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return result

    def _record(self, gradients: Callable[[Tensor, Tensor], Tensor], frames: Tensor, labels: Tensor) -> None:
        here = not self.together or _has_room()
        why = self.waits or ("" if here else "the memory would not hold a step beside the recording")
        if self._everywhere(not why):
            why = self._captured(gradients, frames, labels)
        if not self._everywhere(not why):
            self.forget()
            self.refused = True
            _SAY(
                "steps are not recorded, which small networks pay with up to twice the time: %s. Layers and hooks that "
                "look at numbers, as float() and item() do, prevent it",
                why or "another process could not",
            )

    def _captured(self, gradients: Callable[[Tensor, Tensor], Tensor], frames: Tensor, labels: Tensor) -> str:
        """Record; gives why it failed, if it did."""
        self.frames, self.labels = frames.clone(), labels.clone()
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        numbers = torch.cuda.default_generators[stream.device_index]
        drawn = numbers.get_state()
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.result = gradients(self.frames, self.labels)
        except RuntimeError as error:  # of CUDA or its memory, AcceleratorError and OutOfMemoryError among them
            torch.cuda.set_stream(stream)  # a recording that fails leaves its own, and random numbers as if it went on
            numbers.graphsafe_set_state(torch.Generator(stream.device).graphsafe_get_state())
            numbers.set_state(drawn)
            return _cause(error)
        self.graph, self.gradients = graph, [parameter.grad for parameter in self.parameters]
        return ""

    def _everywhere(self, here: bool) -> bool:
        """Whether it is so in all processes."""
        if not self.together:
            return here
        least = torch.tensor(float(here), device="cuda")
        distributed.all_reduce(least, distributed.ReduceOp.MIN)
        return bool(least)

    def forget(self) -> bool:
        """Free the memory of the recording; False if there was none."""
        was, self.graph = self.graph is not None, None
        self.gradients, self.shape = [], None
        return was


def _has_room() -> bool:
    """Whether the memory holds two steps: a recording keeps what a step takes, and some steps go the usual way."""
    held, most = torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
    return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - held >= 2 * (most - held)


def _cause(error: BaseException) -> str:
    """Where and why a recording failed at first; what ends the recording fails after it."""
    while error.__context__ is not None:
        error = error.__context__
    inside = str(Path(torch.__file__).parent)
    places = [place for place in traceback.extract_tb(error.__traceback__) if not place.filename.startswith(inside)]
    where = f"{places[-1].filename}:{places[-1].lineno}: " if places else ""
    return where + str(error).split("\n")[0].rstrip(".")
