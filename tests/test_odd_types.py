"""Arguments of another type that mean the same: scalars and arrays of NumPy, indices and series of pandas, paths."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import polyhead as ph

NAMES = ["cat", "dog"]
SEVERAL = {
    "tuple": tuple,
    "values of a dict": lambda values: dict(enumerate(values)).values(),
    "array": np.array,
    "index": pd.Index,
    "series": pd.Series,
    "polars": pl.Series,
    "scalars": lambda values: [np.array(value)[()] for value in values],
}
COLORS = [(0, 0, 0), (255, 0, 0)]
X = np.zeros((4, 2), np.float32)
ROWS = ph.read_table({"x": X, "kind": NAMES * 2, "boxes": [[[0, 0, 1, 1]]] * 4})


def feed(**arguments):
    return ph.Feed(
        {"x": X, "y": [0, 1] * 2, "z": X}, **{"inputs": "x", "heads": {"y": ph.Binary()}, **arguments}
    )


LISTS = {
    "Categorical(classes)": (NAMES, lambda v: ph.Categorical(v).names),
    "MultiLabel(classes)": (NAMES, lambda v: ph.MultiLabel(v).names),
    "Mask(classes)": (NAMES, lambda v: ph.Mask(v).names),
    "Mask(values=)": ([7, 9], lambda v: ph.Mask(NAMES, values=v)),
    "Mask(size=)": ([4, 6], lambda v: ph.Mask(size=v)),
    "Regression(shape)": ([2, 3], lambda v: ph.Regression(v)),
    "Array(shape)": ([2, 3], lambda v: ph.Array(v)),
    "Image(range=)": ([0, 4095], lambda v: ph.Image(8, 8, range=v)),
    "Keypoints(pairs=)": ([0, 1], lambda v: ph.Keypoints(2, pairs=[v])),
    "class_weight=, ids": ([1.0, 2.0], lambda v: ph.Binary(class_weight=v)),
    "class_weight=, names": ([1.0, 2.0], lambda v: ph.Categorical(NAMES, class_weight=v)),
    "class_weight=, pixels": ([1.0, 2.0], lambda v: ph.Mask(class_weight=v)),
    "class_weight=, labels": ([1.0, 2.0], lambda v: ph.MultiLabel(NAMES, class_weight=v)),
    "column=": (
        ["x", "z"],
        lambda v: list(feed(inputs={"both": ph.Array(column=v)}).peek()[0]["both"].shape),
    ),
    "inputs=": (["x", "z"], lambda v: sorted(feed(inputs=v).inputs)),
    "shard=": ([1, 2], lambda v: feed(shard=v).shard),
    "read_table(columns=)": (
        ["kind"],
        lambda v: ph.read_table({"x": X, "kind": NAMES * 2}, columns=v).columns,
    ),
    "only()": (["kind"], lambda v: list(map(str, ROWS.only(v).columns))),
    "select()": ([2, 1], lambda v: ROWS.select(v).read([0, 1])["kind"]),
    "split()": ([0.5, 0.5], lambda v: [len(part) for part in ROWS.split(v)]),
    "split(stratify=)": (["kind"], lambda v: [len(part) for part in ROWS.split((0.5, 0.5), stratify=v)]),
    "mix(weights=)": ([1, 3], lambda v: len(ROWS.mix(ROWS, weights=v))),
    "largest(along=)": (["kind"], lambda v: ph.largest(ROWS, along=v).columns),
    "from_generator(names=)": (
        ["a", "b"],
        lambda v: ph.from_generator(lambda: iter([(X, X)]), length=4, names=v).columns,
    ),
}


@pytest.mark.parametrize("form", SEVERAL)
@pytest.mark.parametrize("place", LISTS)
def test_several_values_may_stand_in_anything_that_holds_them(place, form):
    values, call = LISTS[place]
    assert repr(call(SEVERAL[form](values))) == repr(call(values))


def test_colors_of_masks():
    wanted = ph.Mask(NAMES, values=COLORS, missing=(1, 2, 3))
    for values in (
        np.array(COLORS),
        np.array(COLORS, np.uint8),
        pd.Series(COLORS),
        [np.array(c) for c in COLORS],
    ):
        assert ph.Mask(NAMES, values=values, missing=np.array([1, 2, 3])) == wanted
    several = ph.Mask(NAMES, values=COLORS, missing=np.array([[1, 2, 3], [4, 5, 6]]))
    assert several.missing == ((1, 2, 3), (4, 5, 6))
    mask = np.array([[[255, 0, 0], [4, 5, 6]]], np.uint8)
    labels, there = several.fixed(size=(1, 2)).encode(mask[None])
    assert labels[there].tolist() == [1]


def test_weights_by_name_and_by_order():
    by_name = pd.Series([2.0, 1.0], index=["dog", "cat"])
    assert ph.Categorical(NAMES, class_weight=by_name).class_weight == {"dog": 2.0, "cat": 1.0}
    assert ph.Categorical(NAMES, class_weight=np.array([1.0, 2.0])).class_weight == {"cat": 1.0, "dog": 2.0}
    assert ph.Binary(class_weight={np.int64(1): np.float32(2)}).class_weight == {1: 2.0}
    made = feed(heads={"y": ph.Binary(class_weight=np.array([1.0, 3.0]))})
    assert made.peek()[2]["y"].tolist() == [1.0, 3.0, 1.0, 3.0]
    with pytest.raises(ph.ContractError) as error:
        ph.Categorical(class_weight=[1.0, 2.0])
    assert str(error.value) == (
        "Categorical(class_weight=): expected a dict, as no classes are declared, got (1.0, 2.0). Say "
        "Categorical([...], class_weight=...) with the classes in order, or {class: weight}."
    )
    with pytest.raises(ph.ContractError) as error:
        ph.Binary(class_weight=np.ones(3))
    assert str(error.value) == (
        "Binary(class_weight=): expected one weight for each of 2 classes, [0, 1], got 3."
    )


NUMBERS = {
    "Mask(outside=)": (1, lambda v: ph.Mask(3, outside=v)),
    "missing=": (3, lambda v: ph.Regression(missing=v)),
    "missing= of pixels": (255, lambda v: ph.Mask(3, missing=v)),
    "weight=": (2, lambda v: ph.Binary(weight=v)),
    "positive=": (1, lambda v: ph.Binary(positive=v)),
    "classes": (3, lambda v: ph.Categorical(v)),
    "shape": (3, lambda v: ph.Regression(v)),
    "embedding": (3, lambda v: ph.Embedding(v)),
    "channels": (3, lambda v: ph.Map(v)),
    "scale=": (2, lambda v: ph.Map(2, scale=v)),
    "boxes": (3, lambda v: ph.Boxes(v)),
    "points": (3, lambda v: ph.Keypoints(v)),
    "height": (8, lambda v: ph.Image(v, 8, page=v, max_pixels=v)),
    "fill=": (2, lambda v: ph.Array(fill=v)),
    "degrees": (5, lambda v: ph.Rotate(v)),
    "batch_size=": (2, lambda v: feed(batch_size=v, seed=v).state()),
}


@pytest.mark.parametrize("form", [np.int64, np.uint8, np.array], ids=["int64", "uint8", "array"])
@pytest.mark.parametrize("place", NUMBERS)
def test_a_number_may_be_of_numpy(place, form):
    value, call = NUMBERS[place]
    if place == "batch_size=" and form is np.array:
        form = np.int32
    assert repr(call(form(value))) == repr(call(value))


def test_true_and_false_of_numpy_and_dtypes():
    assert (
        repr(ph.Image(8, 8, photometric=np.bool_(False), dtype=np.uint8))
        == "Image(8, 8, dtype='uint8', photometric=False)"
    )
    assert repr(ph.Array(dtype=np.dtype("int32"))) == "Array(dtype='int32')"
    assert (
        repr(ph.Flip(np.bool_(True), vertical=np.bool_(True), p=np.float64(0.25)))
        == "Flip(vertical=True, p=0.25)"
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: ph.Mask(3, missing=(255, 255, 255)),
            "Mask(missing=): expected one number, as the mask holds numbers, got (255, 255, 255). Where it holds "
            "colors, say those of the classes as well: Mask(values=[(r, g, b), ...]).",
        ),
        (
            lambda: ph.Mask(2, values=[7, 9], missing=np.array([255])),
            "Mask(missing=): expected one number, as the mask holds numbers, got (255,). Where it holds colors, say "
            "those of the classes as well: Mask(values=[(r, g, b), ...]).",
        ),
        (
            lambda: ph.Regression(missing=[-1, -9]),
            "Regression(missing=): expected one value, got [-1, -9]. Put None or NaN in place of the others.",
        ),
        (
            lambda: ph.Binary(positive=["a", "b"]),
            "Binary(positive=): expected one value, got ['a', 'b']. Turn the column into 0 and 1 before.",
        ),
        (
            lambda: ph.Mask(3, outside=True),
            OUTSIDE := (
                'Mask(outside=): expected "missing" for no label, or a class among [0, 1, 2], got True.'
            ),
        ),
        (lambda: ph.Mask(3, outside=np.bool_(True)), OUTSIDE),
        (lambda: ph.Boxes(3.0), "Boxes(max_boxes): expected an integer of at least 1, got 3.0."),
        (
            lambda: ph.Keypoints(np.bool_(True)),
            "Keypoints(points): expected an integer of at least 1, got True.",
        ),
        (
            lambda: ph.Keypoints(4, pairs=[(0.5, 1)]),
            "Keypoints(pairs=): expected pairs of distinct points in [0, 3], got [(0.5, 1)].",
        ),
        (lambda: ph.Image(8, 8, photometric="no"), "Image(photometric=): expected True or False, got 'no'."),
        (lambda: ph.Boxes(3, normalized=1), "Boxes(normalized=): expected True or False, got 1."),
        (
            lambda: ph.Array(fill="mean"),
            "Array(fill=): expected a finite number, got 'mean'. Compute it from the training rows. Columns with "
            "different numbers are inputs of their own.",
        ),
        (lambda: ROWS.only(3), "only(columns): expected a name, or a list of names, got 3."),
        (
            lambda: ROWS.only("kind"),
            "only(columns): expected a list of names, got 'kind'. Say only(['kind']).",
        ),
        (
            lambda: ROWS.only([["kind"]]),
            "only(columns): expected a name, or a list of names, got [['kind']].",
        ),
        (
            lambda: ph.largest(ROWS, ["boxes"]),
            "largest(boxes=): expected the name of a column, got ['boxes'].",
        ),
        (
            lambda: ph.Array(dtype=ph.Source),
            f'Array(dtype=): expected "float32" or "int32", got {ph.Source}.',
        ),
        (
            lambda: ROWS.split((0.5, 0.5), stratify=3),
            "split(stratify=): expected a name, or a list of names, got 3.",
        ),
        (
            lambda: ph.read_table({"x": X}, columns=3),
            "read_table(columns=): expected a name, or a list of names, got 3.",
        ),
        (
            lambda: ph.largest({"boxes": []}),
            "largest(source): expected a Source, as readers return it, got 'dict'. Say ph.read_table(data) for a frame "
            "or a mapping of arrays.",
        ),
        (lambda: feed(shuffle=1), 'Feed(shuffle=): expected True, False or "blocks", got 1.'),
        (lambda: feed(drop_remainder="yes"), "Feed(drop_remainder=): expected True or False, got 'yes'."),
        (lambda: feed(warn_if_slow=None), "Feed(warn_if_slow=): expected True or False, got None."),
        (lambda: feed(cache=True), "Feed(cache=): expected a path, got True."),
        (lambda: feed(inputs=5), "Feed(inputs=): expected a name, or a list of names, got 5."),
        (
            lambda: feed(inputs=np.zeros((2, 1))),
            "Feed(inputs=): expected a name, or a list of names, got array([[0.], [0.]]).",
        ),
        (lambda: feed(heads={1: ph.Binary(column="y")}), 'heads: expected names as text, got 1. Say "1".'),
        (lambda: feed(heads={"": ph.Binary(column="y")}), "heads: expected names as text, got ''."),
        (
            lambda: feed(heads={"y": ph.Binary(), "val_y": ph.Binary(column="y")}),
            "head `val_y`: expected a name that differs from others in logs, got `val_y_loss`, the loss of head `y` on "
            'validation data. Name it otherwise: heads={"...": ph.Binary(column="y")}.',
        ),
        (
            lambda: feed(heads={"val": ph.Binary()}),
            "head `val`: expected a name that differs from others in logs, got `val_loss`, the loss of all heads on "
            'validation data. Name it otherwise: heads={"...": ph.Binary(column="val")}.',
        ),
        *[
            (
                lambda given=given: feed(heads=given),
                f"heads: expected a dict {{name: head}}, got {type(given).__name__!r}. Say what each is, as "
                'heads={"y": ph.Categorical()}.',
            )
            for given in ("y", ["y", "z"])
        ],
        (
            lambda: feed(heads=[ph.Binary(), ph.Regression()]),
            "heads: expected a dict {name: head}, got 'list'. Name each after an output, as "
            'heads={"...": ph.Binary()}.',
        ),
        (lambda: feed(heads=[]), "heads: expected a dict {name: head}, got 'list'."),
        (
            lambda: ph.Feed(
                {"x": X[:1], "mask": [[[1, 2], [3]]]}, inputs="x", heads={"mask": ph.Mask(size=(2, 2))}
            ),
            "head `mask`, row 0: expected a mask of shape (2, 2), got lists of unequal length ([[1, 2], [3]]). Give "
            "numbers, or None where there is no label.",
        ),
        (
            lambda: ph.Feed({"x": X[:1], "map": [[[1, 2], [3]]]}, inputs="x", heads={"map": ph.Map()}),
            "head `map`, row 0: expected a map (H, W) or (H, W, n), got lists of unequal length ([[1, 2], [3]]).",
        ),
        (
            lambda: ph.Feed(
                {"photo": np.zeros((1, 8, 8, 3), np.uint8), "mask": [[[1, 2], [3]]]},
                inputs={"photo": ph.Image(4, 4)},
                heads={"mask": ph.Mask(3)},
            ).peek(),
            "head `mask`, row 0: expected a mask (H, W) or (H, W, n), got lists of unequal length ([[1, 2], [3]]).",
        ),
        (
            lambda: feed().restore(None),
            "feed.restore(state): expected a dict that feed.state() returned, got None.",
        ),
        (lambda: feed().preview(3), "preview(path): expected a path, got 3."),
        (
            lambda: ph.Categorical([["cat"], ["dog"]]),
            "Categorical(classes): expected names or numbers of classes, got ['cat'].",
        ),
        (
            lambda: ph.MultiLabel(["cat", None]),
            "MultiLabel(classes): expected names or numbers of classes, got None.",
        ),
        (
            lambda: ph.read_voc("nowhere", known=3),
            "read_voc(known=): expected a name, or a list of names, got 3.",
        ),
        (
            lambda: ph.read_voc("nowhere", 3),
            "read_voc(split=): expected the name of a list of images, got 3.",
        ),
        (
            lambda: ph.read_folder("nowhere", classes="yes"),
            "read_folder(classes=): expected True or False, got 'yes'.",
        ),
        (
            lambda: ph.read_folder(".", masks=["masks"]),
            "read_folder(masks=): expected a folder, or {column: folder}, got ['masks']. Say masks=\"masks\", or "
            'masks={"mask": "masks"} for several.',
        ),
        (lambda: ph.open_store(3), "open_store(path): expected a path, got 3."),
        (lambda: ph.pack(ROWS, None), "pack(path): expected a path, got None."),
        *[
            (
                lambda call=call, given=given: call(given),
                f"{where}: expected a path on a disk, got {str(given)!r}. {fix}",
            )
            for call, where in (
                (ph.open_store, "open_store(path)"),
                (ph.read_folder, "read_folder(root)"),
                (ph.read_yolo, "read_yolo(data)"),
                (lambda path: ph.pack(ROWS, path), "pack(path)"),
            )
            for given, fix in (
                ("s3://pets/a", "Copy it to a disk, or mount it as a folder."),
                (Path("gs://pets/a"), "Copy it to a disk, or mount it as a folder."),
                ("file:///pets/a", "Give the plain path."),
            )
        ],
    ],
)
def test_what_cannot_be_meant_is_refused(call, words):
    with pytest.raises(ph.PolyheadError) as error:
        call()
    assert str(error.value) == words


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """A set of one image with one object of the second class."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "a.gif").write_bytes(b"GIF89a" + bytes([60, 0, 40, 0]))
    (tmp_path / "labels" / "a.txt").write_text("1 0.5 0.5 0.5 0.5")
    return tmp_path


@pytest.mark.parametrize("form", SEVERAL)
def test_readers_take_names_in_anything_that_holds_them(form, yolo):
    made = SEVERAL[form](NAMES)
    for path in (yolo, str(yolo)):
        rows = ph.read_yolo(path, names=made, images=yolo / "images", labels=str(yolo / "labels"))
        assert rows.categories == ("cat", "dog")
        assert all(type(name) is str for name in rows.categories)
    assert ph.read_yolo(yolo, names=NAMES, categories=SEVERAL[form](["dog"])).categories == ("dog",)
    numbered = {np.int64(0): "cat", np.int64(1): np.str_("dog")}
    assert ph.read_yolo(yolo, names=numbered).categories == ("cat", "dog")


@pytest.mark.parametrize("form", SEVERAL)
def test_known_names_of_voc(form, tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + bytes([60, 0, 40, 0]))
    (tmp_path / "a.xml").write_text("<annotation><filename>a.gif</filename></annotation>")
    assert ph.read_voc(tmp_path, known=SEVERAL[form](NAMES)).categories == ("cat", "dog")
    assert ph.read_voc(tmp_path, known="cat").categories == ("cat",)


def test_a_store_takes_numbers_of_numpy(tmp_path):
    images = np.zeros((2, 8, 8, 3), np.uint8)
    made = ph.Feed({"photo": images, "y": [0, 1]}, inputs={"photo": ph.Image()}, heads={"y": ph.Binary()})
    options = {"image_size": np.array([4, 4]), "quality": np.int64(90), "shard_bytes": np.int64(10**6)}
    packed = ph.pack(made, tmp_path / "a.store", encoding="jpeg", progress=False, **options)
    assert len(packed) == 2
    assert json.loads((tmp_path / "a.store" / "manifest.json").read_text())["polyhead_store"]


# Files of another kind --------------------------------------------------------------------------------


def refused(call):
    with pytest.raises(ph.PolyheadError) as error:
        call()
    return str(error.value)


def test_read_coco_of_a_folder_names_the_file_and_the_folder_of_images(tmp_path):
    for name in ("annotations", "train2017"):
        (tmp_path / name).mkdir()
    (tmp_path / "train2017" / "a.jpg").write_bytes(b"")
    file = tmp_path / "annotations" / "instances.json"
    file.write_text('{"images": [{"file_name": "a.jpg"}], "annotations": [], "categories": []}')
    images = tmp_path / "train2017"
    words = (
        f"read_coco(annotations), file {tmp_path}: expected COCO's JSON file, got a folder with {file}. Say "
        f'read_coco("{file}", "{images}"): the file, and the folder of images.'
    )
    assert refused(lambda: ph.read_coco(tmp_path)) == words
    assert refused(lambda: ph.read_coco(str(tmp_path), images)) == words
    assert refused(lambda: ph.read_coco(images)) == (
        f"read_coco(annotations), file {images}: expected COCO's JSON file, got a folder without one. For images in "
        "folders say ph.read_folder(path), for YOLO's text files ph.read_yolo(path)."
    )
    assert refused(lambda: ph.read_coco(file)) == (
        f'read_coco(images): expected the folder of images, got none. Say read_coco("{file}", "{images}").'
    )
    assert refused(lambda: ph.read_coco(3, images)) == "read_coco(annotations): expected a path, got 3."


WAYS = {
    "data.yaml": "A data YAML of YOLO is read by ph.read_yolo(path).",
    "coco.json": "A JSON file of COCO is read by ph.read_coco(path, folder_of_images).",
    "rows.csv": "A table is read by ph.read_table(path).",
    "pets.zip": "Unpack it first.",
    "a.jpg": "Give the folder that holds it.",
}


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("reader", ["read_folder", "read_voc"])
def test_a_reader_of_folders_that_gets_a_file_says_what_reads_it(reader, name, tmp_path):
    (tmp_path / name).write_bytes(b"")
    assert refused(lambda: getattr(ph, reader)(tmp_path / name)) == (
        f"{reader}(root), file {tmp_path / name}: expected a folder, got a file. {WAYS[name]}"
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "coco.json",
            b"{}",
            f"expected names, a list of the classes or {{number: name}}, got none. "
            f"{WAYS['coco.json']} Say read_yolo(names=[...]).",
        ),
        (
            "rows.csv",
            b"a,b",
            f"expected a YAML of keys, such as train and names, got 'a,b'. {WAYS['rows.csv']}",
        ),
    ],
)
def test_read_yolo_that_gets_another_file_says_what_reads_it(name, content, words, tmp_path):
    pytest.importorskip("yaml")
    (tmp_path / name).write_bytes(content)
    assert refused(lambda: ph.read_yolo(tmp_path / name)) == f"file {tmp_path / name}: {words}"


def test_a_misspelled_part_of_a_folder_and_a_store_that_is_none(tmp_path):
    (tmp_path / "images" / "train").mkdir(parents=True)
    assert refused(lambda: ph.read_yolo(tmp_path, "trian", names=["a"])) == (
        f"file {tmp_path}: expected a data YAML, or images in images/trian or trian/images, got images. Did you mean "
        "`train`? Give their folders: read_yolo(images=..., labels=...)."
    )
    (tmp_path / "rows.csv").write_text("a")
    assert refused(lambda: ph.open_store(tmp_path / "rows.csv")) == (
        f"store {tmp_path / 'rows.csv'}: expected a store, got a file. ph.pack(data, path) writes one."
    )
    assert refused(lambda: ph.open_store(tmp_path / "image")) == (
        f"store {tmp_path / 'image'}: expected a store, got no such folder. Did you mean `images`? "
        "ph.pack(data, path) writes one."
    )


def test_columns_of_bfloat16_are_numbers():
    import ml_dtypes
    import torch

    for column in (
        np.array([1.5, np.nan, 0, 2], ml_dtypes.bfloat16),
        torch.tensor([1.5, np.nan, 0, 2]).bfloat16(),
    ):
        made = ph.Feed(
            {"x": X[:, :1].astype(ml_dtypes.bfloat16), "y": column}, inputs="x", heads={"y": ph.Regression()}
        )
        x, y, weights = made.peek()
        assert x["x"].dtype == np.float32
        assert y["y"].ravel().tolist() == [1.5, 0, 0, 2]
        assert weights["y"].ravel().tolist() == [1, 0, 1, 1]


FIELDS = np.rec.fromarrays([np.arange(4.0), np.arange(4.0)], names="a,b")
COMPLEX = "Give two numbers for each: np.stack([np.real(column), np.imag(column)], axis=-1)."
PICTURE, VECTOR = ph.Image(8, 8), ph.Array()


@pytest.mark.once
def test_a_list_of_sparse_rows_says_what_to_do():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ph.DataError, match=r"Give one sparse matrix: scipy\.sparse\.vstack\(column\)\."):
        ph.Feed({"x": [sparse.csr_array(X[:1])] * 4, "y": [0, 1] * 2}, inputs="x", heads={"y": ph.Binary()})


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "column", "fix"),
    [
        (VECTOR, FIELDS, "Give its fields as columns: {name: column[name] for name in column.dtype.names}."),
        (VECTOR, X.astype(np.complex64), COMPLEX),
        (VECTOR, [[1j]] * 4, COMPLEX),
        (
            VECTOR,
            [{"a": 1.0}] * 4,
            "Give the numbers without names: [[one[key] for key in ['a']] for one in column].",
        ),
        (
            VECTOR,
            [{"a": 1.0, "label": "cat"}] * 4,
            "Give the numbers without names: [[one[key] for key in ['a']] for one in column].",
        ),
        (
            VECTOR,
            [{"boxes": np.ones((1, 4)), "labels": np.ones(1)}] * 4,
            "Give one of its parts: [one['boxes'] for one in column].",
        ),
        (
            VECTOR,
            [np.zeros(1), *np.zeros((3, 2))],
            "Pad the rows to one length: np.pad(row, (0, length - len(row))).",
        ),
        (
            VECTOR,
            [np.zeros((n, 8)) for n in (3, 4, 4, 4)],
            "Pad the rows to one length: np.pad(row, ((0, length - len(row)), (0, 0))).",
        ),
        (PICTURE, np.ones((4, 8, 8), bool), 'If True is white, give images.astype("float32").'),
        (
            PICTURE,
            np.ones((4, 90), np.uint8),
            "If these are pixels, give column.reshape(-1, height, width). If they are the bytes of files, give "
            "[row.tobytes() for row in column].",
        ),
        (PICTURE, np.ones((4, 64)), "If these are pixels, give column.reshape(-1, height, width)."),
    ],
    ids=lambda value: "" if isinstance(value, (list, np.ndarray)) else str(value)[:32],
)
def test_columns_that_are_no_numbers_or_images_say_what_to_do(kind, column, fix):
    with pytest.raises(ph.DataError) as error:
        ph.Feed({"x": column, "y": [0, 1] * 2}, inputs={"x": kind}, heads={"y": ph.Binary()})
    assert fix in str(error.value)


@pytest.mark.once
def test_columns_of_new_types():
    import ml_dtypes

    columns = {"int4": np.array([1, 0, 1, 0], ml_dtypes.int4)}
    if hasattr(pl, "Int128"):
        columns["int128"] = pl.Series([1, 0, 1, 0], dtype=pl.Int128)
    for column in columns.values():
        made = feed().on({"x": X, "y": column})
        assert made.peek()[1]["y"].ravel().tolist() == [1, 0, 1, 0]
    if not hasattr(np.dtypes, "StringDType"):
        return
    for gap in (None, np.nan):
        words = np.array(["cat", gap, "dog", "cat"], np.dtypes.StringDType(na_object=gap))
        made = ph.Feed({"x": X, "y": words}, inputs="x", heads={"y": ph.Categorical()})
        assert made.heads["y"].names == ("cat", "dog")
        assert made.peek()[2]["y"].tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("made", "name", "value", "kind"),
    [
        (ph.Binary(weight=3), "weight", 2, "Binary"),
        (ph.Array(), "fill", 0.5, "Array"),
        (ph.Flip(), "p", 0.5, "Flip"),
    ],
)
def test_a_declaration_can_not_be_changed(made, name, value, kind):
    with pytest.raises(AttributeError) as error:
        setattr(made, name, value)
    fix = f"Make another one, {kind}(..., {name}={value}), and a feed with it."
    assert str(error.value) == f"{kind}.{name} can't be changed. {fix}"
