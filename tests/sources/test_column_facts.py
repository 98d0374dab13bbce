"""What a source knows of its columns: the order of classes, which heads without classes take."""

import json

import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds.source_column import About
from polyhead.sources.column_merge import merged_facts

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
pytest.importorskip("yaml", reason="PyYAML is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")
pytestmark = pytest.mark.filterwarnings(r"ignore:.*print\(source.report\):polyhead.PolyheadWarning")

NAMES = ("zebra", "cow", "ant", "bee")  # neither sorted nor, with cow, all of them met
MET = [["zebra", "bee"], ["ant"], ["bee", "bee"]]
IDS = [[NAMES.index(name) for name in row] for row in MET]


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.new("RGB", (16, 8)).save(path)


def yolo(root, names=NAMES):
    for i, row in enumerate(MET):
        picture(root / f"images/{i}.png")
        (root / "labels").mkdir(exist_ok=True)
        lines = [f"{names.index(name)} 0.5 0.5 {0.2 + j / 10} 0.5" for j, name in enumerate(row)]
        (root / f"labels/{i}.txt").write_text("\n".join(lines))
    return ph.read_yolo(root, names=list(names))


def coco(root):
    notes = []
    for i, row in enumerate(MET):
        picture(root / f"{i}.png")
        notes += [
            {"image_id": i, "category_id": 90 - NAMES.index(name), "bbox": [1, 1, 3 + j, 3]}
            for j, name in enumerate(row)
        ]
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 8, "width": 16} for i in range(len(MET))],
        "categories": [{"id": 90 - i, "name": name} for i, name in enumerate(NAMES)],
        "annotations": notes,
    }
    (root / "a.json").write_text(json.dumps(content))
    return ph.read_coco(root / "a.json", root)


def voc(root):
    for i, row in enumerate(MET):
        picture(root / f"{i}.png")
        boxes = [
            f"<object><name>{name}</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>{5 + j}</xmax><ymax>5</ymax>"
            "</bndbox></object>"
            for j, name in enumerate(row)
        ]
        (root / f"{i}.xml").write_text(f"<annotation>{''.join(boxes)}</annotation>")
    return ph.read_voc(root, known=NAMES)


READERS = [yolo, coco, voc]
INPUTS = {"image": ph.Image(8, 16)}
HEADS = {
    "boxes": ph.Boxes(2),
    "labels": ph.Categorical(each="boxes"),
    "categories": ph.MultiLabel(),
}


def ids(feed):
    """The class ids of each row's boxes, and those of its list of classes."""
    batch = next(iter(feed.batches()))
    there = batch.weights["labels"] > 0
    boxes = [row[kept].tolist() for row, kept in zip(batch.labels["labels"], there, strict=True)]
    return boxes, [np.flatnonzero(row).tolist() for row in batch.labels["categories"]]


def feed_of(source, **more):
    return ph.Feed(source, inputs=INPUTS, heads=HEADS, batch_size=8, **more)


@pytest.mark.parametrize("reader", READERS)
def test_heads_take_the_order_of_the_source_and_all_of_its_classes(tmp_path, reader):
    source = reader(tmp_path)
    feed = feed_of(source)
    assert feed.heads["labels"].names == feed.heads["categories"].names == NAMES
    assert ids(feed) == (IDS, [sorted(set(row)) for row in IDS])
    assert ids(feed.on(source.select([2, 0])))[0] == [IDS[2], IDS[0]]


@pytest.mark.parametrize("reader", READERS)
def test_views_stores_and_combinations_keep_it(tmp_path, reader):
    (tmp_path / "data").mkdir()
    source = reader(tmp_path / "data")
    ph.pack(source, tmp_path / "rows.store", progress=False)
    ph.pack(feed_of(source), tmp_path / "feed.store", progress=False)
    one, two = source.split((2 / 3, 1 / 3), seed=1)
    views = {
        "select": source.select([1]),
        "split": two,
        "concat": one.concat(two),
        "outer": one.concat(ph.read_table({"image": [source.read([0])["image"][0]]}), join="outer"),
        "mix": source.mix(source.select([1]), weights=(1, 1)),
        "only": source.only(["image", "boxes", "labels", "categories"]),
        "store": ph.open_store(tmp_path / "rows.store"),
        "store of a feed": ph.open_store(tmp_path / "feed.store"),
    }
    for name, view in views.items():
        assert view.about("labels").classes == NAMES, name
        assert feed_of(view).heads["labels"].names == NAMES, name
    largest = ph.largest(source.select([0, 1]))
    alone = {"labels": ph.Categorical()}
    feed = ph.Feed(largest, inputs=INPUTS, heads=alone, batch_size=2)
    assert feed.heads["labels"].names == NAMES
    assert feed.peek()[1]["labels"].tolist() == [IDS[0][1], IDS[1][0]]


def test_some_categories_stay_in_order(tmp_path):
    source = yolo(tmp_path)
    assert source.about("labels") == About(NAMES)
    some = ph.read_yolo(tmp_path, names=list(NAMES), categories=["bee", "zebra"], unannotated="empty")
    assert some.about("labels").classes == ("zebra", "bee")


def test_the_user_s_own_classes_come_first(tmp_path):
    heads = {**HEADS, "labels": ph.Categorical(sorted(NAMES), each="boxes")}
    feed = ph.Feed(yolo(tmp_path), inputs=INPUTS, heads=heads, batch_size=3)
    assert feed.heads["labels"].names == tuple(sorted(NAMES))


def test_different_orders_are_an_error_where_a_head_asks_for_one(tmp_path):
    other = tuple(reversed(NAMES))
    both = yolo(tmp_path / "a").concat(yolo(tmp_path / "b", other))
    with pytest.raises(ph.DataError) as caught:
        feed_of(both)
    words = (
        "column `{0}`: expected one order of classes in all sources, ['zebra', 'cow', 'ant', 'bee'] as in source 0, "
        "got ['bee', 'ant', 'cow', 'zebra'] in source 1. Name the classes in the head, in the order that you want."
    )
    assert [str(p) for p in caught.value.problems] == [
        f"head `{name}`, {words.format(name)}" for name in ("labels", "categories")
    ]
    heads = {"boxes": ph.Boxes(2), "labels": ph.Categorical(NAMES, each="boxes")}
    feed = ph.Feed(both, inputs=INPUTS, heads=heads, batch_size=6)
    found = next(iter(feed.batches()))
    assert found.labels["labels"][:3].tolist() == found.labels["labels"][3:].tolist()
    ph.pack(both, tmp_path / "both.store", progress=False)
    assert ph.open_store(tmp_path / "both.store").about("labels") == About()


def test_an_order_that_holds_the_others_is_that_of_all():
    known = [About(("a", "c")), About(), About(("a", "b", "c"))]
    assert merged_facts("x", known).classes == ("a", "b", "c")
    known = [About(("d", "a", "c")), About(("d", "c"))]
    assert merged_facts("x", known).classes == ("d", "a", "c")
    known = [About(("a", "c")), About(("b", "c"))]  # in the order of the alphabet, as where no file has one
    assert merged_facts("x", known).classes == ("a", "b", "c")
    with pytest.raises(ph.DataError, match="the same exif= in all sources"):
        merged_facts("x", [About(exif="ignored"), About(exif="applied")])


def test_folders_of_classes_have_the_order_of_the_folders(tmp_path):
    for name in ("b/0", "a/0", "c/0"):
        picture(tmp_path / f"{name}.png")
    source = ph.read_folder(tmp_path)
    part = source.select([0, 2])
    feed = ph.Feed(part, inputs=INPUTS, heads={"label": ph.Categorical()}, batch_size=2)
    assert feed.heads["label"].names == ("a", "b", "c")
    assert feed.peek()[1]["label"].tolist() == [0, 2]


def test_rows_of_other_classes_cannot_be_appended_to_a_store(tmp_path):
    ph.pack(yolo(tmp_path / "a"), tmp_path / "rows.store", progress=False)
    other = yolo(tmp_path / "b", tuple(reversed(NAMES)))
    with pytest.raises(ph.StoreError) as caught:
        ph.pack(other, tmp_path / "rows.store", append=True, progress=False)
    assert str(caught.value.problems[0]) == (
        f"store {tmp_path / 'rows.store'}, column `labels`: expected {{'classes': ['zebra', 'cow', 'ant', 'bee']}}, "
        "as in the store, got {'classes': ['bee', 'ant', 'cow', 'zebra']}. Read the rows as those of the store "
        "were read, or write another store."
    )


def test_masks_of_single_objects_stay_binary(tmp_path):
    (tmp_path / "images").mkdir()
    picture(tmp_path / "images/0.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/0.txt").write_text("3 0.1 0.1 0.9 0.1 0.9 0.9")
    source = ph.read_yolo(tmp_path, names=list(NAMES))
    heads = {"boxes": ph.Boxes(1), "masks": ph.Mask(each="boxes")}
    feed = ph.Feed(source, inputs=INPUTS, heads=heads, batch_size=1)
    assert feed.heads["masks"].shape == (1, 8, 16, 1)
