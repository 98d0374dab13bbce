"""Converts columns of pandas, polars and pyarrow."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from polyhead.columns.lazy import Stored
from polyhead.columns.values import Coded, Values, from_list


def from_series(values: Any) -> Values | Stored | None:
    """Convert a pandas, polars or pyarrow column; a frame becomes a matrix ``(N, columns)``, anything else None."""
    family, names = family_of(values)
    if family == "pyarrow" and names & {"Array", "ChunkedArray"}:
        from polyhead.columns.arrow import column_of

        return column_of(values)
    if family in ("pandas", "polars") and "DataFrame" in names:
        return np.asarray(values.to_numpy())
    if family == "polars" and "Series" in names:
        return _from_polars(values)
    if family == "pandas" and (names & {"Series", "Index", "ExtensionArray"}):
        return _from_pandas(values)
    return None


def family_of(obj: Any) -> tuple[str, set[str]]:
    """Return the library that an object belongs to and the names of its classes, without importing the library."""
    for family in ("pandas", "polars", "pyarrow"):
        names = {c.__name__ for c in type(obj).__mro__ if c.__module__.split(".", 1)[0] == family}
        if names:
            return family, names
    return "", set()


def index_of(obj: Any) -> Any:
    """Return the index of a pandas series or frame, or of the first axis of an xarray DataArray; None otherwise."""
    if type(obj).__module__.partition(".")[0] == "xarray":
        return getattr(obj, "indexes", {}).get(next(iter(getattr(obj, "dims", ())), None))
    family, names = family_of(obj)
    return obj.index if family == "pandas" and names & {"Series", "DataFrame"} else None


def in_other_order(index: Any, other: Any) -> bool:
    """Return whether two indexes of pandas hold the same values in another order."""
    if len(index) != len(other) or other.equals(index) or not other.isin(index).all():
        return False
    if index.is_unique and other.is_unique:
        return True
    counts = other.value_counts(dropna=False)
    return bool((index.value_counts(dropna=False).reindex(counts.index) == counts).all())


def moved_label(frame_index: Any, rows: Any, numbers: np.ndarray) -> tuple[int, int] | None:
    """Return the first label in part of the index of a frame that is not the number of its row, and that row."""
    if frame_index is None or not frame_index.is_unique:
        return None
    at = frame_index.get_indexer(rows)
    moved = np.flatnonzero((at >= 0) & (at != numbers))[:1]
    return (int(numbers[moved[0]]), int(at[moved[0]])) if len(moved) else None


def partly_shared(index: Any, other: Any) -> str:
    """Say how many of its labels an index of pandas shares with another; empty if it is none, or all."""
    if not (index.is_unique and other.is_unique) or other.equals(index):
        return ""
    count = int(other.isin(index).sum())
    words = f"one with only {count:,} of its {len(index):,} labels; rows are matched by position"
    return words if 0 < count < len(other) else ""


def _from_pandas(series: Any) -> Values:
    dtype = series.dtype
    if type(dtype).__name__ == "CategoricalDtype":
        accessor = series.cat if hasattr(series, "cat") else series
        categories = [_named(category) for category in accessor.categories.tolist()]
        return Coded(np.asarray(accessor.codes, np.int32), categories, ordered=True)
    if type(dtype).__name__ == "SparseDtype":
        return np.asarray(series)
    if type(dtype).__name__ == "PeriodDtype":  # as Arrow, it would be a count of days, months or years
        return _from_pandas((series.dt if hasattr(series, "dt") else series).to_timestamp())
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return np.asarray(series.to_numpy())
    first = (series.iloc if hasattr(series, "iloc") else series)[:64]
    if any(_named(v) is not v for v in first):
        return from_list([_named(v) for v in series])
    # Arrow would turn arrays into lists
    if not any(hasattr(v, "__len__") and not isinstance(v, str) for v in first):
        import pyarrow as pa

        from polyhead.columns.arrow import from_arrow

        array = None
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError, OverflowError):
            array = pa.array(series, from_pandas=True)
        if array is not None:
            return from_arrow(array)
    return from_list(list(series))


def _named(value: Any) -> Any:
    """Return an interval, such as ``(0, 18]`` from ``pd.cut``, as a string, and any other value unchanged."""
    return str(value) if type(value).__name__ == "Interval" else value


def _from_polars(series: Any) -> Values:
    from polyhead.columns.arrow import from_arrow

    kind = type(series.dtype).__name__
    if kind in ("Object", "Int128", "UInt128"):  # which Arrow lacks
        return from_list(series.to_list())
    values = from_arrow(series.to_arrow())
    if isinstance(values, Coded) and kind == "Enum":
        return Coded(values.codes, values.categories, ordered=True)
    return values
