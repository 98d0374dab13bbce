"""Fits scales in one pass over a column, with memory use independent of its number of rows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from polyhead.columns.values import size, take
from polyhead.errors import BadValue, shown
from polyhead.foreign_errors import quoted_error
from polyhead.hashing import mixed
from polyhead.kinds.scales import NamedScaling, OwnScaling, Scaling, is_own, usable_width
from polyhead.kinds.source_column import Column

SAMPLED_ROWS = 1 << 16
SAMPLED_NUMBERS = 1 << 22
"""Quantiles, and custom scales without ``partial_fit``, use at most 65,536 labeled rows, sampled if there are more; and
at most 4 million numbers in all, so fewer long rows."""

PIECE_NUMBERS = 1 << 18


def fit_scale(scale: Any, pieces: Iterable[np.ndarray], numbers: int) -> Scaling:
    """Fit a scale.

    Args:
        scale: one of `SCALES`, or a custom scale; a fitted one stays as it is.
        pieces: the column in pieces, float64 ``(rows, numbers)``; NaN for a missing number.
        numbers: the length of the last axis.

    Raises:
        BadValue: a custom scale cannot be fitted or inverted.

    >>> fit_scale("minmax", [np.array([[2.0], [np.nan]]), np.array([[6.0]])], 1)
    NamedScaling('minmax', center=[2], width=[4])
    """
    if isinstance(scale, Scaling):
        return scale
    if is_own(scale):
        return _fit_own(scale, pieces, numbers)
    moments, sample = _Moments(numbers), _SampledRows(numbers) if scale == "robust" else None
    for rows in _finite_runs(pieces, numbers):
        if scale == "log":
            with np.errstate(all="ignore"):
                rows = np.log1p(rows)
        moments.add(rows)
        if sample is not None:
            sample.add(rows)
    low, high = moments.low, moments.high
    if scale == "minmax":
        return NamedScaling(scale, tuple(low), tuple(usable_width(low, high)))
    if sample is None:
        return NamedScaling(scale, tuple(moments.mean), tuple(usable_width(low, high, moments.deviation)))
    first, median, third = sample.quantiles((0.25, 0.5, 0.75))
    return NamedScaling(
        scale, tuple(median), tuple(usable_width(low, high, third - first, moments.deviation))
    )


def pieces_of(
    column: Column, read: Callable[[Any], tuple[np.ndarray, np.ndarray | None]]
) -> Iterator[np.ndarray]:
    """Yield the rows of a column that count, in the form for `fit_scale`.

    Args:
        read: returns the numbers ``(B, ..., n)`` of some values, and which of them are present, or None.
    """
    for values in column.counting():
        step = max(1, PIECE_NUMBERS // max(1, size(values) // max(1, len(values)) // 8))
        for start in range(0, len(values), step):
            piece = values
            if step < len(values):
                piece = take(values, np.arange(start, min(start + step, len(values))))
            try:
                yield _with_nan(*read(piece))
            except BadValue as bad:
                if bad.index is None:
                    raise
                yield from _valid_rows(piece, read)


def _valid_rows(
    values: Any, read: Callable[[Any], tuple[np.ndarray, np.ndarray | None]]
) -> Iterator[np.ndarray]:
    """Read rows one by one and skip invalid ones: encoding reports them."""
    for i in range(len(values)):
        with suppress(BadValue):
            yield _with_nan(*read(take(values, np.array([i]))))


def _with_nan(numbers: np.ndarray, present: np.ndarray | None) -> np.ndarray:
    rows = np.asarray(numbers, np.float64)
    rows = rows if present is None else np.where(present, rows, np.nan)
    return rows.reshape(-1, rows.shape[-1])


def _finite_runs(pieces: Iterable[np.ndarray], numbers: int) -> Iterator[np.ndarray]:
    """Split into pieces of few numbers, with infinity replaced by NaN: encoding reports it."""
    for piece in pieces:
        if piece.shape[1] != numbers:  # reported by encoding, too
            continue
        step = max(1, PIECE_NUMBERS // max(1, piece.shape[1]))
        for start in range(0, len(piece), step):
            rows = piece[start : start + step]
            rows = np.where(np.isfinite(rows), rows, np.nan)
            yield rows[~np.isnan(rows).all(1)]


class _Moments:
    """Count, mean, standard deviation and range of each number, piece by piece (Chan, Golub and LeVeque 1979)."""

    def __init__(self, numbers: int) -> None:
        self._count, self._mean, self._squares = (np.zeros(numbers) for _ in range(3))
        self._low, self._high = np.full(numbers, np.inf), np.full(numbers, -np.inf)

    def add(self, rows: np.ndarray) -> None:
        present = np.isfinite(rows)
        count = present.sum(0)
        mean = np.where(present, rows, 0.0).sum(0) / np.maximum(count, 1)
        squares = np.square(np.where(present, rows - mean, 0.0)).sum(0)
        difference, total = mean - self._mean, np.maximum(self._count + count, 1)
        self._squares += squares + np.square(difference) * self._count * count / total
        self._mean += difference * count / total
        self._count += count
        self._low = np.minimum(self._low, np.where(present, rows, np.inf).min(0, initial=np.inf))
        self._high = np.maximum(self._high, np.where(present, rows, -np.inf).max(0, initial=-np.inf))

    @property
    def mean(self) -> np.ndarray:
        return np.clip(self._mean, self.low, self.high)

    @property
    def low(self) -> np.ndarray:
        return np.where(self._count > 0, self._low, 0.0)

    @property
    def high(self) -> np.ndarray:
        return np.where(self._count > 0, self._high, 0.0)

    @property
    def deviation(self) -> np.ndarray:
        return np.asarray(np.sqrt(self._squares / np.maximum(self._count, 1)))


class _SampledRows:
    """All rows, or a sample of many: those whose row numbers have the smallest hashes, independent of the pieces."""

    def __init__(self, numbers: int) -> None:
        self._most = max(64, min(SAMPLED_ROWS, SAMPLED_NUMBERS // numbers))
        self._rows: list[np.ndarray] = [np.zeros((0, numbers))]
        self._keys: list[np.ndarray] = [np.zeros(0, np.uint64)]
        self._seen = self._sampled = 0
        self._highest_key = np.uint64(np.iinfo(np.uint64).max)

    def add(self, rows: np.ndarray) -> None:
        keys = mixed(np.arange(self._seen, self._seen + len(rows), dtype=np.uint64))
        self._seen += len(rows)
        low = keys <= self._highest_key
        self._rows.append(rows[low])
        self._keys.append(keys[low])
        self._sampled += int(low.sum())
        if self._sampled > 2 * self._most:
            self._shorten()

    def _shorten(self) -> None:
        """Concatenate the pieces, and leave out all but the rows with the smallest keys."""
        rows, keys = np.concatenate(self._rows), np.concatenate(self._keys)
        if len(keys) > self._most:
            lowest = np.sort(np.argpartition(keys, self._most)[: self._most])
            rows, keys = rows[lowest], keys[lowest]
            self._highest_key = keys.max()
        self._rows, self._keys, self._sampled = [rows], [keys], len(keys)

    def rows(self) -> np.ndarray:
        """The rows of the sample, in the order of the column."""
        self._shorten()
        return self._rows[0]

    def quantiles(self, shares: tuple[float, ...]) -> np.ndarray:
        """Quantiles of each number, ``(shares, numbers)``; 0 without values."""
        rows = self.rows()
        quantiles = np.zeros((len(shares), rows.shape[1]))
        present = np.isfinite(rows).any(0)
        if present.any():
            quantiles[:, present] = np.nanquantile(rows[:, present], shares, axis=0)
        return quantiles


def _fit_own(scale: Any, pieces: Iterable[np.ndarray], numbers: int) -> OwnScaling:
    """Fit a copy of a custom scale on the rows in which no number is missing."""
    pair = isinstance(scale, (list, tuple))
    scaler: Any = tuple(scale) if pair else _unfitted(scale)
    in_parts = not pair and hasattr(scale, "get_params") and hasattr(scaler, "partial_fit")
    moments, sample = _Moments(numbers), _SampledRows(numbers)
    try:
        for rows in _finite_runs(pieces, numbers):
            moments.add(rows)
            complete = rows[~np.isnan(rows).any(1)]
            sample.add(complete)
            if in_parts and len(complete):
                scaler.partial_fit(complete)
        sampled = sample.rows()
        if not pair and not (in_parts and len(sampled)):
            scaler.fit(sampled if len(sampled) else np.zeros((1, numbers)))
        scaling = OwnScaling(scaler, tuple(moments.low), tuple(moments.high))
        _require_inverse(scaling, sampled)
    except BadValue:
        raise
    except Exception as error:  # a custom scale may raise anything
        fix = "It gets an array of float64 (rows, numbers)."
        raise BadValue(None, "a scale that can be fitted and undone", quoted_error(error), fix) from error
    return scaling


def _unfitted(scaler: Any) -> Any:
    """An unfitted copy, as scikit-learn's ``clone`` makes it."""
    if hasattr(scaler, "get_params"):
        return type(scaler)(**scaler.get_params(deep=False))
    return copy.deepcopy(scaler)


def _require_inverse(scaling: OwnScaling, rows: np.ndarray) -> None:
    """Raise if the inverse of a scale does not give the numbers back, or if it mixes them."""
    with np.errstate(all="ignore"):
        scaled = scaling.transform(rows) if len(rows) else rows
    valid = np.isfinite(scaled).all(1)  # encoding reports numbers that the scale cannot take
    if not valid.any():
        return
    rows, scaled = rows[valid], scaled[valid]
    low, high = np.array(scaling.low), np.array(scaling.high)
    tolerance = 1e-2 * (high - low) + 1e-6 * np.maximum(np.abs(low), np.abs(high))
    for inverse, expected in (
        (scaling.inverse_transform, "a scale whose inverse gives the numbers back"),
        (scaling.tabulated, "a scale that takes each number by itself"),
    ):
        unscaled = inverse(scaled)
        wrong = ~(np.abs(unscaled - rows) <= tolerance)
        if wrong.mean() > 0.1:
            first = tuple(np.argwhere(wrong)[0])
            words = f"{unscaled[first]:.6g} for {rows[first]:.6g} by {shown(scaling.scaler)}"
            raise BadValue(None, expected, words)
