"""What the pixels see: equations shared by all renderers."""

from typing import Any

from eventsnn.camera.arithmetic import equation, floor, log, where


@equation
def gain(before: Any, now: Any, sign: Any, logarithm: Any) -> Any:
    """Change of the signal between two intensities."""
    if logarithm:
        before = sign * log(before)
        now = sign * log(now)
    return now - before


@equation
def stamp(step: Any, share: Any, step_us: Any, start_us: Any, end_us: Any) -> Any:
    """Time [us] of an event some share into a step, within its frame, which ends before ``end_us``."""
    t = floor((step + share) * step_us + 0.5) - start_us
    return where(t < end_us, t, end_us - 1.0)
