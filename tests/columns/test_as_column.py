"""One function decides what kind of column a value is, whichever library holds it."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from polyhead.columns.as_column import as_column
from polyhead.columns.lazy import OnDisk, entries


@pytest.mark.parametrize(
    "values",
    [
        np.arange(3),
        [0, 1, 2],
        range(3),
        pd.Series([0, 1, 2]),
        pl.Series([0, 1, 2]),
        pa.array([0, 1, 2]),
        pa.chunked_array([[0], [1, 2]]),
        np.ma.array([0, 1, 2]),
    ],
    ids=["numpy", "list", "range", "pandas", "polars", "arrow", "chunks", "masked"],
)
def test_numbers_of_any_library_become_one_array(values):
    column = as_column("x", values)
    assert isinstance(column, np.ndarray)
    assert column.tolist() == [0, 1, 2]


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "lil", "dok", "dia", "bsr"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse_matrices_of_every_form_are_read_by_rows(form, kind):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.eye(4, 3, dtype=np.float32)
    column = as_column("x", getattr(sparse, f"{form}_{kind}")(dense))
    assert len(column) == 4
    np.testing.assert_array_equal(entries(column, np.array([2, 0])), dense[[2, 0]])


def test_large_arrow_tensors_stay_in_pieces_in_a_mapping_too(monkeypatch):
    monkeypatch.setattr("polyhead.columns.arrow.LIMIT_BYTES", 10)
    pieces = [pa.FixedShapeTensorArray.from_numpy_ndarray(np.full((2, 4), k)) for k in range(3)]
    column = as_column("x", pa.chunked_array(pieces))
    assert not isinstance(column, np.ndarray)
    np.testing.assert_array_equal(entries(column, np.array([5, 0]))[:, 0], [2, 0])


def test_a_memory_map_is_read_row_by_row_and_adapted_once(tmp_path):
    values = np.memmap(tmp_path / "x", np.int64, "w+", shape=(4,))
    values[:] = [3, 2, 1, 0]
    column = as_column("x", values)
    assert isinstance(column, OnDisk)
    assert as_column("x", column) is column
    assert entries(column, np.array([3, 0])).tolist() == [0, 3]
