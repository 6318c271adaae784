"""State dicts of norse's receptive fields, rewritten to eventsnn's names before they are loaded."""

from collections.abc import MutableMapping
from typing import Any

import torch
from torch import Tensor

from .values import on_host

IGNORED = ("weights", "rf_parameters_previous", "initial_parameters", "submodule.")


def adopt(module: torch.nn.Module, state: MutableMapping[str, Any], prefix: str, orders: Tensor) -> None:
    """Rewrite the entries of one spatial module in place; entries written by eventsnn pass unchanged.

    Raises ValueError if the derivative orders are not the module's (they are no parameters), or for the five-column
    tables of norse 1.1.0.
    """
    found = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    tables = [
        found[name] for name in ("log_rf_parameters", "rf_parameters", "submodule.rf_parameters") if name in found
    ]
    foreign = "rf_parameters" in found or any(name.startswith(IGNORED) for name in found)
    if foreign and any(rows.shape[-1] == 5 for rows in tables):
        raise ValueError(
            "this state dict is of norse 1.1.0, whose tables have five columns (scale, angle, ratio, dx, dy): their "
            "derivative directions were mirrored at the diagonal x = y, which the seven columns of today reproduce, up "
            "to sign, only at multiples of 45 degrees or for ratio 1; write such a table by hand"
        )
    own = {**module._parameters, **module._buffers}
    foreign |= "log_rf_parameters" in found and found["log_rf_parameters"].shape[-1] == 7
    if foreign:
        for name in found:
            if name == "rf_parameters" or name.startswith(IGNORED):
                del state[prefix + name]
        if tables and any(name.endswith("_rf_parameters") for name in own):
            rows, in_logs = tables[0], "log_rf_parameters" in found
            state.pop(prefix + "log_rf_parameters", None)
            state[prefix + "derivatives"] = rows[:, 5:]
            wanted_logs = "log_rf_parameters" in own
            state[prefix + ("log_rf_parameters" if wanted_logs else "raw_rf_parameters")] = _relog(
                rows[:, :5], in_logs, wanted_logs
            )
        for name, value in module._buffers.items():  # norse keeps what is not learned outside its state dict
            if value is not None and name != "bias":
                state.setdefault(prefix + name, value)
    given, known = (on_host(v) for v in (state.get(prefix + "derivatives", orders), orders))
    if given is not None and known is not None and not torch.equal(given.to(torch.float64), known.to(torch.float64)):
        raise ValueError(
            f"the state dict's derivative orders {given.tolist()} are not this module's {known.tolist()}: "
            "build the module with the same orders"
        )
    if known is not None:
        state[prefix + "derivatives"] = known


def _relog(fields: Tensor, given_logs: bool, wanted_logs: bool) -> Tensor:
    if given_logs == wanted_logs:
        return fields
    scale, angle, ratio, x, y = fields.unbind(1)
    turn = torch.log if wanted_logs else torch.exp
    return torch.stack([turn(scale), angle, turn(ratio), x, y], 1)
