"""Heads for numbers: regression and embeddings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, shown
from polyhead.kinds.conversion import FINITE, Conversion
from polyhead.kinds.head import Head, coarser
from polyhead.kinds.judging import Judge
from polyhead.kinds.judging_numbers import EmbeddingJudge, RegressionJudge
from polyhead.kinds.keras_names import activation_for
from polyhead.kinds.kind import as_shape
from polyhead.kinds.missing import (
    as_float32,
    first_row,
    is_partly_missing,
    may_hold_missing,
    numbers,
    require_finite,
    spread_over,
    whole_rows,
)
from polyhead.kinds.mixed_labels import PATCH, unmixable
from polyhead.kinds.output_layers import dense_output, pooled_features
from polyhead.kinds.predicted_columns import PredictedColumn, Views
from polyhead.kinds.scale_fitting import fit_scale, pieces_of
from polyhead.kinds.scales import Scaling, require_scale
from polyhead.kinds.source_column import Column

_MARKERS = (-999, -9999, -99999)
"""Numbers by which tables say that there is none."""


class Quantities(Head):
    """The base of `Regression` and `Map`: numbers with a unit, which `scale=` scales for the model."""

    scale: Any  # a field of the subclasses, after their others
    quantities: ClassVar[bool] = True

    @abstractmethod
    def _numbers(self, values: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the numbers of a column, ``(B, *shape)``, and which of them are present, or None."""

    def _with_fitted_scale(self, column: Column) -> Self:
        if not self.needs_fitting:
            return self
        return self.fixed(scale=fit_scale(self.scale, pieces_of(column, self._numbers), self.shape[-1]))

    @property
    def unit_fix(self) -> str:
        return f'Say ph.{type(self).__name__}(scale="standard"), which metrics and ph.predict undo.'

    @property
    def scaling(self) -> Scaling | None:
        return self.scale if isinstance(self.scale, Scaling) else None

    @property
    def needs_fitting(self) -> bool:
        return self.scale is not None and not isinstance(self.scale, (Real, Scaling))

    @property
    def activation(self) -> str | None:
        return None if self.scaling else activation_for(self.loss)

    def default_loss(self, logits: bool) -> Any:
        import keras

        return keras.losses.MeanSquaredError()

    def default_metrics(self, logits: bool) -> list[Any]:
        import keras

        metrics = [keras.metrics.MeanAbsoluteError(name="mae")]
        if self.scaling is not None:  # the loss is in another unit
            metrics.append(keras.metrics.RootMeanSquaredError(name="rmse"))
        return metrics


@dataclass(frozen=True, repr=False)
class Regression(Quantities):
    """Numbers, as float32 ``(B, *shape)``; a column ``(N,)`` is read as ``(N, 1)``.

    NaN means that a number is missing, alone or together with its whole row.

    Attributes:
        shape: the shape of one row, an int or a tuple.
        elementwise: one weight for each number rather than one per row; by default only if some rows have both missing
            and present numbers.
        scale: the model predicts scaled numbers; each position of the last axis is scaled by the labeled training rows:
            ``"standard"`` (mean 0, deviation 1), ``"minmax"`` (0 to 1), ``"robust"`` (median 0, 1 between the
            quartiles), ``"log"`` (the logarithm of 1 + number, to mean 0 and deviation 1), or your own: an object with
            ``fit``, ``transform`` and ``inverse_transform`` of ``(rows, n)``, as scikit-learn's, or a pair of
            functions, as ``(np.sqrt, np.square)``. Labels in batches and losses are scaled; metrics of
            `polyhead.compile`, `Feed.describe` and `Feed.preview` are in the units of the column.

    >>> labels, there = Regression().encode(np.array([1.5, np.nan]))
    >>> labels.tolist(), there.tolist()
    ([[1.5], [0.0]], [True, False])

    >>> import polyhead as ph
    >>> data = {"x": [0.0, 1.0, 2.0], "price": [1e5, 2e5, 3e5]}
    >>> feed = ph.Feed(data, inputs="x", heads={"price": ph.Regression(scale="minmax")})
    >>> feed.peek()[1]["price"].tolist(), feed.heads["price"].unscaled(np.array([[0.25]])).tolist()
    ([[0.0], [0.5], [1.0]], [[150000.0]])
    """

    shape: Any = (1,)
    _: KW_ONLY
    elementwise: bool | None = None
    scale: Any = None

    dtype = "float32"
    even: ClassVar[bool] = True
    whole_fix: ClassVar[str] = ""
    """The advice on a row with some numbers missing, if not to weigh each number."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "shape", as_shape(self.shape, f"{type(self).__name__}(shape)"))
        if self.scale is not None:
            require_scale(self.scale, f"{type(self).__name__}(scale=)", self.shape[-1])

    @property
    def meaning(self) -> dict[str, Any]:
        return {"scale": self.scale}

    @property
    def weight_shape(self) -> tuple[int, ...]:
        if self.elementwise:
            return self.shape
        # Keras aligns weights with a loss's values from the left only when the ranks agree
        return self.shape[:-1] if self._finer else (1,) * (len(self.shape) - 1)

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        return tuple(shape for shape in (self.shape[:-1], self.shape) if shape not in ((), (1,)))

    def for_weights(self, shape: tuple[int, ...]) -> Self:
        if shape and shape == self.shape[:-1]:
            return self.fixed(_finer=len(shape))
        if not shape or shape != self.shape or self.elementwise:
            return self
        if self.elementwise is False:
            raise coarser(shape)
        return self.fixed(elementwise=True)

    def resolve(self, column: Column) -> Self:
        head = self
        if head.shape == (1,):
            head = head.fixed(elementwise=bool(head.elementwise))
        # integers cannot be missing in part, so their column need not be read
        elif head.elementwise is None and may_hold_missing(column.probe(), head.missing):
            # rows without gaps leave it open, for those of `feed.on`
            head = head.fixed(elementwise=is_partly_missing(column, head._numbers) or None)
        head = head._with_fitted_scale(column)
        head.encode(column.probe())
        return head

    def _numbers(self, values: Any) -> tuple[np.ndarray, np.ndarray | None]:
        expected = "a number" if self.shape == (1,) else f"numbers of shape {self.shape}"
        return numbers(values, self.missing, self.shape, expected, shape_fix=self._shape_fix)

    def _shape_fix(self, shape: tuple[int, ...]) -> str:
        """Say how to declare a head of numbers of this shape."""
        if 0 in shape:
            return "Leave this head out: its rows hold no numbers."
        size = shape[0] if len(shape) == 1 else shape
        return f"Say {type(self).__name__}({size})." if shape else "Say Regression()."

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        array, present = self._numbers(values)
        if check:
            fix = "Fix the row, or put NaN where there is no label."
            require_finite(array, "finite numbers", fix)
        if self.scaling is not None:
            array = self.scaling.scaled(array, present, check)
        labels = as_float32(array, check)
        if present is None or self.elementwise:
            return labels, present
        fix = f"Say {type(self).__name__}(..., elementwise=True) for one weight each."
        rows = whole_rows(present, self.whole_fix or fix)
        return labels, rows.reshape((-1,) + (1,) * (len(self.shape) - 1))

    def fillers(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        unscaled = self.unscaled(labels)
        if not labels.size or unscaled.min() > -998:
            return super().fillers(labels, valid)
        markers = np.any([np.isclose(unscaled, marker) for marker in _MARKERS], axis=0)
        return (markers & spread_over(valid, labels)).reshape(len(labels), -1)

    def mixable(self, way: str) -> tuple[int, ...]:
        if way == PATCH:
            fix = "Use ph.MixUp, or leave the head out."
            raise unmixable("numbers of whole rows, which do not go by the area that is seen", fix)
        return self.weight_shape

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        unscaled = self.unscaled(outputs)
        return {"": PredictedColumn(unscaled[:, 0] if self.shape == (1,) else unscaled)}

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> Judge:
        count, columns = int(np.prod(self.shape)), self.columns(name)
        return RegressionJudge(name, self, columns if len(columns) == count else range(count))

    def output(self, features: Any, name: str) -> Any:
        return dense_output(pooled_features(features), name, self.shape, self.activation)


@dataclass(frozen=True, repr=False)
class Embedding(Regression):
    """A vector whose direction matters, as float32 ``(B, n)``; the loss is cosine similarity.

    >>> Embedding(3).encode(np.eye(3))[0].dtype
    dtype('float32')
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) != 1 or self.shape[0] < 2:
            fix = "Say the length of the vectors, as Embedding(128)."
            raise ContractError(Problem("Embedding(shape)", "a length of at least 2", shown(self.shape), fix))
        if self.elementwise:
            expected = "False, as a vector has one direction"
            raise ContractError(Problem("Embedding(elementwise=)", expected, "True"))
        if self.scale is not None:
            expected = "no scale= for vectors whose direction counts"
            raise ContractError(Problem("Embedding(scale=)", expected, shown(self.scale), "Leave it out."))
        object.__setattr__(self, "elementwise", False)

    weight_forms = ()
    unit_fix = ""
    first_loss: ClassVar[float | None] = 1.0
    view: ClassVar[str] = "vector"
    whole_fix = "Put NaN into all numbers of the row: a vector without one of them has no direction."

    def for_weights(self, shape: tuple[int, ...]) -> Self:
        return self  # a vector has one direction, and therefore one weight

    def conversion(self, column: np.ndarray) -> Conversion | None:
        if self.missing is not None or self.scaling is not None or column.shape[1:] != self.shape:
            return None
        return replace(FINITE, checked_by_encode=True)

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        labels, present = super().encode(values, check)
        if check:
            zero = ~np.any(labels, axis=1)
            row = first_row(zero if present is None else zero & present)
            if row is not None:
                fix = "Put NaN where there is no label."
                raise BadValue(row, "a vector with a direction", "only zeros", fix)
        return labels, present

    def mixable(self, way: str) -> tuple[int, ...]:
        raise unmixable("vectors whose direction counts: between two of them lies another one")

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> Judge:
        return EmbeddingJudge(name)

    def default_loss(self, logits: bool) -> Any:
        import keras

        return keras.losses.CosineSimilarity()

    def default_metrics(self, logits: bool) -> list[Any]:
        import keras

        return [keras.metrics.CosineSimilarity(name="cosine")]
