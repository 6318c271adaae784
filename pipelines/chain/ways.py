"""How the target of a stage becomes a step of a stream: one way a kind of target, each for a stream of its own."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

from eventsnn.filters import Filter
from eventsnn.frames import Representation

from .flow import Flow
from .made import Made, Where
from .networks import of_checkpoint, over_time
from .stages import Row


def _mapped(function: Callable[[Any], Any], holder: Any = None) -> Made:
    return Made(lambda items: (function(item) for item in items), holder)


def filtering(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    made = row.object(flow.sensor, **settings)
    return _mapped(made, made)


def function(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    settings = {key: np.load(value) if key in _ARRAYS and isinstance(value, str) else value
                for key, value in settings.items()}  # fmt: skip
    return _mapped(lambda events: row.object(events, **settings), settings)


_ARRAYS = ("keep", "places")


def representation(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    known = inspect.signature(row.object).parameters
    of_stream = {key for key in ("dt", "count", "overlap") if key not in known}
    time = {key: settings.pop(key) for key in of_stream if key in settings}
    if "dtype" in settings:
        settings["dtype"] = getattr(torch, settings["dtype"])
    made: Representation = row.object(flow.sensor, **settings)
    return Made(lambda chunks: made.stream(chunks, device=where.device, **time), made)


def encoder(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    made = row.object(**settings).to(where.device)
    return _mapped(lambda frame: (frame[0], made(frame[1])), made)


def network(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    return of_checkpoint(settings, flow, where)


def tracker(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    return Made(lambda chunks: row.object(chunks, flow.sensor, where.device, **settings))


def named(function: str, **settings: Any) -> Callable[[Any], Any]:
    """The function ``module:name`` of the user's own: from Events to Events of the same sensor, chunk by chunk."""
    module, _, name = function.partition(":")
    try:
        found: Callable[..., Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"there is no function {function!r} (module:name): {error}") from None
    return lambda events: found(events, **settings)


def call(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    return _mapped(row.object(**settings))


def sink(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    settings.pop("suffix", None)
    if "last" in inspect.signature(row.object).parameters:
        settings["last"] = where.last
    return Made(lambda items: row.object(items, flow, where.path, **settings))


def of_object(thing: Any, where: Where) -> Made:
    """A step from an object: a filter (a copy that begins anew), a representation, a module, a function of Events."""
    if isinstance(thing, Representation):
        return Made(lambda chunks: thing.stream(chunks, device=where.device), thing)
    if isinstance(thing, torch.nn.Module):
        return over_time(thing, where)
    if hasattr(thing, "reset"):
        thing = copy.deepcopy(thing)
        thing.reset()
    return _mapped(thing, thing)


def kinds_of(thing: Any) -> Row:
    """What a stage that is an object takes and gives. Raises TypeError for what is no stage."""
    if not callable(thing):
        raise TypeError(f"a stage is a name or something to be called, got {thing!r}")
    if isinstance(thing, torch.nn.Module):
        return Row("frames", "frames", "object", "", "output")
    if isinstance(thing, Representation):
        return Row("events", "frames", "object", "")
    return Row("events", "events", "object" if isinstance(thing, Filter) else "call", "")


def memory(holder: Any) -> int:
    """Bytes of the arrays that an object holds."""
    if isinstance(holder, torch.nn.Module):
        return sum(each.nbytes for each in (*holder.parameters(), *holder.buffers()))
    values = holder.values() if isinstance(holder, dict) else getattr(holder, "__dict__", {}).values()
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray | torch.Tensor))


WAYS: dict[str, Callable[[Row, dict[str, Any], Flow, Where], Made]] = {
    each.__name__: each for each in (filtering, function, representation, encoder, network, tracker, call, sink)
}
