"""The compiled loops that gather rows. They need numba: only `polyhead.jit` imports them, in its thread."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, njit, types
from numba.core import cgutils

from polyhead.pipeline.recoding import CAST, LOOKUP, LOOKUP_BYTE, PICK, REPLACE, SCALE

intrinsic: Any = extending.intrinsic

AHEAD = 32
"""The number of rows to prefetch ahead: reading a small row at a random address waits for memory."""

NARROW = 1024
PAGE, BEGINNING = 4096, 256
"""The step in which a wide row is prefetched: the processor itself continues up to the next page."""

STRETCH = 512
"""The bytes of a wide row to convert at a time, while as many of the next row are prefetched."""

LINE = 64
LANES = 16
"""The numbers to write past the cache at a time: one cache line of 64 bytes."""

CHUNK = 1024
"""The numbers to check before the loop may stop."""


@intrinsic
def _fetch(typing: Any, address: Any) -> Any:
    """Prefetch the cache line at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = cgutils.get_or_insert_function(builder.module, form, "llvm.prefetch.p0i8")
        builder.call(fetch, [builder.inttoptr(arguments[0], byte), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


@intrinsic
def _scale_past(typing: Any, source: Any, target: Any) -> Any:
    """Divide `LANES` bytes by 255 and write them past the cache, to an address divisible by 64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.FloatType()
        bytes_, wide = ir.VectorType(ir.IntType(8), LANES), ir.VectorType(number, LANES)

        def every(n: float) -> Any:
            return ir.Constant(wide, [ir.Constant(number, float(np.float32(n)))] * LANES)

        value = builder.load(builder.inttoptr(arguments[0], bytes_.as_pointer()))
        value.align = 1
        value = builder.sitofp(builder.zext(value, ir.VectorType(ir.IntType(32), LANES)), wide)
        form = ir.FunctionType(wide, [wide] * 3)
        fma = cgutils.get_or_insert_function(builder.module, form, f"llvm.fma.v{LANES}f32")
        near = builder.fmul(value, every(1 / 255))
        rest = builder.call(fma, [near, every(-255), value])
        value = builder.call(fma, [rest, every(1 / 255), near])
        stored = builder.store(value, builder.inttoptr(arguments[1], wide.as_pointer()))
        stored.align = LINE
        hint = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        stored.set_metadata("nontemporal", hint)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _fence(typing: Any) -> Any:
    """Make everything written past the cache visible before any later write."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@njit(nogil=True)
def _fetch_narrow(start: Any, width: Any, ids: Any, i: Any) -> None:
    coming = start + ids[min(i + AHEAD, len(ids) - 1)] * width
    _fetch(coming)
    _fetch(coming + width - 1)


@njit(nogil=True)
def _fetch_ahead(start: Any, width: Any, ids: Any, i: Any) -> None:
    if width <= NARROW:
        _fetch_narrow(start, width, ids, i)
        return
    coming = start + ids[min(i + 1, len(ids) - 1)] * width
    for page in range(coming, coming + width, PAGE):
        for line in range(page, min(page + BEGINNING, coming + width), LINE):
            _fetch(line)


@njit(nogil=True)
def _assign_narrow(column: Any, ids: Any, out: Any) -> None:
    width, start = column.shape[1] * column.itemsize, column.ctypes.data
    for i in range(len(ids)):  # without an array for each row
        _fetch_narrow(start, width, ids, i)
        row = np.uint64(ids[i])  # unsigned, as a signed index may count from the end
        for k in range(out.shape[1]):
            out[i, k] = column[row, k]


def copy_rows(column: Any, ids: Any, places: Any, out: Any) -> None:
    """Copy rows as they are.

    Args:
        column: ``(N, n)``, the widest integers that rows can be divided into.
        ids: int64 ``(B,)``, each a row of the column.
        places: the row of each in ``out``, int64 ``(B,)``; empty for the order of ``ids``.
        out: ``(B, n)``, of the same dtype.
    """
    width, start = column.shape[1] * column.itemsize, column.ctypes.data
    if column.shape[1] == 1 and len(places) == 0:  # one number per row, as for most labels
        for i in range(len(ids)):
            out[i, 0] = column[np.uint64(ids[i]), 0]
    elif width <= NARROW and len(places) == 0:
        _assign_narrow(column, ids, out)
    else:
        for i in range(len(ids)):
            _fetch_ahead(start, width, ids, i)
            a, b = column[np.uint64(ids[i])], out[places[i] if len(places) else i]
            for k in range(len(b)):
                b[k] = a[k]


@njit(nogil=True)
def _divide(a: Any, b: Any) -> None:
    for k in range(len(b)):
        # a division takes twice as long: multiply, then correct the remainder; right to the last bit for every byte
        near = np.float32(a[k]) * np.float32(1 / 255)
        rest = _fused(near, np.float32(-255), np.float32(a[k]))
        b[k] = _fused(rest, np.float32(1 / 255), near)


@njit(nogil=True)
def _scale_row_past(a: Any, b: Any) -> None:
    row, place = a.ctypes.data, b.ctypes.data
    for n in range(0, len(b), LANES):
        _scale_past(row + n, place + 4 * n)


@njit(nogil=True)
def _replace(a: Any, b: Any, keys: Any, numbers: Any) -> None:
    for j in range(len(keys)):
        key, this = keys[j], numbers[j]
        for k in range(len(b)):
            b[k] = this if a[k] == key else b[k]


@njit(nogil=True)
def _look_up(a: Any, b: Any, low: Any, table: Any) -> None:
    last = len(table) - 1
    for k in range(len(b)):
        b[k] = table[min(max(np.int64(a[k]) - low, 0), last)]


@njit(nogil=True)
def _look_up_bytes(a: Any, b: Any, table: Any) -> None:
    for k in range(len(b)):
        b[k] = table[np.int64(a[k]) & 255]


def _conversion_loop(way: str) -> Any:
    """The loop that converts rows of numbers in one way: one loop of all ways takes numba three times as long.

    Its arguments are:
        column: ``(N, n)``.
        ids: int64 ``(B,)``, each a row of the column.
        places: the row of each in ``out``, int64 ``(B,)``; empty for the order of ``ids``.
        out: ``(B, n)``, of another dtype.
        past: whether `SCALE` writes past the cache.
        low: the number that the table of `LOOKUP` begins with.
        keys: the numbers to replace, of the column's dtype.
        numbers: what ``keys`` become, of the result's dtype, for `PICK` followed by what all others become; or the
            table, which has 256 entries for `LOOKUP_BYTE`.
    """

    def convert(
        column: Any, ids: Any, places: Any, out: Any, past: Any, low: Any, keys: Any, numbers: Any
    ) -> None:
        count, start = column.shape[1], column.ctypes.data
        width = count * column.itemsize
        if way == CAST and width <= NARROW and len(places) == 0:
            _assign_narrow(column, ids, out)
            return
        # prefetching between lines written past the cache splits their writes, which takes twice as long
        in_stretches = column.itemsize == 1 and width > NARROW and not past
        stretch = STRETCH if in_stretches else count
        for i in range(len(ids)):
            if not in_stretches:
                _fetch_ahead(start, width, ids, i)
            coming = start + ids[min(i + 1, len(ids) - 1)] * width
            whole, to = column[np.uint64(ids[i])], out[places[i] if len(places) else i]
            for k in range(0, count, stretch):
                a, b = whole[k : k + stretch], to[k : k + stretch]
                if in_stretches:
                    for line in range(coming + k, coming + k + len(a), LINE):
                        _fetch(line)
                if way == SCALE:
                    if past:
                        _scale_row_past(a, b)
                    else:
                        _divide(a, b)
                elif way == LOOKUP_BYTE:
                    _look_up_bytes(a, b, numbers)
                elif way == LOOKUP:
                    _look_up(a, b, low, numbers)
                else:
                    if way == PICK:
                        b[:] = numbers[-1]
                    else:
                        for n in range(len(b)):
                            b[n] = a[n]
                    _replace(a, b, keys, numbers)
        if way == SCALE and past:
            _fence()

    convert.__qualname__ = f"{way}_rows"  # numba keeps what it compiled under this name
    return convert


cast_rows, scale_rows = _conversion_loop(CAST), _conversion_loop(SCALE)
replace_rows, pick_rows = _conversion_loop(REPLACE), _conversion_loop(PICK)
look_up_rows, look_up_bytes_rows = _conversion_loop(LOOKUP), _conversion_loop(LOOKUP_BYTE)


def all_valid(column: Any, ids: Any, edges: Any, marks: Any) -> bool:
    """Return whether all numbers of some rows are valid.

    Args:
        column: ``(N, n)``.
        ids: int64 ``(B,)``, each a row of the column.
        edges: the least and the greatest valid number, of the column's dtype.
        marks: valid numbers outside of these, of the column's dtype.
    """
    width, start = column.shape[1] * column.itemsize, column.ctypes.data
    least, most = edges[0], edges[1]
    odd = np.empty(CHUNK, np.bool_)
    for i in range(len(ids)):
        _fetch_ahead(start, width, ids, i)
        row = column[np.uint64(ids[i])]
        for k in range(0, len(row), CHUNK):
            a, found = row[k : k + CHUNK], False
            if len(marks) == 0:
                for n in range(len(a)):
                    found |= not (a[n] >= least and a[n] <= most)  # NaN is neither
            else:
                for n in range(len(a)):
                    odd[n] = not (a[n] >= least and a[n] <= most)
                for m in range(len(marks)):
                    mark = marks[m]
                    for n in range(len(a)):
                        odd[n] &= a[n] != mark
                for n in range(len(a)):
                    found |= odd[n]
            if found:
                return False
    return True
