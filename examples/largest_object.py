"""What is the largest thing in a photograph, where is it, what shape has it, and is there a person?

Photographs in a folder, with YOLO's boxes for all and YOLO's polygons for most: four heads, decoded and augmented
together, and many masks missing. ``python examples/largest_object.py FOLDER`` with a folder laid out as
``images/``, ``object_detection/labels/``, ``instance_segmentation/labels/`` and their data YAML.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

import polyhead as ph

SIDE = 96
MASK = (24, 24)


def data(folder):
    """Paths of photographs, and what is known of the largest object in each; None where nothing is."""
    folder = Path(folder)
    part = next(path.name for path in sorted((folder / "images").iterdir()) if path.is_dir())

    def read(kind):
        source = ph.read_yolo(
            folder / kind / "config.yaml",
            images=folder / "images" / part,
            labels=folder / kind / "labels" / part,
        )
        return source.read(np.arange(len(source)))

    found, shapes = read("object_detection"), read("instance_segmentation")
    outlines = dict(zip(shapes["file"], zip(shapes["boxes"], shapes["masks"], strict=True), strict=True))
    rows = {name: [] for name in ("image", "person", "kind", "box", "shape")}
    for path, file, boxes, labels in zip(
        *(found[n] for n in ("image", "file", "boxes", "labels")), strict=True
    ):
        known = boxes is not None and len(boxes)
        largest = int(areas(boxes).argmax()) if known else None
        rows["image"].append(path)
        rows["person"].append("person" in labels if known else None)
        rows["kind"].append(labels[largest] if known else None)
        rows["box"].append(boxes[largest] if known else None)
        outlined, masks = outlines[file]
        drawn = outlined is not None and len(outlined)
        rows["shape"].append(masks[int(areas(outlined).argmax())] if drawn else None)
    return rows


def areas(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def feed(rows, batch_size=16, seed=0):
    """What polyhead needs to be told."""
    return ph.Feed(
        rows,
        inputs={"image": ph.Image(SIDE, SIDE)},
        heads={
            "person": ph.Binary(),
            "kind": ph.Categorical(),
            "box": ph.Boxes(1, weight=0.05),
            "shape": ph.Mask(size=MASK, weight=3.0),
        },
        batch_size=batch_size,
        shuffle=True,
        seed=seed,
        augment=[ph.Flip(), ph.Color(0.1, contrast=0.1)],
    )


def network(heads):
    x = keras.Input((SIDE, SIDE, 3), name="image")
    h, maps = x, None
    for width in (16, 32, 64, 96):
        h = keras.layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(h)
        h = keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.8)(h))
        maps = h if h.shape[1] == MASK[0] else maps
    flat = keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(h))
    wide = keras.layers.UpSampling2D(4)(h)
    maps = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(
        keras.layers.Concatenate()([maps, wide])
    )
    return keras.Model(x, ph.outputs({"shape": maps, None: flat}, heads))


def constant(train):
    """The losses of the best prediction that looks at no image."""
    labels = {name: [] for name in train.heads}
    weights = {name: [] for name in train.heads}
    for _, y, w in train.on(train.source):
        for name in labels:
            labels[name].append(y[name])
            weights[name].append(w[name])
    losses = {}
    for name, head in train.heads.items():
        y, w = np.concatenate(labels[name]), np.concatenate(weights[name])
        w = np.broadcast_to(w.reshape(w.shape + (1,) * (y.ndim - w.ndim)), y.shape)
        if name == "kind":
            share = np.bincount(y[w > 0], minlength=len(head.names)) / (w > 0).sum()
            losses[name] = -(share[share > 0] * np.log(share[share > 0])).sum()
        elif name == "box":
            middle = np.median(y[w[:, 0, 0] > 0], axis=0)
            size = np.abs(y - middle)[w > 0]
            losses[name] = np.where(size < 1, size**2 / 2, size - 0.5).mean()
        else:
            share = np.average(y, weights=w, axis=0)
            each = np.where(y == 1, np.log(share + 1e-7), np.log(1 - share + 1e-7))
            losses[name] = -np.average(each, weights=w)
    return losses


def main(folder, epochs=30, seed=0, verbose=0):
    """Train; the losses of the model on its photographs, and of the best constant."""
    keras.utils.set_random_seed(seed)
    train = feed(data(folder), seed=seed)
    model = network(train.heads)
    ph.compile(model, train, optimizer=keras.optimizers.Adam(2e-3))
    model.fit(train, epochs=epochs, verbose=verbose)
    found = model.evaluate(train.on(train.source), return_dict=True, verbose=0)
    return {name: found[f"{name}_loss"] for name in train.heads}, constant(train), found


if __name__ == "__main__":
    learnt, best, metrics = main(sys.argv[1], verbose=2)
    for name, loss in learnt.items():
        print(f"{name:8} loss {loss:8.4f}   best constant {best[name]:8.4f}")
    print({name: round(value, 3) for name, value in metrics.items()})
