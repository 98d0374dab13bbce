"""Each reader with one odd object, under each policy: it is read, left out and counted, or an error that says so."""

import json
import warnings

import numpy as np
import pytest

import polyhead as ph
from polyhead.readers.findings import SAY_DROP

pytestmark = pytest.mark.filterwarnings(r"ignore:.*print\(source.report\):polyhead.PolyheadWarning")

POLYGON = [4, 4, 10, 4, 10, 10]
BOX = [4, 4, 6, 6]


def gif(path, height=20, width=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GIF89a" + bytes([width, 0, height, 0]))


def coco(folder, *notes, images=None, **options):
    gif(folder / "a.gif")
    content = {
        "images": images or [{"id": 1, "file_name": "a.gif", "height": 20, "width": 30}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": list(notes),
    }
    (folder / "a.json").write_text(json.dumps(content))
    return ph.read_coco(folder / "a.json", folder, **options)


def note(number=1, **more):
    return {"id": number, "image_id": 1, "category_id": 1, "bbox": BOX, **more}


def voc(folder, *objects, head="", **options):
    gif(folder / "a.gif")
    text = f"{head}<annotation><filename>a.gif</filename>{''.join(objects)}</annotation>"
    (folder / "a.xml").write_text(text)
    return ph.read_voc(folder, **options)


def thing(more="", name="cat"):
    box = "<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>10</xmax><ymax>10</ymax></bndbox>"
    return f"<object><name>{name}</name>{more}{box}</object>"


def yolo(folder, *lines, **options):
    gif(folder / "images/a.gif")
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels/a.txt").write_text("\n".join(lines))
    return ph.read_yolo(folder, names=["cat", "dog"], **options)


GOOD = {coco: note(9), voc: thing(), yolo: "0 0.5 0.5 0.5 0.5"}

READ = {
    "a polygon that is not in a list of its own": (coco, note(segmentation=POLYGON)),
    "a polygon of pairs": (coco, note(segmentation=[[4, 4], [10, 4], [10, 10]])),
    "a list of a polygon of pairs": (coco, note(segmentation=[[[4, 4], [10, 4], [10, 10]]])),
    "an empty box beside a polygon": (coco, note(bbox=[], segmentation=[POLYGON])),
    "no box beside a polygon": (coco, note(bbox=None, segmentation=[POLYGON])),
    "iscrowd null": (coco, note(iscrowd=None)),
    "iscrowd false": (coco, note(iscrowd=False)),
    "iscrowd as 0.0": (coco, note(iscrowd=0.0)),
    "iscrowd as text": (coco, note(iscrowd="0")),
    "an image id as 1.0": (coco, note(image_id=1.0)),
    "an image id as text": (coco, note(image_id="1")),
    "a category id as 1.0": (coco, note(category_id=1.0)),
    "a category id as text": (coco, note(category_id="1")),
    "an id as 1.0": (coco, note(1.0)),
    "no id": (coco, note(None)),
    "segmentation null": (coco, note(segmentation=None)),
    "segmentation {}": (coco, note(segmentation={})),
    "run lengths of a size as 20.0": (coco, note(segmentation={"size": [20.0, 30.0], "counts": [10.0, 590]})),
    "an area that is none": (coco, note(area="large")),
    "difficult Unspecified": (voc, thing("<difficult>Unspecified</difficult>")),
    "difficult false": (voc, thing("<difficult>False</difficult>")),
    "difficult without content": (voc, thing("<difficult/>")),
    "a class as 0.0": (yolo, "0.0 0.5 0.5 0.4 0.5"),
}

LEFT_OUT = {
    "another iscrowd": (coco, note(iscrowd=7)),
    "another category": (coco, note(category_id=5)),
    "no category": (coco, note(category_id=None)),
    "a box of words": (coco, note(bbox=["a", 1, 2, 3])),
    "a box of three numbers": (coco, note(bbox=[1, 2, 3])),
    "neither box nor polygon": (coco, note(bbox=[])),
    "a box that is not finite": (coco, note(bbox=[1, 2, float("inf"), 3])),
    "another name": (voc, thing(name="cta")),
    "no name": (voc, thing(name="")),
    "no box": (voc, "<object><name>cat</name></object>"),
    "a box of a word": (voc, "<object><name>cat</name><bndbox><xmin>a</xmin></bndbox></object>"),
    "another class": (yolo, "2 0.5 0.5 0.5 0.5"),
    "a class below 0": (yolo, "-1 0.5 0.5 0.5 0.5"),
    "a class that is a word": (yolo, "cat 0.5 0.5 0.5 0.5"),
    "four numbers": (yolo, "0 0.5 0.5 0.5"),
    "pixels": (yolo, "0 15 10 15 10"),
    "not finite": (yolo, "0 nan 0.5 0.5 0.5"),
}
POLICIES = [None, "drop", "raise"]


def options_of(reader, policy):
    return {"invalid": policy, **({"known": ["cat", "dog"]} if reader is voc else {})}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("odd", READ)
def test_what_can_be_read_is_read(tmp_path, odd, policy):
    reader, one = READ[odd]
    rows = reader(tmp_path, one, GOOD[reader], **options_of(reader, policy))
    assert rows.read([0])["labels"] == [["cat", "cat"]]
    assert len(rows.read([0])["boxes"][0]) == 2
    if "polygon" in odd:
        box = rows.read([0])["boxes"][0][0]
        assert box.tolist() == [4, 4, 10, 10]
        assert rows.read([0])["masks"][0][0].to_mask().sum() > 0


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("odd", LEFT_OUT)
def test_what_cannot_be_read_is_left_out_or_an_error_as_the_reader_is_told(tmp_path, odd, policy):
    reader, one = LEFT_OUT[odd]
    options = options_of(reader, policy)
    if policy == "drop":
        rows = reader(tmp_path, one, GOOD[reader], **options)
        assert rows.read([0])["labels"] == [["cat"]]
        (problem,) = rows.report.warnings
        assert str(problem).endswith('It is left out; say invalid="raise" to make it an error.')
        with pytest.warns(ph.PolyheadWarning, match=r"left out \(1\)"):
            reader(tmp_path, one, GOOD[reader], **options)
        with pytest.raises(ph.DataError):  # an image of which nothing is left, and there is no other
            reader(tmp_path, one, **options)
        return
    with pytest.raises(ph.DataError) as caught:
        reader(tmp_path, one, GOOD[reader], **options)
    (problem,) = caught.value.problems
    assert str(problem).endswith(SAY_DROP) is (policy is None)


@pytest.mark.parametrize("reader", [coco, voc, yolo])
def test_data_of_which_most_objects_are_odd_is_refused(tmp_path, reader):
    odd = {coco: note(3, category_id=5), voc: thing(name="cta"), yolo: "2 0.5 0.5 0.5 0.5"}[reader]
    other = {coco: note(4, category_id=6), voc: thing(name="tac"), yolo: "3 0.5 0.5 0.5 0.5"}[reader]
    with pytest.raises(ph.DataError) as caught:
        reader(tmp_path, odd, other, GOOD[reader], **options_of(reader, "drop"))
    assert len(caught.value.problems) == 2
    assert "left out" not in str(caught.value)
    rows = reader(tmp_path, odd, GOOD[reader], **options_of(reader, "drop"))
    assert rows.read([0])["labels"] == [["cat"]]


def test_a_flat_polygon_is_one_place(tmp_path):
    notes = [note(i, segmentation=[*POLYGON, "x"]) for i in range(1, 51)]
    with pytest.raises(ph.DataError) as caught:
        coco(tmp_path, *notes)
    assert len(caught.value.problems) == 11
    assert "(50 in all)" in str(caught.value)


def test_objects_without_content_are_none(tmp_path):
    template = "<object><name/><bndbox><xmin/><ymin/></bndbox></object>"
    rows = voc(tmp_path, "<object/>", "<object>\n</object>", template)
    assert rows.read([0])["boxes"][0].shape == (0, 4)
    assert rows.read([0])["annotated"].tolist() == [True]
    assert "3 empty <object> skipped" in rows.report.notes


@pytest.mark.parametrize(
    "head",
    [
        "<!DOCTYPE annotation>",
        '<!DOCTYPE annotation SYSTEM "voc.dtd">',
        '<?xml version="1.0" encoding="latin-1"?><!DOCTYPE annotation>',
        "\ufeff",
    ],
)
def test_a_document_type_is_passed_over(tmp_path, head):
    assert voc(tmp_path, thing(), head=head).read([0])["labels"] == [["cat"]]


def test_sizes_however_they_are_written(tmp_path):
    for height, width in ((20.0, 30.0), ("20", "30"), (None, None)):
        images = [{"id": "1", "file_name": "a.gif", "height": height, "width": width}]
        rows = coco(tmp_path, note(), images=images)
        assert rows.read([0])["size"].tolist() == [[20, 30]]
        assert rows.read([0])["id"].tolist() == [1]


@pytest.mark.parametrize("unannotated", [None, "missing", "empty"])
@pytest.mark.parametrize("image", [480, 480.0, "480"])
@pytest.mark.parametrize("given", [480, 480.0, "480"])
def test_an_id_is_the_same_however_it_is_written(tmp_path, image, given, unannotated):
    images = [{"id": image, "file_name": "a.gif", "height": 20, "width": 30}]
    rows = coco(tmp_path, note(image_id=given), images=images, unannotated=unannotated)
    assert rows.read([0])["boxes"][0].tolist() == [[4, 4, 10, 10]]


@pytest.mark.parametrize("unannotated", [None, "missing", "empty"])
def test_annotations_of_other_images_are_an_error(tmp_path, unannotated):
    with pytest.raises(ph.DataError) as caught:
        coco(tmp_path, note(image_id="a.gif"), note(2, image_id=7), unannotated=unannotated)
    assert str(caught.value) == (
        f"file {tmp_path / 'a.json'}, image_id: expected an image_id of an image of the file (1), got none for any of "
        "2 annotations, 'a.gif' for the first. Do the annotations belong to other images?"
    )
    assert coco(tmp_path, note(image_id="a.gif"), note(2), unannotated=unannotated).read([0])["ids"][0] == [2]
    assert len(coco(tmp_path, unannotated=unannotated)) == 1


def test_which_images_somebody_looked_at(tmp_path):
    for policy, looked in (("empty", [True, True]), ("missing", [True, False])):
        for name in "ab":
            gif(tmp_path / f"{name}.gif")
        images = [{"id": i, "file_name": f"{n}.gif", "height": 20, "width": 30} for i, n in enumerate("ba")]
        rows = coco(tmp_path, note(image_id=0), images=images, unannotated=policy)
        assert rows.read(range(2))["annotated"].tolist() == looked
        gif(tmp_path / "yolo/images/b.gif")
        assert (
            yolo(tmp_path / "yolo", GOOD[yolo], unannotated=policy).read([0, 1])["annotated"].tolist()
            == looked
        )
        gif(tmp_path / "voc/b.gif")
        assert voc(tmp_path / "voc", thing(), unannotated=policy).read([0, 1])["annotated"].tolist() == looked


def test_what_else_a_coco_file_says_of_objects(tmp_path):
    notes = [
        note(1, area=36, score=0.5, attributes={"red": True, "age": "old"}),
        note(2, area=None, score=1, attributes={"age": "new"}),
        note(3),
    ]
    rows = coco(tmp_path, *notes)
    found = {name: values[0] for name, values in rows.read([0]).items()}
    np.testing.assert_array_equal(found["area"], [36, np.nan, np.nan])
    np.testing.assert_array_equal(found["score"], [0.5, 1, np.nan])
    assert found["attributes"] == [{"red": True, "age": "old"}, {"age": "new"}, None]
    assert found["attributes.red"] == [True, None, None]
    assert found["attributes.age"] == ["old", "new", None]
    heads = {
        "boxes": ph.Boxes(3),
        "area": ph.Regression(each="boxes"),
        "age": ph.Categorical(["new", "old"], column="attributes.age", each="boxes"),
        "red": ph.Binary(column="attributes.red", each="boxes"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ph.PolyheadWarning)
        feed = ph.Feed({"x": np.zeros(1), **rows.read([0])}, inputs="x", heads=heads, batch_size=1)
    _, y, w = feed.peek()
    assert y["age"].tolist() == [[1, 0, 0]]
    assert w["age"].tolist() == [[1, 1, 0]]
    assert w["area"].reshape(-1).tolist() == [1, 0, 0]
    assert w["red"].reshape(-1).tolist() == [1, 0, 0]
    store = ph.pack(rows, tmp_path / "rows.store", progress=False)
    assert store.read([0])["attributes.age"] == [["old", "new", None]]
    assert "area" not in coco(tmp_path, note()).columns


def test_what_else_a_voc_file_says_of_objects(tmp_path):
    more = "<truncated>1</truncated><occluded>0</occluded><pose>Left</pose>"
    rows = voc(tmp_path, thing(more), thing("<truncated>0</truncated><pose>Unspecified</pose>"))
    found = {name: values[0] for name, values in rows.read([0]).items()}
    assert found["truncated"] == [True, False]
    assert found["occluded"] == [False, None]
    assert found["pose"] == ["Left", None]
    assert ph.largest(rows).read([0])["pose"] == ["Left"]
    assert set(voc(tmp_path, thing()).columns) & {"truncated", "occluded", "pose"} == set()


def test_crowds_of_panoptic_segments_can_be_told_apart(tmp_path):
    gif(tmp_path / "a.gif")
    gif(tmp_path / "p/a.gif")
    parts = [{"id": i, "category_id": 1, "bbox": [i, 1, 3, 4], "area": 12, "iscrowd": i - 1} for i in (1, 2)]
    content = {
        "images": [{"id": 1, "file_name": "a.gif", "height": 20, "width": 30}],
        "categories": [{"id": 1, "name": "person", "isthing": 1}],
        "annotations": [{"image_id": 1, "file_name": "a.gif", "segments_info": parts}],
    }
    (tmp_path / "p.json").write_text(json.dumps(content))
    found = ph.read_coco(tmp_path / "p.json", tmp_path, crowds="keep").read([0])
    assert found["crowd"][0].tolist() == [False, True]
    assert found["area"][0].tolist() == [12, 12]
    rows = ph.read_coco(tmp_path / "p.json", tmp_path, crowds="skip")
    assert "crowd" not in rows.columns
    assert rows.read([0])["area"][0].tolist() == [12]


@pytest.mark.parametrize(("thing", "stuff"), [(1, 0), ("1", "0"), (True, False), (None, 0.0)])
def test_things_and_stuff_however_they_are_written(tmp_path, thing, stuff):
    gif(tmp_path / "a.gif")
    gif(tmp_path / "p/a.gif")
    parts = [{"id": i, "category_id": i, "bbox": [i, 1, 3, 4]} for i in (1, 2)]
    named = [{"id": 1, "name": "person", "isthing": thing}, {"id": 2, "name": "sky", "isthing": stuff}]
    content = {
        "images": [{"id": 1, "file_name": "a.gif", "height": 20, "width": 30}],
        "categories": named,
        "annotations": [{"image_id": 1, "file_name": "a.gif", "segments_info": parts}],
    }
    (tmp_path / "p.json").write_text(json.dumps(content))
    assert ph.read_coco(tmp_path / "p.json", tmp_path).read([0])["labels"] == [["person"]]


def test_attributes_of_names_without_end_are_one_column(tmp_path):
    notes = [note(i, attributes={f"name {i}": 1}) for i in range(201)]
    rows = coco(tmp_path, *notes)
    assert [name for name in rows.columns if name.startswith("attributes")] == ["attributes"]
    assert "201 names of attributes, too many for separate columns; see `attributes`" in rows.report.notes


JSON = {
    "deep": (b"[" * 100_000, "expected JSON, got "),
    "a deep part": (
        b'{"images": [], "annotations": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "expected JSON, got ",
    ),
    "an integer of 5,000 digits": (
        b'{"images": ' + b"9" * 5000 + b"}",
        "expected JSON, got Exceeds the limit",
    ),
    "no text": (b"\xff\xfe\xff", "expected JSON, got "),
    "NUL": (b"\0\0\0", "expected JSON, got "),
    "nothing": (b"", "expected JSON, got Expecting value"),
}


@pytest.mark.parametrize("name", JSON)
def test_json_that_is_none_is_one_error(tmp_path, name):
    content, words = JSON[name]
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ph.DataError) as caught:
        ph.read_coco(tmp_path / "a.json", tmp_path)
    assert str(caught.value).startswith(f"file {tmp_path / 'a.json'}: {words}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_in_any_unicode(tmp_path, encoding):
    coco(tmp_path, note())
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text.replace('"cat"', '"gaţo"'), encoding=encoding)
    assert ph.read_coco(tmp_path / "a.json", tmp_path).categories == ("gaţo",)


@pytest.mark.parametrize("name", ["a\0.gif", "\ud800.gif", "../a.gif", "/a.gif", 7, None, ""])
def test_names_of_files_that_are_none(tmp_path, name):
    images = [{"id": 1, "file_name": name, "height": 20, "width": 30}]
    with pytest.raises(ph.DataError) as caught:
        coco(tmp_path, note(), images=images)
    assert f"image 1: expected the name of a file under {tmp_path}, got " in str(caught.value)


@pytest.mark.parametrize(
    "size", [(10**18, 10**18), (2**31, 1), (-1, 5), (0, 0), (0.5, 1), ("a", 1), (True, 1)]
)
def test_sizes_that_are_none(tmp_path, size):
    images = [{"id": 1, "file_name": "a.gif", "height": size[0], "width": size[1]}]
    with pytest.raises(ph.DataError) as caught:
        coco(tmp_path, note(), images=images)
    assert "image 1: expected a height and width in whole pixels, got height" in str(caught.value)


def test_masks_of_a_size_that_no_memory_holds(tmp_path):
    size = (20 * 10**7, 30 * 10**7)
    runs = {"size": list(size), "counts": [size[0] * 10**7, size[0] * 10**7, size[0] * 28 * 10**7]}
    images = [{"id": 1, "file_name": "a.gif", "height": size[0], "width": size[1]}]
    found = coco(tmp_path, note(bbox=[], segmentation=runs), images=images).read([0])
    assert found["boxes"][0].tolist() == [[1, 0, 2, 20]]
    assert found["masks"][0][0].to_mask().sum(axis=0).tolist() == [0, 20, *[0] * 28]


LISTS = {
    "labels": "labels/a.txt",
    "a list of images": "list.txt",
    "names": "classes.txt",
}


@pytest.mark.parametrize("name", LISTS)
def test_text_that_is_not_utf_8(tmp_path, name):
    path = LISTS[name]
    yolo(tmp_path, "0 0.5 0.5 0.5 0.5")
    options = {"names": ["cat"]}
    if name == "a list of images":
        (tmp_path / "data.yaml").write_text("train: list.txt")
    if name == "names":
        options = {}
    (tmp_path / path).write_bytes("café".encode("latin-1"))
    with pytest.raises(ph.DataError) as caught:
        ph.read_yolo(tmp_path, **options)
    fix = " Save the file as UTF-8." if name != "labels" else ""
    where = f"file {tmp_path / path}, line 1"
    assert str(caught.value) == f"{where}: expected text in UTF-8, got the byte 0xe9.{fix}"


def test_a_list_of_voc_that_is_not_utf_8(tmp_path):
    voc(tmp_path, thing())
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    path = tmp_path / "ImageSets" / "Main" / "train.txt"
    path.write_bytes("café".encode("latin-1"))
    with pytest.raises(ph.DataError) as caught:
        ph.read_voc(tmp_path, "train")
    assert str(caught.value) == (
        f"file {path}, line 1: expected text in UTF-8, got the byte 0xe9. Save the file as UTF-8."
    )
