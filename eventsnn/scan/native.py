"""What generated CPU kernels call: memory by address, and an exponential that vectorises."""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

LAST = {32: 7, 64: 13}  # last power of the series: its remainder on |r| <= ln(2) / 2 is below a tenth of the rounding


@intrinsic
def _pointer(typingctx, address, offset, like):  # type: ignore[no-untyped-def]
    """A pointer to element `offset` of the array of `like` at the integer `address`."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        start = builder.inttoptr(args[0], context.get_value_type(signature.return_type))
        return builder.gep(start, [args[1]], source_etype=context.get_value_type(like))

    return types.CPointer(like)(types.int64, types.int64, like), codegen


@intrinsic
def _float_of_bits(typingctx, bits):  # type: ignore[no-untyped-def]
    result = types.float32 if bits == types.int32 else types.float64

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], ir.FloatType() if result == types.float32 else ir.DoubleType())

    return result(bits), codegen


@njit(nogil=True, error_model="numpy")
def view(address, offset, size, like):  # type: ignore[no-untyped-def]
    """`size` elements of the type of `like` from element `offset` on."""
    return carray(_pointer(address, offset, like), (size,))


def _exponential(f, i, bias, mantissa, lowest, highest, ln2):  # type: ignore[no-untyped-def]
    """exp(x) = 2^n e^r with n = round(x / ln 2), e^r by its series; 2^n in two factors, so that subnormals come out."""
    bits = 8 * np.dtype(f).itemsize
    round_to_integer = f(1.5 * 2.0**mantissa)
    per_ln2, high_part, low_part = f(1 / math.log(2)), f(ln2[0]), f(ln2[1])  # n * high_part is exact
    lowest, highest, zero = f(lowest), f(highest), f(0)
    series = tuple(f(1 / math.factorial(k)) for k in range(LAST[bits], -1, -1))
    bias, mantissa, half = i(bias), i(mantissa), i(1)

    @njit(nogil=True, error_model="numpy", inline="always")
    def exp(x):  # type: ignore[no-untyped-def]
        y = x if x > lowest else lowest
        y = y if y < highest else highest
        n = (y * per_ln2 + round_to_integer) - round_to_integer
        r = (y - n * high_part) - n * low_part
        e = series[0]
        for c in series[1:]:
            e = e * r + c
        k = i(n)
        a = k >> half
        e = (e * _float_of_bits(i((a + bias) << mantissa))) * _float_of_bits(i((k - a + bias) << mantissa))
        return e if x == x else x + zero

    return exp


exp32 = _exponential(np.float32, np.int32, 127, 23, -105.0, 90.0, (0.693359375, -2.12194440054690583e-4))
exp64 = _exponential(
    np.float64, np.int64, 1023, 52, -747.0, 711.0, (6.93147180369123816490e-01, 1.90821492927058770002e-10)
)
