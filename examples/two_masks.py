"""Two segmentations of one image, some of them never drawn.

Images 64 x 64 x 3; heads: two binary masks 64 x 64 x 1, of the red disc and of the blue square.
"""

from __future__ import annotations

import keras
import numpy as np

import polyhead as ph

SIDE = 64


def data(rows=200, missing=0.2, seed=0):
    """Noisy images with a red disc and a blue square each; None where a mask is missing."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 100, (rows, SIDE, SIDE, 3), dtype="uint8")
    at = np.arange(SIDE)
    center = rng.integers(14, SIDE - 14, (4, rows, 1, 1))
    disc = (at[:, None] - center[0]) ** 2 + (at - center[1]) ** 2 < 12**2
    square = np.maximum(abs(at[:, None] - center[2]), abs(at - center[3])) < 9
    image[..., 0] += 120 * disc.astype("uint8")
    image[..., 2] += 120 * square.astype("uint8")
    drawn = rng.random((2, rows)) >= missing
    return {
        "image": image,
        "disc": [mask[..., None] if there else None for mask, there in zip(disc, drawn[0], strict=True)],
        "square": [mask[..., None] if there else None for mask, there in zip(square, drawn[1], strict=True)],
    }


def feed(columns, batch_size=20, shuffle=True, seed=0):
    """The feed."""
    return ph.Feed(
        columns,
        inputs={"image": ph.Image(SIDE, SIDE, 3)},
        heads={"disc": ph.Mask(size=(SIDE, SIDE)), "square": ph.Mask(size=(SIDE, SIDE))},
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def by_hand(columns, batch_size=20):
    """The generator that the feed replaces: it cannot express a missing mask."""
    while True:
        for start in range(0, len(columns["image"]), batch_size):
            rows = slice(start, start + batch_size)
            masks = (np.stack(columns[name][rows]).astype("float32") for name in ("disc", "square"))
            yield columns["image"][rows].astype("float32") / 255, tuple(masks)


def network(heads):
    x = keras.Input((SIDE, SIDE, 3), name="image")
    features = keras.layers.Conv2D(8, 4, strides=4, activation="relu")(x)
    features = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(features)
    return keras.Model(x, list(ph.outputs(features, heads).values()))


def main(epochs=12, rows=300, seed=0):
    """Train on four fifths of the rows; return the history, and the metrics on the rest."""
    keras.utils.set_random_seed(seed)
    columns = data(rows, seed=seed)
    cut = rows * 4 // 5
    train = feed({name: values[:cut] for name, values in columns.items()}, seed=seed)
    test = train.on({name: values[cut:] for name, values in columns.items()})
    model = network(train.heads)
    ph.compile(model, train, optimizer=keras.optimizers.Adam(0.01))
    history = model.fit(train, validation_data=test, epochs=epochs, verbose=0).history
    return history, model.evaluate(test, return_dict=True, verbose=0)


if __name__ == "__main__":
    print(main()[1])
