"""The input for numbers, and for words as ids."""

from __future__ import annotations

import os
import re
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from polyhead.columns.image_values import is_pillow, names_image
from polyhead.columns.values import widened
from polyhead.errors import BadValue, ContractError, Problem, is_integer, is_number, require_choice, shown
from polyhead.kinds.conversion import FINITE, Conversion
from polyhead.kinds.kind import Input, as_dtype, as_shape
from polyhead.kinds.missing import (
    as_float32,
    as_one_array,
    even_rows,
    is_dense,
    is_missing,
    plain,
    require_finite,
    require_range,
    require_whole,
)
from polyhead.kinds.mixed_labels import PATCH
from polyhead.kinds.scale_fitting import fit_scale, pieces_of
from polyhead.kinds.scales import Scaling, require_scale
from polyhead.kinds.source_column import Column
from polyhead.kinds.value_advice import conversion_fix
from polyhead.kinds.vocabulary import NOTHING, UNKNOWN, checked_vocabulary, learned_vocabulary, word_ids

_FINITE_FIX = "Fix the row, or say Array(fill=0.0) to fill in for NaN, but not for infinity."
_INT32 = np.iinfo(np.int32)
_WHOLE = Conversion("int32", low=_INT32.min, high=_INT32.max)


@dataclass(frozen=True, repr=False)
class Array(Input):
    """Numbers of any shape: floats as float32, integers and booleans as int32; or words as ids.

    Attributes:
        shape: the shape of one row, an int or a tuple; by default as found. A column ``(N,)`` gives rows of
            shape ``(1,)``.
        dtype: ``"float32"`` or ``"int32"``; by default by the column's own type.
        fill: the number that replaces NaN and None; without it, such a value is an error.
        scale: ``"standard"``, ``"minmax"``, ``"robust"``, ``"log"`` or a scale of your own, as for `Regression`. The
            model gets scaled numbers; each position of the last axis is scaled by the training rows.
        vocabulary: for a column of words (a whole text is one), or of lists of words of one length: the known words, or
            ``"auto"`` for those of the training rows, sorted. The model gets int32 ids: 0 for no word (missing or
            ``""``), 1 for a word that is not in the vocabulary, and its words from 2 on. ``names`` has the word of each
            id, so an `keras.layers.Embedding` has ``len(feed.inputs[name].names)`` of them. The vocabulary is part of
            the declaration, and so of a saved model.
        column: one column, or several that are concatenated into one vector.

    >>> Array(column=["age", "fare"], fill=0.0)
    Array(column=['age', 'fare'], fill=0.0)
    >>> Array(vocabulary=["Bern", "Lima"], shape=1, dtype="int32").encode(["Lima", "Rome", None]).tolist()
    [[3], [1], [0]]
    """

    shape: Any = None
    _: KW_ONLY
    dtype: Any = None
    fill: float | None = None
    scale: Any = None
    vocabulary: Any = None
    even: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype is not None:
            object.__setattr__(self, "dtype", as_dtype(self.dtype))
            require_choice("Array(dtype=)", self.dtype, ("float32", "int32"), '"float32" or "int32"')
        if self.fill is not None and not is_number(self.fill):
            fix = "Compute it from the training rows. Columns with different numbers are inputs of their own."
            raise ContractError(Problem("Array(fill=)", "a finite number", shown(self.fill), fix))
        if self.shape is not None:
            object.__setattr__(self, "shape", as_shape(self.shape, "Array(shape)"))
        if self.vocabulary is not None:
            self._check_vocabulary()
        if self.scale is None:
            return
        require_scale(self.scale, "Array(scale=)", self.shape[-1] if self.shape else None)
        if self.dtype == "int32":
            expected = 'dtype="float32", as scale= gives fractions'
            raise ContractError(Problem("Array(dtype=)", expected, "'int32'", "Leave dtype= out."))

    def _check_vocabulary(self) -> None:
        where = "Array(vocabulary=)"
        object.__setattr__(self, "vocabulary", checked_vocabulary(self.vocabulary, where))
        dtype = None if self.dtype == "int32" else self.dtype
        for name, value in (("scale", self.scale), ("fill", self.fill), ("dtype", dtype)):
            if value is not None:
                expected = f"no {name}= beside it, as words become int32 ids"
                raise ContractError(Problem(where, expected, "both"))
        if isinstance(self.column, (list, tuple)) and len(self.column) > 1:
            fix = "Make an input for each column; the model can concatenate their embeddings."
            raise ContractError(Problem(where, "one column", f"{len(self.column)}", fix))

    @property
    def names(self) -> tuple[Any, ...]:
        return (NOTHING, UNKNOWN, *self.vocabulary) if isinstance(self.vocabulary, tuple) else ()

    @property
    def meaning(self) -> dict[str, Any]:
        return {"scale": self.scale, "vocabulary": self.vocabulary}

    def resolve(self, column: Column) -> Array:
        if self.vocabulary is not None:
            return self._with_words(column)
        probe = column.probe()
        values = _as_numbers(probe)
        shape = values.shape[1:] or (1,)
        if 0 in shape:
            fix = "Pad the rows to one length: np.pad(row, (0, length - len(row)))."
            raise BadValue(0, "numbers in each row", f"none, shape {shape}", fix)
        if self.shape not in (None, shape):
            if values.ndim == 1 and values.dtype.kind == "f" and np.isnan(values).all():
                raise BadValue(0, f"rows of shape {self.shape}", "None", "Leave the row out.")
            raise self._other_rows(values.shape[1:])
        scale = self.scale
        if scale is not None:
            scale = fit_scale(scale, pieces_of(column, self._with_nan), shape[-1])
        # integers too large for int64 were read as floats
        whole = not is_dense(probe) and all(map(is_integer, plain(probe)))
        floats = (values.dtype.kind == "f" and not whole) or scale is not None
        return self.fixed(shape=shape, dtype=self.dtype or ("float32" if floats else "int32"), scale=scale)

    def _with_words(self, column: Column) -> Array:
        ids = word_ids(column.probe(), ())
        shape = ids.shape[1:] or (1,)
        if self.shape not in (None, shape):
            raise self._other_rows(ids.shape[1:])
        words = self.vocabulary if isinstance(self.vocabulary, tuple) else learned_vocabulary(column.scan())
        return self.fixed(shape=shape, dtype="int32", vocabulary=words)

    def _other_rows(self, shape: tuple[int, ...]) -> BadValue:
        """The error for rows of another shape than declared."""
        scalars, shape = not shape, shape or (1,)
        texts = self.vocabulary is not None and shape == (1,)
        fix = "Split each text into a list of words, as for training." if texts else ""
        if self.shape == (*shape, 1):
            fix = "Give column[..., None]."
        elif shape == (*self.shape, 1):
            fix = "Give column[..., 0]."
        elif len(self.shape) == 1 and scalars and not texts:
            fix = f"A row needs {self.shape[0]} numbers; several rows are a list of such lists."
        return BadValue(None, f"rows of shape {self.shape}", f"rows of shape {shape}", fix)

    def _with_nan(self, values: Any) -> tuple[np.ndarray, None]:
        """The numbers with NaN where they are missing, regardless of `fill`."""
        array = _as_numbers(values)
        return array[:, None] if array.ndim == 1 else array, None

    def conversion(self, column: np.ndarray) -> Conversion | None:
        if self.scale is not None or self.vocabulary is not None or (column.shape[1:] or (1,)) != self.shape:
            return None
        if column.dtype.kind != "f":
            return Conversion("float32") if self.dtype == "float32" else _WHOLE
        return None if self.fill is not None or self.dtype != "float32" else FINITE

    def encode(self, values: Any, check: bool = True) -> np.ndarray:
        array = _as_numbers(values) if self.vocabulary is None else word_ids(values, self.vocabulary)
        if array.shape[1:] != self.shape:
            if array.ndim == 1 and self.shape == (1,):
                array = array[:, None]
            else:
                raise self._other_rows(array.shape[1:])
        if self.fill is not None and array.dtype.kind == "f":
            array = np.where(np.isnan(array), array.dtype.type(self.fill), array)
        if check:
            columns = self.column if isinstance(self.column, (list, tuple)) else ()
            require_finite(array, "finite numbers", _FINITE_FIX, columns)
        if isinstance(self.scale, Scaling):
            array = self.scale.scaled(array, None, check)
        if self.dtype == "float32":
            return as_float32(array, check)
        if check:
            _require_int32(array)
        return np.ascontiguousarray(array, np.int32)

    def require_mixable(self, way: str) -> None:
        expected = "an input that can be mixed"
        if way == PATCH:
            fix = "Use ph.MixUp, or ph.Image for what lies in the image as its pixels do."
            raise BadValue(None, expected, "numbers that have no place in the image", fix)
        if self.dtype != "float32":
            fix = 'Say ph.Array(dtype="float32") if they are quantities.'
            raise BadValue(None, expected, "whole numbers, whose mean is none", fix)


_OTHER_FILE = re.compile(
    r"\.(npy|npz|wav|flac|mp3|ogg|m4a|mp4|avi|mov|pt|mat|h5|hdf5|nii(\.gz)?|dcm|csv|txt|json|parquet)$", re.I
)


_WORDS_OR_TEXTS = (
    'For words, say ph.Array(vocabulary="auto"): the model gets their ids, and keeps the list. '
    "For texts, give the ids of a tokenizer or of keras.layers.TextVectorization."
)


def _as_numbers(values: Any) -> np.ndarray:
    values = even_rows(plain(values))
    if isinstance(values, np.ndarray) and widened(values).dtype.kind in "iufb":
        return widened(values)
    for i, value in enumerate(values):
        if isinstance(value, (str, bytes, os.PathLike)):
            fix = _WORDS_OR_TEXTS
            if names_image(str(value)):
                fix = "For image files, say ph.Image(height, width)."
            elif _OTHER_FILE.search(str(value)):
                fix = (
                    "Read these files into arrays of one shape, or write a ph.Source whose read(ids) does it."
                )
            raise BadValue(i, "numbers", shown(value), conversion_fix(value) or fix)
        if is_pillow(value):
            fix = "Say ph.Image(height, width); for its raw numbers, give np.asarray(image)."
            raise BadValue(i, "numbers", "an image of Pillow", fix)
    array = as_one_array([None if is_missing(v) else v for v in values], "numbers")
    if array.dtype.kind not in "iufb":
        raise BadValue(None, "numbers", f"a column of {array.dtype}")
    return array


def _require_int32(array: np.ndarray) -> None:
    fix = 'Say Array(dtype="float32").'
    require_whole(array, "whole numbers, as the input is int32", fix)
    if array.dtype.kind != "b" and array.dtype != np.int32:
        fix = f'{fix[:-1]}; if these are ids, vocabulary="auto" of np.asarray(column).astype(str).'
        require_range(array, _INT32.min, _INT32.max, "a whole number that fits int32", fix)
