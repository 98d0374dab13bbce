"""Makes a pandas frame of the rows of a source."""

from __future__ import annotations

import datetime
from numbers import Number
from typing import Any

import numpy as np

from polyhead.columns.values import Coded, Values, is_large, join, objects
from polyhead.extras import requiring
from polyhead.sources.scanning import pieces
from polyhead.sources.source import Source, checked_rows


def frame_of(source: Source) -> Any:
    """Read all rows into a pandas frame, see `Source.to_pandas`."""
    with requiring("to_pandas()", "pandas", "pandas"):
        import pandas as pd

    names, ids = source.columns, np.arange(len(source), dtype=np.int64)
    parts = [checked_rows(source, rows) for rows in pieces(source, names)]
    columns = {name: _as_pandas(join([part[name] for part in parts] or [[]])) for name in names}
    index = source.pandas_index(ids)
    return pd.DataFrame(columns, index=pd.Index(source.ids_of(ids)) if index is None else index)


def _as_pandas(values: Values) -> Any:
    """Return a column as pandas keeps it, with an object for each row that is an array."""
    if isinstance(values, Coded):
        if values.ordered:
            import pandas as pd

            return pd.Categorical.from_codes(values.codes, pd.Index(values.categories, tupleize_cols=False))
        return values.values().tolist()
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind != "V":
        return values.astype(values.dtype.newbyteorder("="), copy=False)  # as pandas computes with no other
    rows = list(values)
    exact = all(isinstance(row, _SCALARS) and not is_large(row) for row in rows)
    return rows if exact else objects(rows)


_SCALARS = (str, Number, np.generic, datetime.date, datetime.timedelta, type(None))
"""The types of which pandas makes columns of its own; it would make arrays of masks and images.

Large integers stay objects: beside a missing one, pandas rounds them.
"""
