"""The pages of the neurons: what all models share, and a page for each model with its equations once."""

from __future__ import annotations

import sys

from rst import heading, listed, summary, table, toctree

import eventsnn
from eventsnn.neurons import MODELS
from eventsnn.neurons.izhikevich import IzhikevichSpikingBehavior
from eventsnn.neurons.model import Model

SHARED = ("SNN", "SNNCell", "SNNRecurrent", "SNNRecurrentCell", "norse_state_dict", "lift")


def names_of_model(model: Model) -> list[str]:
    """Layers and cells of a model, its parameters and states, its step functions."""
    source, prefixes = model.step.__module__, {each.prefix for each in MODELS}

    def owner(step: str) -> str:
        return max((prefix for prefix in prefixes if step.startswith(f"{prefix}_")), key=len, default="")

    groups: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name in eventsnn.__all__:
        thing = getattr(eventsnn, name)
        if getattr(thing, "model", None) is model:
            groups[0].append(name)
        elif callable(thing) and thing.__module__ in (source, f"{source}_behaviours"):
            groups[1].append(name)
        elif name.endswith(("_step", "_sparse", "_integral")) and owner(name) == model.prefix:
            groups[2].append(name)
    if model.prefix == "lsnn":
        groups[2].append("ada_lif_step")
    return [*groups[0], *groups[1], *groups[2]]


def model_page(model: Model) -> str:
    presets = [k for k in eventsnn.neurons.__all__ if isinstance(getattr(eventsnn, k), IzhikevichSpikingBehavior)]
    return (
        heading(model.name)
        + f".. automodule:: {model.step.__module__}\n\n"
        + listed([f"eventsnn.{name}" for name in names_of_model(model)])
        + (heading("Presets", "-") + "".join(map(preset, presets)) if model.presets else "")
    )


def preset(name: str) -> str:
    """A behaviour of Izhikevich's neuron, with the parameters in which behaviours differ."""
    p, start = getattr(eventsnn, name)
    values = ", ".join(f"{key} = {getattr(p, key):g}" for key in ("a", "b", "c", "d"))
    return f".. py:data:: eventsnn.{name}\n\n   {values}; starts at v = {start.v:g} mV, u = {start.u:g}\n\n"


def neurons_page() -> str:
    rows = [(f":doc:`{m.name} <neurons/{m.prefix}>`", summary(sys.modules[m.step.__module__])) for m in MODELS]
    return (
        heading("Neurons")
        + ".. automodule:: eventsnn.forms.modules\n\n"
        + "LIF, for example, comes as ``LIF``, ``LIFCell``, ``LIFRecurrent`` and ``LIFRecurrentCell``, and as the "
        + "functions ``lif_feed_forward_step`` and ``lif_step``.\n\n"
        + table(rows)
        + toctree([f"neurons/{model.prefix}" for model in MODELS])
        + heading("A neuron of your own, and what all share", "-")
        + listed([f"eventsnn.{name}" for name in SHARED])
    )
