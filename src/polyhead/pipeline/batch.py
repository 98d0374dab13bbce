"""A batch, and a block of several batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one step.

    Attributes:
        inputs: for each input an array ``(B, …)``.
        labels: for each head an array ``(B, …)``, finite everywhere.
        weights: for each head its sample weights, float32 ``(B, …)``; None where no head has any.
        ids: the ids of the rows, int64 ``(B,)``; `select` and `split` keep the ids of the original source.

    >>> Batch({"x": np.zeros((32, 4), np.float32)}, {"y": np.zeros((32, 1), np.float32)}, None, np.arange(32))
    Batch(inputs={x: float32 (32, 4)}, labels={y: float32 (32, 1)}, weights=None, ids=int64 (32,))
    """

    inputs: Arrays
    labels: Arrays
    weights: Arrays | None
    ids: np.ndarray

    def __repr__(self) -> str:
        inputs, labels, weights = map(_array_forms, (self.inputs, self.labels, self.weights))
        return f"Batch({inputs=!s}, {labels=!s}, {weights=!s}, ids={_array_form(self.ids)})"


def _array_forms(arrays: Arrays | None) -> str:
    """Dtype and shape of arrays by name."""
    if arrays is None:
        return "None"
    return f"{{{', '.join(f'{name}: {_array_form(array)}' for name, array in arrays.items())}}}"


def _array_form(array: np.ndarray) -> str:
    return f"{array.dtype} {array.shape}"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive batches of one epoch, made in one call; each batch is a view.

    Attributes:
        bounds: the bounds of the batches, int ``(batches + 1,)``: batch i has rows ``bounds[i]`` to ``bounds[i + 1]``.
    """

    inputs: Arrays
    labels: Arrays
    weights: Arrays | None
    ids: np.ndarray
    bounds: list[int]
    first: int

    def views(self, arrays: Sequence[Any], batch_size: int) -> list[Iterator[Any]]:
        """Cut arrays of this block, or tensors made of them, into batches; return an iterator of views for each.

        Batches of ``batch_size`` are cut by one reshape, which takes half the time of a slice for each.
        """
        *_, begin, end = self.bounds
        if begin != (len(self.bounds) - 2) * batch_size:  # a shard may keep one row back for its last batch
            edges = list(itertools.pairwise(self.bounds))
            return [iter([array[first:last] for first, last in edges]) for array in arrays]
        # only the last batch may be smaller
        full = len(self.bounds) - 1 - (end - begin != batch_size)
        has_smaller = end > full * batch_size

        def cut(array: Any) -> Iterator[Any]:
            batches = array[: full * batch_size].reshape(full, batch_size, *array.shape[1:])
            return itertools.chain(batches, (array[begin:],)) if has_smaller else iter(batches)

        return [cut(array) for array in arrays]

    def batches(self) -> Iterator[Batch]:
        """Yield the batches, as views."""
        for begin, end in itertools.pairwise(self.bounds):
            rows = slice(begin, end)
            yield Batch(
                {name: a[rows] for name, a in self.inputs.items()},
                {name: a[rows] for name, a in self.labels.items()},
                None if self.weights is None else {name: a[rows] for name, a in self.weights.items()},
                self.ids[rows],
            )
