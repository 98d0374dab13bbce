"""Rows that were selected are told by the ids that they had: in batches, previews and errors."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.readers.as_source import as_source
from polyhead.report import preview

ROWS = 40
DATA = {
    "x": np.arange(ROWS, dtype=np.float64),
    "image": np.zeros((ROWS, 4, 4, 3), np.uint8),
    "y": np.arange(ROWS) % 2,
}
CHOSEN = [31, 7, 7, 12]


def feed_of(data, image=False, **arguments):
    inputs = {"image": ph.Image()} if image else "x"
    arguments = {"batch_size": 3, "workers": 0} | arguments
    return ph.Feed(data, inputs=inputs, heads={"y": ph.Binary()}, **arguments)


def ids_of(feed):
    return [row for batch in feed.batches() for row in batch.ids.tolist()]


def test_batches():
    source = as_source(DATA)
    assert ids_of(feed_of(source.select(CHOSEN))) == CHOSEN
    assert ids_of(feed_of(source).on(source.select(CHOSEN))) == CHOSEN
    assert ids_of(feed_of(source.select(slice(10, 30)).select([0, 19]))) == [10, 29]
    assert ids_of(feed_of(source.select(lambda rows: rows["x"] > 37))) == [38, 39]
    assert ids_of(feed_of(source)) == list(range(ROWS))


def test_parts_of_a_split_hold_the_rows_of_the_whole():
    parts = as_source(DATA).split({"train": 0.8, "val": 0.2}, seed=3)
    found = {name: ids_of(feed_of(part, shuffle=name == "train")) for name, part in parts.items()}
    assert sorted(found["train"] + found["val"]) == list(range(ROWS))
    for part in parts.values():
        for batch in feed_of(part, shuffle=True).batches():
            np.testing.assert_array_equal(batch.inputs["x"][:, 0], batch.ids)
    assert sorted(found["val"]) == sorted(parts["val"].ids.tolist())


def test_rows_of_several_sources_are_numbered_from_the_first_on():
    one = as_source(DATA).select([5, 6])
    assert ids_of(feed_of(one.concat(one))) == [0, 1, 2, 3]


@pytest.mark.parametrize("augment", [(), [ph.Noise(0.1)]])
def test_a_preview_shows_the_rows_that_were_selected(augment):
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    feed = feed_of(as_source(DATA).select(CHOSEN), image=True, augment=augment)
    seen = preview(feed, n=4)
    assert [sample.row for sample in seen.samples] == CHOSEN
    assert all(f">row {row}<" in seen.html for row in CHOSEN)
    labels = [int(sample.labels["y"].value[0]) for sample in seen.samples]
    assert labels == [row % 2 for row in CHOSEN]
    originals = [sample.original.row for sample in seen.samples if sample.original is not None]
    assert originals == (CHOSEN if augment else [])


def test_errors_name_the_row_of_the_whole(tmp_path):
    broken = {**DATA, "y": np.where(np.arange(ROWS) == 12, 5, DATA["y"])}
    with pytest.raises(ph.DataError, match=r"^head `y`, row 12: "):
        feed_of(as_source(broken).select(CHOSEN))
    broken = {**DATA, "x": np.where(np.arange(ROWS) == 31, np.nan, DATA["x"])}
    with pytest.raises(ph.DataError, match=r"^input `x`, row 31: "):
        list(feed_of(as_source(broken).select(CHOSEN)))
    files = [str(tmp_path / f"{row}.png") for row in range(ROWS)]
    feed = ph.Feed(
        as_source({**DATA, "image": files}).select(CHOSEN),
        inputs={"image": ph.Image(4, 4)},
        heads={"y": ph.Binary()},
        batch_size=4,
        workers=0,
    )
    with pytest.raises(ph.DataError, match=r"^input `image`, row (31|7|12), file .*(31|7|12)\.png: "):
        list(feed)


@pytest.mark.parametrize("cache", [False, True])
def test_a_file_that_is_broken_is_named_by_the_row_of_the_whole(tmp_path, cache):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    files = [str(tmp_path / f"{row}.png") for row in range(ROWS)]
    for row, file in enumerate(files):
        cv2.imwrite(file, np.full((4, 4, 3), row, np.uint8))
    (tmp_path / "12.png").write_bytes(b"none")
    rows = as_source({**DATA, "image": files}).select([6, 7, 8, 12])
    options = {"augment": [ph.Flip()], "cache": tmp_path / "cache" if cache else None, "workers": 0}
    with pytest.raises(ph.DataError, match=r"^input `image`, row 12, file .*12\.png: "):
        list(ph.Feed(rows, inputs={"image": ph.Image(4, 4)}, heads={"y": ph.Binary()}, **options).batches())


def test_a_check_names_the_rows_of_the_whole():
    keras = pytest.importorskip("keras")
    broken = {**DATA, "x": np.where(np.arange(ROWS) % 10 == 7, np.nan, DATA["x"])}
    feed = feed_of(as_source(broken).select([1, 17, 2, 37, 3]))
    x = keras.Input((1,), name="x")
    report = feed.check(keras.Model(x, ph.outputs(x, feed.heads)), rows="all")
    assert [problem.rows for problem in report.errors] == [(17, 37)]
    assert "input `x`, row 17: " in str(report)
    assert str(report.errors[0]).endswith("Likewise row 37.")


def test_a_check_of_selected_rows_names_them_by_the_ids_that_they_had():
    y = np.zeros(40, np.float32)
    y[39] = 7
    rows = ph.read_table({"x": np.zeros((40, 2)), "y": y}).select(range(20, 40))
    feed = ph.Feed(rows, inputs="x", heads={"y": ph.Regression()})
    x = keras.Input((2,), name="x")
    model = keras.Model(x, {"y": keras.layers.Dense(1, activation="sigmoid", name="y")(x)})
    model.compile("sgd", {"y": "binary_crossentropy"})
    said = [problem.place for problem in feed.check(model).problems]
    assert said
    assert set(said) == {"head `y`, row 39"}
