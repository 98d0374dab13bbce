"""Folders of images beside folders of masks: what is read, what is refused, and what is said of images left out."""

import numpy as np
import pytest

import polyhead as ph
from polyhead.readers.mask_folders import folders_of_masks

GIF = b"GIF89a" + bytes([60, 0, 40, 0])


@pytest.fixture
def put(tmp_path):
    def files(*names, content=GIF):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        return tmp_path

    return files


@pytest.mark.parametrize(
    ("names", "call"),
    [
        (["photos/1.jpg", "masks/1.png"], 'images="photos", masks="masks"'),
        (["scene/1.jpg", "masks/1.jpg"], 'images="scene", masks="masks"'),
        (["images/x/1.jpg", "Vessels/x/1.png"], 'images="images", masks="Vessels"'),
        (["img/1.jpg", "gt/1_gt.png", "other/7.png"], 'images="img", masks="gt/{stem}_gt"'),
        (["img/1.jpg", "seg/mask_1.png"], 'images="img", masks="seg/mask_{stem}"'),
        (["img/1.jpg", "a/1.png", "b/1.png"], 'images="img", masks={"a": "a", "b": "b"}'),
        (["Fotos/été/a.jpg", "Masken/été/a_mask.png"], 'images="Fotos", masks="Masken/{stem}_mask"'),
        (["Fotos/a.png", "Masken/a_mask.png"], 'images="Fotos", masks="Masken/{stem}_mask"'),
        (["Fotos/a.jpg", "Fotos/b.JPG", "Masken/a.png"], 'images="Fotos", masks="Masken"'),
        (["JPEGImages/1.jpg", "SegmentationClass/1.png"], 'images="JPEGImages", masks="SegmentationClass"'),
    ],
)
def test_folders_of_images_and_masks_are_no_classes(put, names, call):
    root = put(*names)
    with pytest.raises(ph.DataError) as caught:
        ph.read_folder(root)
    found = str(caught.value)
    assert found.startswith(f"file {root}: expected a folder for each class, got the images in `")
    assert found.endswith(f"Say read_folder(..., {call}), or classes=True if they are classes.")
    rows = eval(f"ph.read_folder(root, {call})", {"ph": ph, "root": root})
    first = [name for name in rows.columns if name not in ("image", "file")]
    assert all(rows.read([0])[name] != [None] for name in first)
    assert "label" in ph.read_folder(root, classes=True).columns
    assert ph.read_folder(root, classes=False).columns == ("image", "file")


@pytest.mark.parametrize(
    "names",
    [
        ["cat/1.jpg", "dog/1.jpg"],
        ["cat/1.png", "dog/1.png", "masks/9.png"],
        ["with_mask/1.png", "without_mask/1.png"],
        ["photos/1.jpg", "paintings/1.jpg"],
        ["photos/1.jpg", "icons/7.png"],
        ["cat/1.jpg", "dog/1.png", "dog/2.png"],
        ["cat/1.jpg", "dog/1.jpg", "dog/1_mask.jpg"],
        ["masks/1.png"],
        ["1.jpg"],
    ],
)
def test_classes_may_number_their_images_alike(names):
    assert folders_of_masks(names) is None


def test_the_mask_of_an_image_that_was_left_out_lacks_none(put):
    root = put("images/a.gif", "masks/a.gif", "masks/b.gif")
    put("images/b.jpg", content=b"")
    with pytest.warns(ph.PolyheadWarning) as caught:
        rows = ph.read_folder(root, masks="masks", missing_files="drop")
    assert rows.read([0])["mask"] == [str(root / "masks" / "a.gif")]
    assert [str(one.message).partition(": ")[2] for one in caught] == [
        "files that cannot be read left out (1). print(source.report) shows the details."
    ]
    assert [problem.code for problem in rows.report.warnings] == ["image"]


@pytest.mark.filterwarnings("ignore::polyhead.PolyheadWarning")
def test_the_row_of_an_image_that_was_left_out_is_left_out_too(put):
    root = put("a.gif")
    put("b.jpg", content=b"")
    table = {"file": ["b.jpg", "a.gif"], "age": [3, 5]}
    rows = ph.read_folder(root, table=table, missing_files="drop")
    assert rows.read(np.arange(1))["age"].tolist() == [5]
    assert "1 image with a row in the table, 0 missing" in rows.report.notes


@pytest.mark.filterwarnings("ignore::polyhead.PolyheadWarning")
def test_a_folder_of_which_no_image_can_be_read_is_refused(put):
    root = put("images/b.jpg", content=b"")
    put("masks/c.gif")
    with pytest.raises(ph.DataError, match="expected at least one image that can be read, got none of 1"):
        ph.read_folder(root, masks="masks", missing_files="drop")
