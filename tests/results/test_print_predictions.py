"""What a table of predictions prints: its size, and its first rows, each in a line."""

import numpy as np
import pyarrow as pa
import pytest

from polyhead.kinds.predicted_columns import PredictedColumn
from polyhead.results.arrow_columns import arrow_column, field_of
from polyhead.results.predictions import Predictions


def predictions(columns, items=None):
    """Of columns as Arrow arrays or lists, and the kind of their values."""
    items = items or {}
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in columns.items()
    }
    fields = [field_of(name, array, items.get(name, "number")) for name, array in arrays.items()]
    return Predictions({}, pa.table(list(arrays.values()), schema=pa.schema(fields)))


def test_rows_are_lines():
    found = predictions({"id": [0, 0], "kind": ["a cat\nor dog", None], "age": [1.23456, 1234.5]})
    assert repr(found).splitlines() == [
        "Predictions(2 rows, 3 columns)",
        "  id   kind              age",
        " ────────────────────────────",
        "   0   a cat or dog    1.235",
        "   0   None           1234.0",
    ]


def test_ten_rows_of_many_and_the_columns_that_fit():
    names = [f"a column with a long name {i}" for i in range(8)]
    found = predictions({"id": range(1000), **{name: ["a long text of many words"] * 1000 for name in names}})
    lines = repr(found).splitlines()
    assert lines[0] == "Predictions(1,000 rows, 9 columns)"
    assert max(map(len, lines)) <= 100
    assert lines[3].split()[0] == "0"
    assert lines[12].split()[0] == "9"
    assert lines[13] == "  and 990 more rows"
    assert lines[14].startswith(f"  not shown: {names[3]}, {names[4]}")
    assert " ".join(lines[14:]).split()[-1] == "7"


def test_long_lists_are_shortened_and_wide_letters_counted():
    boxes = [[[1.234567, 2, 30, 40], [5, 6, 70, 80]]]
    found = predictions({"id": [0], "box": boxes, **{f"文字{i}": ["文字" * 9] for i in range(5)}})
    lines = repr(found).splitlines()
    assert "[[1.235, 2.0, 30.0, 40…" in lines[3]
    assert lines[-1].startswith("  not shown: ")


def test_masks_and_maps_are_their_size():
    masks = [np.zeros((30, 40), np.uint8), np.zeros((3, 400), np.uint8)]
    several = [np.zeros((5, 6, 3), np.uint8), np.zeros((50, 60, 3), np.uint8)]
    maps = [np.zeros((7, 8), np.float32), np.zeros((9, 10, 2), np.float32)]
    of_boxes = [[masks[0], masks[0]], []]
    gone = np.array([False, True])
    columns = {
        "mask": arrow_column(PredictedColumn(masks, "mask"), (), None, 0),
        "layers": arrow_column(PredictedColumn(several, "mask"), (), gone, 1),
        "box_mask": arrow_column(PredictedColumn(of_boxes, "mask"), (), None, 1),
        "depth": arrow_column(PredictedColumn([maps[0], maps[0]], "map"), (), None, 0),
        "flow": arrow_column(PredictedColumn([maps[1], maps[1]], "map"), (), None, 0),
    }
    kinds = {"mask": "mask", "layers": "mask", "box_mask": "masks", "depth": "map", "flow": "map"}
    found = predictions(columns, kinds)
    cells = [line.split("  ") for line in repr(found).splitlines()[3:]]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in cells]
    assert cells == [
        ["mask 30×40", "3 masks 5×6", "2 masks 30×40", "map 7×8", "map 9×10"],
        ["mask 3×400", "None", "no mask", "map 7×8", "map 9×10"],
    ]
    assert "3 masks 5×6" in found._repr_html_()


def test_no_rows():
    found = predictions({"id": pa.array([], pa.int64()), "kind": pa.array([], pa.string())})
    assert repr(found) == "Predictions(0 rows, 2 columns)\n  columns: id, kind"
    assert "0 rows, 2 columns" in found._repr_html_()


@pytest.mark.parametrize("count", [0, 3, 25])
def test_of_a_file(tmp_path, count):
    whole = predictions({"id": np.arange(count), "age": np.linspace(0, 1, count)})
    whole.write_parquet(tmp_path / "a.parquet")
    found = Predictions({}, path=tmp_path / "a.parquet")
    first, *rest = repr(found).splitlines()
    assert first == repr(whole).splitlines()[0].replace("columns)", f"columns, in {found.path})")
    assert rest == repr(whole).splitlines()[1:]
    title, *_ = found._repr_html_().split("</strong>")
    assert str(found.path) in title
    assert found._repr_html_().count("<tr>") == (1 + min(count, 10) if count else 0)
