"""Two operations for kernels on several places of a column at once, which numba does not make of loops this short.

They check nothing: the places must be there.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types

_intrinsic: Any = extending.intrinsic  # what it makes is called without the first parameter


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any, lanes: int) -> Any:
    """A pointer to so many items of a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    vector = ir.VectorType(context.get_value_type(kind.dtype), lanes)
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    vector = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


@_intrinsic
def fill(typing: Any, column: Any, place: Any, value: Any) -> Any:
    """``column[place : place + 16] = value``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, item = arguments
        cast = context.cast(builder, item, signature.args[2], column.dtype)
        pointer = _place(context, builder, column, array, index, 16)
        builder.store(_splat(builder, cast, 16), pointer, align=column.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(column, types.int64, types.int64), generate


@_intrinsic
def offset(typing: Any, column: Any, place: Any, base: Any, table: Any, row: Any) -> Any:
    """``column[place : place + 8] = base + table[row]``, the table's rows being of 8 items of the column's type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, item, rows, number = arguments
        size = column.dtype.bitwidth // 8
        start = builder.mul(number, ir.Constant(number.type, 8))
        steps = builder.load(_place(context, builder, table, rows, start, 8), align=size)
        cast = context.cast(builder, item, signature.args[2], column.dtype)
        total = builder.add(steps, _splat(builder, cast, 8))
        builder.store(total, _place(context, builder, column, array, index, 8), align=size)
        return context.get_dummy_value()

    return types.none(column, types.int64, types.int64, table, types.int64), generate
