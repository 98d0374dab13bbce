import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcomes import message
from polyhead.readers.folders import read_folder
from polyhead.readers.largest import largest as find_largest
from polyhead.readers.yolo import read_yolo
from polyhead.sources.tables import read_table

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*print\(source.report\):polyhead.PolyheadWarning"
)  # see test_odd.py


def gif(height=40, width=60):
    """A picture as far as its size goes."""
    return b"GIF89a" + bytes([width, 0, height, 0])


def column(source, name):
    values = source.read(np.arange(len(source)))[name]
    return values.values().tolist() if hasattr(values, "codes") else values


@pytest.fixture
def root(tmp_path):
    return tmp_path


@pytest.fixture
def put(root):
    def files(*names, content=None):
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(gif() if content is None else content)

    return files


def test_class_folders(root, put):
    put("dog/b.jpg", "cat/a.jpg", "cat/deep/c.PNG", "cat/notes.md", ".hidden/x.jpg", "dog/.x.jpg")
    rows = read_folder(root)
    assert repr(rows) == "Images(3 rows: image, file, label)"
    assert column(rows, "file") == ["cat/a.jpg", "cat/deep/c.PNG", "dog/b.jpg"]
    assert column(rows, "image")[0] == str(root / "cat" / "a.jpg")
    assert column(rows, "label") == ["cat", "cat", "dog"]
    assert rows.categories == ("cat", "dog")
    assert rows.report.notes == (
        "1 file that is not an image",
        "3 images",
        "2 classes; 3 images labeled, 0 missing",
    )
    assert read_folder(root, classes=False).columns == ("image", "file")


def test_images_in_no_class_and_classes_without_image(root, put):
    put("cat/a.jpg", "b.jpg", "dog/notes.md")
    rows = read_folder(root)
    assert column(rows, "label") == [None, "cat"]
    assert [str(p) for p in rows.report.warnings] == [
        f"file {root / 'dog'}: expected images in the folder of a class, got none. It is not a class.",
        f"file {root / 'b.jpg'}: expected an image in the folder of a class, got one outside. "
        "Its label is missing.",
    ]
    assert "1 class; 1 image labeled, 1 missing" in rows.report.notes


def test_images_alone(root, put):
    put("a.jpg", "b.jpg")
    assert read_folder(root).columns == ("image", "file")


def test_masks(root, put):
    put("images/a.jpg", "images/x/b.jpg", "images/c.jpg", "masks/a.png", "masks/x/b.png", "masks/z.png")
    rows = read_folder(root, masks="masks")
    assert column(rows, "file") == ["a.jpg", "c.jpg", "x/b.jpg"]
    assert column(rows, "mask") == [str(root / "masks" / "a.png"), None, str(root / "masks" / "x" / "b.png")]
    assert [str(p) for p in rows.report.warnings] == [
        f"file {root / 'masks' / 'z.png'}: expected an image of this name, got none."
    ]
    assert rows.report.notes == (
        "3 images",
        f"2 masks in {root / 'masks'}, 1 missing",
        "1 mask without image",
    )


def test_masks_of_several_kinds_and_other_names(root, put):
    put("jpg/a.jpg", "jpg/b.jpg", "seg/a_mask.png", "seg/b_mask.png", "seg/b_other.png", "depth/b.tif")
    rows = read_folder(root, images="jpg", masks={"seg": "seg/{stem}_mask.png", "depth": "depth"})
    assert rows.columns == ("image", "file", "seg", "depth")
    assert column(rows, "seg") == [str(root / "seg" / f"{n}_mask.png") for n in "ab"]
    assert column(rows, "depth") == [None, str(root / "depth" / "b.tif")]


def test_masks_whose_accents_are_letters_of_their_own(put, root):
    put("images/\u00e9.gif", "m/e\u0301.gif")
    assert column(read_folder(root, images="images", masks="m"), "mask") == [str(root / "m/e\u0301.gif")]


def test_masks_beside_the_images(root, put):
    put("a.jpg", "m/a.png")
    rows = read_folder(root, masks="m")
    assert (column(rows, "file"), column(rows, "mask")) == (["a.jpg"], [str(root / "m" / "a.png")])
    put("b.jpg", "b_m.png", "a_m.png")
    rows = read_folder(root, masks="{stem}_m")
    assert column(rows, "file") == [
        "a.jpg",
        "b.jpg",
        "m/a.png",
    ]  # masks in the folder of images are no images
    assert [m and m[-7:] for m in column(rows, "mask")] == ["a_m.png", "b_m.png", None]


def test_masks_that_match_nothing(root, put):
    put("images/a.jpg", "masks/a_mask.png")
    where = f"read_folder(masks=), column `mask`, file {root / 'masks'}: expected masks with the names of the images"
    assert message(lambda: read_folder(root, masks="masks")) == (
        f"{where}, got 'a_mask.png' and no 'a'. Say masks=\"masks/{{stem}}_mask\" for names that differ."
    )
    assert message(lambda: read_folder(root, masks={"seg": "masks"})).endswith(
        'Say masks={"seg": "masks/{stem}_mask"} for names that differ.'
    )
    put("segmentation/masks/a.png")
    assert message(lambda: read_folder(root, masks="segmentation")).endswith(
        'Say masks="segmentation/masks".'
    )
    put("images/b.jpg", "m/gt_a.png")
    assert message(lambda: read_folder(root, masks="m")).endswith(
        'Say masks="m/gt_{stem}" for names that differ.'
    )
    put("unlike/label_7.png")
    assert message(lambda: read_folder(root, masks="unlike")).endswith(
        'Say masks="unlike/{stem}_mask" for names that differ. If no {stem} says how, pair the files yourself: '
        '{"image": [...], "mask": [...]}.'
    )
    assert message(lambda: read_folder(root, masks="masks/{stem}_m")) == f"{where}, got no masks at all."
    assert message(lambda: read_folder(root, masks="mask")) == (
        f"read_folder(masks=), column `mask`, file {root / 'mask'}: expected a folder, got nothing at this path. "
        "Did you mean `masks`?"
    )


def test_names_that_stand_twice(root, put):
    put("images/a.jpg", "images/a.png", "masks/a.png", "masks/a.gif")
    found = message(lambda: read_folder(root, masks="masks"))
    assert f"file {root / 'masks' / 'a.png'}: expected one mask for each image, got a.gif as well." in found
    assert (
        "file a.png: expected unique names of images, without their extensions, got a.jpg as well." in found
    )


def test_verify(root, put):
    put("images/a.gif", "images/b.gif", "masks/a.gif")
    put("masks/b.gif", content=gif(40, 50))
    rows = read_folder(root, masks="masks", verify=True)
    assert [str(p) for p in rows.report.warnings] == [
        f"file {root / 'masks' / 'b.gif'}, column `mask`: expected a mask of the size (height x width) of its image, "
        "got 40 x 50 for an image 40 x 60."
    ]
    put("masks/b.gif", content=b"x")
    put("images/c.jpg", content=b"")
    assert len(read_folder(root, masks="masks")) == 3
    found = message(lambda: read_folder(root, masks="masks", verify=True))
    assert found.startswith(f"file {root / 'images' / 'c.jpg'}: expected an image, got no bytes.")
    rows = read_folder(root, masks="masks", verify=True, missing_files="drop")
    assert column(rows, "file") == ["a.gif", "b.gif"]
    assert column(rows, "mask") == [str(root / "masks" / "a.gif"), None]


TABLE = {"file": ["b.jpg", "a.jpg"], "age": [3, 5], "kind": ["x", None], "share": [0.5, 1.5]}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables(root, put, ending):
    put("a.jpg", "b.jpg", "c.jpg")
    if ending == "csv":
        (root / "t.csv").write_text("file,age,kind,share\nb.jpg,3,x,0.5\na.jpg,5,,1.5\n")
    else:
        pq.write_table(pa.table(TABLE), root / "t.parquet")
    rows = read_folder(root, table=f"t.{ending}")
    assert rows.columns == ("image", "file", "age", "kind", "share")
    np.testing.assert_array_equal(column(rows, "age"), [5, 3, np.nan])
    np.testing.assert_array_equal(column(rows, "share"), [1.5, 0.5, np.nan])
    assert column(rows, "kind") == [None, "x", None]
    assert rows.report.notes[-2:] == ("3 images", "2 images with a row in the table, 1 missing")
    read = read_folder(root, table=read_table(root / f"t.{ending}"))
    assert column(read, "kind") == [None, "x", None]


def test_whole_numbers_stay_whole_where_none_is_missing(root, put):
    put("a.jpg", "b.jpg")
    assert column(read_folder(root, table={**TABLE, "kind": [1, 2]}), "age").dtype.kind == "i"
    many = {
        "file": ["a"],
        "vector": np.ones((1, 3)),
        "day": np.array(["2020-01-01"], "M8[D]"),
        "big": [2**60],
        "flag": [True],
    }
    rows = read_folder(root, table=many)
    assert np.isnan(column(rows, "vector")[1]).all()
    assert np.isnat(column(rows, "day")[1])
    assert column(rows, "big") == [2**60, None]
    assert column(rows, "flag") == [True, None]  # as floats, its classes would be 0.0 and 1.0


@pytest.mark.parametrize(
    "names",
    [["x/a.jpg", "y/a.jpg"], ["./x/a", "y/a"], ["images/x/a.jpg", "images/y/a.jpg"], ["x\\a.jpg", "y/a"]],
)
def test_names_with_folders(root, put, names):
    put("images/x/a.jpg", "images/y/a.jpg")
    rows = read_folder(root, table={"name": names, "v": [1, 2]})
    assert column(rows, "v").tolist() == [1, 2]


def test_numbers_as_names(root, put):
    put("7.jpg", "8.jpg")
    assert column(read_folder(root, table={"id": [8, 7], "v": [1, 2]}, key="id"), "v").tolist() == [2, 1]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["a.jpg", "a.jpg"],
            "row 1: expected one row for each image, got 'a.jpg', as in row 0. If these are its objects, make a column "
            "of their boxes, frame[corners].to_numpy().tolist(), and put them into one row: frame.groupby('file', "
            "as_index=False).agg(list).",
        ),
        (
            ["a.jpg", "../b.jpg"],
            "row 1: expected the name of a file under {root}, got '../b.jpg', which leads out",
        ),
        (["a.jpg", None], "row 1: expected the name of an image in column `file`, got None."),
        (["a.jpg", "t.txt"], "row 1: expected an image, a file that ends in .jpg, .jpeg, .png, .bmp, .gif"),
        (
            ["a.jpg", "c.jpg"],
            "row 1: expected the name of one image, got 'c.jpg', the name of several. Write it with",
        ),
        (
            ["a.jpg", "gone.jpg"],
            "row 1, file {root}/gone.jpg: expected a file at this path, got none. "
            'Say missing_files="drop" to leave such images out.',
        ),
    ],
)
def test_rows_that_cannot_be_used(root, put, names, words):
    put("a.jpg", "b.jpg", "x/c.jpg", "y/c.jpg", "t.txt")
    found = message(lambda: read_folder(root, table={"file": names, "v": [1, 2]}))
    assert found.startswith(f"the table, {words}".replace("{root}", str(root)))


def test_rows_without_image_may_be_dropped(root, put):
    put("a.jpg")
    rows = read_folder(root, table={"file": ["gone.jpg", "a.jpg"], "v": [1, 2]}, missing_files="drop")
    assert column(rows, "v").tolist() == [2]
    assert [p.code for p in rows.report.warnings] == ["no-file"]


def test_the_column_of_names_may_be_in_capital_letters(root, put):
    put("a.jpg", "b.jpg")
    rows = read_folder(root, table={"Name": ["x", "y"], "FileName": ["b.jpg", "./a.jpg"], "v": [1, 2]})
    assert (column(rows, "v").tolist(), column(rows, "Name")) == ([2, 1], ["y", "x"])
    rows = read_folder(root, table={"FILE": ["x", "y"], "file": ["b.jpg", "a.jpg"]})
    assert column(rows, "FILE") == ["y", "x"]
    rows = read_folder(root, table={"File": ["x", "y"], "image": ["b.jpg", "a.jpg"]})
    assert column(rows, "File") == ["y", "x"]


def test_numbers_of_images_in_a_table(root, put):
    """A CSV file's column of 007 and 010 holds 7 and 10."""
    put("images/007.jpg", "images/a/010.jpg", "images/5.jpg", "images/05.jpg")
    (root / "t.csv").write_text("id,v\n010,1\n007,2\n5,3\n")
    rows = read_folder(root, table="t.csv", key="id")
    assert column(rows, "file") == ["007.jpg", "05.jpg", "5.jpg", "a/010.jpg"]
    np.testing.assert_array_equal(column(rows, "v"), [2, np.nan, 3, 1])


def test_tables_that_cannot_be_used(root, put):
    put("a.jpg")
    assert message(lambda: read_folder(root, images=5)) == (
        "read_folder(images=): expected the path of a folder, got 5."
    )
    assert message(lambda: read_folder(root, table={"v": [1]})) == (
        "the table: expected a column of file names (file, file_name, filename, image, image_path, path, name), "
        "got v. Say read_folder(key=...)."
    )
    assert message(lambda: read_folder(root, table={"files": ["a"]}, key="file")) == (
        "the table: expected a column `file`, got files. Did you mean `files`?"
    )
    assert message(lambda: read_folder(root, table={"name": ["a"], "file": ["a"]}, key="name")) == (
        "column `file`: expected a unique name for each column, got the table has it as well. "
        "Rename the column of the table, or leave it out."
    )
    assert "nothing at this path" in message(lambda: read_folder(root, table="t.csv"))
    found = message(lambda: read_folder(root, table={"file": ["b"], "v": [1]}, missing_files="drop"))
    assert found == "the table: expected a row for at least one image, got none."


@pytest.mark.parametrize("largest", [False, True])
def test_annotations_of_another_reader_beside_masks(root, put, largest):
    put("photos/a.gif", "photos/b.gif", "photos/c.gif", "masks/b.png")
    for name, line in {"a": "1 0.5 0.5 0.5 0.5", "b": "0 0.5 0.5 1 1"}.items():
        put(f"labels/{name}.txt", content=line.encode())
    names = ["eel", "cat", "ant"]
    boxes = read_yolo(root, images=root / "photos", labels=root / "labels", names=names, exif="ignored")
    table = find_largest(boxes) if largest else boxes.select([1, 0])
    rows = read_folder(root, images="photos", masks="masks", table=table)
    assert column(rows, "image") == [str(root / "photos" / f"{name}.gif") for name in "abc"]
    assert [mask is None for mask in column(rows, "mask")] == [True, False, True]
    assert [label if label is None else str(np.squeeze(label)) for label in column(rows, "labels")] == [
        "cat",
        "eel",
        None,
    ]
    assert rows.about("labels").classes == tuple(names)  # and not the sorted names of those that occur
    assert rows.about("image").exif == "ignored"


def test_a_table_is_relative_to_the_root_or_the_working_directory(root, put, monkeypatch):
    put("pets/a.jpg")
    (root / "t.csv").write_text("file,v\na.jpg,7\n")
    monkeypatch.chdir(root)
    for path in ("t.csv", "../t.csv", root / "t.csv"):
        assert column(read_folder("pets", table=path), "v").tolist() == [7]
    (root / "pets" / "t.csv").write_text("file,v\na.jpg,8\n")
    assert column(read_folder("pets", table="t.csv"), "v").tolist() == [8]


def test_names_in_a_table_may_begin_with_the_folder(root, put, monkeypatch):
    put("pets/a.jpg", "pets/b/c.jpg")
    monkeypatch.chdir(root)
    for folder in ("pets", root / "pets"):
        table = {"file": [f"{folder}/b/c.jpg", "pets/a.jpg"], "v": [1, 2]}
        assert column(read_folder("pets", table=table), "v").tolist() == [2, 1]


def test_an_absolute_path_in_a_table_is_not_a_file_in_a_folder_inside_of_the_same_name(root, put):
    put("pets/a.jpg", "pets/pets/a.jpg")
    table = {"file": [str(root / "pets" / "pets" / "a.jpg"), str(root / "pets" / "a.jpg")], "v": [1, 2]}
    assert column(read_folder(root / "pets", table=table), "v").tolist() == [2, 1]


def test_what_to_do_about_missing_files_is_said_once(root, put):
    put("a.jpg")
    found = message(lambda: read_folder(root, table={"file": ["a", "b", "c"], "v": [1, 2, 3]}))
    assert found.startswith("2 problems:")
    assert found.count('missing_files="drop"') == 1


def test_folders_that_cannot_be_used(root, put):
    assert message(lambda: read_folder(root)).startswith(
        f"file {root}: expected images, files that end in .jpg, .jpeg, .png, .bmp, .gif, .webp, .tif, .tiff, .avif, "
        ".heic, .heif, .jp2, .pgm, .ppm, .pnm, got none."
    )
    assert message(lambda: read_folder(root / "x")) == (
        f"read_folder(root), file {root / 'x'}: expected a folder, got nothing at this path."
    )
    put("a.jpg")
    assert message(lambda: read_folder(root / "a.jpg")) == (
        f"read_folder(root), file {root / 'a.jpg'}: expected a folder, got a file. Give the folder that holds it."
    )
    assert message(lambda: read_folder(7)) == "read_folder(root): expected the path of a folder, got 7."


def test_links(root, put, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "x.jpg").write_bytes(b"")
    put("cat/a.jpg")
    (root / "cat" / "b.jpg").symlink_to(root / "cat" / "a.jpg")
    assert len(read_folder(root)) == 2
    (root / "cat" / "back").symlink_to(root)
    rows = read_folder(root)
    assert len(rows) == 2
    assert [str(p) for p in rows.report.warnings] == [
        f"file {root / 'cat' / 'back'}: expected each folder once, got a link to {root}. It is skipped."
    ]
    (root / "dog").symlink_to(other)
    found = message(lambda: read_folder(root))
    assert found == (
        f"file {root / 'dog'}: expected the name of a file under {root}, got 'dog', a link to {other}, which lies "
        "outside. Name files relative to their folder."
    )


def test_views(root, put):
    put(*(f"{'cat' if i % 3 else 'dog'}/{i}.jpg" for i in range(12)))
    rows = read_folder(root)
    train, val = rows.split({"train": 0.75, "val": 0.25}, stratify="label").values()
    assert sorted(column(val, "label")) == ["cat", "cat", "dog"]
    assert column(train.concat(val), "label").count("dog") == 4
    assert len(rows.mix(val, weights=(3, 1))) >= 12


def test_images_that_cannot_be_read_are_dropped_without_verify(root, put):
    put("images/a.gif", "images/b.gif", "masks/a.gif")
    put("images/c.jpg", content=b"")
    rows = read_folder(root, masks="masks", missing_files="drop")
    assert column(rows, "file") == ["a.gif", "b.gif"]
    assert "1 image left out, as the file does not exist or cannot be read" in str(rows.report)
    assert len(read_folder(root, masks="masks")) == 3


def test_masks_beside_a_folder_of_images_of_another_name(root, put):
    put("photos/a.jpg", "photos/summer/b.jpg", "labels/a.png", "labels/summer/b.png")
    assert message(lambda: read_folder(root, masks="labels")) == (
        f"read_folder(masks=), column `mask`, file {root / 'labels'}: expected masks with the names of the images, "
        "got 'a.png' and no 'photos/a'. Say images=\"photos\"."
    )
    assert len(read_folder(root, images="photos", masks="labels")) == 2


@pytest.mark.parametrize("names", [["train/cat/a.jpg", "val/dog/b.jpg"], ["Train/a.jpg", "Test/b.jpg"]])
def test_parts_of_the_data_are_no_classes(root, put, names):
    put(*names)
    first, second = sorted(name.partition("/")[0] for name in names)
    assert message(lambda: read_folder(root)) == (
        f"file {root}: expected a folder for each class, got `{first}` and `{second}`, which look like parts of the "
        f'data. Read each part: read_folder("{root / first}"). Or say classes=True if they are classes, '
        "classes=False if not."
    )
    assert read_folder(root, classes=True).categories == (first, second)
    assert read_folder(root, classes=False).columns == ("image", "file")
    assert len(read_folder(root / first)) == 1


@pytest.mark.parametrize(("name", "held"), [("A.JPG", "a.jpg"), ("old/b.jpg", "new/b.jpg")])
def test_a_table_with_other_names_of_files_gets_a_hint(root, put, name, held):
    put(held, "c.jpg")
    table = {"file": [name, "c.jpg"], "kind": ["cat", "dog"]}
    assert message(lambda: read_folder(root, table=table)) == (
        f"the table, row 0, file {root / name}: expected a file at this path, got none. Did you mean `{held}`? Say "
        'missing_files="drop" to leave such images out.'
    )


def test_the_folders_of_a_yolo_data_set_are_no_classes(root, put):
    put("images/train2017/a.jpg", "labels/train2017/a.txt", "README.txt")
    assert message(lambda: read_folder(root)) == (
        f"file {root}: expected a folder for each class, got the folders `images` and `labels` of a YOLO data set. Say "
        f'read_yolo("{root}"), or classes=True if they are classes.'
    )
    assert read_folder(root, classes=False).columns == ("image", "file")


def test_a_class_may_have_the_name_of_a_part(root, put):
    put("train/a.jpg", "tram/b.jpg")
    assert read_folder(root).categories == ("train", "tram")


def test_folders_of_classes_within_folders_are_told(root, put):
    put("animal/cat/a.jpg", "animal/dog/b.jpg", "animal/dog/young/c.jpg", "plant/images/d.jpg", "plant/e.jpg")
    rows = read_folder(root)
    assert column(rows, "label") == ["animal", "animal", "animal", "plant", "plant"]
    assert [str(p) for p in rows.report.warnings] == [
        f"file {root / 'animal'}: expected the images of one class, got 2 folders, cat, dog. All of them get the label "
        f'`animal`: say classes=True if that is right, or read_folder("{root / "animal"}") if its folders are the '
        "classes."
    ]
    assert not read_folder(root, classes=True).report.warnings
    assert not read_folder(root / "animal").report.warnings
