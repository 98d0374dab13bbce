"""The folders that tools write: Roboflow's, labelImg's, Kaggle's, and lists of files as they were elsewhere."""

import json
import os

import numpy as np
import pytest

import polyhead as ph
from polyhead.readers.findings import Findings
from polyhead.readers.paths import Root

pytest.importorskip("yaml", reason="PyYAML is not installed")
pytestmark = pytest.mark.filterwarnings(r"ignore:.*print\(source.report\):polyhead.PolyheadWarning")

BOX = "<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
XML = f"<annotation><filename>a.gif</filename><object><name>cat</name>{BOX}</object></annotation>"


def gif(path, height=40, width=60):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GIF89a" + bytes([width, 0, height, 0]))


def message(work):
    with pytest.raises(ph.DataError) as caught:
        work()
    return str(caught.value)


@pytest.fixture
def pets(tmp_path):
    """As Roboflow exports it: data.yaml beside train/ and valid/, of which each has images and labels."""
    home = tmp_path / "pets"
    for part in ("train", "valid"):
        gif(home / part / "images" / f"{part}.gif")
        (home / part / "labels").mkdir()
        (home / part / "labels" / f"{part}.txt").write_text("0 .5 .5 .2 .2\n")

    def write(text):
        (home / "data.yaml").write_text(f"{text}\nnames: [cat]\n")
        return home / "data.yaml"

    write.home = home
    return write


@pytest.mark.parametrize(
    "train",
    [
        "../train/images",
        "../../somewhere/train/images",
        "/content/pets/train/images",
        "/pets/train/images/",
        r"C:\data\pets\train\images",
        "train/images",
        "./train/images",
    ],
)
def test_a_path_that_ends_in_the_folder_is_taken(pets, train):
    rows = ph.read_yolo(pets(f"train: '{train}'\nval: ../valid/images"))
    assert rows.read([0])["file"] == ["train/images/train.gif"]
    np.testing.assert_allclose(rows.read([0])["boxes"][0], [[24, 16, 36, 24]], rtol=1e-6)
    assert len(ph.read_yolo(pets.home, "val")) == 1


@pytest.mark.parametrize("path", ["/content/pets", "../datasets/pets", "pets", "."])
def test_the_folder_itself_by_its_name(pets, path):
    rows = ph.read_yolo(pets(f"path: {path}\ntrain: train/images"))
    assert rows.read([0])["file"] == ["train/images/train.gif"]


def test_names_by_number_are_in_the_order_of_the_numbers(pets):
    text = "train: train/images\nnames: {1: dog, 0: cat}\nmore: x"
    (pets.home / "data.yaml").write_text(text)
    rows = ph.read_yolo(pets.home)
    assert rows.categories == rows.about("labels").classes == ("cat", "dog")


def test_numbers_of_names_may_be_text(pets):
    (pets.home / "data.yaml").write_text('train: train/images\nnames: {"1": dog, "0": cat}')
    assert ph.read_yolo(pets.home).categories == ("cat", "dog")


@pytest.mark.parametrize("names", ["[no, 007, 1.10]", "{0: no, 1: 007, 2: 1.10}"])
def test_names_are_text_as_they_are_written(pets, names):
    (pets.home / "data.yaml").write_text(f"train: train/images\nnc: 3\nnames: {names}")
    assert ph.read_yolo(pets.home).categories == ("no", "007", "1.10")


def test_names_in_another_file(pets):
    (pets.home / "data.yaml").write_text("train: train/images")
    file = pets.home / "obj.names"
    file.write_text("cat\n\ndog\n")
    for names in (file, str(file)):
        assert ph.read_yolo(pets.home, names=names).categories == ("cat", "dog")
    (pets.home / "more").mkdir()
    other = pets.home / "more/coco.YAML"
    other.write_text("names: {0: cat, 1: no}")
    assert ph.read_yolo(pets.home, names=other).categories == ("cat", "no")
    file.write_text("")
    assert message(lambda: ph.read_yolo(pets.home, names=file)) == (
        f"file {file}: expected names, a list of the classes or {{number: name}}, got []."
    )


def test_a_part_without_a_value(pets):
    (pets.home / "data.yaml").write_text("train: train/images\nnames: [cat]\ntest:")
    assert message(lambda: ph.read_yolo(pets.home, "test")) == (
        f"file {pets.home / 'data.yaml'}: expected the key test, the folder of images, got no value."
    )


def test_numbers_that_heads_cannot_keep_give_a_warning(pets):
    (pets.home / "data.yaml").write_text("train: train/images\nnames: {0: cat, 2: dog}")
    with pytest.warns(ph.PolyheadWarning, match="unused numbers, which heads number anew"):
        rows = ph.read_yolo(pets.home)
    assert rows.categories == ("cat", "dog")
    assert str(rows.report.warnings[0]) == (
        f"file {pets.home / 'data.yaml'}: expected names for all numbers from 0 on, got 0 cat, 2 dog. Heads number "
        "the classes in this order from 0. To keep the numbers of the files, name every class."
    )


def test_a_whole_path_to_a_folder_inside(pets):
    assert len(ph.read_yolo(pets(f"train: {pets.home}/train/images"))) == 1
    assert len(ph.read_yolo(pets(f"path: {pets.home}\ntrain: train/images"))) == 1


def test_lists_of_files_as_they_were_elsewhere(pets):
    (pets.home / "train.txt").write_text("/data/pets/train/images/train.gif\n../valid/images/valid.gif\n")
    rows = ph.read_yolo(pets("train: train.txt"))
    assert rows.read([0, 1])["file"] == ["train/images/train.gif", "valid/images/valid.gif"]


@pytest.mark.parametrize("train", ["../images", "/data/images", "../../etc", "../../../../../etc/passwd"])
def test_a_path_that_does_not_end_in_the_folder_names_the_arguments_that_help(pets, train):
    found = message(lambda: ph.read_yolo(pets(f"train: {train}")))
    assert found.startswith(
        f"file {pets.home / 'data.yaml'}, `train`: expected the name of a file under {pets.home}, got "
    )
    assert found.endswith(" Use read_yolo(root=...), the folder of the data set, or images= and labels=.")
    assert ("There is no " + train.replace("../", "") + " in it either." in found) == train.startswith("../")
    part = pets.home / "train"
    assert len(ph.read_yolo(pets.home, images=part / "images", labels=part / "labels")) == 1


def test_the_last_part_of_a_path_alone_is_no_end(pets):
    """`images` may hold all parts of a data set, which must not be taken for one of them."""
    gif(pets.home / "images" / "train" / "a.gif")
    gif(pets.home / "images" / "val" / "b.gif")
    (pets.home / "valid" / "a.txt").write_text("")
    assert "absolute path" in message(lambda: ph.read_yolo(pets("train: /data/other/images")))
    given = pets("train: /data/other/images/train")
    rows = ph.read_yolo(given, labels=pets.home / "valid", unannotated="empty", categories=["cat"])
    assert rows.read([0])["file"] == ["images/train/a.gif"]


def test_no_link_leads_out(pets, tmp_path):
    gif(tmp_path / "secret" / "images" / "a.gif")
    os.symlink(tmp_path / "secret", pets.home / "out")
    root = Root(pets.home, "root", Findings())
    assert root.inside("/x/out/images") is None
    assert root.inside("../out") is None
    assert root.inside("/x/train/images") == str(pets.home / "train" / "images")
    assert root.inside(f"{pets.home.name}/out/images") is None


@pytest.mark.parametrize(
    "name", ["{own}/a.gif", "data/{own}/a.gif", "/home/x/{own}/a.gif", "C:\\x\\{own}\\a.gif"]
)
def test_coco_s_names_from_another_folder(tmp_path, name):
    """An export names images from the folder above, as `images/a.gif`, or from where they were."""
    folder = tmp_path / "data" / "photos"
    gif(folder / "a.gif")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3]}
    content = {
        "images": [{"id": 1, "file_name": name.format(own="photos")}],
        "annotations": [box],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert ph.read_coco(tmp_path / "a.json", folder).read([0])["image"] == [str(folder / "a.gif")]


def test_a_folder_inside_may_have_the_name_of_its_folder(tmp_path):
    gif(tmp_path / "photos" / "photos" / "a.gif")
    gif(tmp_path / "photos" / "a.gif")
    root = Root(tmp_path / "photos", "root", Findings())
    assert root.inside("photos/a.gif") is None
    assert root.find("photos/a.gif", "") == str(tmp_path / "photos" / "photos" / "a.gif")


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ("JPEGImages", "Annotations"),
        ("images", "annotations"),
        ("Images", "xmls"),
        ("images", "images"),
        ("images", "."),
        (".", "annotations"),
        (".", "."),
    ],
)
def test_voc_in_other_folders(tmp_path, images, annotations):
    gif(tmp_path / images / "a.gif")
    (tmp_path / annotations).mkdir(exist_ok=True)
    (tmp_path / annotations / "a.xml").write_text(XML)
    rows = ph.read_voc(tmp_path)
    assert rows.read([0])["boxes"][0].tolist() == [[4, 4, 9, 9]]
    assert not any("that are no images" in note for note in rows.report.notes)


def test_voc_in_folders_inside(tmp_path):
    inner = tmp_path / "VOCdevkit" / "VOC2012"
    gif(inner / "JPEGImages" / "a.gif")
    (inner / "Annotations").mkdir()
    (inner / "Annotations" / "a.XML").write_text(XML)
    assert message(lambda: ph.read_voc(tmp_path)).endswith(f"got VOCdevkit. Say read_voc({str(inner)!r}).")
    assert len(ph.read_voc(inner).read([0])["boxes"][0]) == 1


def test_voc_in_folders_of_any_name(tmp_path):
    gif(tmp_path / "pictures" / "a.gif")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.xml").write_text(XML)
    assert message(lambda: ph.read_voc(tmp_path)) == (
        f"read_voc(root), file {tmp_path}: expected folders such as JPEGImages and Annotations, or images next to "
        "their XML files, got notes, pictures. Give their folders: read_voc(images=..., annotations=...)."
    )
    rows = ph.read_voc(tmp_path, images="pictures", annotations="notes")
    assert rows.read([0])["labels"] == [["cat"]]
    both = ph.read_voc(tmp_path / "pictures", annotations=tmp_path / "notes")
    assert both.read([0])["labels"] == [["cat"]]
    assert "read_voc(images=)" in message(lambda: ph.read_voc(tmp_path, images="gone"))


@pytest.mark.parametrize("images", ["img", "JPEGImages", "."])
@pytest.mark.parametrize("usual", [None, "labels"], ids=["none", "without XML"])
def test_xml_files_in_a_folder_of_another_name_are_no_images_without_annotation(tmp_path, images, usual):
    gif(tmp_path / images / "a.gif")
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.xml").write_text(XML)
    if usual:
        (tmp_path / usual).mkdir()
        (tmp_path / usual / "a.txt").write_text("0 .5 .5 .2 .2")
    assert message(lambda: ph.read_voc(tmp_path)) == (
        f"read_voc(root), file {tmp_path}: expected XML files in a folder such as Annotations, or next to their "
        "images, got XML files in ann. Say read_voc(annotations='ann')."
    )
    assert ph.read_voc(tmp_path, annotations="ann").read([0])["labels"] == [["cat"]]


def test_the_folder_of_voc_comes_before_others(tmp_path):
    gif(tmp_path / "JPEGImages" / "a.gif")
    gif(tmp_path / "images" / "b.gif")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(XML)
    (tmp_path / "labels").mkdir()
    assert ph.read_voc(tmp_path).read([0])["file"] == ["a.gif"]
