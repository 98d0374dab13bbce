"""Lists of images and of classes that are not UTF-8 end in an error with the file and the line."""

import numpy as np
import pytest

import polyhead as ph

cv2 = pytest.importorskip("cv2")
pytest.importorskip("yaml")
BOX = (
    "<object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></object>"
)


def yolo(folder, **files):
    for name in ("images", "labels"):
        (folder / name).mkdir()
    cv2.imwrite(str(folder / "images" / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    (folder / "labels" / "a.txt").write_text("0 .5 .5 .2 .2\n")
    (folder / "data.yaml").write_text("train: train.txt\nnames: [x]\n")
    (folder / "train.txt").write_bytes(files["train"])
    return ph.read_yolo(folder / "data.yaml", split="train")


def voc(folder, **files):
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    cv2.imwrite(str(folder / "JPEGImages" / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    size = "<size><width>8</width><height>8</height><depth>3</depth></size>"
    xml = f"<annotation><filename>a.jpg</filename>{size}{BOX}</annotation>"
    (folder / "Annotations" / "a.xml").write_text(xml)
    (folder / "ImageSets" / "Main" / "train.txt").write_bytes(files["train"])
    return ph.read_voc(folder, split="train")


@pytest.mark.parametrize(
    ("make", "lines", "path"),
    [
        (yolo, [b"images/a.jpg", b"images/\xe9.jpg"], "train.txt"),
        (voc, [b"a", b"\xe9"], "ImageSets/Main/train.txt"),
    ],
)
def test_a_list_that_is_not_utf_8(tmp_path, make, lines, path):
    for folder, mark in (("one", b""), ("two", b"\xef\xbb\xbf")):  # with the mark of some editors, too
        (tmp_path / folder).mkdir()
        assert len(make(tmp_path / folder, train=mark + lines[0] + b"\r\n")) == 1
    (tmp_path / "bad").mkdir()
    with pytest.raises(ph.DataError) as error:
        make(tmp_path / "bad", train=b"\n".join(lines))
    assert str(error.value) == (
        f"file {tmp_path / 'bad' / path}, line 2: expected text in UTF-8, got the byte 0xe9. Save the file as UTF-8."
    )
