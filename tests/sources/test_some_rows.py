"""The fingerprint of a state: the same rows give the same one in every process, others another."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyhead as ph
from polyhead.readers.as_source import as_source
from polyhead.sources.row_fingerprints import SOME_READ, json_form, of_some_rows, other_columns

ROWS = 5000

PROGRAM = """
import numpy as np
from polyhead.sources.row_fingerprints import of_some_rows
from polyhead.readers.as_source import as_source
rng = np.random.default_rng(0)
print(of_some_rows(as_source({
    "x": rng.normal(size=(300, 4)),
    "image": rng.integers(0, 256, (300, 20, 20, 3), dtype=np.uint8),
    "name": [["cat", "dog", None][i] for i in rng.integers(0, 3, 300)],
    "boxes": [[[1.0, float(i), 3.5, 4]] * (i % 3) for i in range(300)],
}), ["x", "image", "name", "boxes"]))
"""


class Read(ph.Source):
    """Rows that are not in memory."""

    columns = ("x", "y")

    def __init__(self, first=0, wide=1):
        self.first, self.wide, self.count = first, wide, 0

    def __len__(self):
        return ROWS

    def read(self, ids):
        self.count += len(ids)
        return {
            "x": np.ones((len(ids), self.wide)) * (ids + self.first)[:, None],
            "y": (ids + self.first) % 2,
        }


def printed(columns, names=None):
    source = columns if isinstance(columns, ph.Source) else as_source(columns)
    return of_some_rows(source, names or list(source.columns))


def test_it_is_the_same_in_another_process():
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=240
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1] != "None\n"


def test_the_same_rows_have_the_same_one_whatever_holds_them(tmp_path):
    rng = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + np.arange(40)
    columns = {
        "number": rng.normal(size=40).astype(np.float32),
        "vector": rng.integers(0, 9, (40, 3)),
        "flag": np.arange(40) % 3 == 0,
        "count": [i if i % 4 else None for i in range(40)],
        "word": [f"word {i % 7}" if i % 5 else None for i in range(40)],
        "day": days,
        "boxes": [[[1.0, float(i), 3.0, 4.0]] * (i % 3) for i in range(40)],
        "tags": [["a", "b"][: i % 3] for i in range(40)],
    }
    frame = pd.DataFrame({name: list(column) for name, column in columns.items()})
    frame = frame.astype({"count": "Int64", "word": "category", "number": "float64"})
    table = pa.Table.from_pandas(frame.assign(vector=columns["vector"].tolist()))
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=9)
    ph.pack(columns, tmp_path / "store")
    lists = {n: c.tolist() if isinstance(c, np.ndarray) else c for n, c in columns.items()}
    same = [lists, frame, table, ph.read_table(tmp_path / "rows.parquet"), ph.open_store(tmp_path / "store")]
    one = printed(columns)
    assert [other_columns(one, printed(as_source(rows))) for rows in same] == [[]] * 5
    others = {**lists, "count": [*lists["count"][:-1], 0], "word": [*lists["word"][:-1], "word"]}
    assert other_columns(one, printed(others)) == ["count", "word"]


def test_other_rows_give_another_one():
    x = np.arange(100.0)
    one = printed({"x": x, "y": x % 2})
    assert printed({"x": x.copy(), "y": (x % 2).copy()}) == one
    others = [
        {"x": x + 1, "y": x % 2},
        {"x": x, "y": (x + 1) % 2},
        {"x": x[::-1].copy(), "y": x % 2},
        {"x": np.where(x == 50, np.nan, x), "y": x % 2},  # small columns are looked at as a whole
    ]
    assert one not in [printed(columns) for columns in others]
    assert printed({"x": x, "y": x % 2}, ["x"]) == printed({"x": x, "y": x}, ["x"])


@pytest.mark.parametrize(
    ("values", "other"),
    [
        (["a", "b", None], ["a", "c", None]),
        ([1, None, 3], [1, 2, 3]),
        ([[1.0, 2.0], [], [3.0]], [[1.0, 2.0], [], [4.0]]),
        ([b"\xff\xd8", b"\x00", b""], [b"\xff\xd8", b"\x01", b""]),
        ([{"a": 1}, {"a": 2}, {}], [{"a": 1}, {"a": 3}, {}]),
        (np.array(["2020-01-01", "2020-01-02"], "M8[D]"), np.array(["2020-01-01", "2020-01-03"], "M8[D]")),
        (np.array(["a", "b"], object), np.array(["a", "c"], object)),
    ],
    ids=lambda values: str(values)[:24],
)
def test_all_kinds_of_values_count(values, other):
    assert printed({"x": values}) == printed({"x": values})
    assert printed({"x": values}) != printed({"x": other})


def test_a_few_rows_are_read_however_many_there_are():
    source = Read()
    one = printed(source)
    assert source.count == 1 + SOME_READ
    assert one == printed(Read())
    assert one != printed(Read(first=1))
    wide = Read(wide=1 << 18)
    printed(wide)
    assert wide.count == 1 + 2


def test_of_a_file_its_name_and_size_count_wherever_it_lies(tmp_path):
    for folder, text in (("a", "one"), ("b", "one"), ("c", "longer")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").write_text(text)
    found = [printed({"path": [str(tmp_path / folder / "1.jpg")]}) for folder in "abc"]
    assert found[0] == found[1] != found[2]
    assert printed({"path": [str(tmp_path / "d" / "1.jpg")]}) not in found


def test_rows_of_a_generator_are_not_used_up():
    begun = []

    def batches():
        begun.append(1)
        yield np.zeros((4, 2)), np.zeros(4)

    source = ph.from_generator(batches, length=4)
    feed = ph.Feed(source, inputs="x", heads={"y": ph.Regression()}, batch_size=2)
    before = len(begun)
    state = feed.state()
    assert state["data"] is None
    assert len(begun) == before
    feed.restore(state)


def test_rows_that_cannot_be_read_leave_the_rest_of_a_state():
    class Gone(Read):
        gone = False

        def read(self, ids):
            if self.gone:
                raise OSError("the network drive went away")
            return super().read(ids)

    source = Gone()
    feed = ph.Feed(source, inputs="x", heads={"y": ph.Binary()}, batch_size=50)
    source.gone = True
    state = feed.state()
    assert (state["data"], state["epoch"]) == (None, 0)
    source.gone = False
    assert feed.restore(state).state()["data"] is not None


def test_an_object_is_told_by_its_type():
    assert json_form(object()) == "object"
    assert json_form({3, 1, 2}) == [1, 2, 3]
    assert json_form(np.float64("nan")) == "nan"
