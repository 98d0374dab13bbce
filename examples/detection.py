"""Find every digit on a canvas: a small anchor-free detector, trained on any number of boxes an image.

Each row has a list of boxes and a list of classes. ``each="box"`` keeps them together: if a box leaves the image, its
class is removed with it, and rows of unequal length become one padded array, with weight 0 in the padding. An image
with an empty list has no objects; one with None was not annotated, and has weight 0 in ``there``. The detector assigns
the labels to its own grid, in ``compute_loss``: a heat map for each class, and for the cell in the middle of each box
the four distances to its sides (after Zhou et al., "Objects as Points", 2019, and Tian et al.,
"FCOS", 2019). ``python examples/detection.py``
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

import canvases
import polyhead as ph

SIDE, CELL, CLASSES = 64, 4, 10
GRID = SIDE // CELL


def feed(columns, batch_size=32, shuffle=True, seed=0):
    """The feed."""
    return ph.Feed(
        columns,
        inputs={"image": ph.Image()},
        heads={
            "box": ph.Boxes(4, overflow="largest", min_visible=0.5),
            "digit": ph.Categorical(CLASSES, each="box"),
            "there": ph.Binary(each="box", column="box"),
        },
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        augment=[ph.Rotate(8), ph.Scale(0.15), ph.Translate(0.1), ph.Color(0.2, contrast=0.2)],
    )


class Detector(keras.Model):
    """Gives ``heat`` ``(B, GRID, GRID, CLASSES)`` and ``sides`` ``(B, GRID, GRID, 4)``, in cells."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        boxes, kinds, there = y["box"] / CELL, y["digit"], sample_weight["box"]
        looked_at = ops.max(sample_weight["there"], axis=1)  # 0 for an image that nobody annotated
        middle, size = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
        cells = ops.arange(GRID, dtype="float32") + 0.5
        # a Gaussian around the center of each box, on the map of its class
        width = ops.maximum(size / 6, 0.4)
        hill = [ops.exp(-(((cells - middle[..., i, None]) / width[..., i, None]) ** 2) / 2) for i in (0, 1)]
        hills = hill[1][..., :, None] * hill[0][..., None, :] * there[..., None, None]
        heat = ops.max(hills[..., None] * ops.one_hot(kinds, CLASSES)[:, :, None, None, :], axis=1)
        found = ops.clip(y_pred["heat"], 1e-4, 1 - 1e-4)
        peak = ops.cast(heat > 0.8, "float32")
        loss = -peak * (1 - found) ** 2 * ops.log(found)
        loss -= (1 - peak) * (1 - heat) ** 4 * found**2 * ops.log(1 - found)
        loss = loss * looked_at[:, None, None, None]  # not annotated: unknown whether it is background
        # the cell at the center of a box predicts the distances to its sides
        at = ops.cast(ops.clip(ops.floor(middle), 0, GRID - 1), "int32")
        flat = ops.reshape(y_pred["sides"], (-1, GRID * GRID, 4))
        told = ops.take_along_axis(flat, (at[..., 1] * GRID + at[..., 0])[..., None], axis=1)
        center = ops.cast(at, "float32") + 0.5
        true = ops.concatenate([center - boxes[..., :2], boxes[..., 2:] - center], axis=-1)
        count = ops.maximum(ops.sum(there), 1.0)
        return (ops.sum(loss) + ops.sum(ops.abs(told - true) * there[..., None])) / count


def network():
    x = keras.Input((SIDE, SIDE, 1), name="image")
    h, maps = x, {}
    for width, strides in ((16, 2), (32, 2), (48, 1), (64, 2), (64, 1)):
        h = keras.layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(h)
        h = keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.9)(h))
        maps[h.shape[1]] = h
    h = keras.layers.Concatenate()([maps[GRID], keras.layers.UpSampling2D(2)(h)])
    h = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(h)
    rare = keras.initializers.Constant(-3.0)  # at first, predict no objects
    heat = keras.layers.Conv2D(CLASSES, 1, activation="sigmoid", bias_initializer=rare)(h)
    return Detector(x, {"heat": heat, "sides": keras.layers.Conv2D(4, 1, activation="relu")(h)})


def boxes_of(found, most=8):
    """Return ``(scores, classes, boxes)`` for each image: the peaks of the heat maps, in pixels."""
    heat = np.asarray(found["heat"])
    near = np.pad(heat, ((0, 0), (1, 1), (1, 1), (0, 0)))
    around = [near[:, i : i + GRID, j : j + GRID] for i in range(3) for j in range(3)]
    peaks = np.where(heat == np.max(around, axis=0), heat, 0).reshape(len(heat), -1)
    for scores, sides in zip(peaks, np.asarray(found["sides"]), strict=True):
        best = np.argsort(-scores)[:most]
        i, j, kind = np.unravel_index(best, heat.shape[1:])
        left, top, right, bottom = sides[i, j].T
        x, y = j + 0.5, i + 0.5
        yield scores[best], kind, np.stack([x - left, y - top, x + right, y + bottom], 1) * CELL


def average_precision(found, boxes, kinds, least=0.5):
    """Average precision: a detection is right if class and box (IoU 0.5) match an object that was not found yet."""
    told, total = [], sum(map(len, boxes))
    for (scores, classes, guesses), true, labels in zip(found, boxes, kinds, strict=True):
        free = np.ones(len(true), bool)
        for score, kind, guess in zip(scores, classes, guesses, strict=True):
            low, high = np.maximum(true[:, :2], guess[:2]), np.minimum(true[:, 2:], guess[2:])
            inter = np.prod(np.maximum(high - low, 0), axis=1)
            areas = [np.prod(np.maximum(b[..., 2:] - b[..., :2], 0), axis=-1) for b in (true, guess)]
            iou = inter / np.maximum(areas[0] + areas[1] - inter, 1e-9) * (free & (labels == kind))
            hit = bool(len(iou)) and iou.max() >= least
            told.append((score, hit))
            if hit:
                free[iou.argmax()] = False
    hits = np.array([hit for _, hit in sorted(told, key=lambda one: -one[0])])
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / total)


def main(train=2000, test=400, epochs=12, seed=0, verbose=0):
    """Train, and return the average precision on canvases with digits of the test split."""
    keras.utils.set_random_seed(seed)
    learn, seen = canvases.draw_many(train, test, seed)
    training = feed(learn, seed=seed)
    model = network()
    model.compile(optimizer=keras.optimizers.Adam(2e-3))
    model.fit(training, epochs=epochs, verbose=verbose)
    found = model.predict(training.on(seen), verbose=0)
    return average_precision(boxes_of(found), seen["box"], seen["digit"])


if __name__ == "__main__":
    print(f"average precision at an IoU of 0.5: {main(verbose=2):.3f}")
