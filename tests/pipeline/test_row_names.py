"""Whatever is done with rows, one that is wrong is named by its id: `source.ids_of` of its place."""

import re

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.readers.as_source import as_source

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
ROWS, SIDE, WIDE, BAD = 12, 8, 16, 9
LETTERS = ["a", "b"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images and masks, and a file that is neither."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    found = {"image": [], "mask": []}
    for name, shape, most in (("image", (SIDE, WIDE, 3), 256), ("mask", (SIDE, WIDE), 2)):
        for i in range(ROWS):
            cv2.imwrite(str(folder / f"{name}{i}.png"), rng.integers(0, most, shape, dtype=np.uint8))
            found[name].append(str(folder / f"{name}{i}.png"))
    (folder / "none.png").write_bytes(b"none")
    return {**found, "none": str(folder / "none.png")}


def rows_of(files, fault):
    """All kinds of columns, of which one is wrong in row `BAD`; ``row`` tells where a row went."""
    box = [[1.0, 1, 5, 5]]
    data = {
        "image": [*files["image"]],
        "mask": [*files["mask"]],
        "x": np.arange(ROWS, dtype=np.float64),
        "age": [i / ROWS for i in range(ROWS)],
        "kind": [LETTERS[i % 2] for i in range(ROWS)],
        "boxes": [box for _ in range(ROWS)],
        "labels": [["a"] for _ in range(ROWS)],
        "points": [[[2.0, 2.0]] for _ in range(ROWS)],
        "trust": np.ones(ROWS),
        "row": np.arange(ROWS),
    }
    if fault is not None:
        column, value = FAULTS[fault]
        data[column][BAD] = files["none"] if isinstance(value, str) and value == "none" else value
    return as_source(data)


FAULTS = {
    "an image file": ("image", "none"),
    "an image that is missing": ("image", None),
    "a mask file": ("mask", "none"),
    "a transposed mask": ("mask", np.zeros((WIDE, SIDE), np.uint8)),
    "a number of an input": ("x", np.nan),
    "a label": ("age", float("inf")),
    "a class": ("kind", "z"),
    "a box": ("boxes", [[1.0, 1, 5]]),
    "boxes beyond room": ("boxes", [[1.0, 1, 5, 5]] * 3),
    "a label too many": ("labels", ["a", "b"]),
    "points": ("points", [[2.0, 2.0, 2.0, 2.0]]),
    "a weight": ("trust", -1.0),
}
VIEWS = {
    "plain": lambda rows: rows,
    "selected": lambda rows: rows.select(range(ROWS - 1, 3, -1)),
    "selected twice": lambda rows: rows.select(range(2, ROWS)).select(range(ROWS - 3, 0, -2)),
    "split": lambda rows: next(
        part for part in rows.split((0.5, 0.5), seed=1) if BAD in part.read(range(len(part)))["row"]
    ),
    "columns": lambda rows: rows.select(range(5, ROWS)).only([n for n in rows.columns if n != "note"]),
    "joined": lambda rows: rows.select(range(8)).concat(rows.select(range(ROWS - 1, 7, -1))),
    "selected of joined": lambda rows: (
        rows.select(range(8)).concat(rows.select(range(8, ROWS))).select(range(ROWS - 1, 0, -1))
    ),
    "mixed": lambda rows: rows.select(range(8)).mix(rows.select(range(ROWS - 1, 7, -1)), weights=(1, 1)),
}
HEADS = {
    "age": ph.Regression(sample_weight="trust", weight=0.1),
    "kind": ph.Categorical(LETTERS),
    "mask": ph.Mask(),
    "boxes": ph.Boxes(2),
    "labels": ph.Categorical(LETTERS, each="boxes"),
    "points": ph.Keypoints(1),
}


def feed_of(rows, **options):
    inputs = {"image": ph.Image(SIDE, WIDE), "x": ph.Array()}
    return ph.Feed(rows, inputs=inputs, heads=HEADS, batch_size=4, workers=0, **options)


def model_of(heads):
    image, x = keras.Input((SIDE, WIDE, 3), name="image"), keras.Input((1,), name="x")
    flat = keras.layers.Concatenate()([keras.layers.Flatten()(image), x])
    mask = {name: head for name, head in heads.items() if name == "mask"}
    rest = {name: head for name, head in heads.items() if name != "mask"}
    return keras.Model({"image": image, "x": x}, ph.outputs(image, mask) | ph.outputs(flat, rest))


@pytest.fixture(scope="module")
def valid(files):
    """A feed of rows that are right."""
    return feed_of(rows_of(files, None))


@pytest.fixture(scope="module")
def model(valid):
    """Compiled once: what is wrong is found in the rows, whatever feed they come by."""
    return ph.compile(model_of(valid.heads), valid, optimizer="sgd")


def drawn(rows, **options):
    list(feed_of(rows, **options).batches())


def previewed(rows):
    feed_of(rows).preview(n=len(rows))


def evaluated(rows, model, valid):
    model.evaluate(valid.on(rows), verbose=0)


OPERATIONS = {
    "draw": lambda rows, tmp, model, valid: drawn(rows),
    "draw by workers": lambda rows, tmp, model, valid: list(iter(feed_of(rows).on(rows, workers=2))),
    "draw moved": lambda rows, tmp, model, valid: drawn(rows, augment=[ph.Flip()]),
    "cache": lambda rows, tmp, model, valid: drawn(rows, cache=tmp / "cache"),
    "cache moved": lambda rows, tmp, model, valid: drawn(rows, cache=tmp / "cache", augment=[ph.Flip()]),
    "another feed": lambda rows, tmp, model, valid: list(valid.on(rows).batches()),
    "pack a feed": lambda rows, tmp, model, valid: ph.pack(feed_of(rows), tmp / "s", progress=False),
    "pack a feed as PNG": lambda rows, tmp, model, valid: ph.pack(
        feed_of(rows), tmp / "s", encoding="png", progress=False
    ),
    "largest": lambda rows, tmp, model, valid: drawn_largest(rows),
    "preview": lambda rows, tmp, model, valid: previewed(rows),
    "profile": lambda rows, tmp, model, valid: feed_of(rows).profile(steps=20),
    "predict": lambda rows, tmp, model, valid: model.predict(valid.on(rows), verbose=0),
    "evaluate": lambda rows, tmp, model, valid: evaluated(rows, model, valid),
    "balance": lambda rows, tmp, model, valid: drawn_balanced(rows),
}


NOT_READ = {
    "predict": {"mask", "age", "kind", "boxes", "labels", "points", "trust"},
    "pack a feed": {"x"},  # numbers are stored as they are
    "pack a feed as PNG": {"x"},
}


def drawn_largest(rows):
    rows = ph.largest(rows)
    heads = {
        "boxes": ph.Boxes(1),
        "labels": ph.Categorical(LETTERS),
        "mask": ph.Mask(),
        "points": ph.Keypoints(1),
        "age": HEADS["age"],
        "kind": HEADS["kind"],
    }
    inputs = {"image": ph.Image(SIDE, WIDE), "x": ph.Array()}
    list(ph.Feed(rows, inputs=inputs, heads=heads, batch_size=4, workers=0).batches())


def drawn_balanced(rows):
    heads = {**HEADS, "mask": ph.Mask(class_weight="balanced")}
    inputs = {"image": ph.Image(SIDE, WIDE), "x": ph.Array()}
    list(ph.Feed(rows, inputs=inputs, heads=heads, batch_size=4, workers=0).batches())


def wrong_ids(rows):
    """The ids of the row that is wrong, which a mixture may hold several times."""
    places = np.flatnonzero(np.asarray(rows.read(range(len(rows)))["row"]) == BAD)
    assert len(places)
    return set(rows.ids_of(places).tolist())


# one fault of each part that finds one: an image as it is decoded, a number of an input, a label, and what belongs to a
# box. Of one view they come to `predict` and `evaluate` of every backend; the other operations do not call any
PARTS = ("an image file", "a number of an input", "a class", "a label too many")


def marks(view, fault, third):
    if view == "mixed" and fault in PARTS:
        return []
    # each other fault comes to a third of the operations, and each operation to a fault of every view
    among = PARTS if fault in PARTS else tuple(FAULTS)
    due = (list(VIEWS).index(view) + among.index(fault)) % THIRDS == third
    if view == "mixed":
        return [pytest.mark.once if due else pytest.mark.full]
    return [pytest.mark.slow, pytest.mark.once if due and fault in PARTS else pytest.mark.full]


THIRDS = 3
CASES = [
    pytest.param(view, fault, third, marks=marks(view, fault, third))
    for view in VIEWS
    for fault in FAULTS
    for third in range(THIRDS)
]


@pytest.mark.few(3)
@pytest.mark.parametrize(("view", "fault", "third"), CASES)
def test_an_error_names_the_row_by_its_id(files, tmp_path, model, valid, view, fault, third):
    rows = VIEWS[view](rows_of(files, fault))
    expected, wrong = wrong_ids(rows), {}
    for number, (name, operate) in enumerate(list(OPERATIONS.items())[third::THIRDS]):
        if name in NOT_READ and FAULTS[fault][0] in NOT_READ[name]:
            continue
        (tmp_path / str(number)).mkdir()
        try:
            operate(rows, tmp_path / str(number), model, valid)
        except ph.DataError as error:
            found = {int(row) for row in re.findall(r"\brow (\d+)", str(error))}
            found |= {row for problem in error.problems for row in problem.rows}
            if not found or not found <= expected:
                wrong[name] = str(error)
        else:
            wrong[name] = "no error"
    assert not wrong, (expected, wrong)


@pytest.mark.few(6)
@pytest.mark.parametrize(
    "fault", ["an image file", "a mask file", "a number of an input", "a transposed mask"]
)
@pytest.mark.parametrize("view", VIEWS)
def test_a_check_names_the_row_by_its_id(files, model, fault, view):
    rows = VIEWS[view](rows_of(files, fault))
    errors = feed_of(rows).check(model, rows="all").errors
    assert {row for problem in errors for row in problem.rows} == wrong_ids(rows)
    named = {int(row) for problem in errors for row in re.findall(r"\brow (\d+)", str(problem))}
    assert named == wrong_ids(rows)


class Own(ph.Source):
    """Rows of a user's own, of which one cannot be read."""

    def __len__(self):
        return ROWS

    def read(self, ids):
        if BAD in ids:
            raise KeyError("gone")
        return {"x": ids * 1.0, "row": ids}


@pytest.mark.parametrize("view", ["plain", "selected", "selected twice", "columns"])
def test_rows_that_are_packed_or_chosen_from_are_named_by_their_ids(tmp_path, files, view):
    def packed(rows, name):
        with pytest.raises(ph.DataError) as caught:
            ph.pack(VIEWS[view](as_source(rows)), tmp_path / name, progress=False, workers=1)
        return str(caught.value)

    images, words = [*files["image"]], [LETTERS[i % 2] for i in range(ROWS)]
    images[BAD] = str(tmp_path / "gone.png")
    assert f"column `image`, row {BAD}, file {tmp_path}/gone.png: " in packed(
        {"image": images, "row": np.arange(ROWS)}, "a"
    )
    words[BAD] = 5
    assert packed({"kind": words, "row": np.arange(ROWS)}, "b").startswith(f"column `kind`, row {BAD}: ")
    mixed = [[1.0] if i != BAD else ["x"] for i in range(ROWS)]
    assert packed({"kind": mixed, "row": np.arange(ROWS)}, "c").startswith(f"column `kind`, row {BAD}: ")
    with pytest.raises(ph.DataError, match=rf"^Own\.read, row {BAD}: "):
        ph.pack(VIEWS[view](Own()), tmp_path / "d", progress=False)


@pytest.mark.parametrize(("column", "value"), [("boxes", [[1.0, 1, 5]]), ("labels", ["a", "b"])])
def test_joined_sources_say_which_of_them_a_row_belongs_to(files, column, value):
    rows = rows_of(files, None)
    data = {name: [*rows.read(range(ROWS))[name]] for name in ("boxes", "labels")}
    data[column][BAD] = value
    joined = ph.largest(rows.only(["boxes", "labels"])).concat(
        ph.largest(as_source(data).select(range(ROWS - 1, 0, -1)))
    )
    with pytest.raises(ph.DataError, match=rf"^source 1, column `{column}`, row {BAD}: "):
        joined.read(range(len(joined)))
    with pytest.raises(ph.DataError, match=rf"^source 1, column `{column}`, row {BAD}: "):
        joined.select(range(ROWS, 2 * ROWS - 1)).read(range(ROWS - 1))


def test_transposed_masks_in_memory_are_named_by_an_id():
    data = as_source({"image": np.zeros((9, 4, 8, 3), np.uint8), "mask": np.zeros((9, 8, 4), np.uint8)})
    with pytest.raises(
        ph.DataError, match=r"^head `mask`, row 6: expected a mask with the sides of its image"
    ):
        ph.Feed(data.select([6, 7]), inputs={"image": ph.Image()}, heads={"mask": ph.Mask()})


@pytest.mark.parametrize("image", [ph.Image(), ph.Image(2, 4)], ids=["as they are", "resized"])
@pytest.mark.parametrize("shape", [(8, 4), (4, 8)])
def test_transposed_masks_of_boxes_are_an_error(image, shape):
    data = {
        "image": np.zeros((3, 4, 8, 3), np.uint8),
        "box": [[], [[1.0, 1, 3, 3]], [[0.0, 0, 4, 4], [1, 1, 2, 2]]],
        "mask": [[], [np.ones(shape, np.uint8)], [np.ones(shape, np.uint8)] * 2],
    }

    def made():
        heads = {"box": ph.Boxes(2), "mask": ph.Mask(each="box")}
        return ph.Feed(data, inputs={"image": image}, heads=heads).peek()[1]["mask"]

    if shape == (4, 8):
        assert made()[2, 1].all()
        return
    with pytest.raises(ph.DataError, match=r"^head `mask`.*got 8 x 4, which has height and width exchanged"):
        made()


class Gone(ph.Source):
    """Rows that cannot be read, whichever column is asked for."""

    columns = ("x", "y", "z")

    def __len__(self):
        return 5

    def read(self, ids):
        raise KeyError("gone")


def test_a_read_that_fails_is_told_once():
    with pytest.raises(ph.DataError) as caught:
        ph.Feed(Gone(), inputs=["x", "y"], heads={"z": ph.Regression()})
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith("Gone.read, row 0: expected its columns, got KeyError: 'gone' (")


READS = {
    "a list": ([1, 2], "Odd.read: expected a dict of columns, got 'list'."),
    "nothing": (None, "Odd.read: expected a dict of columns, got 'NoneType'."),
    "a text": ({"x": "abc"}, "Odd.read, column `x`: expected an array or a list, got 'str'."),
    "a number": ({"x": np.float64(1)}, "Odd.read, column `x`: expected an array or a list, got 'float64'."),
    "a scalar": (
        {"x": np.array(1)},
        "Odd.read, column `x`: expected 1 entry for 1 id, got a single value.",
    ),
    "too many": ({"x": [1, 2]}, "Odd.read, column `x`: expected 1 entry for 1 id, got 2."),
    "a tuple": ({"x": (1,)}, "Odd.read, column `x`: expected an array or a list, got 'tuple'."),
    "a number for a name": ({1: [1]}, "Odd.read: expected strings as names of columns, got 1."),
}
USES = {
    "select": lambda rows: rows.select([1, 3]).read([0]),
    "select twice": lambda rows: rows.select([1, 3]).select([1]).read([0]),
    "columns": lambda rows: rows.select([3]).columns,
    "only": lambda rows: rows.only(["x"]).read([3]),
    "concat": lambda rows: rows.concat(rows).read([3]),
    "mix": lambda rows: rows.mix(rows, weights=(1, 1)).read([3]),
    "split": lambda rows: rows.split((0.5, 0.5))[0].read([0]),
    "feed": lambda rows: ph.Feed(rows, inputs="x", heads={}),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("use", USES)
def test_a_read_that_returns_something_else_is_one_error(read, use):
    found, message = READS[read]
    odd = type("Odd", (ph.Source,), {"__len__": lambda self: 5, "read": lambda self, ids: found})
    with pytest.raises(ph.DataError) as caught:
        USES[use](odd())
    assert str(caught.value) == message
