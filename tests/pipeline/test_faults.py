"""Every row in which something is wrong is named, once, with its file, whatever is wrong with it."""

import io
import re

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyhead as ph
from polyhead.errors import DataError, Problem
from polyhead.pipeline import label_sources
from polyhead.pipeline.faults import MOST, Faults, single_out_wrong_rows
from polyhead.readers.as_source import as_source

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")

ROWS = 60
BAD = (7, 8, 31, 59)


def png(pixels):
    out = io.BytesIO()
    PIL.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


WHOLE = png(np.zeros((8, 8, 3), np.uint8))
MASK = png(np.repeat(np.arange(2, dtype=np.uint8), 32).reshape(8, 8))


@pytest.fixture
def rows(tmp_path):
    """Files of images and of masks, and a number a row."""
    data = {"image": [], "mask": [], "y": list(np.arange(ROWS) % 2)}
    for column, content in (("image", WHOLE), ("mask", MASK)):
        for row in range(ROWS):
            path = tmp_path / f"{column}{row}.png"
            path.write_bytes(content)
            data[column].append(str(path))
    return data


def model_for(feed):
    image = keras.Input((8, 8, 3), name="image")
    return keras.Model(image, ph.outputs(image, feed.heads))


def report_of(data, heads=None, image=None, rows="all", **arguments):
    arguments = {"batch_size": 8, "workers": 0} | arguments
    heads = heads or {"mask": ph.Mask(3)}
    feed = ph.Feed(data, inputs={"image": image or ph.Image(8, 8)}, heads=heads, **arguments)
    return feed.check(model_for(feed), rows=rows)


def broken(path):
    return WHOLE[:40]


def missing(path):
    return None


def other_ids(path):
    return png(np.full((8, 8), 7, np.uint8))


def in_colors(path):
    return png(np.full((8, 8, 3), (1, 2, 3), np.uint8))


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("column", "spoil", "words"),
    [
        ("image", broken, "input `image`, row 7, file {file}: expected a whole PNG, got "),
        ("image", missing, "input `image`, row 7, file {file}: expected a file that can be read, got No such file"),
        ("mask", broken, "head `mask`, row 7, file {file}: expected a whole PNG, got "),
        ("mask", missing, "head `mask`, row 7, file {file}: expected a file that can be read, got "),
        ("mask", other_ids, "head `mask`, row 7, file {file}: expected a class id in [0, 2] in each pixel, got 7."),
        ("mask", in_colors, "head `mask`, row 7, file {file}: expected a mask of ids, one channel, got an image in "),
    ],
    ids=["image-cut", "image-gone", "mask-cut", "mask-gone", "mask-ids", "mask-colors"],
)  # fmt: skip
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_bad_file_is_named(rows, column, spoil, words, shuffle):
    for row in BAD:
        path = rows[column][row]
        content = spoil(path)
        if content is None:
            rows[column][row] = path + ".gone"
        else:
            with open(path, "wb") as file:
                file.write(content)
    (problem,) = report_of(rows, shuffle=shuffle).errors
    assert str(problem).startswith(words.format(file=rows[column][7]))
    assert problem.rows == BAD
    assert problem.also == tuple(f"row {row}, file {rows[column][row]}" for row in BAD[1:])
    assert str(problem).endswith(f" Likewise {'; '.join(problem.also)}.")


def test_the_rows_can_be_left_out(rows):
    for row in BAD:
        rows["image"][row] += ".gone"
    bad = {row for problem in report_of(rows).problems for row in problem.rows}
    source = ph.Feed(rows, inputs={"image": ph.Image(8, 8)}, heads={}, batch_size=8).source
    kept = source.select(sorted(set(range(len(source))) - bad))
    assert len(kept) == ROWS - len(BAD)
    assert report_of(kept).ok


def test_different_faults_are_different_problems(rows):
    rows["image"][3] += ".gone"
    rows["image"][50] += ".gone"
    for row, content in ((10, broken), (11, broken)):
        with open(rows["image"][row], "wb") as file:
            file.write(content(None))
    with open(rows["mask"][20], "wb") as file:
        file.write(other_ids(None))
    report = report_of(rows)
    assert [problem.rows for problem in report.problems] == [(3, 50), (10, 11), (20,)]
    assert report.as_dict()["problems"][0]["rows"] == (3, 50)


def test_rows_that_are_right_are_still_looked_at(rows):
    heads = {"mask": ph.Mask(3), "y": ph.Binary()}
    rows["image"][0] += ".gone"
    report = report_of(rows, heads)
    assert [problem.rows for problem in report.problems] == [(0,)]
    rows["y"] = [1] * ROWS
    said = [p.place for p in report_of(rows, heads).problems]
    assert said == ["input `image`, row 0, file " + rows["image"][0], "head `y`"]


def test_the_first_rows_alone(rows):
    for row in BAD:
        rows["image"][row] += ".gone"
    (problem,) = report_of(rows, rows=16).problems
    assert problem.rows == (7, 8)


def test_many_bad_rows_are_counted(rows):
    rows["image"] = [path + ".gone" for path in rows["image"][:-1]] + rows["image"][-1:]
    (problem,) = report_of(rows, {"y": ph.Binary()}).problems
    assert problem.rows == tuple(range(ROWS - 1))
    assert problem.also[:2] == (f"row 1, file {rows['image'][1]}", f"row 2, file {rows['image'][2]}")
    assert problem.also[5:] == ("and 53 more rows",)
    with pytest.raises(ph.DataError) as raised:  # no mask of the first rows can be laid into its image
        report_of(rows)
    assert str(raised.value) == (
        f"input `image`, row 0, file {rows['image'][0]}: expected a file that can be read, got No such file or "
        "directory. Fix the file, or leave out all rows like this one: data = ph.drop_unreadable(data). Likewise all "
        "other rows that were checked."
    )


def test_unreadable_first_rows_are_searched_once_for_each_head(rows, monkeypatch):
    searched = []
    search = label_sources.readable_rows
    monkeypatch.setattr(
        label_sources, "readable_rows", lambda source, ids: searched.append(source) or search(source, ids)
    )
    rows["image"][0] += ".gone"
    report_of(rows, {"mask": ph.Mask(3), "other": ph.Mask(3, column="mask")})
    assert len(searched) == len(set(map(id, searched))) == 2


def test_arrays_lists_and_bytes(rows):
    encoded = [WHOLE if row not in BAD else WHOLE[:40] for row in range(ROWS)]
    (problem,) = report_of({**rows, "image": encoded}).errors
    assert (problem.rows, problem.also) == (BAD, ("row 8", "row 31", "row 59"))
    pixels = np.full((ROWS, 8, 8, 3), 0.5, np.float32)
    pixels[list(BAD)] = 3
    (problem,) = report_of({**rows, "image": pixels}).errors
    assert problem.rows == BAD
    uneven = [np.zeros((8, 8, 3 if row not in BAD else 4), np.uint8) for row in range(ROWS)]
    (problem,) = report_of({**rows, "image": uneven}).errors
    assert problem.rows == BAD


def test_a_source_that_cannot_be_read_twice(rows):
    for row in BAD:
        rows["image"][row] += ".gone"

    def batches():
        for start in range(0, ROWS, 10):
            yield {name: np.array(values[start : start + 10]) for name, values in rows.items()}

    source = ph.from_generator(batches, length=ROWS)
    (problem,) = report_of(source).problems
    assert problem.rows == BAD


def test_labels_in_memory_are_named_when_the_feed_is_made(tmp_path):
    labels = np.zeros(50, int)
    labels[[4, 20, 21]] = 9
    pq.write_table(pa.table({"x": np.zeros(50), "kind": labels}), tmp_path / "rows.parquet")
    for data in ({"x": np.zeros(50), "kind": labels}, tmp_path / "rows.parquet"):
        with pytest.raises(ph.DataError) as raised:
            ph.Feed(data, inputs="x", heads={"kind": ph.Categorical(3)}, batch_size=8)
        (problem,) = raised.value.problems
        assert problem.rows == (4, 20, 21)
        assert re.fullmatch(r"head `kind`, row 4: expected .*\. Likewise row 20; row 21\.", str(raised.value))


@pytest.mark.parametrize("fine", [False, True])
def test_weights_that_are_wrong_are_named_with_every_row(fine):
    weights = np.ones((50, 3) if fine else 50)
    weights[(4, 20, 21), ...] = [[-1.0], [np.nan], [np.inf]] if fine else [-1.0, np.nan, np.inf]
    data = {"x": np.zeros(50), "sizes": np.zeros((50, 3)), "weight": weights}
    head = ph.Regression(3, sample_weight="weight")
    with pytest.raises(ph.DataError) as raised:
        ph.Feed(data, inputs="x", heads={"sizes": head}, batch_size=8)
    (problem,) = raised.value.problems
    assert problem.rows == (4, 20, 21)
    assert problem.also == ("row 20", "row 21")


@pytest.mark.parametrize("row", [10, 50])
def test_a_label_that_is_wrong_names_its_file_as_soon_as_it_is_read(rows, row):
    with open(rows["mask"][row], "wb") as file:
        file.write(other_ids(None))
    words = f"head `mask`, row {row}, file {rows['mask'][row]}: expected a class id in [0, 2] in each pixel, got 7"
    with pytest.raises(ph.DataError, match=re.escape(words)):
        train(rows)


def train(rows):
    feed = ph.Feed(
        rows, inputs={"image": ph.Image(8, 8)}, heads={"mask": ph.Mask(3)}, batch_size=16, workers=0
    )
    return list(feed)


def attempt_of(bad, tries):
    def attempt(places):
        tries.append(len(places))
        wrong = [p for p in places.tolist() if p in bad]
        if wrong:
            return [("x", DataError(Problem(f"row {wrong[0]}", "a", "b", rows=(wrong[0],))))]
        return [("x", places.tolist())]

    return attempt


def test_rows_are_told_apart_by_halves():
    tries = []
    found = single_out_wrong_rows(attempt_of({5, 900}, tries), np.arange(1000))
    bad = [places.tolist() for places, _, one in found if isinstance(one, DataError)]
    right = [p for _, _, one in found if not isinstance(one, DataError) for p in one]
    assert bad == [[5], [900]]
    assert sorted(right) == sorted(set(range(1000)) - {5, 900})
    assert len(tries) < 45


def test_so_many_are_told_apart_and_no_more():
    tries = []
    found = single_out_wrong_rows(attempt_of(set(range(5000)), tries), np.arange(5000), 100)
    assert sum(len(places) == 1 for places, *_ in found) == 100
    assert len(tries) < 250
    faults = Faults()
    for places, name, error in found:
        faults.add(name, places, error)
    (problem,) = faults.problems(5000)
    assert problem.also[-1] == "and more rows"
    assert len(problem.rows) >= 100
    assert faults.left < MOST


def test_what_is_wrong_with_a_whole_column_is_said_once():
    def attempt(places):
        return [("x", DataError(Problem("head `x`", "rows of shape (3,)", "rows of shape (4,)")))]

    ((places, _, error),) = single_out_wrong_rows(attempt, np.arange(100))
    assert len(places) == 100
    faults = Faults()
    faults.add("x", places, error)
    assert str(faults.problems(100)[0]) == "head `x`: expected rows of shape (3,), got rows of shape (4,)."


def test_what_is_wrong_only_beside_each_other_is_said_as_it_is():
    def attempt(places):
        found = Problem("row 3", "rows of one shape", "another", rows=(3,))
        return [("x", DataError(found) if len(places) == 4 else "right")]

    ((places, _, error),) = single_out_wrong_rows(attempt, np.arange(4))
    assert isinstance(error, DataError)
    assert places.tolist() == [0, 1, 2, 3]


def wrong_masks(rows=12):
    masks = np.ones((rows, 8, 8), np.uint8)
    masks[[6, 9]] = 7
    return masks


def test_selected_rows_are_told_by_the_ids_that_they_had(rows):
    data = ph.read_table({"image": rows["image"][:12], "mask": wrong_masks()}).select([5, 6, 8, 9, 10])
    (problem,) = report_of(data, image=ph.Image(8, 8)).errors  # resolved by the rows that are right
    assert problem.rows == (6, 9)
    assert str(problem).startswith("head `mask`, row 6: expected a class id in [0, 2] in each pixel, got 7.")
    assert problem.also == ("row 9",)


@pytest.mark.parametrize("chosen", [range(12), [5, 6, 7, 8, 9], [8, 6, 1]])
def test_a_column_that_cannot_be_resolved_names_the_same_rows_of_whatever_is_selected(chosen):
    boxes = [[[0, 0, 1, 1 + row]] if row not in (6, 8) else [[0, 0, 1]] for row in range(12)]
    with pytest.raises(ph.DataError) as raised:
        ph.Feed(
            ph.read_table({"x": np.arange(12.0), "b": boxes}).select(chosen),
            inputs="x",
            heads={"b": ph.Boxes(1)},
        )
    (problem,) = raised.value.problems
    assert problem.rows == tuple(row for row in chosen if row in (6, 8))
    assert len(problem.also) == 1


def test_rows_that_are_wrong_in_unlike_ways_are_one_error_of_ours():
    masks = [np.zeros((40, 60, 2))] * 12
    masks[1], masks[2] = np.full((40, 60, 2), 5.0), np.zeros((40, 60, 3))
    data = {"image": [np.zeros((40, 60, 3), np.uint8)] * 12, "mask": masks}
    with pytest.raises(DataError, match=r"head `mask`, row [12]: expected "):
        ph.Feed(data, inputs={"image": ph.Image(32, 32)}, heads={"mask": ph.Mask(2, multi=True)}).peek()
    heads = {"b": ph.Boxes(1), "kind": ph.MultiLabel(["a", "b"], each="b")}
    data = {"x": np.arange(2.0), "b": [[[0, 0, 1, 1]]] * 2, "kind": [[["q"]], [3]]}
    with pytest.raises(DataError, match="head `kind`"):
        ph.Feed(data, inputs="x", heads=heads).peek()


UNLIKE = {
    "numbers": (ph.Regression(), 1.0, {3: float("inf"), 5: "word", 7: [1, 2]}),
    "yes or no": (ph.Binary(), 1, {3: 2, 5: "maybe", 9: -1}),
    "classes": (ph.Categorical(["a", "b"]), "a", {3: "z", 5: 7, 9: ["a", "b"]}),
    "boxes": (
        ph.Boxes(1),
        [[1.0, 2, 3, 4]],
        {3: [[1, 2, 3]], 5: "x", 9: [[5.0, 5, 1, 1]], 11: [[np.inf, 0, 1, 1]]},
    ),
    "several classes": (ph.MultiLabel(["a"]), ["a"], {3: ["q"], 5: 3}),
    "masks": (ph.Mask(), np.zeros((4, 4), np.uint8), {3: np.full((4, 4), 7), 5: np.zeros((4, 4, 2)), 6: "x"}),
    "vectors": (ph.Embedding(3), [1.0, 2, 3], {3: [1.0, 2], 5: [1, 2, np.inf], 7: "x"}),
    "points": (ph.Keypoints(1), [[1.0, 2]], {3: [[1.0, 2]] * 2, 5: "x", 7: [[1.0, np.inf]]}),
}


@pytest.mark.parametrize("name", UNLIKE)
@pytest.mark.parametrize("backwards", [False, True])
def test_rows_that_are_wrong_in_unlike_ways_are_all_named(name, backwards):
    head, right, wrong = UNLIKE[name]
    data = as_source({"x": np.arange(20.0), "y": [wrong.get(row, right) for row in range(20)]})
    data = data.select(range(19, -1, -1)) if backwards else data
    with pytest.raises(DataError) as caught:
        ph.Feed(data, inputs="x", heads={"y": head})
    assert sorted(row for problem in caught.value.problems for row in problem.rows) == sorted(wrong)
    assert len(caught.value.problems) >= 2


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("augment", [(), [ph.Flip()]])
def test_all_that_is_wrong_with_one_row_is_named(tmp_path, rows, cache, augment):
    (tmp_path / "image7.png").write_bytes(WHOLE[:60])
    (tmp_path / "mask7.png").write_bytes(b"none")
    boxes = [[[1.0, 1, 5, 5]] * (1 + (row == 7)) for row in range(ROWS)]
    heads = {"mask": ph.Mask(3), "boxes": ph.Boxes(1)}
    report = report_of(
        {**rows, "boxes": boxes},
        heads,
        augment=augment,
        cache=tmp_path / "cache" if cache else None,
    )
    assert [re.match(r"(?:input|head) `\w+`, row 7\b", p.place)[0] for p in report.errors] == [
        "input `image`, row 7",
        "head `mask`, row 7",
        "head `boxes`, row 7",
    ]


def test_more_rows_of_which_none_is_known():
    faults = Faults()
    faults.add("x", np.arange(3), DataError(Problem("row 1", "a number", "None", "Leave the row out.")))
    (problem,) = faults.problems(9)
    assert str(problem) == "row 1: expected a number, got None. Leave the row out. Likewise more rows."
