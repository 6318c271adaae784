"""From a function to its module: the arguments are given once, the input at every call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

from torch import Tensor, nn

from ..forms.parameters import ParameterHolder


class Coder(nn.Module):
    """A function of one tensor as a module without state between calls and without anything to learn.

    The arguments are readable attributes. Neuron parameters `p` live on it as a neuron's do; other tensors are buffers
    that move with `.to()` and stay out of the state dict.
    """

    is_stateful = False
    function: ClassVar[Callable[..., Tensor]]
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        bound = type(self).__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if name == "p" and hasattr(value, "_fields"):
                value = ParameterHolder(value, bound.arguments["dt"], set())
            if isinstance(value, Tensor):
                self.register_buffer(name, value.detach().clone(), persistent=False)
            else:
                setattr(self, name, value)

    def forward(self, input_tensor: Tensor) -> Tensor:
        """The function of this input and of the module's arguments."""
        arguments = {name: getattr(self, name) for name in type(self).__signature__.parameters}
        return type(self).function(input_tensor, **arguments)

    def extra_repr(self) -> str:
        given = ((name, getattr(self, name)) for name in type(self).__signature__.parameters)
        return ", ".join(f"{name}={value}" for name, value in given if isinstance(value, (int, float, str)))


def module_of(name: str, function: Callable[..., Tensor]) -> type[Coder]:
    """The module class of an encoder or decoder: its arguments are those of the function after the first."""
    _, *parameters = inspect.signature(function).parameters.values()
    what = (inspect.getdoc(function) or "").partition("\n>>>")[0]
    doc = f"`{function.__name__}` as a module, made with its arguments after the first one.\n\n{what}"
    forward = FunctionType(  # a code object of its own: torch.compile counts its recompilations by code object
        Coder.forward.__code__.replace(co_name=f"forward_{name}"), Coder.forward.__globals__, "forward"
    )
    return type(
        name,
        (Coder,),
        {
            "function": staticmethod(function),
            "forward": forward,
            "__signature__": inspect.Signature(parameters),
            "__module__": "eventsnn.encode",
            "__doc__": doc,
        },
    )
