"""The operations of equations on blocks of a GPU, compiled by Triton."""

import triton
import triton.language as tl

__all__ = ["any_of", "equation", "floor", "log", "maximum", "minimum", "read", "sqrt", "tl", "where", "word"]

equation = triton.jit
floor, log, maximum, minimum, sqrt, where = tl.floor, tl.log, tl.maximum, tl.minimum, tl.sqrt, tl.where


@triton.jit
def any_of(condition):  # type: ignore[no-untyped-def]
    return tl.max(condition.to(tl.int32)) > 0


@triton.jit
def read(table, place):  # type: ignore[no-untyped-def]
    return tl.load(table + place)


@triton.jit
def word(x):  # type: ignore[no-untyped-def]
    return x.to(tl.uint32)
