import os
import sys

import numpy as np
import pytest

from outcomes import message
from polyhead import Boxes, Feed, Image, Keypoints, PolyheadError, PolyheadWarning, open_store, pack
from polyhead.columns.mask_values import Polygons
from polyhead.readers.findings import SAY_DROP
from polyhead.readers.yolo import read_yolo

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*print\(source.report\):polyhead.PolyheadWarning"
)  # see test_odd.py

NAMES = ["cat", "dog", "cow"]


def gif(height, width):
    """A picture as far as its size goes."""
    return b"GIF89a" + bytes([width, 0, height, 0])


def column(source, name):
    return source.read(np.arange(len(source)))[name]


@pytest.fixture
def data(tmp_path):
    """Writes label files beside as many images of 40 x 60 and reads them."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()

    def read(*texts, **options):
        for name, text in zip("abcdefgh", texts, strict=False):
            (tmp_path / "images" / f"{name}.gif").write_bytes(gif(40, 60))
            if text is not None:
                (tmp_path / "labels" / f"{name}.txt").write_text(text)
        if not (tmp_path / "data.yaml").exists():
            options = {"names": NAMES, **options}
        return read_yolo(tmp_path, **options)

    read.root = tmp_path
    return read


def test_label_files_whose_accents_are_letters_of_their_own(data):
    (data.root / "images" / "\u00e9.gif").write_bytes(gif(40, 60))
    (data.root / "labels" / "e\u0301.txt").write_text("2 0.5 0.5 1 1")
    assert column(data("0 0.5 0.5 1 1"), "labels") == [["cat"], ["cow"]]


def test_boxes(data):
    rows = data("1 0.5 0.5 0.5 0.5\n0 0.25 0.25 0.1 0.1\n", "", None, "2 0.5 0.5 1 1")
    assert repr(rows) == "Images(4 rows: image, file, size, annotated, boxes, labels, categories)"
    boxes = column(rows, "boxes")
    np.testing.assert_allclose(boxes[0], [[15, 10, 45, 30], [12, 8, 18, 12]], rtol=1e-6)
    assert boxes[0].dtype == np.float32
    assert boxes[1].shape == (0, 4)
    assert boxes[2] is None
    assert column(rows, "labels") == [["dog", "cat"], [], None, ["cow"]]
    assert column(rows, "size").tolist() == [[40, 60]] * 4
    assert column(rows, "file") == ["images/a.gif", "images/b.gif", "images/c.gif", "images/d.gif"]
    assert column(rows, "image")[0] == str(data.root / "images" / "a.gif")
    assert rows.categories == ("cat", "dog", "cow")
    assert rows.report.notes == (
        "4 images",
        "2 annotated",
        "1 missing: 1 without annotation",
        "1 empty",
        "3 boxes of 3 categories",
    )
    assert not rows.report.problems


def test_an_image_without_label_file_may_be_an_empty_scene(data):
    rows = data("1 0.5 0.5 0.5 0.5", None, unannotated="empty")
    assert column(rows, "labels") == [["dog"], []]
    assert rows.report.notes[2:4] == ("0 missing", "1 empty: 1 without annotation")


def test_polygons(data):
    rows = data("0 0 0 0.5 0 0.5 0.5 0 0.5\n1 0.5 0.5 0.5 0.5", "2 0.5 0.5 0.5 0.5")
    mask, none = column(rows, "masks")[0]
    assert isinstance(mask, Polygons)
    assert mask.to_mask().shape == (40, 60)
    assert mask.to_mask()[:20, :30].all()
    assert mask.to_mask().sum() == 600
    assert none is None
    assert column(rows, "masks")[1] == [None]
    assert column(rows, "boxes")[0].tolist() == [[0, 0, 30, 20], [15, 10, 45, 30]]
    assert rows.report.notes[-1] == "1 of them around polygons"


def test_some_categories(data):
    rows = data("1 0.5 0.5 0.5 0.5\n0 0.5 0.5 0.5 0.5", "1 0.5 0.5 0.5 0.5", categories=["cat"])
    assert column(rows, "labels") == [["cat"], []]
    assert rows.categories == ("cat",)
    assert "2 objects of other categories left out" in rows.report.notes
    assert message(lambda: data("", categories=["cta"])) == (
        "read_yolo(categories=): expected categories of the data (cat, dog, cow), got 'cta'. Did you mean `cat`?"
    )


def test_boxes_that_are_none(data):
    rows = data(
        "0 1 0.5 0.5 0.5\n0 0.5 0.5 0 0.1\n0 0.5 0.5 -0.1 0.1\n1 1.5 0.5 0.1 0.1\n", "1 0.5 0.5 0 0.5"
    )
    assert column(rows, "boxes")[0].tolist() == [[45, 10, 60, 30]]
    assert column(rows, "boxes")[1] is None
    file = f"file {data.root / 'labels' / 'a.txt'}"
    found = {p.code: str(p) for p in rows.report.warnings[::-1]}
    assert set(found) == {"box-clipped", "box-empty", "box-negative", "box-outside"}
    assert found["box-clipped"].startswith(
        f"{file}, line 1: expected a box within the image, got [45, 10, 75, 30] as xyxy"
    )
    assert found["box-empty"].startswith(
        f"{file}, line 2: expected a box with a positive width and height, got [30, 18,"
    )
    assert "1 missing: 1 with all annotations left out" in rows.report.notes
    assert message(lambda: data("0 0.5 0.5 0 0.1", invalid="raise")).startswith("2 problems:")


def test_lines_that_stand_twice_count_once(data):
    rows = data("0 0.5 0.5 0.5 0.5\n0 0.5 0.5 0.5 0.5\n\n")
    assert column(rows, "labels") == [["cat"]]
    (problem,) = rows.report.warnings
    assert str(problem) == (
        f"file {data.root / 'labels' / 'a.txt'}, line 2: expected each object once, got the line of one before."
    )
    assert "1 duplicate lines left out" in rows.report.notes


FIELDS = "expected 5 numbers (a class and a box), or a class and the x, y of at least three corners, got "


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.5", FIELDS + "4 numbers."),
        (
            "0 0.5 0.5 0.5 0.5 0.9",
            FIELDS + "6 numbers. The sixth may be a confidence, which labels don't have.",
        ),
        ("0 1 1 1 1 1 1 1", FIELDS + "8 numbers."),
        (
            "0 0.5 0.5 0.2 0.2 0.5 0.5 2 0 0 0",
            FIELDS + "11 numbers. These look like keypoints: write kpt_shape: [2, 3] into the data YAML.",
        ),
        ("0", FIELDS + "1 number."),
        ("0 0.5 x 0.5 0.5", "expected numbers separated by spaces, got 'x'."),
        ("0,0.5,0.5,0.5,0.5", "expected numbers separated by spaces, got '0,0.5,0.5,0.5,0.5'."),
        ("0 0.5 nan 0.5 0.5", "expected finite numbers, got 'nan'."),
        ("0 0.5 0.5 inf 0.5", "expected finite numbers, got 'inf'."),
        ("3 0.5 0.5 0.5 0.5", "expected a class of the data set (0 cat, 1 dog, 2 cow), got 3."),
        ("0.5 0.5 0.5 0.5 0.5", "expected a class of the data set (0 cat, 1 dog, 2 cow), got 0.5."),
        (
            "0 30 20 15 10",
            "expected fractions of the image's size, from 0 to 1, got 30. "
            "These look like pixels; divide them by the width and height of the image.",
        ),
    ],
)
def test_lines_that_cannot_be_used(data, line, words):
    where = f"file {data.root / 'labels' / 'a.txt'}, line 2: "
    assert message(lambda: data("0 0.5 0.5 0.5 0.5\n" + line)) == f"{where}{words} {SAY_DROP}"
    assert message(lambda: data("0 0.5 0.5 0.5 0.5\n" + line, invalid="raise")) == where + words
    rows = data(f"0 0.5 0.5 0.5 0.5\n{line}", invalid="drop")
    assert column(rows, "labels") == [["cat"]]
    assert [str(p) for p in rows.report.warnings] == [
        f'{where}{words} It is left out; say invalid="raise" to make it an error.'
    ]
    most = message(lambda: data(f"0 0.5 0.5 0.5 0.5\n{line}\n5", invalid="drop"))
    assert f"{where}{words}\n" in f"{most}\n"


def test_mistakes_come_all_at_once(data):
    found = message(lambda: data("0 0.5", *["5 0.5 0.5 0.5 0.5\n6 0.5 0.5 0.5 0.5\n"] * 7))
    assert found.splitlines()[0] == "12 problems:"
    assert (
        "4 more places: expected a class of the data set (0 cat, 1 dog, 2 cow), got the like (14 in all)."
        in found
    )


def test_files_that_are_no_text(data):
    data("")
    (data.root / "labels" / "a.txt").write_bytes(b"\xff\xfe\x00")
    assert message(lambda: data()) == (
        f"file {data.root / 'labels' / 'a.txt'}, line 1: expected text in UTF-8, got the byte 0xff."
    )


def test_labels_without_image_are_counted(data):
    (data.root / "labels" / "z.txt").write_text("")
    (data.root / "labels" / "classes.txt").write_text("")
    rows = data("0 0.5 0.5 0.5 0.5")
    assert [str(p) for p in rows.report.warnings] == [
        f"file {data.root / 'labels' / 'z.txt'}: expected an image of this name, got none."
    ]
    assert "1 label file without image" in rows.report.notes


def test_images_that_cannot_be_read(data):
    data("0 0.5 0.5 0.5 0.5")
    (data.root / "images" / "b.jpg").write_bytes(b"")
    where = f"file {data.root / 'images' / 'b.jpg'}"
    assert message(data) == (
        f'{where}: expected an image, got no bytes. Say missing_files="drop" to leave such images out.'
    )
    rows = data(missing_files="drop")
    assert len(rows) == 1
    assert "1 image left out, as the file does not exist or cannot be read" in rows.report.notes


def test_no_labels_at_all(data):
    assert message(lambda: data(None, None)) == (
        f"file {data.root / 'labels'}: expected at least one label file, got none for any image. "
        "Say read_yolo(labels=...), the folder of the label files."
    )


def test_links_that_leave_the_root(data, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "x.txt").write_text("0 0.5 0.5 0.5 0.5")
    (other / "x.gif").write_bytes(gif(40, 60))
    data("")
    (data.root / "labels" / "a.txt").unlink()
    (data.root / "labels" / "a.txt").symlink_to(other / "x.txt")
    (data.root / "images" / "y.gif").symlink_to(other / "x.gif")
    found = message(data)
    assert found.startswith("2 problems:")
    assert f"got 'labels/a.txt', a link to {other / 'x.txt'}, which lies outside." in found
    assert f"got 'y.gif', a link to {other / 'x.gif'}, which lies outside." in found


def test_two_images_of_one_name(data):
    data("")
    (data.root / "images" / "a.png").write_bytes(gif(4, 4))
    assert message(data) == (
        f"file {data.root / 'images' / 'a.png'}: expected unique names of images, without their extensions, "
        f"got the label file {data.root / 'labels' / 'a.txt'} twice."
    )


def test_names_from_a_file(data):
    (data.root / "classes.txt").write_text("cat\ndog\n\n")
    (data.root / "images" / "a.gif").write_bytes(gif(40, 60))
    (data.root / "labels" / "a.txt").write_text("1 0.5 0.5 0.5 0.5")
    assert column(read_yolo(data.root), "labels") == [["dog"]]
    (data.root / "classes.txt").unlink()
    assert message(lambda: read_yolo(data.root)) == (
        f"file {data.root}: expected names, a list of the classes or {{number: name}}, got none. "
        "Say read_yolo(names=[...]), or put them into a classes.txt."
    )


@pytest.mark.parametrize("folder", ["images/val", "val/images"])
def test_folders_of_a_split(tmp_path, folder):
    (tmp_path / folder / "deep").mkdir(parents=True)
    (tmp_path / folder / "deep" / "a.gif").write_bytes(gif(40, 60))
    labels = tmp_path / folder.replace("images", "labels") / "deep"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text("0 0.5 0.5 0.5 0.5")
    rows = read_yolo(tmp_path, "val", names=NAMES)
    assert column(rows, "labels") == [["cat"]]
    there = "images, labels" if folder == "images/val" else "val"
    assert message(lambda: read_yolo(tmp_path, "test", names=NAMES)) == (
        f"file {tmp_path}: expected a data YAML, or images in images/test or test/images, got "
        f"{there}. Give their folders: read_yolo(images=..., labels=...)."
    )


def test_a_set_without_parts_is_not_taken_for_two(data):
    assert len(data("")) == 1
    assert message(lambda: data("", split="val")).endswith(
        "images in images/val or val/images, got images, labels. Give their folders: read_yolo(images=..., labels=...)."
    )


def test_paths_that_are_not_there(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a]")
    pytest.importorskip("yaml")
    assert message(lambda: read_yolo(tmp_path / "date.yaml")) == (
        f"file {tmp_path / 'date.yaml'}: expected a data YAML, or a folder, got No such file or directory. "
        "Did you mean `data.yaml`?"
    )
    assert message(lambda: read_yolo(None)) == (
        "read_yolo(data): expected the path of a data YAML or of a folder, got None."
    )


class TestYaml:
    @pytest.fixture(autouse=True)
    def needs_yaml(self):
        pytest.importorskip("yaml", reason="PyYAML is not installed")

    @pytest.fixture
    def written(self, data):
        def read(text, *texts, split="train", **options):
            (data.root / "data.yaml").write_text(text)
            texts = texts or ("1 0.5 0.5 0.5 0.5",)
            for name, label in zip("ab", texts, strict=False):
                (data.root / "images" / f"{name}.gif").write_bytes(gif(40, 60))
                (data.root / "labels" / f"{name}.txt").write_text(label)
            return read_yolo(data.root / "data.yaml", split, **options)

        read.root, read.file = data.root, f"file {data.root / 'data.yaml'}"
        return read

    @pytest.mark.parametrize(
        "text",
        [
            "path: .\ntrain: images\nnames: [cat, dog]\nnc: 2",
            "train: images\nnames:\n  0: cat\n  1: dog\n",
            "train: [images]\nnames: {0: cat, 1: dog}",
        ],
    )
    def test_forms(self, written, text):
        rows = written(text)
        assert column(rows, "labels") == [["dog"]]
        assert column(rows, "file") == ["images/a.gif"]

    def test_a_label_file_without_image_is_counted_once(self, written):
        (written.root / "more").mkdir()
        (written.root / "more" / "b.gif").write_bytes(gif(40, 60))
        (written.root / "labels" / "gone.txt").write_text("")
        rows = written(
            "train: [images, more]\nnames: [cat, dog]", labels=written.root / "labels", unannotated="empty"
        )
        assert "1 label file without image" in rows.report.notes

    def test_a_folder_with_its_yaml(self, data):
        (data.root / "data.yaml").write_text("train: images\nnames: [cat, dog]")
        assert column(data("1 0.5 0.5 0.5 0.5"), "labels") == [["dog"]]
        (data.root / "data.yaml").rename(data.root / "x.yaml")
        assert column(read_yolo(data.root), "labels") == [["dog"]]
        (data.root / "y.yaml").write_text("")
        assert message(lambda: read_yolo(data.root)) == (
            f"file {data.root}: expected one data YAML, got x.yaml, y.yaml. Choose one: read_yolo(folder / name)."
        )

    def test_a_list_of_images(self, written):
        (written.root / "train.txt").write_text("./images/a.gif\n\nimages/b.gif\n")
        rows = written("train: train.txt\nnames: [cat, dog]", "1 0.5 0.5 0.5 0.5", "0 0.5 0.5 0.5 0.5")
        assert column(rows, "labels") == [["dog"], ["cat"]]
        (written.root / "train.txt").write_text("images/a.gif\nimages/c.gif\n../d.gif\n")
        found = message(lambda: written("train: train.txt\nnames: [cat, dog]"))
        assert f"file {written.root / 'train.txt'}, line 3: expected the name of a file under" in found
        (written.root / "train.txt").write_text("images/a.gif\nimages/c.gif\n")
        found = message(lambda: written("train: train.txt\nnames: [cat, dog]"))
        assert f"file {written.root / 'images' / 'c.gif'}: expected a file at this path, got none." in found

    def test_keypoints(self, written):
        text = "train: images\nnames: [cat]\nkpt_shape: [2, 3]"
        rows = written(text, "0 0.5 0.5 0.5 0.5 0.5 0.5 2 0 0 0", "")
        assert column(rows, "keypoints")[0].tolist() == [[[30, 20, 2], [0, 0, 0]]]
        assert column(rows, "keypoints")[1].shape == (0, 2, 3)
        assert "1 keypoint labeled, 1 not" in rows.report.notes
        flat = "train: images\nnames: [cat]\nkpt_shape: [2, 2]"
        rows = written(flat, "0 0.5 0.5 0.5 0.5 0.5 1.25 0 0", "")
        assert column(rows, "keypoints")[0].tolist() == [[[30, 50, 2], [0, 0, 0]]]
        assert rows.report.warnings[0].code == "keypoint-outside"
        where = f"file {written.root / 'labels' / 'a.txt'}, line 1: "
        assert message(lambda: written(text, "0 0.5 0.5 0.5 0.5")) == (
            where + "expected 11 numbers: a class, a box and 2 keypoints, got 5 numbers. " + SAY_DROP
        )
        assert message(lambda: written(text, "0 0.5 0.5 0.5 0.5 0.5 0.5 7 0 0 0")) == (
            where + "expected a visibility of 0, 1 or 2, got [7.0, 0.0]. " + SAY_DROP
        )
        rows = written(
            text, "0 0.5 0.5 0.5 0.5 0.5 0.5 7 0 0 0\n0 0.4 0.5 0.5 0.5 0.5 0.5 1 0 0 0", invalid="drop"
        )
        assert column(rows, "keypoints")[0].tolist() == [[[0, 0, 0], [0, 0, 0]], [[30, 20, 1], [0, 0, 0]]]

    def test_a_list_of_which_no_image_is_found_says_what_to_do(self, written):
        (written.root / "train.txt").write_text("data/images/a.gif\n")  # as CVAT writes it
        text, line = "train: train.txt\nnames: [cat]", "0 0.5 0.5 0.5 0.5"
        found = message(lambda: written(text, line))
        assert "got none. Say read_yolo(images=...), the folder of the images. Say missing_files" in found
        assert column(written(text, line, images="images"), "labels") == [["cat"]]

    def test_corners_in_place_of_centers_and_sizes(self, written):
        lines = [f"0 0.6{i} 0.6{i} 0.9{i} 0.9{i}\n" for i in range(5)]
        with pytest.warns(PolyheadWarning, match=r"boxes that look like corners .* a size \(5\)"):
            rows = written("train: images\nnames: [cat]", "".join(lines))
        assert "all boxes fit in their images as corners, x0, y0, x1, y1" in str(rows.report)
        for other in ("0 0.5 0.5 0.2 0.2\n", "0 0.5 0.5 0.6 1.2\n"):
            rows = written("train: images\nnames: [cat]", "".join([*lines, other]))
            assert "as corners" not in str(rows.report)
        rows = written("train: images\nnames: [cat]", lines[-1] + lines[0])
        assert "as corners" not in str(rows.report)

    def test_points_that_a_mirrored_image_exchanges(self, written, tmp_path):
        text = "train: images\nnames: [cat]\nkpt_shape: [3, 3]\n"
        line = "0 0.5 0.5 0.5 0.5 0.5 0.5 2 0.2 0.5 2 0.8 0.5 2"
        rows = written(text + "flip_idx: [0, 2, 1]\nkpt_names: {0: [nose, ear, eye]}", line)
        pack(rows, tmp_path / "a.store")
        for source in (rows, open_store(tmp_path / "a.store"), rows.concat(rows)):
            about = source.about("keypoints")
            assert (about.points, about.pairs) == (("nose", "ear", "eye"), ((1, 2),))
        head = Keypoints(3, column="keypoints", each="boxes")
        heads = {"boxes": Boxes(1), "pose": head}
        feed = Feed(rows, inputs={"image": Image(40, 60)}, heads=heads)
        assert feed.heads["pose"].inner.pairs == ((1, 2),)
        unlike = written(text + "flip_idx: [1, 0, 2]\nkpt_names: [left ear, nose, right ear]", line)
        assert unlike.about("keypoints").points == ("left ear", "nose", "right ear")
        both = rows.only(["keypoints"]).concat(unlike.only(["keypoints"]))
        assert message(lambda: both.about("keypoints")) == (
            "column `keypoints`: expected the same keypoints in all sources, ['nose', 'ear', 'eye'] as in source 0, "
            "got ['left ear', 'nose', 'right ear'] in source 1. If they mean the same, give point_names= and "
            "skeleton= to the head."
        )

    @pytest.mark.parametrize("flipped", ["[1, 2, 0]", "[0, 2]", "[0, 0, 1]", "7", "[a, b, c]", "[0, 3, 1]"])
    def test_a_flip_idx_that_cannot_be_read_is_left_out(self, written, flipped):
        text = f"train: images\nnames: [cat]\nkpt_shape: [3, 2]\nflip_idx: {flipped}\n"
        rows = written(text, "0 0.5 0.5 0.5 0.5 0.5 0.5 -1 0.5 0.8 0.5")
        assert rows.about("keypoints").pairs is None
        assert rows.report.warnings[0].expected == (
            "each number from 0 to 2 once, with left and right points exchanged"
        )
        assert column(rows, "keypoints")[0][..., 2].tolist() == [[2, 0, 2]]  # a negative number is no point

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("train: images", "expected names, a list of the classes or {number: name}, got none."),
            (
                "train: images\nnames: cat",
                "expected names, a list of the classes or {number: name}, got 'cat'.",
            ),
            (
                "train: images\nnames: {a: cat}",
                "expected names, a list of the classes or {number: name}, got {'a': 'cat'}.",
            ),
            ("train: images\nnames: [a, a]", "expected a unique name for each class, got ['a']."),
            ("train: images\nnames: [a]\nnc: 3", "expected as many names as nc, 3, got 1."),
            (
                "trian: images\nnames: [a]",
                "expected the key train, the folder of images, got the keys trian, names. Did you mean `trian`?",
            ),
            ("- a", "expected a YAML of keys, such as train and names, got ['a']."),
            ("a: [", "expected YAML, got while parsing a flow node"),
            ("a: !!python/object:os.system x", "expected YAML, got could not determine a constructor"),
            (
                "train: images\nnames: [a]\nkpt_shape: 17",
                "expected kpt_shape, [number of keypoints, 2 or 3], got 17.",
            ),
        ],
    )
    def test_files_that_cannot_be_used(self, written, text, words):
        assert message(lambda: written(text)).startswith(f"{written.file}: {words}")

    @pytest.mark.parametrize("path", ["../x", "/etc", "a/../.."])
    def test_paths_that_leave_the_root(self, written, path):
        names = "names: [cat, dog]"
        found = message(lambda: written(f"train: {path}\n{names}"))
        assert found.startswith(
            f"{written.file}, `train`: expected the name of a file under {written.root}, got "
        )
        found = message(lambda: written(f"path: {path}\ntrain: images\n{names}"))
        assert found.startswith(f"{written.file}, `path`: expected the name of a file under {written.root}")
        assert found.endswith("Say read_yolo(root=...), the folder of the data set.")
        assert message(lambda: written(f"path: b/c\ntrain: images\n{names}")) == (
            f"{written.file}, `path`: expected a folder at {written.root / 'b/c'}, got none. "
            "Say read_yolo(root=...), the folder of the data set."
        )
        rows = written(f"path: {path}\ntrain: images\n{names}", root=written.root)
        assert column(rows, "labels") == [["dog"]]

    def test_folders_elsewhere(self, written, tmp_path_factory):
        other = tmp_path_factory.mktemp("other")
        os.rename(written.root / "images", other / "pictures")
        (other / "pictures" / "a.gif").write_bytes(gif(40, 60))
        (written.root / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5")
        text = "train: images\nnames: [cat, dog]"
        (written.root / "data.yaml").write_text(text)
        given = {"images": other / "pictures", "labels": written.root / "labels"}
        rows = read_yolo(written.root / "data.yaml", **given)
        assert column(rows, "file") == ["a.gif"]
        assert column(rows, "labels") == [["cat"]]
        assert message(lambda: read_yolo(written.root / "data.yaml")) == (
            f"{written.file}, `train`: expected the folder of images, or a list of them, at "
            f"{written.root / 'images'}, got nothing at this path. Use read_yolo(images=...) if they are elsewhere."
        )

    def test_without_pyyaml(self, written, monkeypatch):
        monkeypatch.setitem(sys.modules, "yaml", None)
        with pytest.raises(PolyheadError) as raised:
            written("train: images\nnames: [cat, dog]")
        assert str(raised.value) == (
            f"{written.file}: PyYAML cannot be imported (import of yaml halted; None in sys.modules). "
            'Install it with: pip install "polyhead[vision]".'
        )


def test_views(data):
    rows = data(*["0 0.5 0.5 0.5 0.5", None, "1 0.5 0.5 0.5 0.5", None])
    train, val = rows.split((0.5, 0.5), stratify="boxes", seed=3)
    assert [sum(b is None for b in column(part, "boxes")) for part in (train, val)] == [1, 1]
    assert len(rows.concat(rows)) == 8
    assert len(rows.mix(rows, weights=(1, 1))) == 8
    assert column(rows.select([3, 0]), "labels") == [None, ["cat"]]


def test_folders_are_looked_for_in_the_working_directory_and_in_the_data_set(data, tmp_path, monkeypatch):
    there = data("1 0.5 0.5 0.5 0.5\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    rows = read_yolo(tmp_path, names=NAMES, images="images", labels="labels")
    np.testing.assert_array_equal(column(rows, "boxes")[0], column(there, "boxes")[0])
    (elsewhere / "images").mkdir()
    (elsewhere / "images" / "z.gif").write_bytes(gif(4, 4))
    (elsewhere / "labels").mkdir()
    (elsewhere / "labels" / "z.txt").write_text("0 0.5 0.5 1 1")
    found = read_yolo(tmp_path, names=NAMES, images="images", labels="labels")
    assert [os.path.basename(path) for path in column(found, "image")] == ["z.gif"]
