import numpy as np
import pytest

from outcomes import message
from polyhead.readers import voc_layout
from polyhead.readers.findings import SAY_DROP
from polyhead.readers.voc import read_voc

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*print\(source.report\):polyhead.PolyheadWarning"
)  # see test_odd.py


def gif(height, width):
    """A picture as far as its size goes."""
    return b"GIF89a" + bytes([width, 0, height, 0])


def thing(name="cat", box=(1, 1, 10, 5), more=""):
    edges = "".join(f"<{e}>{v}</{e}>" for e, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name>{more}<bndbox>{edges}</bndbox></object>"


def xml(*objects, file="a.jpg", size="<size><width>60</width><height>40</height><depth>3</depth></size>"):
    name = f"<filename>{file}</filename>" if file else ""
    return f"<annotation><folder>x</folder>{name}{size}{''.join(objects)}</annotation>"


def column(source, name):
    return source.read(np.arange(len(source)))[name]


@pytest.fixture
def data(tmp_path):
    """Writes XML files beside as many images of 40 x 60 and reads them."""
    for name in ("JPEGImages", "Annotations"):
        (tmp_path / name).mkdir()

    def read(*texts, **options):
        for name, text in zip("abcd", texts, strict=False):
            (tmp_path / "JPEGImages" / f"{name}.jpg").write_bytes(gif(40, 60))
            if text is not None:
                (tmp_path / "Annotations" / f"{name}.xml").write_text(text)
        return read_voc(tmp_path, **options)

    read.root = tmp_path
    read.file = f"file {tmp_path / 'Annotations' / 'a.xml'}"
    return read


def test_boxes(data):
    rows = data(
        xml(thing(), thing("dog", (60, 40, 60, 40), "<difficult>1</difficult>")), xml(file="b.jpg"), None
    )
    assert repr(rows) == "Images(3 rows: image, file, size, annotated, boxes, labels, categories, difficult)"
    assert column(rows, "boxes")[0].tolist() == [[0, 0, 10, 5], [59, 39, 60, 40]]
    assert column(rows, "boxes")[0].dtype == np.float32
    assert column(rows, "boxes")[1].shape == (0, 4)
    assert column(rows, "boxes")[2] is None
    assert column(rows, "labels") == [["cat", "dog"], [], None]
    assert column(rows, "difficult")[0].tolist() == [False, True]
    assert column(rows, "file") == ["a.jpg", "b.jpg", "c.jpg"]
    assert column(rows, "size").tolist() == [[40, 60]] * 3
    assert rows.categories == ("cat", "dog")
    assert rows.report.notes == (
        "3 images",
        "1 annotated",
        "1 missing: 1 without annotation",
        "1 empty",
        "2 boxes of 2 categories",
    )


def test_an_image_without_xml_may_be_an_empty_scene(data):
    rows = data(xml(thing()), None, unannotated="empty")
    assert column(rows, "labels") == [["cat"], []]
    assert rows.report.notes[3] == "1 empty: 1 without annotation"


def test_boxes_by_their_edges(data):
    rows = data(xml(thing(box=(0, 0, 10.5, 5))), one_based=False)
    assert column(rows, "boxes")[0].tolist() == [[0, 0, 10.5, 5]]
    rows = data(xml(thing(box=(0, 0, 10, 5))))
    assert column(rows, "boxes")[0].tolist() == [[0, 0, 10, 5]]
    assert (
        "some boxes start at 0; if the first pixel is 0, use read_voc(one_based=False)" in rows.report.notes
    )
    assert str(rows.report.warnings[0]).startswith(
        f"{data.file}, object 1: expected a box within the image, got [-1, -1, 10, 5] as xyxy"
    )


def test_some_objects(data):
    rows = data(xml(thing(), thing("dog", more="<difficult>1</difficult>")), categories=["cat"])
    assert column(rows, "labels") == [["cat"]]
    assert rows.categories == ("cat",)
    assert "1 object of other categories left out: dog" in rows.report.notes
    rows = data(
        xml(thing(), thing("dog", more="<difficult>1</difficult>")),
        xml(thing(more="<difficult>1</difficult>"), file="b.jpg"),
        difficult="skip",
    )
    assert column(rows, "labels") == [["cat"], None]
    assert "2 difficult objects left out" in rows.report.notes
    assert message(lambda: data(categories=["cta"])) == (
        "read_voc(categories=): expected categories of the data (cat, dog), got 'cta'. Did you mean `cat`?"
    )


def test_folders_that_are_no_paths(data):
    for name in ("images", "annotations"):
        words = f"read_voc({name}=): expected the path of a folder, got 5."
        assert message(lambda name=name: data(xml(), **{name: 5})) == words


def test_names_that_are_not_known(data):
    assert message(lambda: data(xml(thing("dgo")), known=["cat", "dog"])) == (
        f"{data.file}, object 1: expected one of cat, dog, got 'dgo'. Did you mean `dog`? {SAY_DROP}"
    )
    assert data(xml(thing("dog")), known=["cow", "cat", "dog"]).categories == ("cow", "cat", "dog")


def test_similar_names_are_sought_for_the_objects_that_are_shown(data, monkeypatch):
    sought = []
    monkeypatch.setattr(voc_layout, "similar", lambda name, names: sought.append(name) or "")
    rows = data(xml(*[thing("dgo")] * 15, *[thing("dog")] * 16), known=["cat", "dog"], invalid="drop")
    assert len(rows.report.problems) == 11  # with one for the five more places
    assert len(sought) == 10


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("<object><bndbox><xmin>1</xmin></bndbox></object>", "expected a <name>, got none."),
        ("<object><name>cat</name></object>", "expected a <bndbox> of xmin, ymin, xmax, ymax, got none."),
        (
            thing(box=(1, 2, "x", 4)),
            "expected a <bndbox> of four numbers, xmin, ymin, xmax, ymax, got [1.0, 2.0, 'x', 4.0].",
        ),
        (
            "<object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object>",
            "expected a <bndbox> of four numbers, xmin, ymin, xmax, ymax, got [1.0, None, None, None].",
        ),
        (
            thing(box=(1, 2, "nan", 4)),
            "expected a box of four finite numbers, got [0, 1, nan, 4] as xyxy of an image 40 x 60 (height x width).",
        ),
    ],
)
def test_objects_that_cannot_be_used(data, part, words):
    where = f"{data.file}, object 1: {words}"
    assert message(lambda: data(xml(part))) == f"{where} {SAY_DROP}"
    assert message(lambda: data(xml(part), invalid="raise")) == where
    assert message(lambda: data(xml(part), invalid="drop")) == where  # nothing but such objects
    rows = data(xml(part + thing()), invalid="drop")
    assert column(rows, "labels") == [["cat"]]
    assert [str(p) for p in rows.report.warnings] == [
        f'{where} It is left out; say invalid="raise" to make it an error.'
    ]


def test_boxes_that_are_none(data):
    rows = data(xml(thing(), thing(box=(9, 9, 5, 9)), thing(box=(9, 9, 8, 12)), thing(box=(70, 1, 80, 5))))
    assert column(rows, "boxes")[0].tolist() == [[0, 0, 10, 5]]
    assert [p.code for p in rows.report.warnings] == ["box-negative", "box-empty", "box-outside"]
    assert message(lambda: data(xml(thing(box=(9, 9, 5, 9))), invalid="raise")).startswith(
        f"{data.file}, object 1: expected a box whose right and lower edges come last, got [8, 8, 5, 9] as xyxy"
    )


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'
ENTITY = (
    "expected XML without custom entities, which can expand without limit, got an <!ENTITY>. Take it out."
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOMB.encode(), ENTITY),
        (BOMB.encode("utf-16"), ENTITY),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>', ENTITY),
        (b"", "expected XML, got no element found: line 1, column 0."),
        (b"<annotation>", "expected XML, got no element found: line 1, column 12."),
        (b"<a/>", "expected an <annotation>, got <a>."),
        (
            b"<annotations/>",
            "expected an <annotation>, got <annotations>. This may be CVAT's own format: export it as PASCAL VOC or "
            "COCO.",
        ),
        (b'<?xml version="1.0" encoding="none"?><annotation/>', "expected XML, got unknown encoding"),
    ],
)
def test_files_that_cannot_be_used(data, content, words):
    data(xml())
    (data.root / "Annotations" / "a.xml").write_bytes(content)
    assert message(data).startswith(f"{data.file}: {words}")


def test_no_xml_at_all_is_an_error_unless_images_are_listed_or_have_masks(data):
    data(xml())
    (data.root / "Annotations" / "a.xml").unlink()
    assert message(lambda: data(unannotated="empty")) == (
        f"file {data.root / 'JPEGImages'}: expected at least one XML file, got none for any image. "
        "Say read_voc(annotations=...), the folder of the XML files."
    )
    (data.root / "ImageSets/Main").mkdir(parents=True)
    (data.root / "ImageSets/Main/test.txt").write_text("a\n")  # as the test part of VOC 2012
    assert len(data(split="test", unannotated="missing")) == 1


def test_names_in_lists_may_have_spaces_and_extensions(data):
    data(xml(), xml(file="b.jpg"))
    for name in ("a 1", "a b"):
        (data.root / f"JPEGImages/{name}.jpg").write_bytes(gif(40, 60))
        (data.root / f"Annotations/{name}.xml").write_text(xml(file=f"{name}.jpg"))
    (data.root / "ImageSets/Main").mkdir(parents=True)
    for lines, files in (
        ("a b\na 1\na\n", ["a b.jpg", "a 1.jpg", "a.jpg"]),
        ("a b.jpg\nb.JPG\n", ["a b.jpg", "b.jpg"]),
        ("a b -1\na 1  1\na  1\nb  0\n", ["a b.jpg", "a 1.jpg", "a.jpg", "b.jpg"]),
    ):
        (data.root / "ImageSets/Main/train.txt").write_text(lines)
        assert column(data(split="train"), "file") == files


def test_mistakes_come_all_at_once(data):
    assert message(
        lambda: data(xml(thing("")), "<a/>", xml(thing(more="<difficult>2</difficult>"), file="c.jpg"))
    ).startswith("3 problems:")


@pytest.mark.parametrize("name", ["a", "a.png", " a.bmp "])
def test_names_of_images_with_no_or_another_extension(data, name):
    rows = data(xml(thing(), file=name))
    assert column(rows, "file") == ["a.jpg"]
    assert rows.report.problems == ()


def test_names_of_images(data):
    rows = data(xml(thing(), file=""))
    assert column(rows, "file") == ["a.jpg"]
    rows = data(xml(thing(), file="other.png"))
    assert column(rows, "file") == ["a.jpg"]
    assert [str(p) for p in rows.report.warnings] == [
        f"{data.file}, <filename>: expected the name of an image, got 'other.png'. "
        "The image with the name of the XML file is used."
    ]
    (data.root / "JPEGImages" / "other.png").write_bytes(gif(40, 60))
    rows = data(xml(thing(), file="other.png"))
    assert column(rows, "file") == ["a.jpg", "other.png"]
    assert column(rows, "labels") == [None, ["cat"]]
    assert message(lambda: data(xml(), xml())) == (
        f"file {data.root / 'Annotations' / 'b.xml'}: expected a separate image for each XML file, "
        f"got {data.root / 'JPEGImages' / 'a.jpg'}."
    )
    (data.root / "Annotations" / "b.xml").unlink()
    for file in ("../x.jpg", "/etc/x.jpg"):
        assert message(lambda file=file: data(xml(file=file))).startswith(
            f"{data.file}, <filename>: expected the name of a file under {data.root / 'JPEGImages'}, got "
        )


@pytest.mark.parametrize(
    "name",
    [r"C:\photos\a.jpg", "C:/photos/a.jpg", "/home/me/photos/a.jpg", r"..\photos\a.jpg", r"photos\a.jpg"],
)
@pytest.mark.parametrize("tag", ["filename", "path"])
def test_paths_of_another_computer_name_their_last_part(data, tag, name):
    text = xml(thing(), file="").replace("<size>", f"<{tag}>{name}</{tag}><size>")
    rows = data(text)
    assert column(rows, "file") == ["a.jpg"]
    assert column(rows, "labels") == [["cat"]]
    assert rows.report.problems == ()


def test_a_path_of_another_computer_may_name_another_image_than_its_own_xml_file(data):
    data(xml(), None)
    (data.root / "Annotations" / "a.xml").write_text(xml(thing(), file=r"D:\all\b.jpg"))
    rows = read_voc(data.root, unannotated="missing")
    assert column(rows, "file") == ["a.jpg", "b.jpg"]
    assert column(rows, "labels") == [None, ["cat"]]
    for name in (r"D:\all\x.jpg", r"D:\all\..", "D:\\", r"\\server\all\x.jpg"):
        (data.root / "Annotations" / "a.xml").write_text(xml(thing(), file=name))
        assert message(lambda: read_voc(data.root)).startswith(
            f"{data.file}, <filename>: expected the name of a file under {data.root / 'JPEGImages'}, got "
        )


def test_files_that_are_not_there(data):
    data(xml(thing()), xml(thing(), file="b.jpg"))
    (data.root / "JPEGImages" / "a.jpg").unlink()
    where = f"{data.file}, file {data.root / 'JPEGImages' / 'a.jpg'}: expected a file at this path, got none."
    assert message(data) == f'{where} Say missing_files="drop" to leave such images out.'
    rows = data(missing_files="drop")
    assert column(rows, "file") == ["b.jpg"]
    assert [str(p) for p in rows.report.warnings] == [where]


def test_sizes(data):
    rows = data(
        xml(thing(), size=""), xml(file="b.jpg", size="<size><width>0</width><height>0</height></size>")
    )
    assert column(rows, "size").tolist() == [[40, 60]] * 2
    wrong = xml(thing(), size="<size><width>40</width><height>60</height></size>")
    assert message(lambda: data(wrong)) == (
        f"file {data.root / 'JPEGImages' / 'a.jpg'}: expected the size (height x width) in the annotation, got "
        "40 x 60 in the image, 60 x 40 in the annotation. Height and width may be swapped in the annotation; correct "
        'them there. Say missing_files="drop" to leave such images out.'
    )
    assert len(data(wrong, missing_files="drop")) == 1
    (data.root / "JPEGImages" / "b.jpg").write_bytes(b"broken")
    found = message(lambda: data(xml(thing(), size="")))
    assert found.startswith(f"file {data.root / 'JPEGImages' / 'b.jpg'}: expected an image (JPEG,")


def test_parts(data):
    data(xml(thing()), xml(thing("dog"), file="b.jpg"), None)
    for folder in ("Main", "Segmentation"):
        (data.root / "ImageSets" / folder).mkdir(parents=True)
    (data.root / "ImageSets" / "Main" / "train.txt").write_text("b\nc\n\n")
    (data.root / "ImageSets" / "Main" / "cat_train.txt").write_text("a  1\nb -1\na  1\n")
    (data.root / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    assert column(data(split="train"), "labels") == [["dog"], None]
    assert column(data(split="Segmentation/val"), "labels") == [["cat"]]
    rows = data(split="cat_train")
    assert len(rows) == 2
    file = data.root / "ImageSets" / "Main"
    assert [str(p) for p in rows.report.warnings] == [
        f"file {file / 'cat_train.txt'}, line 3: expected each image once, got 'a'."
    ]
    assert message(lambda: data(split="trian")) == (
        f"file {file / 'trian.txt'}: expected a list of images, got nothing at this path. Did you mean `train`?"
    )
    assert "which leads out of it" in message(lambda: data(split="../../../x"))
    (file / "train.txt").write_text("../../b\n")
    assert message(lambda: data(split="train")).startswith(
        f"file {file / 'train.txt'}, line 1: expected the name"
    )
    (file / "train.txt").write_text("z\n")
    assert message(lambda: data(split="train")).startswith(
        f"the list of images, file {data.root / 'JPEGImages' / 'z.jpg'}: expected a file at this path, got none."
    )


def test_masks_are_paths(data):
    data(xml(thing()), None)
    for folder, name in (("SegmentationClass", "b"), ("SegmentationObject", "b")):
        (data.root / folder).mkdir()
        (data.root / folder / f"{name}.png").write_bytes(b"")
    rows = data()
    assert column(rows, "mask") == [None, str(data.root / "SegmentationClass" / "b.png")]
    assert column(rows, "instances") == [None, str(data.root / "SegmentationObject" / "b.png")]
    assert "1 mask in SegmentationClass, 1 missing" in rows.report.notes


def test_folders_that_are_not_there(tmp_path):
    assert message(lambda: read_voc(tmp_path)) == (
        f"read_voc(root), file {tmp_path}: expected folders such as JPEGImages and Annotations, or images next to "
        "their XML files, got an empty folder. Give their folders: read_voc(images=..., annotations=...)."
    )
    (tmp_path / "JPEGImages").mkdir()
    assert message(lambda: read_voc(tmp_path)).startswith(
        f"file {tmp_path / 'JPEGImages'}: expected images, files that end in .jpg, "
    )


def test_views(data):
    rows = data(xml(thing()), None, xml(thing("dog"), file="c.jpg"), None)
    parts = rows.split((0.5, 0.5), stratify="labels", seed=3)
    assert [sum(b is None for b in column(part, "boxes")) for part in parts] == [1, 1]
    assert column(rows.concat(rows), "labels")[4:] == [["cat"], None, ["dog"], None]
