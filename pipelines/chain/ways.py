"""How the target of a stage becomes a step of a stream: one way a kind of target, each for a stream of its own."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from eventsnn.filters import Filter
from eventsnn.frames import Representation

from .flow import Flow
from .stages import Row

Step = Callable[[Iterable[Any]], Iterator[Any]]
_TOGETHER = 32


class Made(NamedTuple):
    """A step, and the object that holds its state, if any."""

    step: Step
    holder: Any = None


class Where(NamedTuple):
    """Where a stage computes and, for a sink, the file it writes and whether no stage comes after it."""

    device: str = "cpu"
    path: Path | None = None
    last: bool = False


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
    return Made(lambda chunks: _to(made.stream(chunks, **time), where.device), made)


def _to(frames: Iterable[Any], device: str) -> Iterator[Any]:
    return ((begin, frame.to(device, non_blocking=True)) for begin, frame in frames)


def encoder(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    made = row.object(**settings).to(where.device)
    return _mapped(lambda frame: (frame[0], made(frame[1])), made)


def checkpoint(checkpoint: str) -> Any:
    """The network of a checkpoint of ``eventsnn train``."""
    from eventsnn.train import load
    from eventsnn.train import network as restored

    return restored(load(checkpoint))


def network(row: Row, settings: dict[str, Any], flow: Flow, where: Where) -> Made:
    return over_time(row.object(**settings), where)


def over_time(net: Any, where: Where) -> Made:
    """A module over a stream of frames ``[C, H, W]``, as ``[T, 1, C, H, W]`` with its state carried if it has one."""
    from eventsnn.containers.stateful import is_stateful

    net = net.to(where.device)

    def step(frames: Iterable[Any]) -> Iterator[Any]:
        source, state = iter(frames), None
        while block := list(islice(source, _TOGETHER)):
            with torch.no_grad():
                x = torch.stack([frame for _, frame in block]).to(where.device, torch.get_default_dtype())
                if is_stateful(net):
                    output, state = net(x[:, None], state)
                    output = output[:, 0]
                else:
                    output = net(x)
            yield from zip((begin for begin, _ in block), output, strict=True)

    return Made(step, net)


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
        return Made(lambda chunks: _to(thing.stream(chunks), where.device), thing)
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
