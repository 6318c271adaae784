"""Networks of receptive fields in safetensors files, the header telling what they are, in JSON.

Tensors are ``net/NAME``; others may stand beside them. Reading a file from a stranger runs none of his code.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from eventsnn.io.atomic import whole

from .field_network import FieldNetwork, NetworkConfig

KEY = "eventsnn.track"


class NetworkFile(NamedTuple):
    """A network, what else is told of it, and the tensors that are not its own."""

    net: FieldNetwork
    about: dict[str, Any]
    others: dict[str, Tensor]


def write_network(
    path: str | os.PathLike[str],
    net: FieldNetwork,
    about: Mapping[str, Any],
    others: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a file; it appears under its name when it is complete, and replaces the one before."""
    from safetensors.torch import save

    tensors = {f"net/{name}": value for name, value in net.state_dict().items()} | dict(others or {})
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    header = {"network": dataclasses.asdict(net.config), **about}
    with whole(path) as part:
        part.write_bytes(save(copies, {KEY: json.dumps(header)}))  # save_file would make it unreadable to others


def read_network(path: str | os.PathLike[str]) -> NetworkFile:
    """Read a file that ``write_network`` wrote, or raise ValueError; the network is in evaluation mode, on the CPU."""
    from safetensors import SafetensorError, safe_open

    place = Path(path)
    if not place.is_file():
        raise FileNotFoundError(2, "there is no such network; eventsnn learn-to-track writes one", str(place))
    try:
        with safe_open(place, "pt") as file:
            about = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in about.pop("network").items()}
        net = FieldNetwork(NetworkConfig(**settings))
        net.load_state_dict({k.removeprefix("net/"): tensors.pop(k) for k in list(tensors) if k.startswith("net/")})
    except (SafetensorError, json.JSONDecodeError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{place}: damaged, or no network for tracking ({error})") from None
    return NetworkFile(net.eval(), about, tensors)
