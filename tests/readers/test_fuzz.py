"""Readers of inputs that nobody would write: they read them or say what is wrong, in little time and memory.

``POLYHEAD_FUZZ=20000`` runs so many inputs of each reader; an input is made of its number alone.
"""

import os
import time

import fuzzing
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from pyarrow import parquet as pq

import polyhead as ph

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
resource = pytest.importorskip("resource", reason="only Unix counts memory so")

COUNT = int(os.environ.get("POLYHEAD_FUZZ", "150"))
FIRST = int(os.environ.get("POLYHEAD_FUZZ_FIRST", "0"))
SECONDS = 2
BYTES = 1 << 30
DRAWN = 1 << 20
"""Pixels of masks that are drawn: of larger ones the image would not be decoded either."""


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.new("RGB", (30, 20)).save(path)


class Coco:
    """COCO's JSON: instances, keypoints, panoptic."""

    def __init__(self, root):
        self.root = root
        for name in "ab":
            picture(root / f"{name}.png")
            picture(root / "p" / f"{name}.png")
        images = [{"id": i, "file_name": f"{n}.png", "height": 20, "width": 30} for i, n in enumerate("ab")]
        note = {"image_id": 1, "category_id": 3, "iscrowd": 0, "area": 20.0}
        runs = [
            {"size": [20, 30], "counts": [100, 50, 450]},
            {"size": [20, 30], "counts": "T3b1R>"},
            [[1, 1, 9, 1, 9, 9]],
            [1, 1, 9, 1, 9, 9],
        ]
        notes = [
            {
                **note,
                "id": i,
                "bbox": [1, 2, 3 + i, 4],
                "segmentation": one,
                "score": 0.5,
                "attributes": {"a": 1},
            }
            for i, one in enumerate(runs)
        ]
        whole = {"images": images, "categories": [{"id": 3, "name": "cat"}], "annotations": notes}
        points = {
            **whole,
            "categories": [{"id": 3, "name": "cat", "keypoints": ["a", "b"]}],
            "annotations": [{**n, "keypoints": [1, 1, 2, 3, 4, 1]} for n in notes],
        }
        segments = [{**note, "id": 7, "bbox": [1, 1, 3, 3]}]
        panoptic = {
            **whole,
            "categories": [{"id": 3, "name": "cat", "isthing": 1}],
            "annotations": [{"image_id": 0, "file_name": "a.png", "segments_info": segments}],
        }
        self.trees = [whole, points, panoptic]

    def plain(self):
        for tree in self.trees:
            (self.root / "a.json").write_bytes(fuzzing.as_json(tree))
            yield ph.read_coco(self.root / "a.json", self.root, segments=self.root / "p")

    def read(self, chance):
        tree = chance.choice(self.trees)
        if chance.random() < 0.75:
            text = fuzzing.as_json(fuzzing.changed_tree(chance, tree))
        else:
            text = fuzzing.changed_bytes(chance, fuzzing.as_json(tree))
        (self.root / "a.json").write_bytes(text)
        options = {
            "invalid": chance.choice([None, "drop", "raise"]),
            "missing_files": chance.choice(["raise", "drop"]),
            "crowds": chance.choice([None, "keep"]),
            "unannotated": chance.choice([None, "empty"]),
            "exif": chance.choice([None, "ignored"]),
        }
        return ph.read_coco(self.root / "a.json", self.root, segments=self.root / "p", **options)


class Voc:
    """PASCAL VOC's XML."""

    text = (
        b'<?xml version="1.0"?><annotation><folder>x</folder><filename>a.png</filename><size><width>30</width>'
        b"<height>20</height><depth>3</depth></size><object><name>cat</name><pose>Left</pose><truncated>1</truncated>"
        b"<difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
        b"<object><name>dog</name><bndbox><xmin>3</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
        b"</annotation>"
    )

    def __init__(self, root):
        self.root = root
        for name in "ab":
            picture(root / "JPEGImages" / f"{name}.png")
        (root / "Annotations").mkdir()
        (root / "ImageSets" / "Main").mkdir(parents=True)

    def plain(self):
        (self.root / "Annotations" / "a.xml").write_bytes(self.text)
        yield ph.read_voc(self.root)

    def read(self, chance):
        split = "train" if chance.random() < 0.2 else None
        changed = fuzzing.changed_xml if chance.random() < 0.7 else fuzzing.changed_bytes
        text = self.text if split else changed(chance, self.text)
        (self.root / "Annotations" / "a.xml").write_bytes(text)
        (self.root / "ImageSets/Main/train.txt").write_bytes(fuzzing.changed_bytes(chance, b"a\nb\n"))
        options = {"invalid": chance.choice([None, "drop", "raise"]), "unannotated": "empty"}
        return ph.read_voc(self.root, split, missing_files=chance.choice(["raise", "drop"]), **options)


class Yolo:
    """YOLO's data YAML, lists and label files."""

    labels = b"0 0.5 0.5 0.5 0.5\n1 0.1 0.1 0.9 0.1 0.9 0.9\n"
    points = b"0 0.5 0.5 0.5 0.5 0.1 0.2 2 0 0 0\n"

    def __init__(self, root):
        self.root = root
        for name in "ab":
            picture(root / "train" / "images" / f"{name}.png")
            (root / "train" / "labels").mkdir(exist_ok=True)
            (root / "train" / "labels" / f"{name}.txt").write_bytes(self.labels)
        self.tree = {"path": ".", "train": "../train/images", "names": ["cat", "dog"], "nc": 2}
        self.numbered = {"train": ["train/images"], "names": {0: "cat", 1: "dog"}, "kpt_shape": [2, 3]}

    def plain(self):
        for tree, labels in ((self.tree, self.labels), (self.numbered, self.points)):
            (self.root / "data.yaml").write_text(yaml.safe_dump(tree))
            for name in "ab":
                (self.root / "train" / "labels" / f"{name}.txt").write_bytes(labels)
            yield ph.read_yolo(self.root / "data.yaml")

    def read(self, chance):
        tree = chance.choice([self.tree, self.numbered])
        labels = self.points if "kpt_shape" in tree else self.labels
        text = yaml.safe_dump(tree).encode()
        (self.root / "train" / "labels" / "b.txt").write_bytes(labels)
        how = chance.randrange(4)
        if how == 0:
            text = fuzzing.as_json(fuzzing.changed_tree(chance, tree))  # which is YAML as well
        elif how == 1:
            text = fuzzing.changed_bytes(chance, text)
        elif how == 2:
            labels = fuzzing.changed_bytes(chance, labels)
        else:
            text = text.replace(b"../train/images", b"list.txt")
            lines = b"train/images/a.png\n./train/images/b.png\n"
            (self.root / "list.txt").write_bytes(fuzzing.changed_bytes(chance, lines))
        (self.root / "data.yaml").write_bytes(text)
        (self.root / "train" / "labels" / "a.txt").write_bytes(labels)
        options = {"invalid": chance.choice([None, "drop", "raise"]), "unannotated": "empty"}
        return ph.read_yolo(
            self.root / "data.yaml", missing_files=chance.choice(["raise", "drop"]), **options
        )


class Folder:
    """A folder of images with a table beside them, and images that are none."""

    table = b"file,age,kind\na.png,3,cat\nb.png,4,dog\n"

    def __init__(self, root):
        self.root = root
        for name in "ab":
            picture(root / "images" / f"{name}.png")
            picture(root / "masks" / f"{name}.png")
        self.image = (root / "images" / "a.png").read_bytes()

    def plain(self):
        (self.root / "t.csv").write_bytes(self.table)
        yield ph.read_folder(self.root, table="t.csv", masks="masks", verify=True)

    def read(self, chance):
        in_table = chance.random() < 0.5
        (self.root / "t.csv").write_bytes(
            fuzzing.changed_bytes(chance, self.table) if in_table else self.table
        )
        image = self.image if in_table else fuzzing.changed_bytes(chance, self.image)
        (self.root / "images" / "a.png").write_bytes(image)
        options = {"verify": chance.random() < 0.5, "missing_files": chance.choice(["raise", "drop"])}
        return ph.read_folder(self.root, table="t.csv", masks=chance.choice([None, "masks"]), **options)


class Table:
    """CSV, TSV, Parquet and Arrow's own files."""

    table = b"file,age,kind,when\na.png,3,cat,2020-01-01\nb.png,,dog,\nc.png,1e5,,2021-01-01\n"

    def __init__(self, root):
        self.root = root
        rows = {"a": [1, 2, None], "k": ["x", None, "y"], "l": [[1], [2, 3], None], "f": [0.5, 1, 2]}
        pq.write_table(pa.table(rows), root / "a.parquet")
        feather.write_feather(pa.table(rows), root / "a.feather")
        self.files = {name: (root / f"a.{name}").read_bytes() for name in ("parquet", "feather")}
        self.files |= {"csv": self.table, "tsv": self.table.replace(b",", b"\t")}

    def plain(self):
        for name, content in self.files.items():
            (self.root / f"a.{name}").write_bytes(content)
            yield ph.read_table(self.root / f"a.{name}")

    def read(self, chance):
        name = chance.choice(list(self.files))
        content = self.files[name]
        if name in ("parquet", "feather") and chance.random() < 0.8:
            content = fuzzing.flipped(chance, content)
        else:
            content = fuzzing.changed_bytes(chance, content)
        path = self.root / f"a.{name}"
        path.unlink(missing_ok=True)  # one that is still mapped keeps its bytes
        path.write_bytes(content)
        return ph.read_table(path)


READERS = {"coco": Coco, "voc": Voc, "yolo": Yolo, "folder": Folder, "table": Table}


def use(source):
    """Reads all rows and draws their masks, as a feed would."""
    rows = source.read(range(len(source)))
    for value in rows.get("masks", ()):
        for mask in value or ():
            if hasattr(mask, "rings") or hasattr(mask, "counts"):
                assert np.prod(mask.size) > DRAWN or mask.to_mask().shape == mask.size
    for boxes in rows.get("boxes", ()):
        assert boxes is None or (boxes.dtype == np.float32 and np.isfinite(boxes).all())


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore::polyhead.PolyheadWarning")
def test_inputs_that_nobody_would_write(tmp_path, name):
    reader = READERS[name](tmp_path)
    for source in reader.plain():
        assert source.report.ok if hasattr(source, "report") else True
        use(source)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, read, refused = [], 0, 0
    for seed in range(FIRST, FIRST + COUNT):
        start = time.process_time()
        try:
            use(reader.read(fuzzing.chance_of(seed)))
            read += 1
        except ph.PolyheadError as error:
            refused += 1
            if len(str(error)) > 20_000:
                wrong.append(f"{seed}: an error of {len(str(error)):,} characters")
        except Exception as error:
            wrong.append(f"{seed}: {type(error).__name__}: {str(error)[:80]}")
        if time.process_time() - start > SECONDS:
            wrong.append(f"{seed}: {time.process_time() - start:.1f} s of work")
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    print(f"{name}: {COUNT:,} inputs, {read:,} read, {refused:,} refused, {grown / 1e6:,.0f} MB")
    assert wrong == []
    assert grown < BYTES
    assert read > COUNT / 50
    assert refused > COUNT / 50
