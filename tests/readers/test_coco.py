import json
import unicodedata

import numpy as np
import pytest

from outcomes import message
from polyhead import DataError, PolyheadWarning
from polyhead.columns.mask_values import Panoptic, Polygons, Rle
from polyhead.readers.coco import read_coco
from polyhead.readers.findings import SAY_DROP

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*print\(source.report\):polyhead.PolyheadWarning"
)  # see test_odd.py

SIZE = {"height": 40, "width": 60}
CATS = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]


def box(number, image=1, category=3, bbox=(5, 10, 20, 20), **more):
    return {"id": number, "image_id": image, "category_id": category, "bbox": list(bbox), **more}


@pytest.fixture
def data(tmp_path):
    """Writes a file for three images and reads it."""
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(b"")

    def read(annotations, *, images=None, categories=None, content=None, **options):
        images = images or [{"id": i + 1, "file_name": f"{n}.jpg", **SIZE} for i, n in enumerate("abc")]
        content = content or {
            "images": images,
            "categories": CATS if categories is None else categories,
            "annotations": annotations,
        }
        (tmp_path / "a.json").write_text(json.dumps(content))
        return read_coco(
            tmp_path / "a.json", tmp_path, **{k.removeprefix("with_"): v for k, v in options.items()}
        )

    read.root = tmp_path
    read.file = f"file {tmp_path / 'a.json'}"
    return read


def column(source, name):
    return source.read(np.arange(len(source)))[name]


def warned(source):
    return {p.code: str(p) for p in source.report.warnings}


def test_boxes_and_names(data):
    rows = data([box(1), box(2, image=3, category=7), box(3, image=1, category=7, bbox=(0.5, 0, 3, 4.25))])
    assert repr(rows) == "Images(3 rows: image, file, id, size, annotated, boxes, labels, categories, ids)"
    boxes = column(rows, "boxes")
    assert boxes[0].tolist() == [[5, 10, 25, 30], [0.5, 0, 3.5, 4.25]]
    assert boxes[0].dtype == np.float32
    assert boxes[1] is None
    assert boxes[2].shape == (1, 4)
    assert column(rows, "labels") == [["cat", "dog"], None, ["dog"]]
    assert column(rows, "ids")[0].tolist() == [1, 3]
    assert column(rows, "image") == [str(data.root / f"{n}.jpg") for n in "abc"]
    assert column(rows, "file") == ["a.jpg", "b.jpg", "c.jpg"]
    assert column(rows, "id").tolist() == [1, 2, 3]
    assert column(rows, "size").tolist() == [[40, 60]] * 3
    assert column(rows, "size").dtype == np.int32
    assert rows.categories == ("cat", "dog")
    assert rows.report.notes == (
        "3 images",
        "2 annotated",
        "1 missing: 1 without annotation",
        "0 empty",
        "0 crowds left out",
        "3 boxes of 2 categories",
    )
    assert not rows.report.problems


def test_an_image_without_annotation_may_be_an_empty_scene(data):
    rows = data([box(1)], unannotated="empty")
    assert [b.shape for b in column(rows, "boxes")] == [(1, 4), (0, 4), (0, 4)]
    assert column(rows, "labels") == [["cat"], [], []]
    assert rows.report.notes[2:4] == ("0 missing", "2 empty: 2 without annotation")


def test_some_categories(data):
    rows = data([box(1), box(2, image=2, category=7)], with_categories=["cat"])
    assert column(rows, "labels") == [
        ["cat"],
        [],
        None,
    ]  # the second image has no cat, of the third nobody knows
    assert rows.categories == ("cat",)
    assert "1 object of other categories left out" in rows.report.notes
    assert message(lambda: data([box(1)], with_categories=["cat", "dgo"])) == (
        "read_coco(categories=): expected categories of the data (cat, dog), got 'dgo'. Did you mean `dog`?"
    )


def test_crowds(data):
    given = [box(1, iscrowd=1), box(2), box(3, image=2, iscrowd=1)]
    rows = data(given)
    assert column(rows, "labels") == [["cat"], None, None]
    assert rows.report.notes[2:5] == (
        "2 missing: 1 without annotation, 1 with all annotations left out",
        "0 empty",
        "2 crowds left out",
    )
    rows = data(given, crowds="keep")
    assert [None if c is None else c.tolist() for c in column(rows, "crowd")] == [[True, False], [True], None]
    assert "2 crowds" in rows.report.notes


@pytest.mark.parametrize(("count", "found"), [(1, "it"), (2, "all 2")])
@pytest.mark.parametrize("crowds", [None, "skip"])
def test_crowds_alone_are_told_how_to_be_read(data, count, found, crowds):
    every = [box(i + 1, iscrowd=1) for i in range(count)]
    with pytest.raises(DataError) as raised:
        data(every, crowds=crowds)
    assert str(raised.value) == (
        f"{data.file}: expected at least one object that is no crowd, got an iscrowd of 1 in {found}. Say "
        'crowds="keep" to read them.'
    )
    assert len(column(data(every, crowds="keep"), "boxes")[0]) == count


def test_masks(data):
    polygon = [[1, 1, 9, 1, 9, 9, 1, 9]]
    counts = {"size": [40, 60], "counts": [0, 40, 2360]}
    rows = data(
        [
            box(1, segmentation=polygon),
            box(2, segmentation=counts),
            box(3),
            box(4, image=2, segmentation=[*polygon, [1, 2, 3, 4]]),
        ]
    )
    first, second, third = column(rows, "masks")[0]
    assert isinstance(first, Polygons)
    assert isinstance(second, Rle)
    assert third is None
    assert first.to_mask().shape == (40, 60)
    assert first.to_mask().sum() == 64
    assert second.to_mask()[:, 0].all()
    assert "3 masks, 1 object without one" in rows.report.notes
    assert warned(rows) == {
        "mask-short": f"{data.file}, annotation 4 of image 2: expected at least three corners, got 2. "
        "The polygon is left out."
    }


def test_boxes_may_come_from_masks(data):
    rows = data(
        [
            {"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9.5, 1, 9]]},
            {
                "id": 2,
                "image_id": 1,
                "category_id": 3,
                "segmentation": {"size": [40, 60], "counts": [40, 3, 2357]},
            },
        ]
    )
    assert column(rows, "boxes")[0].tolist() == [[1, 1, 9, 9.5], [1, 0, 2, 3]]
    assert "2 boxes taken from masks" in rows.report.notes


def test_corners_in_place_of_positions_and_sizes(data):
    corners = [box(i, bbox=(20 + i, 15 + i, 45 + i, 30 + i)) for i in range(1, 5)]
    with pytest.warns(PolyheadWarning, match=r"boxes that look like corners .* a size \(4\)"):
        rows = data(corners)
    assert "all boxes fit in their images as corners, x0, y0, x1, y1" in str(rows.report)
    assert "as corners" not in str(data([*corners, box(5, bbox=(20, 15, 10, 30))]).report)


@pytest.mark.parametrize(
    "more", [{"area": 200}, {"area": 150, "segmentation": [[10, 5, 30, 5, 30, 15]]}], ids=["area", "polygon"]
)
def test_corners_within_the_image_are_told_by_areas(data, more):
    with pytest.warns(PolyheadWarning, match="boxes that look like corners"):
        data([box(i, bbox=(10, 5, 30, 15), **more) for i in range(3)])
    right = (((10, 5, 20, 10), 200), ((10, 5, 30, 15), 450), ((10, 5, 30, 15), 320))
    for bbox, area in right:
        assert "as corners" not in str(data([box(i, bbox=bbox, area=area) for i in range(3)]).report)
    half_full = [box(i, bbox=(10, 5, 30, 15), area=200) for i in range(2)]
    assert "as corners" not in str(data(half_full).report)


def test_boxes_that_are_none(data):
    rows = data(
        [
            box(1, bbox=(50, 30, 20, 20)),
            box(2, bbox=(5, 5, -3, 4)),
            box(3, bbox=(5, 5, 0, 4)),
            box(4, bbox=(61, 5, 3, 4)),
            box(5, bbox=(0, 0, 60.005, 40)),
            box(6, image=2, bbox=(5, 5, 0, 4)),
        ]
    )
    assert column(rows, "boxes")[0].tolist() == [[50, 30, 60, 40], [0, 0, 60, 40]]
    assert column(rows, "boxes")[1] is None
    out = 'It is left out; say invalid="raise" to make such boxes errors.'
    image = "of an image 40 x 60 (height x width)"
    assert warned(rows) == {
        "box-negative": f"{data.file}, annotation 2 of image 1: expected a box whose right and lower edges come "
        f"last, got [5, 5, 2, 9] as xyxy {image}. {out}",
        "box-empty": f"{data.file}, annotation 6 of image 2: expected a box with a positive width and height, got "
        f"[5, 5, 5, 9] as xyxy {image}. {out}",
        "box-outside": f"{data.file}, annotation 4 of image 1: expected a box in the image, got [61, 5, 64, 9] "
        f"as xyxy {image}. {out}",
        "box-clipped": f"{data.file}, annotation 1 of image 1: expected a box within the image, got "
        f"[50, 30, 70, 50] as xyxy {image}. It is cut off at the border.",
    }
    found = message(lambda: data([box(1, bbox=(5, 5, -3, 4)), box(2, bbox=(5, 5, 0, 4))], invalid="raise"))
    assert found.startswith("2 problems:\n")
    assert "[5, 5, 2, 9]" in found


def test_data_of_which_nothing_is_left_is_an_error(data):
    found = message(lambda: data([box(1, bbox=(5, 5, -3, 4))]))
    assert (
        "the annotations: expected at least one annotation that can be used, got none of 1. See the warnings"
        in found
    )
    assert "[5, 5, 2, 9]" in found


def test_ten_thousand_mistakes_are_few_lines(data):
    rows = data([box(0), *(box(i, bbox=(5, 5, 0, 4)) for i in range(1, 10_001))])
    assert len(rows.report.problems) == 11
    assert str(rows.report.problems[-1]) == (
        "9,990 more places: expected a box with a positive width and height, got the like (10,000 in all)."
    )


POINTS = [{"id": 3, "name": "person", "keypoints": ["nose", "eye"]}]


def test_keypoints(data):
    given = [
        box(1, keypoints=[1, 2, 2, 0, 0, 0]),
        box(2, image=2, keypoints=[1.5, 2, 1, 70, 3, 2]),
        box(3, image=2),
    ]
    rows = data(given, categories=POINTS)
    points = column(rows, "keypoints")
    assert points[0].tolist() == [[[1, 2, 2], [0, 0, 0]]]
    assert points[1].shape == (2, 2, 3)
    assert points[1].dtype == np.float32
    assert points[2] is None
    assert "3 keypoints labeled, 3 not" in rows.report.notes
    assert "1 object without keypoints" in rows.report.notes
    assert warned(rows) == {
        "keypoint-outside": f"{data.file}, annotation 2 of image 2: expected keypoints in the image, "
        "got [70.0, 3.0, 2.0]. It is kept."
    }
    assert "keypoints" not in data(given, categories=POINTS, kind="instances").columns


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([1, 2, 2], "expected keypoints, 6 numbers (x, y, visibility of each), got 3 numbers."),
        ([1, 2, 3, 0, 0, 0], "expected a visibility of 0, 1 or 2, got [3.0, 0.0]."),
        (
            [1, float("nan"), 2, 0, 0, 0],
            "expected keypoints of finite numbers, got [1.0, nan, 2.0, 0.0, 0.0, 0.0].",
        ),
        (
            ["1", 2, 2, 0, 0, 0],
            "expected keypoints, 6 numbers (x, y, visibility of each), got ['1', 2, 2, 0, 0, 0].",
        ),
    ],
)
def test_what_are_no_keypoints(data, points, words):
    found = message(lambda: data([box(1, keypoints=points)], categories=POINTS))
    assert found.startswith(f"{data.file}, annotation 1 of image 1: expected")
    words = words.replace("1.0, nan, 2.0, 0.0, 0.0, 0.0", "1, nan, 2, 0, 0, 0")
    assert found.endswith(f"{words} {SAY_DROP}")
    rows = data(
        [box(1, keypoints=points), box(2, keypoints=[1, 2, 2, 0, 0, 0])], categories=POINTS, invalid="drop"
    )
    assert column(rows, "keypoints")[0].tolist() == [[[0, 0, 0], [0, 0, 0]], [[1, 2, 2], [0, 0, 0]]]
    assert len(rows.report.warnings) == 1


def test_keypoints_of_one_number_alone(data):
    more = [*POINTS, {"id": 7, "name": "hand", "keypoints": ["a", "b", "c"]}]
    given = [box(1, keypoints=[1, 2, 2, 0, 0, 0])]
    assert message(lambda: data(given, categories=more)) == (
        "the categories: expected one number of keypoints, got categories with 2 and 3. "
        "Choose with read_coco(categories=[...])."
    )
    assert data(given, categories=more, with_categories="person").categories == ("person",)
    assert message(lambda: data(given, kind="keypoints")) == (
        'the categories: expected one number of keypoints, got categories without any. Say kind="instances".'
    )


ANNOTATION = "{file}, annotation 1 of image 1: expected "


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (
            box(1, category=4),
            ANNOTATION + "the id of a category of the file (3 cat, 7 dog), got 4.",
        ),
        (box(1, bbox=(1, 2, 3)), ANNOTATION + "a bbox of four numbers (x, y, width, height), got 3 numbers."),
        (
            box(1, bbox=(1, 2, 3, "4")),
            ANNOTATION + "a bbox of four numbers (x, y, width, height), got [1, 2, 3, '4'].",
        ),
        (
            box(1, bbox=(1, 2, 3, float("nan"))),
            ANNOTATION
            + "a box of four finite numbers, got [1, 2, 4, nan] as xyxy of an image 40 x 60 (height x width).",
        ),
        (
            {"id": 1, "image_id": 1, "category_id": 3},
            ANNOTATION + "a bbox of four numbers (x, y, width, height), got None.",
        ),
        (
            box(1, segmentation=[[1, 2, 3, 4, 5]]),
            ANNOTATION
            + "polygons as lists of numbers x, y, x, y, … or run lengths with size and counts, got 5 numbers.",
        ),
        (
            box(1, segmentation="no"),
            ANNOTATION
            + "polygons as lists of numbers x, y, x, y, … or run lengths with size and counts, got 'no'.",
        ),
        (
            box(1, segmentation=[[1, 2, 3, 4, 5, float("inf")]]),
            ANNOTATION + "polygons of finite numbers, got [1, 2, 3, 4, 5, inf].",
        ),
        (
            box(1, segmentation={"size": [40, 60], "counts": [1, 2]}),
            ANNOTATION
            + "run lengths, lengths of at least 0 that add up to 40 x 60 = 2400, got a sum of 3.",
        ),
        (
            box(1, segmentation={"size": [60, 40], "counts": [2400]}),
            ANNOTATION
            + "run lengths of the size (height, width) of the image, got (60, 40) in an image of (40, 60).",
        ),
        (box(1, iscrowd="no"), ANNOTATION + "an iscrowd of 0 or 1, got 'no'."),
        (7, "{file}, annotation 0: expected an object, got 7."),
        (
            {"id": [1], "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]},
            "{file}, an annotation without id of image 1: expected an id, a whole number, got [1].",
        ),
    ],
)  # fmt: skip
def test_annotations_that_cannot_be_used(data, annotation, words):
    words = words.replace("{file}", data.file)
    if annotation == 7 or annotation["id"] == [1]:  # no object, and none that can be told from others
        assert message(lambda: data([annotation])) == words
        return
    assert message(lambda: data([annotation])) == f"{words} {SAY_DROP}"
    assert message(lambda: data([annotation], invalid="raise")) == words
    rows = data([annotation, box(2), box(3)], invalid="drop")
    assert column(rows, "ids")[0].tolist()[-2:] == [2, 3]
    assert [str(p) for p in rows.report.warnings] == [
        f'{words} It is left out; say invalid="raise" to make it an error.'
    ]


def test_mistakes_come_all_at_once(data):
    found = message(lambda: data([box(1), box(1), box(2, category=9), box(3, category=8)]))
    assert found.splitlines()[0] == "3 problems:"
    assert (
        "annotation 1 of image 1: expected a unique id for each annotation, got the id of one before."
        in found
    )


def test_mistakes_of_images_and_annotations_come_at_once(data):
    images = [{"id": 1, "file_name": "gone.jpg", **SIZE}, {"id": 2, "file_name": "b.jpg", **SIZE}]
    given = [box(1, image=1), box(2, image=2, category=9), box(3, image=2, bbox=(1, 2, 3))]
    found = message(lambda: data(given, images=images, with_categories=["cow"]))
    assert found.startswith("3 problems:")
    for words in ("gone.jpg", "got 9.", "got 'cow'."):
        assert words in found


def test_annotations_without_image_are_counted(data):
    rows = data([box(1), box(2, image=9), box(3, image="x")])
    assert [str(p) for p in rows.report.warnings] == [
        f"{data.file}, annotation 2 of image 9: expected the id of an image of the file, got 9.",
        f"{data.file}, annotation 3 of image 'x': expected the id of an image of the file, got 'x'.",
    ]
    assert "2 annotations without image left out" in rows.report.notes


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ({"id": 1, "file_name": "../a.jpg"}, "'../a.jpg', which leads out of it."),
        ({"id": 1, "file_name": "x/..\\a.jpg"}, "'x/..\\\\a.jpg', which leads out of it."),
        ({"id": 1, "file_name": "/etc/a.jpg"}, "the absolute path '/etc/a.jpg'."),
        ({"id": 1, "file_name": "C:\\a.jpg"}, "the absolute path 'C:\\\\a.jpg'."),
        ({"id": 1, "file_name": 5}, "got 5."),
        ({"id": 1, "file_name": "a\0.jpg"}, "got 'a\\x00.jpg'."),
        ({"id": 1}, "got None."),
    ],
)
def test_names_that_leave_the_folder(data, image, words):
    found = message(lambda: data([], images=[{**image, **SIZE}]))
    assert found.startswith(f"{data.file}, image 1: expected the name of a file under {data.root}, got ")
    assert words in found
    assert found.endswith(" Name files relative to their folder.")


def test_links_that_leave_the_folder(data, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "x.jpg").write_bytes(b"")
    (data.root / "x.jpg").symlink_to(other / "x.jpg")
    (data.root / "sub").symlink_to(other)
    (data.root / "in.jpg").symlink_to(data.root / "a.jpg")
    images = [{"id": i, "file_name": n, **SIZE} for i, n in enumerate(["x.jpg", "sub/x.jpg", "in.jpg"])]
    found = message(lambda: data([box(1, image=2)], images=images))
    assert found.startswith("2 problems:")
    assert f"got 'x.jpg', a link to {other / 'x.jpg'}, which lies outside." in found
    assert len(data([box(1, image=2)], images=images[2:])) == 1


@pytest.mark.parametrize("missing_files", ["raise", "drop"])
def test_a_folder_without_any_of_the_images(data, missing_files):
    (data.root / "photos" / "train").mkdir(parents=True)
    (data.root / "photos" / "train" / "new.jpg").write_bytes((data.root / "a.jpg").read_bytes())
    images = [{"id": i, "file_name": n, **SIZE} for i, n in enumerate(["train/new.jpg", "train/gone.jpg"])]

    def said():
        return message(lambda: data([], images=images, missing_files=missing_files))

    start = f"file {data.root}: expected the images of {data.file}, got none of 2 names, such as "
    assert said() == f"{start}'train/new.jpg'. Say images=\"{data.root / 'photos'}\"."
    images.reverse()
    assert said() == f"{start}'train/gone.jpg'. Give the folder below which they are."


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_letters_of_their_own(data, forms):
    disk, file = (unicodedata.normalize(form, "été.jpg") for form in forms)
    (data.root / disk).write_bytes(b"")
    rows = data([box(1)], images=[{"id": 1, "file_name": file, **SIZE}])
    assert column(rows, "image") == [str(data.root / disk)]
    (data.root / file).write_bytes(b"")  # both are there: the name as it is written
    rows = data([box(1)], images=[{"id": 1, "file_name": file, **SIZE}])
    assert column(rows, "image") == [str(data.root / file)]


def test_a_name_in_capital_letters_is_told(data):
    images = [{"id": 1, "file_name": "A.JPG", **SIZE}]
    with pytest.raises(DataError, match=r"such as 'A.JPG'. Did you mean `a.jpg`\?"):
        data([box(1)], images=images)
    with pytest.raises(DataError, match=r"got none. Did you mean `a.jpg`\? Say missing_files"):
        data([box(1)], images=[*images, {"id": 2, "file_name": "b.jpg", **SIZE}])


def test_files_that_are_not_there(data):
    images = [{"id": 1, "file_name": "a.jpg", **SIZE}, {"id": 2, "file_name": "gone.jpg", **SIZE}]
    where = f"{data.file}, image 2, file {data.root / 'gone.jpg'}: expected a file at this path, got none."
    assert message(lambda: data([box(1), box(2, image=2)], images=images)) == (
        f'{where} Say missing_files="drop" to leave such images out.'
    )
    rows = data([box(1), box(2, image=2)], images=images, missing_files="drop")
    assert len(rows) == 1
    assert warned(rows) == {"no-file": where}
    assert "1 image left out, as the file does not exist or cannot be read" in rows.report.notes


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([{"id": 1, "file_name": "a.jpg", **SIZE}, {"id": 1, "file_name": "b.jpg", **SIZE}],
         "image 1: expected a unique id for each image, got the id of one before."),
        ([{"file_name": "a.jpg", **SIZE}], "image at position 0: expected an id, a whole number, got None."),
        ([{"id": 1, "file_name": "a.jpg", "height": 0, "width": 5}],
         "image 1: expected a height and width in whole pixels, got height 0, width 5."),
        ([5], "image 0: expected an object, got 5."),
    ],
)  # fmt: skip
def test_images_that_cannot_be_used(data, images, words):
    assert message(lambda: data([], images=images)) == f"{data.file}, {words}"


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        ([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}],
         "category 1: expected a unique id for each category, got one that is taken."),
        ([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}],
         "category 2: expected a unique name for each category, got 'a'. Rename one of them."),
        ([{"id": "x", "name": "a"}],
         "category 'x': expected an id, a whole number of at least 0, and a name, got id 'x', name 'a'."),
    ],
)  # fmt: skip
def test_categories_that_cannot_be_used(data, categories, words):
    assert message(lambda: data([], categories=categories)) == f"{data.file}, {words}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "{",
            "expected JSON, got Expecting property name enclosed in double quotes: line 1 column 2 (char 1).",
        ),
        ("[]", "got a list. A list of results has no images; give the annotations that they belong to."),
        ('{"images": [], "annotations": {}}', "got annotations: {}, categories: absent."),
        ('{"images": [], "annotations": [], "categories": []}', "expected at least one image, got none."),
    ],
)
def test_files_of_another_form(tmp_path, content, words):
    (tmp_path / "a.json").write_text(content)
    found = message(lambda: read_coco(tmp_path / "a.json", tmp_path))
    assert found.startswith(f"file {tmp_path / 'a.json'}: expected ")
    assert found.endswith(words)


def test_paths_that_are_not_there(data):
    data([box(1)])
    assert message(lambda: read_coco(data.root / "b.json", data.root)) == (
        f"file {data.root / 'b.json'}: expected COCO's JSON file, got No such file or directory. "
        "Did you mean `a.json`?"
    )
    assert message(lambda: read_coco(data.root / "a.json", data.root / "images")) == (
        f"read_coco(images), file {data.root / 'images'}: expected a folder, got nothing at this path."
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crowds": "no"}, 'read_coco(crowds=): expected "skip" or "keep", got \'no\'.'),
        (
            {"kind": "boxes"},
            'read_coco(kind=): expected "instances" or "keypoints" or "panoptic", got \'boxes\'.',
        ),
        ({"unannotated": 0}, 'read_coco(unannotated=): expected "missing" or "empty", got 0.'),
        ({"exif": "shown"}, 'read_coco(exif=): expected "applied" or "ignored", got \'shown\'.'),
    ],
)
def test_options(data, options, words):
    assert message(lambda: data([], **options)) == words


def test_sizes_are_read_from_the_image_where_the_file_has_none(data):
    (data.root / "a.jpg").write_bytes(b"GIF89a" + bytes([60, 0, 40, 0]))
    rows = data([box(1)], images=[{"id": 1, "file_name": "a.jpg"}])
    assert column(rows, "size").tolist() == [[40, 60]]


def test_the_size_of_a_format_that_only_pillow_reads(data):
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (60, 40)).save(data.root / "a.tga")
    assert column(data([box(1)], images=[{"id": 1, "file_name": "a.tga"}]), "size").tolist() == [[40, 60]]


def test_verify_opens_every_image(data):
    for name, size in zip("abc", [(40, 60), (60, 40), (41, 60)], strict=True):
        (data.root / f"{name}.jpg").write_bytes(b"GIF89a" + bytes([size[1], 0, size[0], 0]))
    expected = "expected the size (height x width) in the annotation, got"
    assert message(lambda: data([box(1)], verify=True)) == (
        f"file {data.root / 'b.jpg'}: {expected} 60 x 40 in the image, 40 x 60 in the annotation. "
        'Height and width may be swapped in the annotation; correct them there. Say missing_files="drop" to '
        "leave such images out."
    )
    rows = data([box(1)], verify=True, missing_files="drop")
    assert {p.code: str(p) for p in rows.report.warnings}["resized"] == (
        f"file {data.root / 'c.jpg'}: {expected} 41 x 60 in the image, 40 x 60 in the annotation. "
        "Its annotations are scaled accordingly."
    )
    (data.root / "b.jpg").write_bytes(b"broken")
    assert message(lambda: data([box(1)], verify=True)).startswith(
        f"file {data.root / 'b.jpg'}: expected an image (JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF, JPEG 2000, PGM, "
        "PPM or PFM), got 6 bytes that"
    )
    assert len(data([box(1)], verify=True, missing_files="drop")) == 2


@pytest.fixture
def panoptic(data):
    (data.root / "a").mkdir()
    for name in "abc":
        (data.root / "a" / f"{name}.png").write_bytes(b"")
    things = [{"id": 3, "name": "cat", "isthing": 1}, {"id": 9, "name": "sky", "isthing": 0}]

    def read(annotations, **options):
        return data(annotations, categories=things, **options)

    read.file, read.root = data.file, data.root
    return read


def segments(image, *parts):
    listed = [{"id": i, "category_id": c, "bbox": [0, 0, 5, 5], "iscrowd": 0} for i, c in parts]
    return {"image_id": image, "file_name": f"{'abc'[image - 1]}.png", "segments_info": listed}


def test_panoptic(panoptic):
    rows = panoptic([segments(1, (256, 3), (7, 9)), segments(3, (5, 9))])
    columns = (
        "image",
        "file",
        "id",
        "size",
        "panoptic",
        "annotated",
        "boxes",
        "labels",
        "categories",
        "masks",
    )
    assert rows.columns == columns
    masks = column(rows, "masks")
    assert [None if found is None else [mask.number for mask in found] for found in masks] == [
        [256],
        None,
        [],
    ]
    assert masks[0][0].of is column(rows, "panoptic")[0]
    colors = np.zeros((40, 60, 3), np.uint8)
    colors[:10, :, 1], colors[10:20, :, 0] = 1, 7
    drawn = masks[0][0].to_mask(colors)
    assert (drawn[:10] == 1).all()
    assert (drawn[10:20] == 0).all()
    assert (drawn[20:] == -1).all()
    with pytest.raises(
        DataError, match=r"a.png: the PNG has no pixels of segment 256, which the annotation lists"
    ):
        masks[0][0].to_mask(np.zeros((40, 60, 3), np.uint8))
    first, second, third = column(rows, "panoptic")
    assert isinstance(first, Panoptic)
    assert (first.path, first.size, first.classes) == (
        str(panoptic.root / "a" / "a.png"),
        (40, 60),
        {256: 3, 7: 9},
    )
    assert second is None
    assert third.classes == {5: 9}
    assert column(rows, "labels") == [["cat"], None, []]
    assert column(rows, "boxes")[2].shape == (0, 4)
    assert rows.report.notes == (
        "3 images",
        "1 annotated",
        "1 missing: 1 without annotation",
        "1 empty",
        "2 panoptic masks of 3 segments",
        "2 of them stuff, without boxes",
        "0 crowds left out",
    )
    some = panoptic([segments(1, (256, 3), (7, 9))], with_categories=["sky"])
    assert column(some, "panoptic")[0].classes == {256: -1, 7: 9}


def test_panoptic_mistakes(panoptic):
    where = f"{panoptic.file}, an annotation without id of image 1"
    assert message(lambda: panoptic([segments(1, (1, 4))])).startswith(
        f"{panoptic.file}, segment 1 of image 1: expected the id of a category of the file (3 cat, 9 sky), got 4"
    )
    broken = segments(1, (1, 3))
    broken["segments_info"][0]["bbox"] = [0, 0, 5]
    assert message(lambda: panoptic([broken])).startswith(
        f"{panoptic.file}, segment 1 of image 1: expected a bbox of four numbers (x, y, width, height), got 3 numbers"
    )
    assert message(lambda: panoptic([segments(1, (1, 3), (1, 3))])) == (
        f"{where}: expected a unique id for each segment, got one that is taken."
    )
    assert message(lambda: panoptic([segments(1, (0, 3))])).startswith(
        f"{where}: expected segments_info, a list of segments with ids from 1 to 16777215, got "
    )
    assert message(lambda: panoptic([segments(1, (1, 3)), segments(1, (2, 3))])) == (
        f"{where}: expected one panoptic annotation an image, got a second one."
    )
    (panoptic.root / "a" / "a.png").unlink()
    given = [segments(1, (1, 3)), segments(2, (1, 3))]
    assert message(lambda: panoptic(given)) == (
        f"{where}, file {panoptic.root / 'a' / 'a.png'}: expected a file at this path, got none. "
        'Say missing_files="drop" to leave such panoptic masks out.'
    )
    rows = panoptic(given, missing_files="drop")
    assert column(rows, "panoptic")[0] is None
    assert column(rows, "boxes")[0] is None
    assert len(column(rows, "boxes")[1]) == 1
    assert message(lambda: panoptic(given, segments=panoptic.root / "b")).startswith(
        f"read_coco(segments=), file {panoptic.root / 'b'}: expected a folder, got nothing at this path."
    )


def test_views(data):
    rows = data([box(i, image=i % 3 + 1, category=[3, 7][i % 2]) for i in range(5)])
    parts = rows.split((2 / 3, 1 / 3), stratify="labels", seed=1)
    assert sorted(name for part in parts for name in column(part, "file")) == ["a.jpg", "b.jpg", "c.jpg"]
    both = rows.concat(data([box(1)]))
    assert column(both, "labels")[3:] == [["cat"], None, None]
    mixed = rows.mix(data([box(1)]), weights=(1, 1))
    assert len(column(mixed, "boxes")) == 6
    assert len(column(rows.select(lambda c: np.array([v is not None for v in c["boxes"]])), "ids")) == 3
    assert rows.only(["boxes"]).columns == ("boxes",)
