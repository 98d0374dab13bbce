"""The compiled loop that gathers rows. It needs numba: only `polyhead.jit` imports it, in its thread."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, extending, njit, types
from numba.core import cgutils

intrinsic: Any = extending.intrinsic

COPY, CAST, SCALE = 0, 1, 2
AHEAD = 32
"""Rows that are fetched ahead of the one that is copied: a row of few bytes at a random place waits for memory."""

NARROW = 1024
PAGE, BEGINNING = 4096, 256
"""Of a wide row the beginning of each page is fetched ahead: the processor goes on by itself, up to the next page."""

FAR = 1 << 48
"""Rows of a column whose length does not matter."""

LINE = 64
LANES = 16
"""Numbers that are written at once past the cache: one line of 64 bytes."""


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    """An address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate


@intrinsic
def _fetch(typing: Any, address: Any) -> Any:
    """Have the line at an address brought into the cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = cgutils.get_or_insert_function(builder.module, form, "llvm.prefetch.p0i8")
        builder.call(fetch, [builder.inttoptr(arguments[0], byte), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


@intrinsic
def _fence(typing: Any) -> Any:
    """What was written past the cache is there before what follows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


def _past_the_cache(way: int) -> Any:
    """`LANES` numbers from one address to another that divides by 64, written without being read into the cache."""

    @intrinsic
    def write(typing: Any, source: Any, target: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = ir.FloatType()
            wide = ir.VectorType(number, LANES)
            form = wide if way == COPY else ir.VectorType(ir.IntType(8), LANES)
            value = builder.load(builder.inttoptr(arguments[0], form.as_pointer()))
            value.align = 1
            if way != COPY:
                value = builder.sitofp(builder.zext(value, ir.VectorType(ir.IntType(32), LANES)), wide)
            if way == SCALE:

                def every(n: float) -> Any:
                    return ir.Constant(wide, [ir.Constant(number, float(np.float32(n)))] * LANES)

                name = f"llvm.fma.v{LANES}f32"
                fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(wide, [wide] * 3), name)
                near = builder.fmul(value, every(1 / 255))
                rest = builder.call(fma, [near, every(-255), value])
                value = builder.call(fma, [rest, every(1 / 255), near])
            stored = builder.store(value, builder.inttoptr(arguments[1], wide.as_pointer()))
            stored.align = 64
            hint = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
            stored.set_metadata("nontemporal", hint)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return write


_copy_past, _cast_past, _scale_past = (_past_the_cache(way) for way in (COPY, CAST, SCALE))


@njit(nogil=True, inline="always")
def _scaled(value: Any) -> Any:
    # a division costs five multiplications: multiply, then correct the remainder; right to the last bit for every
    # byte
    near = np.float32(value) * np.float32(1 / 255)
    rest = _fused(near, np.float32(-255), np.float32(value))
    return _fused(rest, np.float32(1 / 255), near)


def gather_rows(jobs: Any, ids: Any, past: Any) -> None:
    """Rows of several columns, one after the other.

    Args:
        jobs: int64 ``(columns, 4)``: the addresses of the column and of the result, bytes of a column's row, and
            `COPY`, or `CAST` or `SCALE` bytes to float32.
        ids: int64 ``(B,)``, each a row of the columns.
        past: whether to write past the cache, where rows fill whole lines.
    """
    count = len(ids)
    for j in range(len(jobs)):
        source, target, width, way = jobs[j, 0], jobs[j, 1], jobs[j, 2], jobs[j, 3]
        step = width if way == 0 else 4 * width
        lines = past and step % 64 == 0 and target % 64 == 0
        words = width % 4 == 0 and source % 4 == 0 and target % 4 == 0
        if way == 0 and words and width == 4:  # one number a row, as most labels are
            one, single = carray(_pointer(source), FAR, np.uint32), carray(_pointer(target), count, np.uint32)
            for i in range(count):
                single[i] = one[ids[i]]
            continue
        if way == 0 and width == 8 and source % 8 == 0 and target % 8 == 0:
            two, double = carray(_pointer(source), FAR, np.uint64), carray(_pointer(target), count, np.uint64)
            for i in range(count):
                double[i] = two[ids[i]]
            continue
        for i in range(count):
            if width <= NARROW:
                coming = source + ids[min(i + AHEAD, count - 1)] * width
                _fetch(coming)
                _fetch(coming + width - 1)
            else:
                coming = source + ids[min(i + 1, count - 1)] * width
                for page in range(coming, coming + width, PAGE):
                    for line in range(page, min(page + BEGINNING, coming + width), LINE):
                        _fetch(line)
            row, to = source + ids[i] * width, target + i * step
            if lines:
                if way == 0:
                    for k in range(0, width, 64):
                        _copy_past(row + k, to + k)
                elif way == 1:
                    for k in range(0, width, 16):
                        _cast_past(row + k, to + 4 * k)
                else:
                    for k in range(0, width, 16):
                        _scale_past(row + k, to + 4 * k)
            elif way == 0 and words:
                a, b = (
                    carray(_pointer(row), width // 4, np.uint32),
                    carray(_pointer(to), width // 4, np.uint32),
                )
                for k in range(len(b)):
                    b[k] = a[k]
            elif way == 0:
                c, d = carray(_pointer(row), width, np.uint8), carray(_pointer(to), width, np.uint8)
                for k in range(len(d)):
                    d[k] = c[k]
            else:
                e, f = carray(_pointer(row), width, np.uint8), carray(_pointer(to), width, np.float32)
                if way == 1:
                    for k in range(len(f)):
                        f[k] = e[k]
                else:
                    for k in range(len(f)):
                        f[k] = _scaled(e[k])
    if past:
        _fence()
