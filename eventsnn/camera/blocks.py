"""The operations of equations on blocks of a GPU, compiled by Triton (or run by its interpreter)."""

# mypy: disable-error-code="no-untyped-def"

import triton
import triton.language as tl

__all__ = [
    "absolute",
    "any_of",
    "equation",
    "floor",
    "log",
    "maximum",
    "minimum",
    "read",
    "sqrt",
    "tl",
    "where",
    "word",
]

equation = triton.jit


@triton.jit
def absolute(x):
    return tl.abs(x)


@triton.jit
def floor(x):
    return tl.floor(x)


@triton.jit
def log(x):
    return tl.log(x)


@triton.jit
def sqrt(x):
    return tl.sqrt(x)


@triton.jit
def maximum(a, b):
    return tl.maximum(a, b)


@triton.jit
def minimum(a, b):
    return tl.minimum(a, b)


@triton.jit
def where(condition, a, b):
    return tl.where(condition, a, b)


@triton.jit
def any_of(condition):
    return tl.max(condition.to(tl.int32)) > 0


@triton.jit
def read(table, place):
    return tl.load(table + place)


@triton.jit
def word(x):
    return x.to(tl.uint32)
