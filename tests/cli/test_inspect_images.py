"""`polyhead inspect` on folders of images and on what the readers of annotated images give: the code runs."""

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import polyhead as ph
from polyhead.cli import app

pytest.importorskip("cv2", reason="opencv is not installed")
from PIL import Image

pytestmark = pytest.mark.filterwarnings(r"ignore:.*print\(source.report\):polyhead.PolyheadWarning")

ROWS = 6


def inspect(*args):
    return CliRunner().invoke(app, ["inspect", *map(str, args)])


def image(path, seed=0, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)).convert(mode).save(
        path
    )


def feed_in(result):
    """The feed that the suggested code makes, and one of its batches."""
    assert result.exit_code == 0, result.output
    names = {}
    exec(result.output[result.output.index("import polyhead") :].replace("^", ""), names)
    return names["feed"], names["feed"].peek()


def test_class_folders(tmp_path):
    for i in range(ROWS):
        image(tmp_path / ["cat", "dog"][i % 2] / f"{i}.jpg", i)
    result = inspect(tmp_path)
    assert f"{tmp_path}: 6 rows, 3 columns" in result.output
    assert "2 distinct: cat 50.0%, dog 50.0%" in result.output
    feed, (x, _) = feed_in(inspect(tmp_path, "--code"))
    assert x["image"].shape == (ROWS, 224, 224, 3)
    assert feed.heads == {"label": ph.Categorical(("cat", "dog"))}
    assert "# left out: file: the names of the files in `image`" in result.output


@pytest.mark.parametrize(
    ("values", "head"),
    [
        ((0, 255), ph.Mask(values=(0, 255), size=(224, 224))),
        ((0, 1), ph.Mask(size=(224, 224))),
        ((0, 1, 2), ph.Mask(3, size=(224, 224))),
        ((0, 3, 255), ph.Mask(4, missing=255, size=(224, 224))),
    ],
)
def test_images_and_masks(tmp_path, values, head):
    for i in range(ROWS):
        image(tmp_path / "photos" / f"{i}.jpg", i)
        (tmp_path / "masks").mkdir(exist_ok=True)
        pixels = np.random.default_rng(i).choice(values, (40, 60)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "masks" / f"{i}.png")
    code = inspect(tmp_path, "--code")
    assert f'data = ph.read_folder("{tmp_path}", images="photos", masks="masks")' in code.output
    feed, (x, *_) = feed_in(code)
    assert list(x) == ["image"]
    assert feed.heads == {"mask": head}


def yolo(root):
    for i in range(ROWS):
        image(root / "images" / f"{i}.jpg", i)
        (root / "labels").mkdir(exist_ok=True)
        lines = [f"{k} 0.{4 + k} 0.5 0.2 0.2" for k in range(1 + i % 2)]
        (root / "labels" / f"{i}.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text("train: images\nnames: [cat, dog]\n")


VOC = """<annotation><filename>{0}.jpg</filename><size><width>60</width><height>40</height></size>{1}</annotation>"""
OBJECT = """<object><name>{0}</name><difficult>0</difficult><bndbox><xmin>{1}</xmin><ymin>2</ymin><xmax>20</xmax>
<ymax>20</ymax></bndbox></object>"""


def voc(root):
    for i in range(ROWS):
        image(root / "JPEGImages" / f"{i}.jpg", i)
        (root / "Annotations").mkdir(exist_ok=True)
        objects = "".join(OBJECT.format(["cat", "dog"][k], 2 + k) for k in range(1 + i % 2))
        (root / "Annotations" / f"{i}.xml").write_text(VOC.format(i, objects))


@pytest.mark.parametrize(("make", "form"), [(yolo, "folder"), (yolo, "data.yaml"), (voc, "folder")])
def test_boxes_and_classes(tmp_path, make, form):
    make(tmp_path)
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    result = inspect(tmp_path if form == "folder" else tmp_path / form)
    assert result.exit_code == 0, result.output
    assert "1 to 2 in a row, 9 in all" in result.output
    assert (
        '"boxes": ph.Boxes(2, normalized=True, column_normalized=False),  # 2: the most boxes in one of 6 rows; '
        "pixels in the column; the model predicts 0–1"
    ) in result.output
    feed, (x, _, weights) = feed_in(inspect(tmp_path if form == "folder" else tmp_path / form, "--code"))
    assert list(x) == ["image"]
    assert list(feed.heads) == ["boxes", "labels"]
    assert feed.heads["labels"].names == ("cat", "dog")
    assert weights["labels"].sum() == 9


def coco(root, count):
    corners = [2, 2, 20, 2, 20, 20]
    annotations = []
    for i in range(ROWS):
        image(root / "images" / f"{i}.jpg", i)
        for k in range(count(i)):
            one = {
                "id": len(annotations),
                "image_id": i,
                "category_id": k,
                "bbox": [2, 2, 18, 18],
                "area": 99.5,
            }
            points = [3, 3, 2, 9, 9, 1]
            annotations.append({**one, "segmentation": [corners], "keypoints": points, "iscrowd": 0})
    found = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 40, "width": 60} for i in range(ROWS)],
        "categories": [{"id": k, "name": n, "keypoints": ["a", "b"]} for k, n in enumerate(("cat", "dog"))],
        "annotations": annotations,
    }
    (root / "found.json").write_text(json.dumps(found))


@pytest.mark.parametrize(
    "count", [lambda i: 1 + i % 2, lambda i: 2, lambda i: i % 3], ids=["some", "two", "none or two"]
)
def test_coco_with_masks_and_points(tmp_path, monkeypatch, count):
    coco(tmp_path, count)
    (tmp_path / "pets.py").write_text(
        "from pathlib import Path\n"
        "import polyhead as ph\n"
        "HERE = Path(__file__).parent\n"
        "def rows(): return ph.read_coco(HERE / 'found.json', HERE / 'images', unannotated='empty')\n"
    )
    result = inspect(f"{tmp_path / 'pets.py'}:rows")
    assert result.exit_code == 0, result.output
    monkeypatch.syspath_prepend(tmp_path)
    code = inspect(f"{tmp_path / 'pets.py'}:rows", "--code")
    names = {}
    exec(code.output, names)
    sys.modules.pop("pets")
    feed = names["feed"]
    assert list(feed.inputs) == ["image"]
    assert set(feed.heads) == {"boxes", "labels", "masks", "keypoints"}
    assert feed.heads["labels"].each == "boxes"
    total = sum(count(i) for i in range(ROWS))
    assert feed.peek()[2]["labels"].sum() == total
    assert (
        '# left out: area: a number for each box; as a head it is ph.Regression(each="boxes")' in code.output
    )
    told = json.loads(inspect(f"{tmp_path / 'pets.py'}:rows", "--json").output)
    assert told["rows"] == ROWS
    assert 'ph.Categorical(each="boxes")' in told["code"]


def moved(root, folder, images="images"):
    """A COCO file in a folder, with its images in another one."""
    coco(root, lambda i: 1 + i % 2)
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "images").rename(root / "moved")
    (root / images).parent.mkdir(parents=True, exist_ok=True)
    (root / "moved").rename(root / images)
    return (root / "found.json").rename(root / folder / "instances_train.json")


@pytest.mark.parametrize(
    ("folder", "images"),
    [(".", "images"), ("annotations", "images"), ("annotations", "images/train"), ("train", "train")],
)
def test_a_coco_file_with_its_images_near_it(tmp_path, folder, images):
    file = moved(tmp_path, folder, "new" if folder == images else images)
    if folder == images:
        for one in (tmp_path / "new").iterdir():
            one.rename(tmp_path / images / one.name)
    image(tmp_path / "other" / "7.jpg")
    code = inspect(file, "--code")
    assert f'data = ph.read_coco("{file}", "{tmp_path / images}")' in code.output
    feed, (x, *_) = feed_in(code)
    assert list(x) == ["image"]
    assert set(feed.heads) == {"boxes", "labels", "masks", "keypoints"}


@pytest.mark.parametrize(
    ("folder", "images"), [("annotations", "images/train"), ("train", "train/images"), (".", "images")]
)
def test_a_folder_with_a_coco_file(tmp_path, folder, images):
    file = moved(tmp_path, folder, images)
    (tmp_path / "settings.json").write_text('{"images": "images"}')
    code = inspect(tmp_path, "--code")
    assert f'data = ph.read_coco("{file}", "{tmp_path / images}")' in code.output
    (file.parent / "instances_val.json").write_text(file.read_text())
    result = inspect(tmp_path)
    assert result.exit_code == 2
    assert result.output == (
        f"polyhead: file {tmp_path}: expected one COCO file in it, got instances_train.json, instances_val.json. "
        f"Name one of them, as {file}.\n"
    )


def test_a_coco_file_whose_images_may_be_in_two_folders(tmp_path):
    file = moved(tmp_path, "annotations", "val")
    for i in range(ROWS):
        image(tmp_path / "test" / f"{i}.jpg", i)
    result = inspect(file)
    assert result.exit_code == 2
    assert result.output == (
        f"polyhead: file {file}: expected one folder near it with its images, got {tmp_path / 'test'}, "
        f'{tmp_path / "val"}. Write rows = ph.read_coco("{file}", folder) into a Python file, with the folder of its '
        "images, and name it as file.py:rows.\n"
    )
    (tmp_path / "test").rename(tmp_path / "train")  # as the file is called
    assert f'ph.read_coco("{file}", "{tmp_path / "train"}")' in inspect(file, "--code").output
    for folder in ("train", "val"):
        for one in (tmp_path / folder).iterdir():
            one.unlink()
    assert "expected one folder near it with its images, got none. Write" in inspect(file).output


@pytest.mark.parametrize("text", ["{}", '[{"x": 1, "y": 2}]', "{"])
def test_another_json_file_is_no_table(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    result = inspect(tmp_path / "a.json")
    assert result.exit_code == 1
    assert result.output.startswith(f"polyhead: file {tmp_path / 'a.json'}: expected ")
    assert result.output.endswith(
        "For other JSON, name a function of a Python file that returns its rows, as file.py:name.\n"
    )


def test_what_no_reader_can_open_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    result = inspect(tmp_path / "empty")
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_boxes_and_points_in_pixels_are_predicted_as_shares_of_the_image(tmp_path):
    coco(tmp_path, lambda i: 1 + i % 2)
    code = inspect(tmp_path / "found.json", "--code").output
    shares = "normalized=True, column_normalized=False"
    words = "pixels in the column; the model predicts 0–1"
    assert f"ph.Boxes(2, {shares}),  # 2: the most boxes in one of 6 rows; {words}" in code.replace("\n", "")
    assert f'ph.Keypoints(2, each="boxes", {shares}),  # {words}' in code


def table(tmp_path, names, rows, files=ROWS):
    """A CSV file of images and further columns."""
    for i in range(files):
        image(tmp_path / f"{i}.png", i)
    lines = [",".join([str(tmp_path / f"{i % files}.png"), *map(str, row)]) for i, row in enumerate(rows)]
    (tmp_path / "rows.csv").write_text("\n".join([",".join(["image", *names]), *lines]))
    return tmp_path / "rows.csv"


@pytest.mark.parametrize(
    ("names", "head", "argument"),
    [
        (["xmin", "ymin", "xmax", "ymax"], "box", ""),
        (["face_x0", "face_y0", "face_x1", "face_y1"], "face", ""),
        (["bbox_x", "bbox_y", "bbox_w", "bbox_h"], "bbox", ', format="xywh"'),
    ],
)
def test_columns_of_the_coordinates_of_a_box(tmp_path, names, head, argument):
    boxes = np.arange(ROWS)[:, None] + [3, 4, 13, 24]
    rows = [[*box, ["cat", "dog"][i % 2]] for i, box in enumerate(boxes.tolist())]
    code = inspect(table(tmp_path, [*names, "kind"], rows), "--code")
    listed = ", ".join(f'"{name}"' for name in names)
    units = "normalized=True, column_normalized=False"
    assert f'"{head}": ph.Boxes(1, column=[{listed}]{argument}, {units}),' in code.output
    _, (x, y, *_) = feed_in(code)
    assert (list(x), sorted(y)) == (["image"], sorted([head, "kind"]))
    corners = boxes
    if argument:
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    expected = np.minimum(corners, [60, 40, 60, 40]) / [60, 40, 60, 40]
    order = [np.abs(expected - one).sum(1).argmin() for one in y[head][:, 0]]  # the feed shuffles
    assert sorted(order) == list(range(ROWS))
    assert np.allclose(y[head][:, 0], expected[order], atol=1e-6)


def test_columns_of_the_coordinates_of_points(tmp_path):
    names = ["left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"]
    feed, _ = feed_in(inspect(table(tmp_path, names, [[20, 10, 40, 10 + i] for i in range(ROWS)]), "--code"))
    assert list(feed.heads) == ["points"]
    points = feed.heads["points"]
    assert (points.points, points.column, points.pairs) == (2, names, ((0, 1),))


def test_several_rows_of_an_image_are_told_to_be_joined(tmp_path):
    rows = [[1, 2, 30 + i, 40, ["cat", "dog"][i % 2]] for i in range(ROWS)]
    code = inspect(table(tmp_path, ["xmin", "ymin", "xmax", "ymax", "kind"], rows, 3), "--code")
    assert "# left out: xmax, xmin, ymax, ymin: an image has several rows; join them, as by " in code.output
    assert "ph.Boxes" not in code.output


def folder_with_table(root, names, column="filename"):
    """A folder of images beside a table that names them."""
    for i in range(ROWS):
        image(root / "imgs" / f"{i:03d}.png", i)
    rows = [f"{name},{['cat', 'dog'][i % 2]}" for i, name in enumerate(names)]
    (root / "labels.csv").write_text("\n".join([f"{column},kind", *rows]))


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("filename", [f"{i:03d}.png" for i in range(ROWS)]),
        ("path", [f"imgs/{i:03d}.png" for i in range(ROWS)]),
        ("image_id", [f"{i:03d}" for i in range(ROWS)]),
    ],
)
@pytest.mark.parametrize("given", ["", "labels.csv"])
def test_a_table_beside_its_images(tmp_path, column, names, given):
    folder_with_table(tmp_path, names, column)
    feed, (x, *_) = feed_in(inspect(tmp_path / given, "--code"))
    assert list(x) == ["image"]
    assert feed.heads["kind"].names == ("cat", "dog")
    assert feed.source.read(np.arange(ROWS))["kind"] == ["cat", "dog"] * (ROWS // 2)


@pytest.mark.parametrize("given", ["", "labels.csv"])
def test_files_that_a_table_names_and_that_do_not_exist_are_told(tmp_path, given):
    folder_with_table(tmp_path, [f"{i:03d}.png" for i in range(ROWS)])
    (tmp_path / "imgs" / "002.png").unlink()
    result = inspect(tmp_path / given)
    assert result.exit_code == 1
    assert (
        f"row 2, file {tmp_path / 'imgs' / '002.png'}: expected a file at this path, got none."
        in result.output
    )


def test_masks_in_the_folder_of_their_images(tmp_path):
    for i in range(ROWS):
        image(tmp_path / f"{i}.png", i)
        image(tmp_path / f"{i}_mask.png")
    code = inspect(tmp_path, "--code").output
    assert f'data = ph.read_folder("{tmp_path}", masks="{{stem}}_mask")' in code
    assert '"mask": ph.Mask(' in code


def test_folders_of_classes_within_folders_are_told(tmp_path):
    for name in ("cat", "dog"):
        image(tmp_path / "animal" / name / "1.jpg")
    assert f'read_folder("{tmp_path / "animal"}") if its folders are the classes.' in inspect(tmp_path).output
