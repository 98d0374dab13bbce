"""Checksums of batches over kinds, sources, augmentations and workers: ``python tests/house/batch_checksums.py``.

A change that only moves code prints what the commit before it printed, line by line. Public names alone are used, so
that the same script runs on both. Files are made from formulas, in a folder that is removed.
"""

import json
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from PIL import Image as Pictures

import polyhead as ph

ROWS, HEIGHT, WIDTH = 24, 36, 48
CLASSES = ("cat", "dog", "emu")


def arrays():
    """All columns, in memory."""
    row = np.arange(ROWS)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    place = x + 3 * y + 7 * row[:, None, None]
    corner = np.stack([row % 9, row % 7], -1) * 2.0
    boxes = [
        [[a, b, a + 12, b + 9], [a + 6, b + 5, a + 20, b + 18]][: 1 + i % 2]
        for i, (a, b) in enumerate(corner)
    ]
    one = np.concatenate([corner, corner + np.array((15, 12))], 1)
    one[row % 6 == 5] = np.nan
    points = np.stack([corner, corner + np.array((9, 4)), corner + np.array((2, 11))], 1)
    return {
        "image": np.stack([place % 251, (2 * place) % 241, (3 * place) % 239], -1).astype("uint8"),
        "deep": (place * 97 % 65521).astype("uint16"),
        "floats": np.sin(np.outer(row + 1, np.arange(1, 6))).astype("float32"),
        "doubles": np.cos(np.outer(row + 1, np.arange(1, 4))),
        "yes": (row % 3 == 0).astype(int),
        "perhaps": [None if i % 5 == 4 else bool(i % 2) for i in row],
        "word": [None if i % 7 == 6 else CLASSES[i % 3] for i in row],
        "id": (row * 5) % 4,
        "tags": [[CLASSES[j] for j in range(3) if (i >> j) & 1] for i in row],
        "price": np.where(row % 8 == 7, np.nan, 0.1 * row),
        "vector": np.sin(np.outer(row + 1, np.arange(1, 9))).astype("float32"),
        "weight": 0.5 + (row % 4) / 4,
        "mask": (place // 5 % 2).astype("uint8"),
        "ids": (place // 4 % 3).astype("uint8"),
        "marked": np.where(place % 11 == 0, 255, place // 4 % 3).astype("uint8"),
        "layers": np.stack([place % 3 == 0, place % 5 == 0], -1).astype("uint8"),
        "depth": (place / 100).astype("float32"),
        "box": one,
        "boxes": boxes,
        "kinds": [[CLASSES[(i + j) % 3] for j in range(len(b))] for i, b in enumerate(boxes)],
        "points": points,
    }


def heads():
    """A head of each kind, with what kinds may be given."""
    return {
        "yes": ph.Binary(class_weight="balanced"),
        "perhaps": ph.Binary(sample_weight="weight"),
        "word": ph.Categorical(class_weight={"cat": 2.0}),
        "hot": ph.Categorical(4, column="id", one_hot=True),
        "tags": ph.MultiLabel(CLASSES),
        "price": ph.Regression(given="yes"),
        "vector": ph.Embedding(8),
    }


def spatial():
    """A head of each kind that lies in the image."""
    return {
        "mask": ph.Mask(),
        "ids": ph.Mask(3, class_weight="balanced"),
        "marked": ph.Mask(3, missing=255, outside=0),
        "layers": ph.Mask(2, multi=True),
        "depth": ph.Map(),
        "box": ph.Boxes(1, normalized=True, column_normalized=False, overflow="largest"),
        "boxes": ph.Boxes(3, overflow="first"),
        "kinds": ph.Categorical(CLASSES, each="boxes"),
        "points": ph.Keypoints(3, pairs=[(0, 1)]),
    }


def checksum(feed, epochs=2):
    """Of all arrays of some epochs, with their names, types and shapes, and of the ids of the rows."""
    total = 0
    for _ in range(epochs):
        for batch in feed.batches():
            total = zlib.crc32(np.ascontiguousarray(batch.ids).tobytes(), total)
            for part in (batch.inputs, batch.labels, batch.weights or {}):
                for name in sorted(part):
                    array = np.ascontiguousarray(part[name])
                    total = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), total)
                    total = zlib.crc32(array.tobytes(), total)
        feed.epoch += 1
    return f"{total:08x}"


def write_files(folder, data):
    """Images and masks as files, tables of their paths, and annotations in each format."""
    for name in ("images", "masks", "labels"):
        (folder / name).mkdir()
    lines, annotations, pictures = [], [], []
    for i in range(ROWS):
        Pictures.fromarray(data["image"][i]).save(folder / "images" / f"{i:02}.png")
        Pictures.fromarray(data["ids"][i]).save(folder / "masks" / f"{i:02}.png")
        pictures.append({"id": i, "file_name": f"{i:02}.png", "height": HEIGHT, "width": WIDTH})
        text = []
        for j, (a, b, c, d) in enumerate(data["boxes"][i]):
            category = CLASSES.index(data["kinds"][i][j])
            square = [a, b, c, b, c, d, a, d]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": i,
                    "category_id": category,
                    "bbox": [a, b, c - a, d - b],
                    "segmentation": [square],
                    "iscrowd": 0,
                    "area": (c - a) * (d - b),
                }
            )
            text.append(
                f"{category} {(a + c) / 2 / WIDTH} {(b + d) / 2 / HEIGHT} {(c - a) / WIDTH} {(d - b) / HEIGHT}"
            )
        (folder / "labels" / f"{i:02}.txt").write_text("\n".join(text))
        lines.append(str(folder / "images" / f"{i:02}.png"))
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
    (folder / "coco.json").write_text(
        json.dumps({"images": pictures, "annotations": annotations, "categories": categories})
    )
    (folder / "data.yaml").write_text(f"path: .\ntrain: images\nnames: [{', '.join(CLASSES)}]\n")
    table = pa.table(
        {
            "path": lines,
            "ids": [str(folder / "masks" / f"{i:02}.png") for i in range(ROWS)],
            "yes": data["yes"],
            "word": data["word"],
            "tags": data["tags"],
            "price": pa.array(data["price"], from_pandas=True),
            "boxes": data["boxes"],
            "kinds": data["kinds"],
        }
    )
    pq.write_table(table, folder / "table.parquet", row_group_size=7)
    feather.write_feather(table, str(folder / "table.arrow"))
    table.select(["path", "ids", "yes", "word", "price"]).to_pandas().to_csv(
        folder / "table.csv", index=False
    )


class Own(ph.Source):
    """Columns behind a user's own ``read``."""

    def __init__(self, columns):
        self.columns_of = columns

    def __len__(self):
        return ROWS

    def read(self, ids):
        """The rows as arrays and lists."""
        return {
            name: values[ids] if isinstance(values, np.ndarray) else [values[i] for i in ids]
            for name, values in self.columns_of.items()
        }


def lines(folder):
    """(what, checksum), one after the other."""
    data = arrays()
    write_files(folder, data)
    numbers = {"floats": ph.Array(), "doubles": ph.Array()}
    pixels = {"image": ph.Image()}
    moved = [
        ph.Flip(),
        ph.Rotate(15),
        ph.Scale(0.2),
        ph.Translate(0.1),
        ph.Shear(5),
        ph.Color(0.2, 0.2, 0.2, 0.1),
    ]
    soft = {name: head for name, head in heads().items() if name in {"yes", "hot", "tags"}}

    def feed(source=data, inputs=numbers, these=None, **more):
        options = {"batch_size": 7, "seed": 3, **more}
        return ph.Feed(source, inputs=inputs, heads=heads() if these is None else these, **options)

    for workers in (0, 2):
        for shuffle in (False, True, "blocks"):
            yield (
                f"numbers, shuffle={shuffle}, workers={workers}",
                checksum(feed(shuffle=shuffle, workers=workers)),
            )
        for what, size in {"stretch": (20, 24), "contain": (30, 30), "cover": (24, 24)}.items():
            kind = {"image": ph.Image(*size, fit=what)}
            made = feed(inputs=kind, these=spatial(), workers=workers)
            yield f"image, fit={what}, workers={workers}", checksum(made)
            made = feed(inputs=kind, these=spatial(), augment=moved, shuffle=True, workers=workers)
            yield f"image moved, fit={what}, workers={workers}", checksum(made)
    for augmentation in [
        *moved,
        ph.Crop(0.7),
        ph.RandomResizedCrop(0.3),
        ph.Blur(1.5),
        ph.Noise(0.1),
        ph.Cutout(0.3),
        ph.Mosaic(),
    ]:
        lying = {
            k: h for k, h in spatial().items() if not isinstance(augmentation, ph.Mosaic) or k != "points"
        }
        made = feed(inputs=pixels, these=lying, augment=[augmentation], workers=0)
        yield f"{augmentation!r}", checksum(made)
    for mixer in (ph.CutMix(), ph.MixUp()):
        yield f"{mixer!r}", checksum(feed(inputs=pixels, these=soft, augment=[mixer], workers=0))
    yield (
        "Apply",
        checksum(
            feed(inputs=pixels, these=spatial(), augment=[ph.Apply(lambda image: 1 - image)], workers=0)
        ),
    )
    for dtype in ("uint8", "float32"):
        yield f"Image(dtype={dtype!r})", checksum(feed(inputs={"image": ph.Image(dtype=dtype)}, these=soft))
    yield (
        "16 bits",
        checksum(
            feed(inputs={"deep": ph.Image(24, 24, 1, range=(0, 65535))}, these=soft, augment=[ph.Flip()])
        ),
    )
    whole = ph.Feed(data, inputs=pixels, heads=spatial())
    for name, head in {**heads(), **spatial()}.items():
        if name not in {"price", "kinds"}:
            made = feed(inputs={**numbers, **pixels} if name in whole.heads else numbers, these={name: head})
            yield f"{name}: {type(head).__name__} alone", checksum(made)
    few = {"yes": ph.Binary(), "word": ph.Categorical(CLASSES), "ids": ph.Mask(3)}
    for name in ("table.parquet", "table.arrow", "table.csv"):
        for shuffle in (False, True, "blocks"):
            kind = {"image": ph.Image(24, 32, column="path")}
            yield (
                f"{name}, shuffle={shuffle}",
                checksum(feed(str(folder / name), inputs=kind, these=few, shuffle=shuffle)),
            )
    sized = {"image": ph.Image(24, 32)}
    objects = {"boxes": ph.Boxes(3), "labels": ph.Categorical(CLASSES, each="boxes")}
    coco = ph.read_coco(folder / "coco.json", folder / "images")
    masked = {**objects, "masks": ph.Mask(each="boxes")}
    yolo = ph.read_yolo(folder / "data.yaml")
    photographs = ph.read_folder(folder / "images", masks={"ids": str(folder / "masks")})
    for augment in ([], moved):
        way = "moved" if augment else "still"
        yield f"read_coco, {way}", checksum(feed(coco, sized, masked, augment=augment))
        yield f"read_yolo, {way}", checksum(feed(yolo, sized, objects, augment=augment))
        yield f"read_folder, {way}", checksum(feed(photographs, sized, {"ids": ph.Mask(3)}, augment=augment))
        cached = [feed(coco, sized, masked, augment=augment, cache=folder / f"cache {way}") for _ in range(2)]
        yield f"cache, {way}", " ".join(checksum(each) for each in cached)
    source = ph.read_table(data)
    left, right = source.split((0.75, 0.25), seed=1, stratify="word")
    views = {
        "select": source.select([3, 1, 20, 7, 7, 2, 9, 11]),
        "split": left,
        "concat": right.concat(left),
        "mix": left.mix(right, weights=[2, 1]),
        "largest": ph.largest(source, "boxes", along=["kinds"]),
    }
    for name, view in views.items():
        lying = {"boxes": ph.Boxes(3)} if name != "largest" else {"boxes": ph.Boxes(1)}
        for shuffle in (False, True):
            yield (
                f"{name}, shuffle={shuffle}",
                checksum(feed(view, pixels, {**soft, **lying}, shuffle=shuffle, augment=moved)),
            )
    np.save(folder / "image.npy", data["image"])
    mapped = {**data, "image": np.load(folder / "image.npy", mmap_mode="r")}
    frame = pd.DataFrame({name: list(data[name]) for name in ("yes", "word", "price", "boxes", "image")})

    def rows():
        for i in range(0, ROWS, 5):
            yield {name: data[name][i : i + 5] for name in ("image", "yes", "ids")}

    yield "memory map, blocks", checksum(feed(mapped, pixels, {**soft, **spatial()}, shuffle="blocks"))
    yield "own source", checksum(feed(Own(data), pixels, spatial(), shuffle=True, augment=moved))
    yield (
        "pandas",
        checksum(feed(frame, pixels, {"yes": ph.Binary(), "price": ph.Regression()}, shuffle=True)),
    )
    streamed = ph.from_generator(rows, length=ROWS)
    yield (
        "from_generator",
        checksum(feed(streamed, pixels, {"yes": ph.Binary(), "ids": ph.Mask(3)}, augment=moved)),
    )
    for name, packed in {"source": source, "coco": coco, "feed": feed(inputs=sized, these=spatial())}.items():
        store = ph.pack(packed, folder / f"store {name}", progress=False)
        reads = ph.open_store(folder / f"store {name}")
        these = masked if name == "coco" else spatial()
        for shuffle in (False, True, "blocks"):
            yield (
                f"store of {name}, shuffle={shuffle}",
                checksum(feed(reads, sized, these, shuffle=shuffle, augment=moved if shuffle else [])),
            )
        assert len(store) == ROWS


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        for what, total in lines(Path(made)):
            print(f"{total}  {what}", flush=True)
