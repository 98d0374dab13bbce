"""Is there a person or an animal in a photograph, which is the largest, where is it, and what is its shape?

Four heads, decoded and augmented together, many masks missing. ``python examples/largest_object.py FOLDER [LAYOUT]``
with a folder of ``images/`` and, as LAYOUT says, ``yolo`` (boxes of all photographs and polygons of most), ``masks``
(PNGs of class ids for most) or ``panoptic`` (COCO's JSON and its PNGs for most).
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

import polyhead as ph
from polyhead.images.decode import decode_mask

SIDE, MASK = 64, (16, 16)
WANTED = {1: "person", 16: "bird", 17: "cat", 18: "dog", 19: "horse", 20: "sheep", 21: "cow", 22: "elephant"}
WANTED |= {23: "bear", 24: "zebra", 25: "giraffe"}  # COCO's numbers


def yolo(folder):
    """YOLO's boxes of all photographs, and YOLO's polygons of most."""

    def read(kind):
        (texts,) = (folder / kind / "labels").iterdir()
        where = {"images": folder / "images" / texts.name, "labels": texts}
        some = {"categories": WANTED.values(), "unannotated": "missing"}
        return ph.largest(ph.read_yolo(folder / kind / "config.yaml", **where, **some))

    yield read("object_detection"), ("present", "labels", "boxes")
    yield read("instance_segmentation"), ("masks",)


def panoptic(folder):
    """COCO's panoptic JSON, which has boxes of things, and a PNG of segments each."""
    (file,) = (folder / "panoptic_segmentation" / "annotations").glob("*.json")
    images = folder / "images" / file.stem.removeprefix("panoptic_")
    found = ph.read_coco(file, images, categories=WANTED.values(), crowds="skip")
    yield ph.largest(found), ("present", "labels", "boxes", "masks")


def masks(folder):
    """PNGs of class ids, 0 where a pixel has none; the largest object is all of the class that has most pixels."""
    (pngs,) = (folder / "semantic_segmentation" / "masks").iterdir()
    rows = columns(ph.read_folder(folder, images=f"images/{pngs.name}", masks=str(pngs)))
    found = {"file": rows["file"], "present": [], "labels": [], "boxes": [], "masks": []}
    for path in rows["mask"]:
        ids = None if path is None else decode_mask(path)
        counts = {k: (ids == k).sum() for k in WANTED} if path else {}
        most = max(counts, key=counts.get) if any(counts.values()) else None
        shape = None if most is None else np.where(ids == 0, -1, ids == most).astype("int8")
        y, x = ([], []) if most is None else np.nonzero(ids == most)
        found["present"].append(None if path is None else most is not None)
        found["labels"].append(WANTED.get(most))
        found["boxes"].append(None if most is None else [x.min(), y.min(), x.max() + 1, y.max() + 1])
        found["masks"].append(shape)
    yield ph.read_table(found), ("present", "labels", "boxes", "masks")


def columns(source):
    return source.read(np.arange(len(source)))


def data(folder, layout="yolo"):
    """All photographs, with the labels that the layout has for each; None where it has none."""
    folder = Path(folder)
    photographs = columns(ph.read_folder(folder / "images", classes=False))
    rows = {"image": photographs["image"]}
    for source, names in {"yolo": yolo, "masks": masks, "panoptic": panoptic}[layout](folder):
        found = columns(source)
        row_of = {Path(file).name: row for row, file in enumerate(found["file"])}
        at = [row_of.get(Path(file).name) for file in photographs["file"]]
        rows |= {name: [None if i is None else found[name][i] for i in at] for name in names}
    return rows


def feed(rows, batch_size=16, seed=0, cache=None):
    """The feed. Pixels of -1 have no label."""
    return ph.Feed(
        rows,
        inputs={"image": ph.Image(SIDE, SIDE)},
        heads={
            "present": ph.Binary(),
            "kind": ph.Categorical(column="labels", given="present"),
            "box": ph.Boxes(1, column="boxes", given="present", weight=0.05),
            "shape": ph.Mask(column="masks", given="present", size=MASK, missing=-1, weight=3.0),
        },
        batch_size=batch_size,
        shuffle=True,
        seed=seed,
        augment=[ph.Flip(), ph.Color(0.1, contrast=0.1)],
        cache=cache,
    )


def network(heads):
    x = keras.Input((SIDE, SIDE, 3), name="image")
    h, maps = x, None
    for width in (16, 24, 32, 64):
        h = keras.layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(h)
        h = keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.8)(h))
        maps = h if h.shape[1] == MASK[0] else maps
    flat = keras.layers.Dense(96, activation="relu")(keras.layers.Flatten()(h))
    maps = keras.layers.Concatenate()([maps, keras.layers.UpSampling2D(4)(h)])
    maps = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(maps)
    return keras.Model(x, ph.outputs({"shape": maps, None: flat}, heads))


def main(folder, layout="yolo", epochs=30, seed=0, verbose=0, cache=None):
    """Train, and return the losses of the model and of the best constant. A `cache` is an empty folder."""
    from best_constant import losses_of_the_best_constant

    keras.utils.set_random_seed(seed)
    train = feed(data(folder, layout), seed=seed, cache=cache)
    model = network(train.heads)
    ph.compile(model, train, optimizer=keras.optimizers.Adam(3e-3))
    model.fit(train, epochs=epochs, verbose=verbose)
    found = model.evaluate(train.on(train.source), return_dict=True, verbose=0)
    return {name: found[f"{name}_loss"] for name in train.heads}, losses_of_the_best_constant(train), found


if __name__ == "__main__":
    learned, best, metrics = main(*sys.argv[1:], verbose=2)
    for name, loss in learned.items():
        print(f"{name:8} loss {loss:8.4f}   best constant {best[name]:8.4f}")
    print({name: round(value, 3) for name, value in metrics.items()})
