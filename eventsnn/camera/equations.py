"""What a pixel of an event camera does, and its chances; written once for tensors, numba and Triton.

A pixel keeps v, the change of its signal L since its last event. With ON and OFF thresholds on, off:

    v <- v + change;    n = trunc(v / on) or trunc(v / off), by the sign of v;    v <- v - n on, or v - n off

gives n ON or -n OFF events, number j of them where the signal, taken as a straight line over the step, has passed j
thresholds. Lichtsteiner, Posch, Delbruck 2008; in this form Rebecq, Gehrig, Scaramuzza 2018 (ESIM).
"""

from typing import Any

from .arithmetic import equation, floor, where, word


@equation
def crossings(v: Any, change: Any, on: Any, off: Any) -> Any:
    """Number of events n, negative for OFF, and the state they leave."""
    level = v + change
    n = where(level >= 0, floor(level / on), -floor(-level / off))
    return n, level - n * where(n > 0, on, off)


@equation
def moment(v: Any, change: Any, j: Any, on: Any, off: Any) -> Any:
    """Share of the step after which event j = 1, 2, ... happens."""
    return where(change > 0, j * on - v, j * -off - v) / where(change == 0, 1.0, change)


@equation
def mix(x: Any) -> Any:
    """A 32-bit word stirred so that each bit depends on all."""
    x = word(x ^ (x >> 16))
    x = word(x * 0x7FEB352D)
    x = word(x ^ (x >> 15))
    x = word(x * 0x846CA68B)
    return word(x ^ (x >> 16))


@equation
def stir(h: Any, w: Any) -> Any:
    """The hash h led on by the word w."""
    return mix(word((h ^ w) + 0x9E3779B9))
