"""The rows of any source as a pandas frame, and its first rows."""

import numpy as np
import pandas as pd
import pytest

import polyhead as ph
from polyhead.sources.source import Source

FRAME = pd.DataFrame(
    {
        "number": [1, 2, 3, 4],
        "gaps": [0.5, np.nan, 2.5, 3.5],
        "flag": [True, False, False, True],
        "day": pd.to_datetime(["2024-01-02", None, "2024-01-01", "2024-01-03"]),
        "kind": pd.Categorical(["u", None, "v", "u"], categories=["v", "w", "u"]),
    },
    index=["p", "q", "r", "s"],
)


def test_a_frame_is_the_frame_it_came_from():
    pd.testing.assert_frame_equal(ph.read_table(FRAME).to_pandas(), FRAME)
    few = ph.read_table(FRAME).select([3, 0, 3])
    pd.testing.assert_frame_equal(few.to_pandas(), FRAME.iloc[[3, 0, 3]])
    first, second = ph.read_table(FRAME).split((0.5, 0.5))
    assert sorted([*first.to_pandas().index, *second.to_pandas().index]) == list("pqrs")


class Squares(Source):
    def __len__(self):
        return 9

    def read(self, ids):
        return {"x": ids**2, "name": [f"n{i}" for i in ids]}


def stream():
    yield from (
        {"x": np.arange(i, i + 3) ** 2, "name": [f"n{j}" for j in range(i, i + 3)]} for i in (0, 3, 6)
    )


@pytest.mark.parametrize(
    "source",
    [
        Squares(),
        Squares().only(["x", "name"]),
        ph.from_generator(stream, length=9),
        ph.read_table(Squares().read(np.arange(9))),
        Squares().select(slice(0, 4)).concat(Squares().select(slice(4, 9))),
    ],
)
def test_the_first_rows_of_any_source(source):
    frame = pd.DataFrame({"x": np.arange(9) ** 2, "name": [f"n{i}" for i in range(9)]})
    for part, rows in (
        (source, 9),
        (source.head(), 5),
        (source.head(2), 2),
        (source.head(-7), 2),
        (source.head(99), 9),
    ):
        pd.testing.assert_frame_equal(part.to_pandas(), frame[:rows])
    assert source.only(["x"]).head(1).columns == ("x",)


def test_ids_are_the_index():
    assert Squares().select([7, 2]).to_pandas()["x"].to_dict() == {7: 49, 2: 4}


@pytest.mark.parametrize(
    "column",
    [
        np.arange(12.0).reshape(3, 2, 2),
        np.arange(3)[:, None],
        [[1], None, [2, 3]],
        [np.zeros((0, 4)), np.ones((1, 4)), None],
        [[1, 2], [3, 4], [5, 6]],
        [b"a", None, b"b"],
        ["a", 1, None],
        [True, None, False],
        [2**60 + 1, None, 3],
        np.arange(3, dtype=">f4"),
        np.array(["2024-01-01", "NaT", "2024-01-03"], "M8[D]"),
        pd.Categorical([("a", 1), None, ("b", 2)]),
    ],
)
def test_values_are_those_of_read(column):
    source = ph.read_table({"x": column})
    frame = source.to_pandas()
    assert frame.shape == (3, 1)
    for found, value in zip(frame["x"], source.read(range(3))["x"], strict=True):
        if np.ndim(value) or isinstance(value, (bytes, tuple)):
            assert np.array_equal(found, value)
        else:
            assert found == value or (pd.isna(found) and pd.isna(value))


def test_a_feed_of_the_frame_has_the_same_batches():
    data = {
        "x": np.arange(6.0),
        "box": [np.ones((i % 3, 4)) * [0, 0, i + 1, i + 1] for i in range(6)],
        "kind": pd.Categorical(list("abcabc"), categories=["c", "a", "b"]),
        "tags": [["u"], [], ["u", "v"], None, ["v"], []],
        "flag": [True, None, False, True, False, None],
    }
    heads = {"box": ph.Boxes(2), "kind": ph.Categorical(), "tags": ph.MultiLabel(), "flag": ph.Binary()}
    feeds = [ph.Feed(rows, inputs="x", heads=heads) for rows in (data, ph.read_table(data).to_pandas())]
    (_, labels, weights), (_, others, other_weights) = (feed.peek() for feed in feeds)
    for name in heads:
        assert np.array_equal(labels[name], others[name])
        assert np.array_equal(weights[name], other_weights[name])


def test_images_are_paths_and_masks_stay_objects(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="it writes images")
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        image.new("L", (4, 4)).save(tmp_path / folder / "0.png")
    frame = ph.read_folder(tmp_path / "images", masks=tmp_path / "masks").to_pandas()
    assert [str(tmp_path / "images" / "0.png")] == frame["image"].tolist()
    assert len(frame["mask"]) == 1
