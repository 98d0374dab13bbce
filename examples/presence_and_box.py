"""Is there an object, and where: the box counts only where there is one.

Images 32 x 32 x 1; heads: presence, and the object's box, some labels missing. The images are in memory here; an
array on disk (``numpy.memmap``, h5py, zarr) works in the same way.
"""

from __future__ import annotations

import keras
import numpy as np

import polyhead as ph

SIDE = 32


def data(rows=1000, missing=0.2, empty=0.5, seed=0):
    """Noisy images, a share of them with a bright rectangle; None where a label is missing."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 100, (rows, SIDE, SIDE, 1), dtype="uint8")
    there = rng.random(rows) >= empty
    size = rng.integers(8, 20, (rows, 2))
    low = rng.integers(0, SIDE - size + 1)
    boxes = np.concatenate([low, low + size], axis=1)
    for i in np.flatnonzero(there):
        left, top, right, bottom = boxes[i]
        image[i, top:bottom, left:right] += 120
    known = rng.random((2, rows)) >= missing
    return {
        "image": image,
        "presence": [bool(p) if k else None for p, k in zip(there, known[0], strict=True)],
        "box": [b / SIDE if p and k else None for b, p, k in zip(boxes, there, known[1], strict=True)],
    }


def feed(columns, batch_size=50, shuffle=True, seed=0):
    """The feed."""
    return ph.Feed(
        columns,
        inputs={"image": ph.Image(SIDE, SIDE, 1)},
        heads={
            "presence": ph.Binary(),
            "box": ph.Boxes(1, normalized=True, given="presence", weight=30.0),
        },
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def by_hand(columns, batch_size=50):
    """The generator that the feed replaces: missing boxes are zeros, which the network then learns to predict."""
    boxes = [np.zeros(4) if box is None else box for box in columns["box"]]
    while True:
        for start in range(0, len(boxes), batch_size):
            rows = slice(start, start + batch_size)
            presence = np.array(columns["presence"][rows], "float32")[:, None]
            yield (
                columns["image"][rows].astype("float32") / 255,
                (presence, np.array(boxes[rows], "float32")[:, None]),
            )


def network(heads):
    x = keras.Input((SIDE, SIDE, 1), name="image")
    features = keras.layers.Conv2D(8, 4, strides=4, activation="relu")(x)
    hidden = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(features))
    return keras.Model(x, list(ph.outputs(hidden, heads).values()))


def main(epochs=20, rows=1000, seed=0):
    """Train on four fifths of the rows; return the history, and the metrics on the rest."""
    keras.utils.set_random_seed(seed)
    columns = data(rows, seed=seed)
    cut = rows * 4 // 5
    train = feed({name: values[:cut] for name, values in columns.items()}, seed=seed)
    test = train.on({name: values[cut:] for name, values in columns.items()})
    model = network(train.heads)
    ph.compile(model, train, optimizer=keras.optimizers.Adam(0.005))
    history = model.fit(train, validation_data=test, epochs=epochs, verbose=0).history
    return history, model.evaluate(test, return_dict=True, verbose=0)


if __name__ == "__main__":
    print(main()[1])
